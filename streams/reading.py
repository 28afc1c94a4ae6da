"""Reading topics from one place to where they end now: what commands look at."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from schemas.topics import catalogue
from streams.errors import Failed
from streams.settings import Settings

MAX_FETCH_BYTES: Final = 5_308_416  # a dead letter holds a whole report
LOOK_MS: Final = 200
STUCK_SECONDS: Final = 30.0

Ends = Mapping[str, Mapping[int, int]]
"""Offsets by topic (its name in the catalogue) and partition."""


async def read_to_end(settings: Settings, topics: Mapping[str, Mapping[int, int]]) -> AsyncIterator[ConsumerRecord]:
    """Read topics to where they ended when we began; each partition in order.

    Args:
        settings: Where the broker is.
        topics: By name in the catalogue, from which offset on to read each partition; from its beginning where none is
            said.

    Raises:
        Failed: A topic does not exist, or nothing comes though there is more.

    """
    async with consumer_of(settings) as consumer:
        places = await places_of(settings, consumer, topics)
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        for name, offsets in topics.items():
            for partition, offset in offsets.items():
                consumer.seek(TopicPartition(settings.topic(name), partition), offset)
        async for records in to_the_end(consumer, places):
            for record in records:
                yield record


async def ends_of(settings: Settings, topics: list[str]) -> dict[str, dict[int, int]]:
    """Give an offset of each partition that is at or before its end, and not long before it.

    Raises:
        Failed: A topic does not exist.

    """
    async with consumer_of(settings) as consumer:
        places = await places_of(settings, consumer, {name: {} for name in topics})
        found = await consumer.end_offsets(places)
    ends: dict[str, dict[int, int]] = {name: {} for name in topics}
    for place, offset in found.items():
        ends[place.topic.removeprefix(settings.topic_prefix)][place.partition] = offset
    return ends


@asynccontextmanager
async def consumer_of(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a started consumer of no group, which commits nothing."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=LOOK_MS,
        max_partition_fetch_bytes=MAX_FETCH_BYTES,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await asyncio.shield(consumer.stop())


async def places_of(
    settings: Settings, consumer: AIOKafkaConsumer, topics: Mapping[str, Mapping[int, int]]
) -> list[TopicPartition]:
    """Give the partitions of topics, as the catalogue has them: of a topic not asked for yet the client may know none.

    Raises:
        Failed: A topic does not exist.

    """
    # Asking for one unknown topic would create it on brokers that do so: the list of all does not.
    known = await consumer.topics()
    for name in topics:
        if settings.topic(name) not in known:
            raise Failed(f"there is no topic {settings.topic(name)} on this broker; bounceline topics creates it")
    topic_of = catalogue()
    return [
        TopicPartition(settings.topic(name), number) for name in topics for number in range(topic_of[name].partitions)
    ]


async def to_the_end(
    consumer: AIOKafkaConsumer, places: Collection[TopicPartition]
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Give the records from where an assigned consumer stands to where the partitions end, or beyond, some at a time.

    Raises:
        Failed: Nothing comes though there is more.

    """
    clock = asyncio.get_running_loop().time
    ends: dict[TopicPartition, int] = {}
    left, moved = set(places), clock()
    while left:
        for records in (await consumer.getmany(*left, timeout_ms=LOOK_MS)).values():
            moved = clock()
            yield records
        for place in tuple(left):
            # What a fetch says of the end is right with every broker; what is asked for by itself is not.
            if (end := consumer.highwater(place)) is not None:
                ends.setdefault(place, end)
            if place in ends and await consumer.position(place) >= ends[place]:
                left.discard(place)
        if clock() - moved > STUCK_SECONDS:
            raise Failed(f"the broker has given nothing of {min(left).topic} for {STUCK_SECONDS:g} s")
