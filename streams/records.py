"""Single records by their coordinates: a seek and a read each, never a scan."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.errors import Failed
from streams.settings import Settings

STUCK_SECONDS: Final = 15.0
LOOK_MS: Final = 200

FETCH_BYTES: Final = 65_536
"""What a read may bring along: a batch of records at least, however large the broker has it."""

Place = tuple[str, int, int]
"""A record by topic (as it is called on the broker), partition and offset."""


async def fetch(settings: Settings, places: Collection[Place]) -> Mapping[Place, ConsumerRecord | None]:
    """Give records by their places; None for those that retention or compaction has removed.

    Raises:
        Failed: The broker gives nothing though there should be something.

    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        auto_offset_reset="none",
        enable_auto_commit=False,
        fetch_max_wait_ms=LOOK_MS,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        topics = await consumer.topics()
        found = {}
        for place in places:
            found[place] = await _fetch(consumer, *place) if place[0] in topics else None
        return found
    finally:
        await asyncio.shield(consumer.stop())


async def _fetch(consumer: AIOKafkaConsumer, topic: str, partition: int, offset: int) -> ConsumerRecord | None:
    place = TopicPartition(topic, partition)
    consumer.assign([place])
    if offset < (await consumer.beginning_offsets([place]))[place]:
        return None
    consumer.seek(place, offset)
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            while True:
                records = (await consumer.getmany(place, timeout_ms=LOOK_MS, max_records=1)).get(place)
                if records:
                    return records[0] if records[0].offset == offset else None
                end = consumer.highwater(place)
                if end is not None and offset >= end:
                    return None
    except OffsetOutOfRangeError:  # removed since we looked, or not there yet: the topic is another one
        return None
    except TimeoutError:
        raise Failed(f"the broker has given nothing of {topic} for {STUCK_SECONDS:g} s") from None
