"""The transport hands chunks of a partition to agents, and commits what is acknowledged, never past anything else."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any, cast

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition
from faust.types import TP

from streams.app import bind, make_app
from streams.batches import Chunk, FaustBatch, batch_topic, batches
from streams.dev_stack import Endpoints
from streams.partition_runs import PartitionRuns
from streams.settings import Settings, from_environment
from streams.transport import MAX_RECORDS, Consumer

RECORDS = 2_500
PATIENCE_SECONDS = 30.0


def _settings(stack: Endpoints, prefix: str) -> Settings:
    return from_environment(
        {
            "BOUNCELINE_KAFKA": stack.kafka,
            "BOUNCELINE_REDIS": stack.redis,
            "BOUNCELINE_TOPIC_PREFIX": prefix,
            "BOUNCELINE_CONTACT_SECRET": "a secret",
            "BOUNCELINE_SESSION_TIMEOUT": "2s",
        }
    )


async def _filled_topic(settings: Settings) -> str:
    """Make a topic of one partition with numbered records in it."""
    name = settings.topic("numbers")
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        await asyncio.gather(*[await producer.send(name, b"%d" % n, partition=0) for n in range(RECORDS)])
    return name


@asynccontextmanager
async def _running(
    settings: Settings, topic: str, seen: list[FaustBatch], crashes: list[BaseException], raises: int
) -> AsyncIterator[faust.App]:
    """Run an app whose agent collects batches, acknowledges none, and raises at the batch numbered `raises`."""

    async def collect(batches: AsyncIterator[FaustBatch]) -> None:
        async for batch in batches:
            seen.append(batch)
            if len(seen) == raises:
                raise RuntimeError("something unexpected")

    app: faust.App = make_app(settings)
    bind(app, topic, "collect", PartitionRuns(collect, crashes.append))
    await app.start()
    try:
        yield app
    finally:
        app.conf.stream_wait_empty = False  # nothing here is going to be acknowledged
        await app.stop()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _all_seen(stack: Endpoints, prefix: str) -> AsyncIterator[tuple[faust.App, Settings, str, list[FaustBatch]]]:
    """Run an app whose agent has all records of a filled topic, and has acknowledged none; gives the batches too."""
    settings = _settings(stack, prefix)
    topic = await _filled_topic(settings)
    seen: list[FaustBatch] = []
    async with _running(settings, topic, seen, [], raises=0) as app:
        await _until(lambda: sum(len(batch.records) for batch in seen) == RECORDS)
        yield app, settings, topic, seen


async def _committed(settings: Settings, topic: str) -> int | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=settings.group, enable_auto_commit=False)
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(topic, 0))
    finally:
        await consumer.stop()


def _numbers(batch: FaustBatch) -> list[int]:
    return [int(record.value) for record in batch.records]


async def test_chunks_come_in_order_and_a_commit_stops_before_the_first_unacknowledged_one(
    stack: Endpoints, prefix: str
) -> None:
    """Story: every chunk but the second is acknowledged; the commit ends with the first; then the second follows."""
    async with _all_seen(stack, prefix) as (app, settings, topic, seen):
        assert [number for batch in seen for number in _numbers(batch)] == list(range(RECORDS))
        assert len(seen) < RECORDS / 10, "the point is that there are few"
        assert all(len(batch.records) <= MAX_RECORDS for batch in seen)

        for batch in [seen[0], *seen[2:]]:
            batch.done()
        await app.consumer.commit()
        assert await _committed(settings, topic) == len(seen[0].records)

        seen[1].done()
        await app.consumer.commit()
        assert await _committed(settings, topic) == RECORDS


async def test_what_was_not_acknowledged_comes_again_after_a_restart(stack: Endpoints, prefix: str) -> None:
    settings = _settings(stack, prefix)
    topic = await _filled_topic(settings)
    before: list[FaustBatch] = []
    async with _running(settings, topic, before, [], raises=0):
        await _until(lambda: sum(len(batch.records) for batch in before) == RECORDS)
        before[0].done()
    after: list[FaustBatch] = []
    async with _running(settings, topic, after, [], raises=0):
        await _until(lambda: sum(len(batch.records) for batch in after) >= RECORDS - len(before[0].records))
    assert _numbers(after[0])[0] == len(before[0].records)


@pytest.mark.parametrize("committed", [False, True], ids=["nothing committed yet", "some committed"])
async def test_going_back_gives_everything_again_that_was_not_acknowledged(
    committed: bool, stack: Endpoints, prefix: str
) -> None:
    """Story: all records are fetched when a rebalance comes, and whatever is not committed has to come again."""
    async with _all_seen(stack, prefix) as (app, _, _, seen):
        first = len(seen[0].records) if committed else 0
        if committed:
            seen[0].done()
            await app.consumer.commit()
        seen.clear()
        await app.consumer.perform_seek()
        await _until(lambda: sum(len(batch.records) for batch in seen) >= RECORDS - first)
        assert [number for batch in seen for number in _numbers(batch)] == list(range(first, RECORDS))


async def test_an_acknowledgement_of_before_going_back_commits_nothing(stack: Endpoints, prefix: str) -> None:
    async with _all_seen(stack, prefix) as (app, settings, topic, seen):
        last = seen[-1] if seen[-1].records else seen[-2]
        await app.consumer.perform_seek()
        last.done()
        await app.consumer.commit()
        assert await _committed(settings, topic) is None


async def test_what_waits_for_an_agent_when_a_rebalance_ends_is_not_thrown_away(stack: Endpoints, prefix: str) -> None:
    """Story: an agent is slow, and batches that were delivered wait before it when Faust lets messages flow again."""
    settings = _settings(stack, prefix)
    topic = await _filled_topic(settings)
    seen: list[FaustBatch] = []
    gate = asyncio.Event()

    async def collect(stream: Any) -> None:
        async for batch in batches(stream):
            await gate.wait()
            seen.append(batch)

    app = make_app(settings)
    app.agent(batch_topic(app, topic), name="collect")(collect)
    await app.start()
    try:
        consumer = cast("Consumer", app.consumer)
        await _until(lambda: len(consumer._outstanding.get(TP(topic, 0), ())) > 1 and not app.rebalancing)
        app.flow_control.resume()
        gate.set()
        await _until(lambda: sum(len(batch.records) for batch in seen) == RECORDS)
    finally:
        app.conf.stream_wait_empty = False
        await app.stop()


async def test_what_is_passed_over_while_it_goes_back_comes_again(
    stack: Endpoints, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Story: a fetch that began before a rebalance brings records in the midst of going back to what is committed.

    The first partition has been set back by then, and the client is still asking for the offsets of the others.
    """
    async with _all_seen(stack, prefix) as (app, settings, topic, seen):
        for batch in seen:
            batch.done()
        await app.consumer.commit()
        seen.clear()
        thread = cast("Consumer", app.consumer)._thread
        set_back, numbers = thread.seek_to_committed, count(RECORDS)

        async def slowly() -> Any:
            found = await set_back()
            app.consumer_generation_id += 1  # as a rebalance does, amid a fetch
            await producer.send_and_wait(topic, b"%d" % next(numbers), partition=0)
            await asyncio.sleep(2.0)  # longer than any fetch
            return found

        async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
            for expected in range(RECORDS, RECORDS + 3):  # a fetch that ends at that very moment gives it rightly
                with monkeypatch.context() as patched:
                    patched.setattr(thread, "seek_to_committed", slowly)
                    await app.consumer.perform_seek()
                await _until(lambda expected=expected: expected in [n for batch in seen for n in _numbers(batch)])
                for batch in seen:
                    batch.done()
                await app.consumer.commit()


async def test_a_rebalance_waits_for_no_batch_that_has_been_dropped(stack: Endpoints, prefix: str) -> None:
    async with _all_seen(stack, prefix) as (app, settings, topic, seen):
        for batch in seen:
            batch.drop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await app.consumer.wait_empty()
    assert await _committed(settings, topic) is None


async def test_a_wrong_clock_makes_no_partition_pass_for_read_further_than_it_is(stack: Endpoints, prefix: str) -> None:
    """Story: of an hour's backlog, one record in ten is stamped years ahead; half of it has been read."""
    settings = _settings(stack, prefix)
    topic = await _filled_topic(settings)
    now = time.time_ns() // 1_000_000
    seen: list[FaustBatch] = []
    async with _running(settings, topic, seen, [], raises=0) as app:
        await _until(lambda: sum(len(batch.records) for batch in seen) == RECORDS)
        consumer, tp = cast("Consumer", app.consumer), TP(topic, 0)
        stamped = [
            replace(record, timestamp=now + 10**11 if place % 10 == 0 else now - 3_600_000 + place)
            for place, record in enumerate(seen[0].records[:1_000])
        ]
        for start in range(0, 1_000, 250):
            consumer._note_delivered(tp, Chunk(stamped[start : start + 250]))
            assert now - 3_600_000 <= consumer._delivered[tp].arrived < now - 3_600_000 + start + 250


async def test_an_agent_that_raises_is_reported_and_its_batch_is_not_committed(stack: Endpoints, prefix: str) -> None:
    settings = _settings(stack, prefix)
    topic = await _filled_topic(settings)
    seen: list[FaustBatch] = []
    crashes: list[BaseException] = []
    async with _running(settings, topic, seen, crashes, raises=1) as app:
        await _until(lambda: bool(crashes))
        await app.consumer.commit()
        assert await _committed(settings, topic) is None
    assert [str(crash) for crash in crashes] == ["something unexpected"]
    assert len(seen) == 1, "nothing is taken after the failure"
