"""Dead letters on a real broker: shown, put back once however often and wherever it stops, and a budget that stops."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import pytest

from agents.dead_letters import dead_letter
from agents.ports import Outgoing
from schemas.rejected import Rejected
from streams.dead_letters import Wanted
from streams.dev import run_workers
from streams.dev_stack import Endpoints
from streams.memory import MemoryRecord
from streams.publisher import KafkaPublisher
from streams.redrive import redrive
from streams.settings import Settings, from_environment
from streams.topics import ensure_topics
from tests.support.conformance import standing
from tests.support.topics_io import Topics, topics_of

HEADER = "redriven-from"


def _environ(stack: Endpoints, prefix: str, **more: str) -> dict[str, str]:
    ours = {"BOUNCELINE_KAFKA": stack.kafka, "BOUNCELINE_REDIS": stack.redis, "BOUNCELINE_TOPIC_PREFIX": prefix}
    return {**ours, "BOUNCELINE_CONTACT_SECRET": "a secret", **more}


@pytest.fixture
async def settings(stack: Endpoints, prefix: str) -> Settings:
    """Give the settings of an installation whose topics are made."""
    made = from_environment(_environ(stack, prefix))
    await ensure_topics(made)
    return made


@pytest.fixture
async def topics(stack: Endpoints, prefix: str, settings: Settings) -> AsyncIterator[Topics]:
    assert settings.topic_prefix == prefix
    async with topics_of(stack, prefix) as found:
        yield found


@pytest.fixture
def command(stack: Endpoints, prefix: str):
    """Run `bounceline dead-letters …` as a shell does; gives what it says in JSON."""

    def run(*words: str, code: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "streams", "dead-letters", *words],
            env={**os.environ, **_environ(stack, prefix)},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr.decode()) == (code, "")
        return orjson.loads(done.stdout) if "--json" in words else done.stdout.decode()

    return run


def _report(**fields: object) -> bytes:
    event = {"recipient": "jane@example.com", "occurred_at": "2026-03-01T10:00:00Z", "status": "Spam"}
    return orjson.dumps({"provider": "normalized", "tenant": "acme", "payload": event, **fields})


BAD = {"recipient": "nobody at all", "occurred_at": "2026-03-01T10:00:00Z", "status": "Spam"}
REJECTED = [
    (b"key", b"{"),
    (None, _report(provider="pigeon")),
    (b"two bad ones", _report(payload=[BAD, {**BAD, "recipient": "jane@"}])),
    (b"large", _report(payload="x" * 1_100_000)),
]
REASONS = ["not-json", "unknown-provider", "bad-recipient", "too-large"]


async def _reject(stack: Endpoints, prefix: str, topics: Topics) -> None:
    """Let a worker reject what is to be rejected."""
    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
        await topics.publish([value for _, value in REJECTED], [key for key, _ in REJECTED])
        await topics.decided()


async def _back(topics: Topics) -> Counter[tuple[bytes | None, bytes]]:
    """Give the records that were put back, by key and value."""
    found = [record for record in await topics.read("esp-reports") if HEADER in dict(record.headers)]
    return Counter((record.key, record.value) for record in found)


async def test_what_was_rejected_is_shown_put_back_once_and_rejected_again_where_nothing_was_mended(
    stack: Endpoints, prefix: str, topics: Topics, command
) -> None:
    await _reject(stack, prefix, topics)
    groups = command("list", "--json")["groups"]
    assert {(one["reason"], one["provider"]): (one["count"], one["put_back"]) for one in groups} == {
        ("bad-recipient", "normalized"): (2, 0),
        ("not-json", "?"): (1, 0),
        ("too-large", "normalized"): (1, 0),
        ("unknown-provider", "pigeon"): (1, 0),
    }
    assert "bad-recipient, provider normalized: 2" in command("list")
    assert f"not-json, from {prefix}esp-reports: 1" in command("list")
    assert [one["reason"] for one in command("list", "--json", "--reason", "not-json")["groups"]] == ["not-json"]
    assert command("list", "--until", "1h") == "No dead letters.\n"

    planned = command("redrive", "--dry-run", "--json")
    assert (planned["put_back"], planned["too_large"]) == (3, 1)
    assert await _back(topics) == Counter()

    assert command("redrive", "--provider", "pigeon", "--json")["put_back"] == 1
    assert await _back(topics) == Counter([REJECTED[1]])
    told = command("redrive", "--json")
    assert (told["put_back"], told["before"], told["too_large"]) == (2, 1, 1)
    assert await _back(topics) == Counter(REJECTED[:3])
    again = command("redrive")
    assert again == "Put back: 0\nPut back before: 3\nToo large, left where they are: 1\n"
    assert await _back(topics) == Counter(REJECTED[:3])
    assert sum(one["put_back"] for one in command("list", "--json")["groups"]) == 4

    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
        await topics.decided()
    assert sum(one["count"] - one["put_back"] for one in command("list", "--json")["groups"]) == 4 + 1


async def _write_letters(settings: Settings) -> None:
    """Write the dead letters of what is rejected, as a worker would."""
    publisher = KafkaPublisher(settings)
    await publisher.start()
    for offset, ((key, value), reason) in enumerate(zip(REJECTED, REASONS, strict=True)):
        record = MemoryRecord(settings.topic("esp-reports"), 0, offset, None, key, value)
        elements = [0, 1] if reason == "bad-recipient" else [None]
        await publisher.publish([dead_letter(record, Rejected(reason, "why"), element) for element in elements])
    await publisher.stop()


class Cut(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("survives", [0, 1, 1.5, 2, 2.5])
async def test_a_run_that_is_cut_off_anywhere_is_finished_by_the_next_and_nothing_is_put_back_twice(
    survives: float, topics: Topics, settings: Settings, monkeypatch
) -> None:
    """Story: put-back is cut off before or after its first, second or third publish, or amid one of them."""
    await _write_letters(settings)
    left = survives
    publish = KafkaPublisher.publish

    async def cut(self: KafkaPublisher, outgoing: Sequence[Outgoing]) -> None:
        nonlocal left
        if left < 1:
            await publish(self, outgoing[: int(len(outgoing) * left)])
            raise Cut
        left -= 1
        await publish(self, outgoing)

    with monkeypatch.context() as patch:
        patch.setattr(KafkaPublisher, "publish", cut)
        with pytest.raises(Cut):
            await redrive(settings, Wanted(), dry_run=False)
    before = (await _back(topics)).total()
    assert before == (0 if survives < 1.5 else 1 if survives < 2 else 3)
    assert (await redrive(settings, Wanted(), dry_run=True)).put_back.total() == 3 - before
    assert (await redrive(settings, Wanted(), dry_run=False)).put_back.total() == 3 - before
    assert await _back(topics) == Counter(REJECTED[:3])
    assert (await redrive(settings, Wanted(), dry_run=False)).before == 3


def test_where_there_are_no_topics_it_says_so(stack: Endpoints, prefix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams", "dead-letters", "list"],
        env={**os.environ, **_environ(stack, prefix)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"bounceline: there is no topic {prefix}")


async def test_beyond_the_budget_a_worker_stops_uncommitted_and_nothing_is_lost(
    stack: Endpoints, prefix: str, topics: Topics, tmp_path, command
) -> None:
    """Story: a producer goes wrong; the worker rejects ten of his reports and stops at the rest; somebody looks."""
    policy = tmp_path / "policy.toml"
    policy.write_text("[dead_letters]\nbudget = '10/1h'")
    environ = {"BOUNCELINE_TOPIC_PREFIX": prefix, "BOUNCELINE_POLICY": str(policy)}
    async with run_workers(stack, 1, **environ) as workers:
        for number in range(10):
            await topics.publish([b"bad %d" % number], [b"one-key"])
        await topics.decided()
        assert workers[0].server.ended is None
        await topics.publish([b"bad 10", _report(), b"bad 11"], [b"one-key"] * 3)
        assert await _ended(workers[0].server) == 1
        log = workers[0].server.log()
        assert "esp-reports, more than 10/1h elements were rejected" in log
    assert [one["count"] for one in command("list", "--json")["groups"]] == [10]

    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
        await topics.decided()
    assert {record.value for record in await topics.read("dead-letters")} == {
        b"bad %d" % number for number in range(12)
    }
    assert list(standing(await topics.suppressions())) == [("acme", "jane@example.com")]


async def _ended(server) -> int:
    async with asyncio.timeout(60):
        while server.ended is None:
            await asyncio.sleep(0.1)
    return server.ended
