"""Before a send, from end to end: over HTTP and on the topic, with real broker, Redis and workers."""

import asyncio
import io
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest
from redis.asyncio import Redis

from schemas.times import parse_time
from streams.dev import run_workers
from streams.dev_stack import Endpoints
from tests.support.topics_io import Topics, topics_of


class Platform:
    """A sending platform: reports, asks, and reads what stands."""

    def __init__(self, topics: Topics, session: aiohttp.ClientSession, urls: list[str]) -> None:
        self.topics, self.session, self.urls = topics, session, urls

    async def report(self, tenant: str, recipient: str, at: str, **event: Any) -> None:
        payload = {"recipient": recipient, "occurred_at": at, "message_id": f"{tenant}-{at}", **event}
        value = orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload})
        await self.topics.publish([value], [recipient.encode()])

    async def ask(self, tenant: str, *recipients: str, worker: int = 0, **more: Any) -> tuple[int, Any]:
        asked = {"tenant": tenant, "recipients": recipients, **more}
        async with self.session.post(f"{self.urls[worker]}/v1/check", json=asked) as response:
            return response.status, await response.json()

    async def one(self, tenant: str, recipient: str, **more: Any) -> dict[str, Any]:
        status, answer = await self.ask(tenant, recipient, **more)
        assert status == 200, answer
        return answer["results"][0]

    async def state(self, tenant: str, recipient: str) -> dict[str, Any]:
        async with self.session.get(f"{self.urls[0]}/v1/contacts/{tenant}/{recipient}") as response:
            assert response.status == 200
            return await response.json()

    async def suppressed(self, tenant: str, recipient: str) -> list[dict[str, Any]]:
        found = await self.topics.suppressions()
        return [one for one in found if (one["tenant"], one["recipient"]) == (tenant, recipient)]


@pytest.fixture
async def platform(stack: Endpoints, prefix: str) -> AsyncIterator[Platform]:
    async with (
        run_workers(stack, 2, BOUNCELINE_TOPIC_PREFIX=prefix) as workers,
        topics_of(stack, prefix) as topics,
        aiohttp.ClientSession() as session,
    ):
        yield Platform(topics, session, [worker.http for worker in workers])


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(60):
        while not (found := await condition()):
            await asyncio.sleep(0.2)
        return found


def _ago(seconds: float) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")[:-6] + "Z"


async def test_a_hard_bounce_for_one_tenant_preblocks_the_address_for_another_and_that_is_written(
    platform: Platform, stack: Endpoints, prefix: str
) -> None:
    at = _ago(3_600)
    await platform.report("acme", "gone@example.com", at, status="User unknown")
    await platform.topics.decided()

    own = await platform.one("acme", "gone@example.com")
    assert (own["send"], own["status"], own["since"]) == (False, "User unknown", at)
    for worker in (0, 1):
        other = await platform.one("globex", "Gone@Example.com", worker=worker)
        assert (other["send"], other["status"], other["since"]) == (False, "Preblock", at)
    assert parse_time(other["expires_at"]) - parse_time(at) == 30 * 86_400_000
    assert await platform.one("globex", "new@example.com") == {"recipient": "new@example.com", "send": True}

    [record] = await until(lambda: platform.suppressed("globex", "gone@example.com"))
    [reason] = record["reasons"]
    assert (reason["status"], reason["since"], reason["evidence"]) == ("Preblock", at, [])
    assert (record["expires_at"], record["cause"]) == (other["expires_at"], "check")
    assert (await platform.state("globex", "gone@example.com"))["reasons"] == record["reasons"]
    assert await platform.state("globex", "new@example.com") == {
        "tenant": "globex",
        "recipient": "new@example.com",
        "blocked": False,
        "reasons": [],
        "run": {"failures": 0, "limit": 5, "attempts": []},
        "policy": record["policy"],
        "events": [],
        "commands": [],
    }

    # A flushed Redis: nobody is let through meanwhile, and it comes back although no report comes.
    async with Redis.from_url(stack.redis) as redis:
        async for key in redis.scan_iter(f"{prefix}bounceline:{{contacts*"):
            await redis.delete(key)
    answers = []

    async def right_again() -> bool:
        status, answer = await platform.ask("globex", "gone@example.com", "acme@example.com")
        answers.append((status, answer))
        return status == 200

    await until(right_again)
    assert {status for status, _ in answers} == {200, 503}
    assert answers[0][1]["error"] == "not-ready"
    assert [result["send"] for result in answers[-1][1]["results"]] == [False, True]
    assert len(await platform.suppressed("globex", "gone@example.com")) == 1


async def test_a_typo_is_denied_with_what_was_meant_and_written_once(platform: Platform) -> None:
    first = await platform.one("acme", "jane@gamil.com")
    assert (first["send"], first["status"], first["suggestion"]) == (False, "Typofix", "jane@gmail.com")
    [record] = await until(lambda: platform.suppressed("acme", "jane@gamil.com"))
    assert (record["status"], record["since"], record["cause"]) == ("Typofix", first["since"], "check")
    assert record["reasons"][0]["rule"] == "check-typo"

    async def same() -> bool:  # what is published is remembered a moment later
        return (await platform.one("acme", "jane@gamil.com"))["since"] == first["since"]

    await until(same)
    await asyncio.sleep(2)
    assert len(await platform.suppressed("acme", "jane@gamil.com")) == 1


async def test_an_unsubscribe_holds_back_marketing_and_lets_transactional_mail_through(platform: Platform) -> None:
    await platform.report("acme", "left@example.com", _ago(60), outcome="unsubscribed")
    for number in range(3):
        await platform.report("acme", "full@example.com", _ago(60 - number), status="Quota exceeded")
    await platform.topics.decided()
    assert (await platform.one("acme", "left@example.com"))["status"] == "User"
    assert (await platform.one("acme", "left@example.com", purpose="transactional"))["send"]
    assert (await platform.state("acme", "full@example.com"))["run"]["failures"] == 3
    shown = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams", "check", "acme", "left@example.com", "b@example.com",
         "--url", platform.urls[0]], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.startswith("do not send  left@example.com: User since ")
    assert shown.stdout.endswith("\nsend         b@example.com\n")


async def test_requests_on_the_topic_are_answered_under_their_key_and_bad_ones_told_so(
    platform: Platform, stack: Endpoints, prefix: str
) -> None:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka)
    await producer.start()
    good = {"tenant": "acme", "recipients": ["nobody", "a@example.com"], "request_id": "r1"}
    await producer.send_and_wait(f"{prefix}send-requests", orjson.dumps(good), b"k1")
    await producer.send_and_wait(f"{prefix}send-requests", b'{"tenant":"acme","request_id":"r2"}', b"k2")
    await producer.stop()

    async def both() -> list[Any] | None:
        found = await platform.topics.read("send-decisions")
        return found if len(found) == 2 else None

    answers = {record.key: orjson.loads(record.value) for record in await until(both)}
    assert [one["send"] for one in answers[b"k1"]["results"]] == [False, True]
    assert answers[b"k2"] == {
        "request_id": "r2",
        "error": "missing-field",
        "detail": "recipients is missing or empty",
    }
    [letter] = await platform.topics.read("dead-letters")
    assert (letter.key, dict(letter.headers)["reason"]) == (b"k2", b"missing-field")


async def test_bad_requests_over_http_are_told_why(platform: Platform) -> None:
    assert await platform.ask("a b", "a@example.com") == (
        400,
        {"error": "bad-tenant", "detail": "tenant is not 1 to 64 of A-Z a-z 0-9 . _ -"},
    )
    async with platform.session.post(f"{platform.urls[0]}/v1/check", data=io.BytesIO(b"x" * 5_000_000)) as response:
        assert response.status == 413
