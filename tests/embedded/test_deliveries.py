"""What is remembered of healthy contacts is freed as event time passes, end to end."""

import asyncio

import orjson
from redis.asyncio import Redis

from schemas.times import HOUR, format_time
from streams.dev import run_workers
from streams.dev_stack import Endpoints
from tests.support.topics_io import Topics, topics_of

START = 1_760_000_000_000 // HOUR * HOUR
CONTACTS = 400
PATIENCE_SECONDS = 60.0


async def _deliver(topics: Topics, at: int) -> None:
    """Publish a delivery to every contact; so many that every partition has some."""
    lines = [
        orjson.dumps(
            {
                "provider": "normalized",
                "tenant": "acme",
                "payload": {
                    "recipient": f"c{number}@example.com",
                    "occurred_at": format_time(at),
                    "outcome": "delivered",
                    "message_id": f"m{at}-{number}",
                },
            }
        )
        for number in range(CONTACTS)
    ]
    await topics.publish(lines, [None] * CONTACTS)
    await topics.decided()


async def _noted_hours(redis: Redis, prefix: str) -> set[int]:
    return {int(key.rpartition(b":")[2]) - START // HOUR async for key in redis.scan_iter(f"{prefix}*:notes:*")}


async def test_deliveries_are_kept_for_hours_of_event_time_and_then_nothing_is_left(
    stack: Endpoints, prefix: str
) -> None:
    """Story: everybody gets a mail, an hour later another, and the next day one more."""
    async with (
        Redis.from_url(stack.redis) as redis,
        run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix),
        topics_of(stack, prefix) as topics,
    ):
        await _deliver(topics, START)
        await _deliver(topics, START + HOUR)
        assert await _noted_hours(redis, prefix) == {0, 1}
        contacts = [key async for key in redis.scan_iter(f"{prefix}*:acme\x1f*")]
        assert contacts == [], "a contact that only gets mail has no state of its own"

        await _deliver(topics, START + 24 * HOUR)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await _noted_hours(redis, prefix) != {24}:
                await asyncio.sleep(0.2)
