"""The state lives as well in a master that Sentinels watch, and in a cluster; a failover changes no decision."""

import asyncio

import orjson

from streams.dev import check, run_workers
from streams.dev_stack import Endpoints
from tests.support.conformance import expected, lines, standing
from tests.support.redis_servers import cluster, sentinels
from tests.support.topics_io import topics_of

HISTORY = "disorder-and-repeats"


def _history() -> list[tuple[bytes, bytes]]:
    return [(line, orjson.loads(line)["payload"]["recipient"].encode()) for line in lines(HISTORY)]


async def test_a_master_that_dies_is_replaced_and_nothing_is_lost(stack: Endpoints, prefix: str, binary: str) -> None:
    """Story: the master is killed amid the work, so its replica takes over, without the writes of the last moment."""
    history = _history()
    third = len(history) // 3
    async with sentinels(binary) as (url, master):
        endpoints = Endpoints(stack.kafka, url)
        async with (
            run_workers(endpoints, 2, BOUNCELINE_TOPIC_PREFIX=prefix) as workers,
            topics_of(stack, prefix) as topics,
        ):
            for start in range(0, len(history), third):
                part = history[start : start + third]
                await topics.publish(*(list(column) for column in zip(*part, strict=True)))
                await asyncio.sleep(0.3)
                if start == 0:
                    master.kill()
            await topics.decided()
            check(workers)
            assert expected(HISTORY) == standing(await topics.suppressions())


async def test_a_cluster_holds_the_state_a_partition_in_one_slot(stack: Endpoints, prefix: str, binary: str) -> None:
    history = _history()
    async with (
        cluster(binary) as url,
        run_workers(Endpoints(stack.kafka, url), 2, BOUNCELINE_TOPIC_PREFIX=prefix),
        topics_of(stack, prefix) as topics,
    ):
        await topics.publish(*(list(column) for column in zip(*history, strict=True)))
        await topics.decided()
        assert expected(HISTORY) == standing(await topics.suppressions())
