"""Watching the worker at its work: what it has read and decided, from its metrics and from the topics it writes."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

import aiohttp
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from schemas.codec import decode_delivery_event, decode_suppression
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.suppression import Suppression
from schemas.topics import catalogue
from streams.dev import Dev, check

LOOK_MS: Final = 20  # how long to wait for records before looking at the metrics again
STUCK_SECONDS: Final = 30.0  # a batch takes a second on a busy machine
MAX_FETCH_BYTES: Final = 5_308_416  # a dead letter holds a whole report

Contact = tuple[str, str]
"""A contact by tenant and canonical recipient."""


class Seen:
    """What has been seen so far.

    metrics: the worker's own counters by name, labels summed.
    events: delivery events read; `counted` of them can change a decision, `spared` are failures that don't.
    dead: dead letters read, by reason.
    standing: the last suppression record of every contact.
    histories, records: delivery events and suppression records of the contacts asked for, in order of reading.
    """

    def __init__(self, contacts: Collection[Contact]) -> None:
        """Take the contacts whose histories are wanted."""
        self.metrics: Mapping[str, int] = {}
        self.events = 0
        self.counted = 0
        self.spared: Counter[Contact] = Counter()
        self.dead: Counter[str] = Counter()
        self.suppressions = 0
        self.standing: dict[Contact, Suppression] = {}
        self.histories: defaultdict[Contact, list[DeliveryEvent]] = defaultdict(list)
        self.records: defaultdict[Contact, list[Suppression]] = defaultdict(list)
        self._contacts = frozenset(contacts)

    def decided(self, reports: int, elements: int) -> bool:
        """Say whether so many reports, with so many elements, are decided and everything that follows has been read.

        Every element becomes a delivery event or a dead letter. The worker counts a report when these are published,
        and a delivery event when the suppression that follows is: equal counts leave nothing under way.
        """
        return (
            self.metrics.get("reports", 0) >= reports
            and self.events + self.dead.total() >= elements
            and self.metrics.get("delivery_events", 0) >= self.counted
            and self.suppressions >= self.metrics.get("suppressions", 0)
        )

    def read(self, topic: str, record: ConsumerRecord) -> None:
        """Take in one record of a topic that the worker writes."""
        match topic:
            case "delivery-events":
                self._read_event(record.value)
            case "suppressions":
                self._read_suppression(record.value)
            case _:
                self.dead[dict(record.headers)["reason"].decode()] += 1

    def _read_event(self, value: bytes | None) -> None:
        decoded = decode_delivery_event(value)
        if isinstance(decoded, Rejected):
            raise TypeError(f"a worker wrote what is no delivery event: {decoded.detail}")
        event, _ = decoded
        contact = (event.tenant, event.recipient)
        self.events += 1
        if event.effect != "ignore":
            self.counted += 1
        elif event.outcome in {"bounced", "blocked"}:
            self.spared[contact] += 1
        if contact in self._contacts:
            self.histories[contact].append(event)

    def _read_suppression(self, value: bytes | None) -> None:
        record = decode_suppression(value)
        if isinstance(record, Rejected):
            raise TypeError(f"a worker wrote what is no suppression: {record.detail}")
        contact = (record.tenant, record.recipient)
        self.suppressions += 1
        self.standing[contact] = record
        if contact in self._contacts:
            self.records[contact].append(record)


class Watch:
    """Follows a running stack from its beginning on."""

    def __init__(self, dev: Dev, consumer: AIOKafkaConsumer, session: aiohttp.ClientSession, seen: Seen) -> None:
        """Take a stack with one worker, a consumer that reads what it writes, and where to put what is seen."""
        self.seen = seen
        self._dev = dev
        self._consumer = consumer
        self._session = session

    async def until_decided(self, reports: int, elements: int, on_look: Callable[[Seen], None]) -> None:
        """Return once all reports published so far are decided; calls `on_look` whenever there is news.

        Raises:
            StackFailed: The worker has ended, or nothing has moved for `STUCK_SECONDS`.

        """
        moved = monotonic()
        before: tuple[object, ...] = ()
        while not self.seen.decided(reports, elements):
            check(self._dev.workers)
            await self._look()
            now = (self.seen.metrics, self.seen.events, self.seen.suppressions)
            if now != before:
                moved, before = monotonic(), now
                on_look(self.seen)
            elif monotonic() - moved > STUCK_SECONDS:
                raise self._dev.workers[0].server.failure(f"has done nothing for {STUCK_SECONDS:g} s")

    async def _look(self) -> None:
        # Metrics first: what they count has been published by then, so that reading catches up with them.
        self.seen.metrics = await self._metrics() or self.seen.metrics
        for partition, records in (await self._consumer.getmany(timeout_ms=LOOK_MS)).items():
            for record in records:
                self.seen.read(partition.topic, record)

    async def _metrics(self) -> Mapping[str, int]:
        try:
            async with self._session.get(f"{self._dev.workers[0].http}/metrics") as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return {}  # it is ending, which `check` will see, or so busy that the next look does
        found: Counter[str] = Counter()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    found[family.name.removeprefix("bounceline_")] += int(sample.value)
        return found


@asynccontextmanager
async def watching(dev: Dev, contacts: Collection[Contact]) -> AsyncIterator[Watch]:
    """Watch a running stack until the block ends."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=dev.endpoints.kafka,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=2 * LOOK_MS,  # the embedded broker looks again after half of it
        max_partition_fetch_bytes=MAX_FETCH_BYTES,
    )
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0))
    async with session:
        await consumer.start()
        try:
            consumer.assign(
                [
                    TopicPartition(topic, number)
                    for topic in ("delivery-events", "suppressions", "dead-letters")
                    for number in range(catalogue()[topic].partitions)
                ]
            )
            yield Watch(dev, consumer, session, Seen(contacts))
        finally:
            await asyncio.shield(consumer.stop())
