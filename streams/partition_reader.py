"""Reading a stretch of one partition, by itself and outside of any consumer group."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.settings import Settings


async def read_stretch(
    settings: Settings, topic: str, partition: int, start: int, stop: int
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Give the records from `start` (inclusive) to `stop` (exclusive) that are still there, some at a time.

    No broker's idea of an end is needed: there must be, or have been, a record at `stop` - 1. Where retention or
    compaction has removed the first ones it begins with those that are left.
    """
    place = TopicPartition(settings.topic(topic), partition)
    async with _consumer(settings) as consumer:
        consumer.assign([place])
        first = max(start, (await consumer.beginning_offsets([place]))[place])
        if first >= stop:
            return
        consumer.seek(place, first)
        while await consumer.position(place) < stop:
            records = (await consumer.getmany(timeout_ms=1_000)).get(place, [])
            yield records if not records or records[-1].offset < stop else [r for r in records if r.offset < stop]


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4_194_304,
        fetch_max_wait_ms=50,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def committed(settings: Settings, topic: str, partition: int) -> int:
    """Give the offset that the worker group has committed of a partition; 0 before there is one."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=settings.group, enable_auto_commit=False)
    try:
        await consumer.start()
        return await consumer.committed(TopicPartition(settings.topic(topic), partition)) or 0
    finally:
        await consumer.stop()
