"""Redis and Kafka go away amid the work and come back: decisions wait, and end the same."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import pytest

from streams.dev import check, run_workers
from streams.dev_stack import Endpoints
from tests.support.apache import ApacheKafka, DebianRedis
from tests.support.conformance import expected, lines, standing
from tests.support.topics_io import topics_of

HISTORY = "asynchronous-bounces"
AWAY_SECONDS = (20.0, 3.0, 3.0)
"""How long Redis is away each time: longer than a session first, then just so."""

Outage = Callable[[ApacheKafka, DebianRedis, float], Awaitable[None]]


async def _redis_away(_: ApacheKafka, redis: DebianRedis, seconds: float) -> None:
    await redis.stop(kill=True)
    await asyncio.sleep(seconds)
    await redis.start()


async def _broker_restarted(kafka: ApacheKafka, _: DebianRedis, __: float) -> None:
    await kafka.restart(kill=False)


async def _broker_killed(kafka: ApacheKafka, _: DebianRedis, __: float) -> None:
    await kafka.restart(kill=True)


OUTAGES: dict[str, tuple[Outage, bool]] = {
    "Redis is killed, away for a while, and back with its data": (_redis_away, True),
    "Redis is killed, away for a while, and back with nothing": (_redis_away, False),
    "the broker is restarted": (_broker_restarted, True),
    "the broker is killed and started again": (_broker_killed, True),
}


@pytest.mark.parametrize("story", OUTAGES)
async def test_an_outage_delays_decisions_and_changes_none(story: str, prefix: str) -> None:
    outage, append_only = OUTAGES[story]
    history = [(orjson.loads(line)["payload"]["recipient"].encode(), line) for line in lines(HISTORY)]
    third = len(history) // 3 + 1
    async with ApacheKafka() as kafka, DebianRedis(append_only=append_only) as redis:
        stack = Endpoints(kafka.address, redis.url)
        async with (
            run_workers(stack, 2, BOUNCELINE_TOPIC_PREFIX=prefix) as workers,
            topics_of(stack, prefix) as topics,
        ):
            for start, seconds in zip(range(0, len(history), third), AWAY_SECONDS, strict=True):
                part = history[start : start + third]
                await topics.publish([line for _, line in part], [key for key, _ in part])
                await outage(kafka, redis, seconds)
            await topics.decided()
            check(workers)
            assert expected(HISTORY) == standing(await topics.suppressions())


async def test_a_worker_that_can_not_finish_its_batch_stops_all_the_same_and_the_batch_is_decided_later(
    prefix: str,
) -> None:
    """Story: Redis is gone for good, reports wait, and the worker is told to stop; later both are back."""
    history = [(orjson.loads(line)["payload"]["recipient"].encode(), line) for line in lines(HISTORY)]
    async with ApacheKafka() as kafka, DebianRedis(append_only=True) as redis:
        stack = Endpoints(kafka.address, redis.url)
        async with topics_of(stack, prefix) as topics:
            async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix) as workers:
                await topics.decided()
                await redis.stop(kill=True)
                await topics.publish([line for _, line in history], [key for key, _ in history])
                await asyncio.sleep(AWAY_SECONDS[1])
            assert workers[0].server.ended == 1
            await redis.start()
            async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
                await topics.decided()
            assert expected(HISTORY) == standing(await topics.suppressions())
