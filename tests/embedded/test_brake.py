"""The brake from end to end: a wave of blocks at one domain waits, with real broker and Redis, and ends the same."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from redis.asyncio import Redis

from agents.classify.address import canonical_recipient
from schemas.command import Retract
from schemas.command_reading import to_command
from streams.commands import would_retract
from streams.dev import run_workers
from streams.dev_stack import Endpoints
from streams.settings import DEV_SECRET, from_environment
from tests.support.conformance import NAMES, expected, lines, standing
from tests.support.topics_io import PATIENCE_SECONDS, Topics, topics_of

WAVE = [f"r{number}@wave.example" for number in range(400)]
OTHERS = [f"r{number}@other.example" for number in range(8)]
HOLD_SECONDS = 15.0  # longer than the wave takes to be decided
NEVER_WITHIN_THE_TEST = 'hold = "1d"'


def policy(folder: Path, text: str) -> str:
    file = folder / f"policy-{time.monotonic_ns()}.toml"
    file.write_text(f"[brake]\n{text}\n")
    return str(file)


def report(recipient: str, status: str = "User unknown") -> bytes:
    event = {"recipient": recipient, "occurred_at": "2026-03-01T10:00:00Z", "message_id": "m", "status": status}
    return orjson.dumps({"provider": "normalized", "tenant": "acme", "payload": event})


async def a_wave(topics: Topics) -> None:
    """Let 400 addresses of one domain bounce at once, and a few others; one at the domain complains as well."""
    events = [(name, report(name)) for name in [*WAVE, *OTHERS]] + [(WAVE[-1], report(WAVE[-1], "Spam"))]
    await topics.publish([value for _, value in events], [name.encode() for name, _ in events])
    await topics.decided()


async def blocked(topics: Topics) -> dict[str, set[str]]:
    """Give who is blocked, and for what, by the last record of each."""
    stands = standing(await topics.suppressions())
    return {recipient: set(reasons) for (_, recipient), reasons in stands.items()}


async def check(url: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/check", json={"tenant": "acme", "recipients": WAVE}) as answer,
    ):
        return {one["recipient"]: one["send"] for one in (await answer.json())["results"]}


async def metric(url: str, name: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        told = (await answer.text()).splitlines()
    return next(float(line.split()[1]) for line in told if line.startswith(f"{name} "))


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():
            await asyncio.sleep(0.5)


async def test_a_wave_at_one_domain_is_held_and_told_and_said_in_the_end(
    stack: Endpoints, prefix: str, tmp_path: Path
) -> None:
    own = policy(tmp_path, f'enabled = true\nfloor = 20\nhold = "{HOLD_SECONDS:.0f}s"')
    async with (
        run_workers(stack, 2, BOUNCELINE_TOPIC_PREFIX=prefix, BOUNCELINE_POLICY=own) as workers,
        topics_of(stack, prefix) as topics,
    ):
        await a_wave(topics)
        first = await blocked(topics)
        assert set(first) >= set(OTHERS)
        assert "Spam" in first[WAVE[-1]]
        said = set(first) & set(WAVE)
        assert 8 <= len(said) <= 65, "eight of each partition, and who complained"
        assert set((await check(workers[0].http)).values()) == {False}, "held or not, nobody may be mailed"
        held = len(WAVE) - len(said)
        assert sum([await metric(worker.http, "bounceline_held_total") for worker in workers]) >= held

        waiting = {held, held + 1}  # who complained may have been held before

        async def all_wait() -> bool:
            return sum([await metric(worker.http, "bounceline_held_waiting") for worker in workers]) in waiting

        await eventually(all_wait)

        async def all_said() -> bool:
            return set(await blocked(topics)) == {*WAVE, *OTHERS}

        await eventually(all_said)
        await topics.carried_out()
        for record in await topics.suppressions():
            assert record["reasons"]
        assert len({one["recipient"] for one in await topics.suppressions()}) == len(WAVE) + len(OTHERS)
        logs = "".join(worker.server.log() for worker in workers)
    told = [line for line in map(orjson.loads, logs.splitlines()) if line.get("event") == "brake"]
    assert {line["domain"] for line in told} == {"wave.example"}
    assert len(told) == len(workers), "once when it begins; it was over within a minute"
    assert sum(line["held"] for line in told) in waiting
    assert all(line["tenants"] == {"acme": line["held"]} for line in told)
    assert all(line["timestamp"] < line["until"] <= line["last_until"] for line in told)
    assert "@" not in logs


@pytest.mark.parametrize("afterwards", ['enabled = true\nfloor = 20\nhold = "2s"', 'hold = "2s"'], ids=["on", "off"])
async def test_what_is_held_survives_a_killed_worker_a_lost_redis_and_the_end_of_the_brake(
    afterwards: str, stack: Endpoints, prefix: str, tmp_path: Path
) -> None:
    own = policy(tmp_path, f"enabled = true\nfloor = 20\n{NEVER_WITHIN_THE_TEST}")
    async with (
        run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix, BOUNCELINE_POLICY=own) as workers,
        topics_of(stack, prefix) as topics,
    ):
        await a_wave(topics)
        assert len(await blocked(topics)) < 200
        workers[0].server.stop()  # SIGKILL
    async with Redis.from_url(stack.redis) as redis:
        await redis.flushall()
    own = policy(tmp_path, afterwards)
    async with (
        run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix, BOUNCELINE_POLICY=own),
        topics_of(stack, prefix) as topics,
    ):
        await topics.carried_out()
        assert set(await blocked(topics)) == {*WAVE, *OTHERS}
        by_key = [(one["recipient"], tuple(r["status"] for r in one["reasons"])) for one in await topics.suppressions()]
        assert len(set(by_key)) == len(by_key), "nothing is said twice"


async def test_a_wave_that_is_retracted_while_held_blocks_nobody(stack: Endpoints, prefix: str, tmp_path: Path) -> None:
    own = policy(tmp_path, f'enabled = true\nfloor = 20\nhold = "{HOLD_SECONDS:.0f}s"')
    async with (
        run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix, BOUNCELINE_POLICY=own) as workers,
        topics_of(stack, prefix) as topics,
    ):
        await a_wave(topics)
        said = {one["recipient"] for one in await topics.suppressions() if one["action"] == "suppress"}
        told = {"id": "c1", "command": "retract", "at": "2026-03-01T11:00:00Z", "actor": "test"}
        told |= {"from": "2026-03-01T10:00:00Z", "to": "2026-03-01T10:01:00Z", "statuses": ["User unknown"]}
        told |= {"domain": "wave.example"}
        settings = from_environment(
            {"BOUNCELINE_KAFKA": stack.kafka, "BOUNCELINE_REDIS": stack.redis, "BOUNCELINE_TOPIC_PREFIX": prefix},
            default_secret=DEV_SECRET,
        )
        understood = to_command(told, canonical_recipient)
        assert isinstance(understood, Retract)
        reached = [one.recipient for one in await would_retract(settings, understood)]
        assert sorted(WAVE) == reached, "a dry run counts what is held as well"
        await topics.publish([orjson.dumps(told)], [None], topic="contact-commands")

        async def retracted() -> bool:
            return set(await blocked(topics)) == {WAVE[-1], *OTHERS}

        await topics.carried_out()
        await eventually(retracted)
        await topics.decided()
        assert (await blocked(topics))[WAVE[-1]] == {"Spam"}
        suppressed = {one["recipient"] for one in await topics.suppressions() if one["action"] == "suppress"}
        assert suppressed == said, "nobody was said to be blocked who had not been before"
        may_be_mailed = await check(workers[0].http)
        assert [name for name, send in may_be_mailed.items() if not send] == [WAVE[-1]]


async def test_workers_stop_and_hand_over_at_once_while_much_is_held(
    stack: Endpoints, prefix: str, tmp_path: Path
) -> None:
    own = policy(tmp_path, f"enabled = true\nfloor = 20\n{NEVER_WITHIN_THE_TEST}")
    environ = {"BOUNCELINE_TOPIC_PREFIX": prefix, "BOUNCELINE_POLICY": own}
    async with topics_of(stack, prefix) as topics, run_workers(stack, 1, **environ):
        async with run_workers(stack, 1, **environ) as others:
            await a_wave(topics)
            began = time.monotonic()
        assert time.monotonic() - began < 10
        assert others[0].server.ended is not None
        await topics.publish([report("new@example.com")], [b"new@example.com"])
        await topics.decided()
        assert "new@example.com" in await blocked(topics)
        held = {record.key: record.value for record in await topics.read("bounceline-held-suppressions")}
        assert len([value for value in held.values() if value]) > 200


async def test_a_worker_that_is_paused_while_it_holds_changes_nothing(
    stack: Endpoints, prefix: str, tmp_path: Path
) -> None:
    own = policy(tmp_path, f'enabled = true\nfloor = 20\nhold = "{HOLD_SECONDS:.0f}s"')
    environ = {"BOUNCELINE_TOPIC_PREFIX": prefix, "BOUNCELINE_POLICY": own}
    async with topics_of(stack, prefix) as topics, run_workers(stack, 2, **environ) as workers:
        await a_wave(topics)
        assert len(await blocked(topics)) < 200
        paused = workers[0].server.pid
        os.kill(paused, signal.SIGSTOP)
        try:

            async def all_said() -> bool:
                return set(await blocked(topics)) == {*WAVE, *OTHERS}

            await eventually(all_said)  # by the other one, which has taken over
        finally:
            os.kill(paused, signal.SIGCONT)
        await topics.publish([report("new@example.com")], [b"new@example.com"])
        await topics.decided()
        await topics.carried_out()
        assert set(await blocked(topics)) == {*WAVE, *OTHERS, "new@example.com"}
        assert workers[0].server.ended is None
        assert (await blocked(topics))[WAVE[-1]] == {"Spam", "User unknown"}


async def test_histories_of_which_much_is_held_end_in_the_expected_decisions(
    stack: Endpoints, prefix: str, tmp_path: Path
) -> None:
    own = policy(tmp_path, 'enabled = true\nfloor = 1\nfactor = 1\nhold = "1s"')

    def renamed(name: str, line: bytes) -> tuple[bytes, bytes]:
        envelope = orjson.loads(line)
        payload = envelope["payload"]
        envelope["tenant"] = payload["tenant"] = f"{name}-{envelope['tenant']}"
        return payload["recipient"].encode(), orjson.dumps(envelope)

    async with (
        run_workers(stack, 2, BOUNCELINE_TOPIC_PREFIX=prefix, BOUNCELINE_POLICY=own) as workers,
        topics_of(stack, prefix) as topics,
    ):
        for name in NAMES:
            history = [renamed(name, line) for line in lines(name)]
            await topics.publish([value for _, value in history], [key for key, _ in history])
        await topics.decided()
        await topics.carried_out()
        want = {
            (f"{name}-{tenant}", recipient): reasons
            for name in NAMES
            for (tenant, recipient), reasons in expected(name).items()
        }
        assert standing(await topics.suppressions()) == want
        assert sum([await metric(worker.http, "bounceline_held_total") for worker in workers]) > 20
