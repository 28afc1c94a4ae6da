"""Logs are one JSON object a line, and hold no address, whoever wrote them."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.log import _cut, _without_addresses

ROOT = Path(__file__).parents[2]

ADDRESSES = [
    "jane.doe@example.com",
    "Jane+tag@Example.COM",
    "o'brien@example.com",
    '"jane doe"@example.com',
    "jörg@bücher.example",
    "jane@localhost",
    "jane@[192.0.2.1]",
    "jane%40example.com",
    "jane%2540example.com",
    "jane=40example.com",
    "jane @ example.com",
    "jane @example.com",
    "jane@ example.com",
    "jane&#64;example.com",
    "jane\\u0040example.com",
    "bounces+jane=example.com@example.org",
    '"jane \\" doe"@example.com',
    "жанна@example.com",
    "ジェーン@example.com",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("around", ["{}", "bad recipient <{}>, dropped", "Jane <mailto:{}>", "key=acme\x1f{};", '"{}"'])
def test_an_address_is_cut_out_of_any_text(address, around):
    left = _cut(around.format(address))
    assert "<address>" in left
    for part in ("jane", "Jane+tag", "brien", "jörg", "example", "Example", "localhost", "192.0.2.1", "@"):
        assert part not in left.replace("Jane <", "")


@pytest.mark.parametrize(
    "text",
    [
        "worker-started",
        "redis://redis:6379/0",
        'Traceback (most recent call last):\n  File "x.py", line 7, in f\n    @app.agent\n    return a @ b',
        "100 % of 40 partitions",
        "lag=40 partitions=401.5 timeout=40s a=40.",
        "b3c1…/<address>",
        "",
    ],
)
def test_what_holds_no_address_stays_as_it_is(text):
    assert text == _cut(text)


def test_a_password_in_a_url_goes_with_what_looks_like_an_address():
    assert "hunter2" not in _cut("can't reach redis://:hunter2@redis:6379/0")


@pytest.mark.parametrize("hidden", ADDRESSES)
def test_an_address_is_cut_out_at_any_depth_and_of_any_object(hidden):
    fields = {
        "event": "x",
        "nested": {"list": [1, None, {hidden: (hidden, {hidden})}]},
        "bytes": b"x " + hidden.encode(),
        "error": ValueError(hidden),
        "path": Path(hidden),
        hidden: True,
    }
    left = _without_addresses(None, "info", fields)
    assert (left["event"], left["nested"]["list"][:2]) == ("x", [1, None])
    for part in ("jane", "Jane+tag", "brien", "example", "localhost"):
        assert part not in repr(left)


@settings(max_examples=300, deadline=None)
@given(st.text('ab@.%40 "<>\n', max_size=60) | st.text(max_size=30))
def test_no_word_with_an_at_sign_inside_is_left(text):
    left = _cut(text)
    assert not [word for word in left.replace('"', " ").replace("<", " ").split() if "a@b" in word]


LOCALS = st.text("abcé.+_=-'жл", min_size=1, max_size=12)
DOMAINS = st.from_regex(r"[a-z]{1,8}(-[a-z]{1,4})?\.[a-z]{2,6}", fullmatch=True)
AT_SIGNS = st.sampled_from(["@", " @ ", "@ ", " @", "%40", "=40", "&#64;", "&#x40;", "\\u0040", "\\x40", "\uff20"])
BESIDE = [("", ""), ("<", ">"), ('"', '"'), ("to ", ", dropped"), ('{"email":"', '","n":1}'), ("\t", "\n")]
AROUND = st.sampled_from(BESIDE)


@settings(max_examples=500, deadline=None)
@given(LOCALS, AT_SIGNS, DOMAINS, AROUND)
def test_no_way_to_write_an_address_leaves_who_and_where(local, at, domain, around):
    left = _cut(f"x {around[0]}{local}{at}{domain}{around[1]} y")
    assert domain not in left
    assert f"{local}{at}" not in left
    assert "<address>" in left
    assert (left[:1], left[-1:]) == ("x", "y")


@pytest.mark.parametrize("unit", ['\\"', '"', "a=40", "a @ ", "@ ", "a.", "=40x.", " @x.", "%40", "\\u0040"])
def test_a_long_text_of_at_signs_takes_no_time(unit):  # in quadratic time it would run into the timeout of tests
    assert len(_cut(unit * 50_000)) <= 50_000 * max(len(unit), len("<address>"))


def test_a_long_word_takes_no_time():  # in quadratic time it would run into the timeout of tests
    _cut("x" * 1_000_000)
    _cut("x" * 500_000 + "@" + "y" * 500_000)
    _cut('"' * 1_000_000 + "@")
    _cut("%40" * 300_000)


WRITE_LOGS = """
import logging, sys, warnings
import structlog
from streams import log

log.set_up(sys.argv[1])
ours, theirs = structlog.get_logger(), logging.getLogger("some.library")
ours.info("ours", number=1, nested={"to": ["jane@example.com"]})
ours.debug("debug of ours")
try:
    raise ValueError("no such jane@example.com")
except ValueError:
    ours.exception("ours-failed")
    theirs.exception("theirs failed for %s", "jane@example.com", stack_info=True)
theirs.warning("two\\nlines for %r", {"to": b"jane@example.com"})
theirs.warning({"to": "jane@example.com"})
logging.getLogger("aiokafka.consumer").info("chatter")
logging.getLogger("streams.transport").info("chatter")
logging.getLogger("aiokafka.consumer").error("trouble with jane@example.com")
warnings.warn("old way to write to jane@example.com")
raise RuntimeError("jane@example.com again")
"""


def logged(level: str) -> list[dict]:
    command = [sys.executable, "-W", "always", "-c", WRITE_LOGS, level]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"jane" not in done.stderr
    return [orjson.loads(line) for line in done.stderr.splitlines()]


def test_ours_and_theirs_go_to_standard_error_as_one_json_object_a_line_without_addresses():
    lines = logged("INFO")
    assert [
        ("info", "ours"),
        ("error", "ours-failed"),
        ("error", "theirs failed for <address>"),
        ("warning", "two\nlines for {'to': <address>'}"),
        ("warning", "{'to': <address>'}"),
        ("error", "trouble with <address>"),
        ("warning", lines[6]["event"]),
        ("critical", "unexpected"),
    ] == [(line["level"], line["event"]) for line in lines]
    assert lines[0]["nested"] == {"to": ["<address>"]}
    assert lines[1]["exception"].endswith("ValueError: no such <address>")
    assert lines[2]["exception"].endswith("ValueError: no such <address>")
    assert "UserWarning: old way to write to <address>" in lines[6]["event"]
    assert lines[7]["exception"].endswith("RuntimeError: <address> again")
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_debug_brings_the_chatter_of_libraries():
    events = [line["event"] for line in logged("DEBUG")]
    assert events.count("chatter") == 2
    assert "debug of ours" in events
