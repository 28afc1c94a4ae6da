"""Every example is a record as the code writes or reads it today, to the byte."""

import re
from pathlib import Path

import msgspec
import orjson
import pytest

import schemas
from agents.classify.address import canonical_recipient
from agents.classify.agent import make_classify_agent
from agents.ports import Outgoing
from agents.suppress.identity import contact_keys
from schemas.codec import decode_command, decode_delivery_event, decode_report, decode_suppression, encode
from schemas.policy import parse_policy
from schemas.rejected import Rejected
from schemas.topics import catalogue
from streams.memory import MemoryBatch, MemoryPublisher, MemoryRecord, NoMeter, each
from streams.replay import classify_lines, replay

HERE = Path(schemas.__file__).parent / "examples"
ALL = sorted(HERE.glob("*/*.json"))
WRITTEN_OR_READ_TODAY = {"esp-reports", "delivery-events", "suppressions", "contact-commands", "dead-letters"}

RESERVED = re.compile(r"(?:.+\.)?(?:example\.(?:com|net|org)|example|test|invalid|localhost)")
_ADDRESSES = re.compile(rb"[^\s\"<>@]+@([A-Za-z0-9.-]+)")
_NETWORKS = re.compile(rb"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")


def examples(topic: str) -> list:
    return [pytest.param(file, id=file.stem) for file in ALL if file.parent.name == topic]


def value_of(file: Path) -> bytes:
    """Give the record value: a file is one line."""
    [line] = file.read_bytes().splitlines()
    return line


def test_every_topic_in_use_has_an_example_and_no_other_has():
    assert {file.parent.name for file in ALL} == WRITTEN_OR_READ_TODAY
    assert set(catalogue()) >= WRITTEN_OR_READ_TODAY


@pytest.mark.parametrize("file", [pytest.param(file, id=f"{file.parent.name}/{file.stem}") for file in ALL])
def test_an_example_is_one_line_of_compact_json(file):
    value = value_of(file)
    assert file.read_bytes() == value + b"\n"
    assert orjson.dumps(orjson.loads(value)) == value


@pytest.mark.parametrize("file", examples("esp-reports"))
def test_a_report_is_read_and_every_element_of_it_understood(file):
    assert not isinstance(decode_report(value_of(file)), Rejected)
    assert not [line for line in classify_lines([value_of(file)]) if line.startswith(b'{"rejected"')]


def test_reports_show_one_object_an_array_and_the_words_of_our_own():
    shown = {
        (report["provider"], type(report["payload"]))
        for report in (orjson.loads(value_of(file)) for file in ALL if file.parent.name == "esp-reports")
    }
    assert shown >= {("mailjet", dict), ("mailjet", list), ("normalized", dict), ("normalized", list)}


@pytest.mark.parametrize("file", examples("contact-commands"))
def test_a_command_is_understood(file):
    command = decode_command(value_of(file), canonical_recipient)
    assert type(command).__name__.lower() == file.stem.partition("-")[0]
    assert command.id in value_of(file).decode()


@pytest.mark.parametrize("file", examples("delivery-events"))
def test_a_delivery_event_is_read_and_written_the_same(file):
    event, _ = decode_delivery_event(value_of(file))
    assert value_of(file) == encode(event)


@pytest.mark.parametrize("file", examples("delivery-events"))
def test_a_delivery_event_is_what_one_of_the_reports_means(file):
    reports = [value_of(report) for report in ALL if report.parent.name == "esp-reports"]
    assert value_of(file) in list(classify_lines(reports))


def test_delivery_events_show_every_effect_but_the_rare_one():
    events = [decode_delivery_event(value_of(file))[0] for file in ALL if file.parent.name == "delivery-events"]
    assert {"block", "count", "reset", "ignore"} == {event.effect for event in events}


@pytest.mark.parametrize("file", examples("suppressions"))
def test_a_suppression_is_read_and_written_the_same(file):
    assert value_of(file) == encode(decode_suppression(value_of(file)))


@pytest.mark.parametrize("file", examples("suppressions"))
async def test_a_suppression_is_the_last_word_on_the_report_of_the_same_name(file):
    said: list[bytes] = []
    rejected: list[bytes] = []
    report = HERE / "esp-reports" / file.name
    await replay([value_of(report)], parse_policy(""), said.append, rejected.append)
    assert value_of(file) == said[-1]
    assert rejected == []


def test_suppressions_show_a_block_at_once_a_run_of_five_several_reasons_an_expiry_and_a_release():
    shown = {file.stem: decode_suppression(value_of(file)) for file in ALL if file.parent.name == "suppressions"}
    assert {"suppress", "release"} == {record.action for record in shown.values()}
    assert shown["hard-bounce"].category == "hard_bounce"
    assert [reason.failures for reason in shown["soft-bounce"].reasons] == [5]
    assert [reason.status for reason in shown["several-reasons"].reasons] == ["Spam", "User", "User unknown"]
    assert shown["preblock"].expires_at == "2025-12-27T10:15:30.123Z"
    assert shown["release"].reasons == ()
    assert shown["release"].status == "Quota exceeded"


class Shown(msgspec.Struct):
    """A dead letter as its example shows it."""

    key: str
    headers: dict[str, str]
    value: str


@pytest.mark.parametrize("file", examples("dead-letters"))
async def test_a_dead_letter_is_what_the_classifier_writes_of_its_value(file):
    shown = msgspec.json.decode(value_of(file), type=Shown)
    record = MemoryRecord("esp-reports", 3, 1042, None, shown.key.encode(), shown.value.encode())
    written: list[Outgoing] = []
    agent = make_classify_agent(MemoryPublisher(written.append), contact_keys(b"a secret"), NoMeter())
    await agent(each([MemoryBatch([record])]))
    [letter] = [outgoing for outgoing in written if outgoing.topic == "dead-letters"]
    assert (shown.key, shown.value) == (letter.key.decode(), letter.value.decode())
    assert list(shown.headers.items()) == [(name, header.decode()) for name, header in letter.headers]


@pytest.mark.parametrize("file", [pytest.param(file, id=f"{file.parent.name}/{file.stem}") for file in ALL])
def test_nobody_real_is_in_an_example(file):
    text = file.read_bytes()
    assert [domain for domain in _ADDRESSES.findall(text) if not RESERVED.fullmatch(domain.decode().lower())] == []
    assert [address for address in _NETWORKS.findall(text) if not address.startswith(b"192.0.2.")] == []
