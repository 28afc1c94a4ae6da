"""The unexpected stops a worker loudly, and what it could not finish is decided later, not skipped."""

import asyncio
import os
import signal
import subprocess
import sys

import orjson
from redis.asyncio import Redis

from agents.suppress.identity import contact_keys
from streams.dev import RunningWorker, run_workers
from streams.dev_stack import Endpoints
from streams.publisher import partition_of
from streams.settings import DEV_SECRET
from tests.support.conformance import standing
from tests.support.topics_io import PARTITIONS, PATIENCE_SECONDS, topics_of

JANE = "jane@example.com"
ONE_DAY = "20000"


def _complaint(recipient: str) -> bytes:
    event = {"recipient": recipient, "occurred_at": "2026-03-01T10:00:00Z", "outcome": "complained"}
    return orjson.dumps({"provider": "normalized", "tenant": "acme", "payload": event})


async def _ended(worker: RunningWorker) -> int:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while worker.server.ended is None:
            await asyncio.sleep(0.1)
        return worker.server.ended


async def test_a_state_nobody_can_read_stops_the_worker_and_its_event_is_decided_after_the_repair(
    stack: Endpoints, prefix: str
) -> None:
    """Story: somebody wrote nonsense into Redis where Jane's state lies; she complains; it is repaired."""
    contact_key = contact_keys(DEV_SECRET)(JANE)
    state = f"{prefix}bounceline:{{contacts:{partition_of(contact_key.encode(), PARTITIONS)}}}:acme\x1f{contact_key}"
    async with topics_of(stack, prefix) as topics, Redis.from_url(stack.redis) as redis:
        async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix) as workers:
            await topics.decided()  # the partition is taken: what a new owner finds there without a mark, it rebuilds
            await redis.hset(state, ONE_DAY, "nonsense")
            await topics.publish([_complaint(JANE)], [JANE.encode()])
            assert await _ended(workers[0]) == 1
            log = workers[0].server.log()
        assert "DecodeError" in log
        assert JANE not in log
        assert await topics.suppressions() == []

        await redis.delete(state)
        async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
            await topics.decided()
        assert list(standing(await topics.suppressions())) == [("acme", JANE)]


async def test_a_worker_told_to_stop_ends_in_order_and_the_next_one_goes_on_where_it_was(
    stack: Endpoints, prefix: str
) -> None:
    """Story: SIGTERM comes amid 3,000 complaints."""
    names = [f"c{number}@example.com" for number in range(3_000)]
    async with topics_of(stack, prefix) as topics:
        async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix) as workers:
            await topics.publish([_complaint(name) for name in names], [name.encode() for name in names])
            os.kill(workers[0].server.pid, signal.SIGTERM)
            # Were it not done in time, it would say so by another code.
            assert await _ended(workers[0]) == 0, workers[0].server.log()
        async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
            await topics.decided()
        said = await topics.suppressions()
        assert sorted(one["recipient"] for one in said) == sorted(names), "each once"
        told = [record.key for record in await topics.read("delivery-events")]
        assert len(told) == len(set(told)), "no report twice"


# A worker in which something of Faust's fails that is none of our agents, as soon as it takes work.
CRASHING = """
import asyncio, os
from streams.settings import from_environment
from streams.worker import Worker, WorkerFailed

async def main():
    worker = Worker(from_environment(os.environ))
    running = asyncio.create_task(worker.run())
    while not worker.is_ready():
        await asyncio.sleep(0.1)
    await worker.app.consumer.crash(RuntimeError("the fetcher is gone"))
    try:
        await running
    except WorkerFailed as failure:
        print(worker.is_ready(), failure.__cause__.__cause__, flush=True)
        os._exit(0)

asyncio.run(main())
"""


def test_a_crash_inside_faust_ends_the_worker(stack: Endpoints, prefix: str) -> None:
    """Story: a part of Faust fails; left alone the worker would look alive and ready, and do nothing."""
    environ = {
        **os.environ,
        "BOUNCELINE_KAFKA": stack.kafka,
        "BOUNCELINE_REDIS": stack.redis,
        "BOUNCELINE_TOPIC_PREFIX": prefix,
        "BOUNCELINE_CONTACT_SECRET": "a secret",
        "BOUNCELINE_SESSION_TIMEOUT": "4s",
    }
    run = subprocess.run(
        [sys.executable, "-c", CRASHING], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout.endswith("False the fetcher is gone\n"), run.stderr
