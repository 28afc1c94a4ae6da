"""Publishing reports and reading topics in tests, and knowing when everything before a point has been decided."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import ConsumerRecord, TopicPartition

from agents.suppress.identity import contact_keys
from streams.dev_stack import Endpoints
from streams.publisher import partition_of
from streams.reading import read_to_end
from streams.settings import DEV_SECRET, from_environment

PARTITIONS: Final = 8
PATIENCE_SECONDS: Final = 120.0  # the pipeline takes a second, a rebalance ten; the rest is for a busy machine
_BARRIERS: Final = count(1)  # of all objects together: a barrier that some topic holds already would stop nobody


class Topics:
    """One test's topics: all names begin with its prefix."""

    def __init__(self, stack: Endpoints, prefix: str, producer: AIOKafkaProducer) -> None:
        """Take the broker, the prefix and a started producer."""
        self._stack = stack
        self._prefix = prefix
        self._producer = producer

    async def publish(
        self,
        lines: Sequence[bytes],
        keys: Sequence[bytes | None],
        partition: int | None = None,
        topic: str = "esp-reports",
    ) -> list[tuple[int, int]]:
        """Publish reports, or to another topic; gives partition and offset of each once the broker has them all."""
        name = f"{self._prefix}{topic}"
        sent = [await self._producer.send(name, line, key, partition) for line, key in zip(lines, keys, strict=True)]
        return [(done.partition, done.offset) for done in await asyncio.gather(*sent)]

    async def publish_compressed(self, lines: Sequence[bytes], keys: Sequence[bytes | None]) -> list[tuple[int, int]]:
        """Publish as `publish` does, through a producer that compresses."""
        async with _producer(self._stack, compression_type="gzip", max_request_size=16 * 1024 * 1024) as producer:
            return await Topics(self._stack, self._prefix, producer).publish(lines, keys)

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """Read a topic from its beginning to its end, partition by partition."""
        environ = {"BOUNCELINE_KAFKA": self._stack.kafka, "BOUNCELINE_TOPIC_PREFIX": self._prefix}
        settings = from_environment(environ, default_secret=b"unused")
        found = [record async for record in read_to_end(settings, {topic: {}})]
        return sorted(found, key=lambda record: (record.partition, record.offset))

    async def read_last(self, key: bytes) -> bytes | None:
        """Give the last suppression of a key; null, and that there is none, are both None."""
        return {record.key: record.value for record in await self.read("suppressions")}.get(key)

    async def decided(self) -> None:
        """Return once every report published so far is decided.

        Sends one complaint through every pair of a partition of `esp-reports` and one of `delivery-events` and waits
        for the suppressions: partitions keep order, so whatever came before is decided by then.
        """
        barrier = next(_BARRIERS)
        contact_key = contact_keys(DEV_SECRET)
        waiting = set()
        for source in range(PARTITIONS):
            for target in range(PARTITIONS):
                recipient = next(
                    name
                    for name in (f"b{barrier}-{source}-{number}@example.com" for number in count())
                    if partition_of(contact_key(name).encode(), PARTITIONS) == target
                )
                waiting.add(recipient)
                await self.publish([_complaint(recipient)], [None], source)
        async with self._reader("suppressions") as reader:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while waiting:
                    for records in (await reader.getmany(timeout_ms=200)).values():
                        waiting -= {orjson.loads(record.value)["recipient"] for record in records if record.value}

    async def carried_out(self) -> None:
        """Return once all orders have been carried out, and with them what a brake holds back.

        Among them is what a worker asks of the owner of a partition that it had lost without knowing (0015).
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self._left("bounceline-held-suppressions") or await self._left("bounceline-contact-orders"):
                await asyncio.sleep(0.5)

    async def _left(self, topic: str) -> int:
        last = {record.key: record.value for record in await self.read(topic)}
        return sum(value is not None for value in last.values())

    async def suppressions(self) -> list[dict[str, Any]]:
        """Read all suppression records but nulls and those of `decided`, each key's in order."""
        records = await self.read("suppressions")
        values = [orjson.loads(record.value) for record in records if record.value]
        return [value for value in values if value["tenant"] != "barrier"]

    @asynccontextmanager
    async def _reader(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        reader = AIOKafkaConsumer(bootstrap_servers=self._stack.kafka, auto_offset_reset="earliest")
        await reader.start()
        try:
            reader.assign([TopicPartition(self._prefix + topic, number) for number in range(PARTITIONS)])
            await reader.seek_to_beginning()
            yield reader
        finally:
            await reader.stop()


async def eventually(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Give what a condition gives, once it gives anything; for a minute at most."""
    async with asyncio.timeout(60):
        while not (found := await condition()):
            await asyncio.sleep(0.2)
        return found


def _complaint(recipient: str) -> bytes:
    event = {"recipient": recipient, "occurred_at": "2020-01-01T00:00:00Z", "outcome": "complained"}
    return orjson.dumps({"provider": "normalized", "tenant": "barrier", "payload": event})


@asynccontextmanager
async def topics_of(stack: Endpoints, prefix: str) -> AsyncIterator[Topics]:
    """Open a test's topics until the block ends. The topics must exist."""
    async with _producer(stack, max_request_size=5 * 1024 * 1024) as producer:
        yield Topics(stack, prefix, producer)


@asynccontextmanager
async def _producer(stack: Endpoints, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
