"""Lists in and out through a real broker, by the command line."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from schemas.suppression import suppression_key
from streams.dev_stack import Endpoints
from streams.publisher import partition_of
from streams.settings import from_environment
from streams.topics import ensure_topics
from tests.support.topics_io import topics_of

ROOT = Path(__file__).parents[2]
LIST = """created,email,reason,status
1763633730,jane@example.com,550 5.1.1 no such user,5.1.1
1763633731,full@example.com,552 5.2.2 mailbox full,5.2.2
1763633732,nobody,550,5.0.0
1763633733,gone@example.com,550 5.1.1 no such user,5.1.1
"""


@pytest.fixture
def environ(stack: Endpoints, prefix: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCELINE_")}
    return {**kept, "BOUNCELINE_KAFKA": stack.kafka, "BOUNCELINE_TOPIC_PREFIX": prefix}


def bounceline(environ: dict[str, str], *words: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "streams", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=False, timeout=120)


async def test_an_import_puts_a_command_for_each_row_on_the_topic(stack, prefix, environ, tmp_path):
    file = tmp_path / "suppression_bounces.csv"
    file.write_text(LIST)
    first = bounceline(environ, "import", "acme", file, "--json")
    again = bounceline(environ, "import", "acme", file, "--json")
    assert first.returncode == again.returncode == 1  # a row could not be read
    assert first.stderr.decode().splitlines() == [
        "line 4: bad-recipient: the recipient is not one mail address",
        "bounceline: 1 row could not be read and was left out; --rejected FILE writes them down",
    ]
    assert orjson.loads(first.stdout)["imported"] == {"User unknown": 2}
    async with topics_of(stack, prefix) as topics:
        records = await topics.read("contact-commands")
    assert sorted(record.key for record in records) == [b"gone@example.com"] * 2 + [b"jane@example.com"] * 2
    assert len({record.value for record in records}) == 2  # twice the same bytes
    commands = [orjson.loads(record.value) for record in records]
    assert {one["command"] for one in commands} == {"suppress"}
    assert {one["at"] for one in commands} == {"2025-11-20T10:15:30.000Z", "2025-11-20T10:15:33.000Z"}


def _suppression(tenant: str, recipient: str, action: str = "suppress", expires_at: str | None = None) -> bytes:
    reason = {
        "status": "Preblock" if expires_at else "Spam",
        "category": "network_protection" if expires_at else "complaint",
        "severity": "none" if expires_at else "critical",
        "since": "2025-11-20T10:15:30.000Z",
        "expires_at": expires_at,
    }
    reasons = [{**reason, "rule": "r", "evidence": ["m,1"]}] if action == "suppress" else []
    parts = {"schema": 1, "tenant": tenant, "recipient": recipient, "action": action, **reason}
    return orjson.dumps({**parts, "reasons": reasons, "suppression_id": "x", "policy": "x", "cause": "report"})


async def _publish(stack: Endpoints, prefix: str, records: list[tuple[str, str, bytes | None]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka)
    await producer.start()
    try:
        for tenant, recipient, value in records:
            key = suppression_key(tenant, recipient)
            await producer.send(f"{prefix}suppressions", value, key, partition_of(key, 8))
        await producer.flush()
    finally:
        await producer.stop()


async def test_an_export_has_what_stands_and_can_be_imported(stack, prefix, environ, tmp_path):
    """Story: of 300 contacts some are released, erased, expired or somebody else's; the rest comes out and in again."""
    await ensure_topics(from_environment(environ, default_secret=b"x"))
    names = [f"a{n}@example.com" for n in range(300)]
    records = [("acme", name, _suppression("acme", name)) for name in names]
    records += [("acme", name, _suppression("acme", name, "release")) for name in names[:50]]
    records += [("acme", name, None) for name in names[50:60]]
    records += [
        ("acme", "old@example.com", _suppression("acme", "old@example.com", expires_at="2025-12-20T10:15:30.000Z"))
    ]
    records += [("globex", names[0], _suppression("globex", names[0]))]
    await _publish(stack, prefix, records)

    shown = bounceline(environ, "export", "acme", "-")
    assert shown.returncode == 0, shown.stderr
    left_out = bounceline(environ, "export", "acme")
    assert sorted(left_out.stdout.splitlines()) == sorted(shown.stdout.splitlines())
    told = [orjson.loads(line) for line in shown.stdout.splitlines()]
    assert sorted(one["recipient"] for one in told) == sorted(names[60:])
    assert list(told[0]) == ["recipient", "status", "category", "since", "expires_at", "reasons"]
    assert told[0]["reasons"][0]["evidence"] == ["m,1"]

    file = tmp_path / "out.csv"
    assert bounceline(environ, "export", "acme", file).returncode == 0
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert sorted(row["recipient"] for row in rows) == sorted(names[60:])
    assert [one.name for one in tmp_path.iterdir()] == ["out.csv"]

    back = bounceline(environ, "import", "acme", file, "--json")
    assert back.returncode == 0, back.stderr
    assert orjson.loads(back.stdout)["imported"] == {"Spam": 240}


def test_an_export_of_a_broker_without_the_topic_fails_with_a_sentence(environ):
    done = bounceline({**environ, "BOUNCELINE_TOPIC_PREFIX": "nobody-made-"}, "export", "acme")
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "bounceline: there is no topic nobody-made-suppressions on this broker; bounceline topics creates it\n"
    )
