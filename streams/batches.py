"""A Faust transport that hands an agent one message per fetched chunk of a partition, instead of one per record.

Stock Faust spends about 160 us on every message, most of it on asyncio bookkeeping; with a chunk of records in each
message that cost is paid once per chunk. Agents, topics, tables and rebalancing stay Faust's.

Only topics made with `batch_topic` are delivered in chunks; any other keeps Faust's per-record delivery. This module
reaches into private members of faust-streaming, which is why that version is pinned; `tests/embedded/test_batches.py`
fails when an upgrade touches them.
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, cast

import faust
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

MAX_RECORDS: Final = 1_000
"""Records per batch. A batch is read again after a crash, so it bounds what is done twice; beyond 1,000 the cost per
record hardly falls any more."""


FETCH_WAIT_MS: Final = 100
"""How long the broker may hold a fetch back when it has nothing."""


class BatchSchema(faust.Schema[bytes, list[ConsumerRecord]]):
    """Leaves keys and values as they are: decoding is the agent's, so that a poison record can't stop a stream."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Give the key untouched."""
        return message.key

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Give the chunk of records untouched."""
        return message.value


def batch_topic(app: faust.App, name: str) -> Any:
    """Make a Faust topic whose events carry a list of records each. `name` is the name on the broker."""
    return app.topic(name, schema=BatchSchema(), internal=False)


class FaustBatch:
    """One chunk of a partition, as agents see it (`agents.ports.Batch`)."""

    __slots__ = ("_event", "partition", "records")

    def __init__(self, event: Any) -> None:
        """Wrap a Faust event of a batch topic."""
        self._event = event
        self.partition: int = event.message.partition
        self.records: Sequence[Any] = event.message.value

    def done(self) -> None:
        """Acknowledge the chunk; its offsets are committed at the next commit."""
        self._event.ack()


async def batches(stream: Any) -> AsyncIterator[FaustBatch]:
    """Give the chunks of a Faust stream one after the other; nothing is acknowledged but by `done`."""
    async for event in stream.noack().events():
        yield FaustBatch(event)


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, asking the broker more often when there is nothing."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has 1,500 fixed. Kafka answers a waiting fetch as soon as a record comes; Tansu looks again only after
        # half of it, on both hops: 1.5 s from report to suppression, against 0.1 s.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


class Consumer(driver.Consumer):
    """Faust's aiokafka consumer, delivering batch topics by the chunk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with no chunk outstanding."""
        super().__init__(*args, **kwargs)
        # Last offset of every chunk delivered and not yet committed, in order, per partition. Faust's own search for
        # gaps can commit past a message that is still in work; a queue can't.
        self._outstanding: dict[TP, deque[int]] = {}

    def _is_batched(self, topic: str) -> bool:
        conductor: Any = self.app.topics
        return any(isinstance(channel.schema, BatchSchema) for channel in conductor._topic_name_index.get(topic, ()))

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Take Faust's place between fetcher and agents, for as long as neither is stopped."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                # Before the fetch: what it brings belongs to the assignment that it was begun in.
                generation = self.app.consumer_generation_id
                records, active = await self._wait_next_records(1.0)
                if records is None or self.should_stop:
                    continue
                if self.flow_active and self.app.consumer_generation_id == generation:
                    await self._deliver(records, active, generation)
                elif records:
                    # A rebalance came between. Whether these were read before or after it went back to the committed
                    # offsets can't be told, so go back once more: read twice is harmless, skipped is not.
                    await self._go_back()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _go_back(self) -> None:
        try:
            await self.perform_seek()
        except KafkaError as error:
            # Amid the next rebalance, which goes back itself.
            self.log.warning("Could not go back to committed offsets: %r", error)

    async def _deliver(self, records: Any, active: set[TP] | None, generation: int) -> None:
        """Deliver what one fetch brought, until a rebalance takes it away; what is left will be read again."""
        for tp, fetched in records.items():
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            size = MAX_RECORDS if self._is_batched(tp.topic) else 1
            for start in range(0, len(fetched), size):
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    return
                if active is not None and tp not in active and tp not in self._buffered_partitions:
                    break
                chunk = fetched[start : start + size]
                last = chunk[-1]
                message = self._to_message(tp, last)
                if size > 1:
                    message = self._chunk_message(tp, chunk)
                    self._outstanding.setdefault(tp, deque()).append(last.offset)
                await self.wait_first(self.callback(message), self.suspend_flow.wait())
                self._read_offset[tp] = last.offset

    def _chunk_message(self, tp: TP, chunk: list[ConsumerRecord]) -> ConsumerMessage:
        """Make the one message that carries a chunk; it stands at the chunk's last offset."""
        last = chunk[-1]
        seconds = last.timestamp / 1000.0
        return ConsumerMessage(
            last.topic,
            last.partition,
            last.offset,
            seconds,
            last.timestamp_type,
            [],
            last.key,
            cast("Any", chunk),  # Faust passes it on as it is
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _new_offset(self, tp: TP) -> int | None:
        """Give the offset up to which everything is acknowledged, or None where that has not moved."""
        waiting = self._outstanding.get(tp)
        if waiting is None:
            return super()._new_offset(tp)
        acked = self._acked_index[tp]
        committable = None
        while waiting and waiting[0] in acked:
            last = waiting.popleft()
            acked.discard(last)
            self._acked[tp].remove(last)
            committable = last + 1
        return committable

    async def perform_seek(self) -> None:
        """Go back to the committed offsets; chunks delivered before will come again."""
        self._outstanding.clear()
        await super().perform_seek()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is done before Faust forgets it, then let go of the partitions."""
        await self.commit()
        await super().on_partitions_revoked(revoked)


class Transport(driver.Transport):
    """The aiokafka transport with our consumer; URL scheme `bounceline`."""

    Consumer = Consumer
