"""Publishing: records go out and are acknowledged by the broker before anybody relies on them."""

import asyncio
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from itertools import count
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from agents.ports import Outgoing
from streams.patience import patiently
from streams.settings import Settings

MAX_REQUEST_BYTES: Final = 5_308_416
"""A dead letter holds a report of up to 4 MiB and its headers; `dead-letters` takes 5 MiB, plus 64 KiB for framing."""

MAX_BATCH_BYTES: Final = 262_144
"""A quarter of what the smallest topic takes. A single record may be larger: it goes alone."""

Headers = Sequence[tuple[str, bytes]]
_Record = tuple[bytes | None, bytes | None, Headers]


_words: Final = struct.Struct("<16I").unpack


def _murmur2_of_64(key: bytes) -> int:
    """Give murmur2 of 64 bytes, which every contact key has: aiokafka's, also in Python, takes twice as long."""
    found = 0x9747B28C ^ 64
    for word in _words(key):
        mixed = word * 0x5BD1E995 & 0xFFFFFFFF
        found = (found * 0x5BD1E995 & 0xFFFFFFFF) ^ ((mixed ^ mixed >> 24) * 0x5BD1E995 & 0xFFFFFFFF)
    found = (found ^ found >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return found ^ found >> 15


@lru_cache(maxsize=65_536)  # keys come again
def partition_of(key: bytes, partitions: int) -> int:
    """Give the partition of a key as Java clients do: murmur2, made positive, modulo their number."""
    found = _murmur2_of_64(key) if len(key) == 64 else int(murmur2(key))
    return (found & 0x7FFFFFFF) % partitions


class KafkaPublisher:
    """Writes records to Kafka with acks=all (`agents.ports.Publisher`)."""

    def __init__(self, settings: Settings) -> None:
        """Take where to write; nothing is opened before `start`."""
        self._settings = settings
        self._producer: Any = None  # aiokafka's types do not know send_batch
        self._keyless = count()

    async def start(self) -> None:
        """Connect to the broker."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka,
            acks="all",
            max_request_size=MAX_REQUEST_BYTES,
            max_batch_size=MAX_BATCH_BYTES,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is buffered and close."""
        if self._producer is not None:
            await self._producer.stop()

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Write records; return once the broker has acknowledged every one.

        Trouble that may pass is retried in place, for as long as it takes: the batch waits, nothing is skipped.

        Raises:
            KafkaError: The broker refuses for good, such as a record that is too large or a missing permission.

        """
        by_place: dict[tuple[str, int], list[_Record]] = {}
        partitions = {topic: await self._partitions(topic) for topic in {o.topic for o in outgoing}}
        for topic, key, value, headers, place, partition in outgoing:
            by = key if place is None else place
            if partition is not None:
                number = partition
            else:
                number = next(self._keyless) % partitions[topic] if by is None else partition_of(by, partitions[topic])
            by_place.setdefault((topic, number), []).append((key, value, headers))
        await asyncio.gather(*(self._write(*place, records) for place, records in by_place.items()))

    async def publish_to(
        self, topic: str, partition: int, records: Iterable[tuple[bytes | None, bytes | None, Headers]]
    ) -> int:
        """Write records, each key, value and headers, to one partition of a topic of ours, in order.

        Returns the offset of the last one; -1 where there is none.
        """
        return await self._write(topic, partition, list(records))

    async def _partitions(self, topic: str) -> int:
        return len(await patiently(partial(self._producer.partitions_for, self._settings.topic(topic))))

    async def _write(self, topic: str, partition: int, records: list[_Record]) -> int:
        """Write records to one partition, in order, in as few batches as they fit in; give the last offset."""
        name, last = self._settings.topic(topic), -1
        while records:
            base, taken = await patiently(partial(self._send, name, partition, records))
            last, records = base + taken - 1, records[taken:]
        return last

    async def _send(self, name: str, partition: int, records: Sequence[_Record]) -> tuple[int, int]:
        """Send as many of the records as one batch takes; give the offset of the first, and how many those were."""
        # Built by the batch, since a record by itself costs the producer five times as much.
        batch, taken = self._batch_for(records[0]), 0
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=list(headers)) is None:
                break
            taken += 1
        sent = await self._producer.send_batch(batch, name, partition=partition)
        return int((await sent).offset), taken

    def _batch_for(self, record: _Record) -> Any:
        """Make a batch to begin with a record; compressed if that alone is large.

        A compressed report may be far larger than its topic's limit says, and its dead letter has to fit too.
        """
        if len(record[1] or b"") <= MAX_BATCH_BYTES:
            return self._producer.create_batch()
        return BatchBuilder(MAX_BATCH_BYTES, DefaultRecordBatch.CODEC_GZIP)
