"""A Faust transport that hands an agent one message per fetched chunk of a partition, instead of one per record.

Stock Faust spends about 160 us on every message, most of it on asyncio bookkeeping; with a chunk of records in each
message that cost is paid once per chunk. Agents, topics, tables and rebalancing stay Faust's.

This module reaches into private members of faust-streaming, which is why that version is pinned;
`tests/embedded/test_transport.py` fails when an upgrade touches them.
"""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.app import App
from streams.batches import BatchSchema, Chunk
from streams.consumer_thread import ConsumerThread

MAX_RECORDS: Final = 1_000
"""Records per batch. A batch is read again after a crash, so it bounds what is done twice; beyond 1,000 the cost per
record hardly falls any more."""


STAMPS: Final = 100
"""How many records in a row must agree that it is so late. One clock that is wrong moves a partition nowhere."""

BATCHES_AHEAD: Final = 3
"""Batches of a partition that may be under way before no more of it is fetched."""

BACK_SECONDS: Final = 0.2
"""How long to wait where going back to the committed offsets has failed."""

FULL_SECONDS: Final = 0.02
"""How long a fetch may wait for partitions that have nothing while others have enough and will soon want more."""


class Progress(NamedTuple):
    """How far a partition has been read, acknowledged and committed.

    All before `offset` has, and every record with a timestamp smaller than `arrived` (ms).
    """

    offset: int
    arrived: int

    def text(self) -> bytes:
        """Give it as text."""
        return b"%d:%d" % self

    @classmethod
    def parse(cls, text: bytes) -> "Progress":
        """Read what `text` gave."""
        offset, arrived = text.split(b":")
        return cls(int(offset), int(arrived))


class View(NamedTuple):
    """A partition as its last fetch showed it: the end of the log, and when that was (ms)."""

    end: int
    polled_at: int


class Consumer(driver.Consumer):
    """Faust's aiokafka consumer, delivering batch topics by the chunk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with no chunk outstanding."""
        super().__init__(*args, **kwargs)
        # Every chunk delivered and not yet ready to be committed, in order, per partition: the chunk, and up to when
        # all has arrived with it. Faust's own search for gaps can commit past a message in work; a queue can't.
        self._outstanding: dict[TP, deque[tuple[Chunk, int]]] = {}
        self._delivered: dict[TP, Progress] = {}  # with the last chunk that was delivered
        self._stamps: dict[TP, deque[int]] = {}  # of the latest records that were delivered
        self._committable: dict[TP, Progress] = {}
        self._progress: dict[TP, Progress] = {}
        self._at_end: dict[TP, tuple[int, int]] = {}  # where and when (ms) a partition was first seen read to its end
        self._skipped = False  # records were taken from the client and not delivered: they will be read again

    def _is_batched(self, topic: str) -> bool:
        conductor: Any = self.app.topics
        return any(isinstance(channel.schema, BatchSchema) for channel in conductor._topic_name_index.get(topic, ()))

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Take Faust's place between fetcher and agents, for as long as neither is stopped."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                if self._skipped and self.flow_active and not await self._has_gone_back():
                    await self.sleep(BACK_SECONDS)
                    continue
                self._look_for_ends()
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
                    self._skipped = True
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        """Fetch from those partitions that have not enough under way."""
        if active_partitions is None:
            return await super()._getmany(active_partitions, timeout)
        wanting = {tp for tp in active_partitions if self._in_work(tp) < BATCHES_AHEAD}
        if len(wanting) == len(active_partitions):
            return await super()._getmany(wanting, timeout)
        if wanting:
            return await super()._getmany(wanting, FULL_SECONDS)
        await self.sleep(FULL_SECONDS)
        return {}

    def _in_work(self, tp: TP) -> int:
        """Count the chunks of a partition that are delivered and not acknowledged."""
        return sum(not chunk.done for chunk, _ in self._outstanding.get(tp, ()))

    async def _has_gone_back(self) -> bool:
        """Go back to the committed offsets; until that is done nothing more is read."""
        try:
            await self.perform_seek()
        except KafkaError as error:
            self.log.warning("Could not go back to committed offsets yet: %r", error)
            return False
        return True

    async def _deliver(self, records: Any, active: set[TP] | None, generation: int) -> None:
        """Deliver what one fetch brought, until a rebalance takes it away; what is left will be read again."""
        for tp, fetched in records.items():
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            size = MAX_RECORDS if self._is_batched(tp.topic) else 1
            for start in range(0, len(fetched), size):
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    self._skipped = True
                    return
                if active is not None and tp not in active and tp not in self._buffered_partitions:
                    self._skipped = True
                    break
                chunk = Chunk(fetched[start : start + size])
                last = chunk[-1]
                message = self._to_message(tp, last)
                if size > 1:
                    message = self._chunk_message(tp, chunk)
                    self._note_delivered(tp, chunk)
                await self.wait_first(self.callback(message), self.suspend_flow.wait())
                self._read_offset[tp] = last.offset

    def _note_delivered(self, tp: TP, chunk: Chunk) -> None:
        stamps = self._stamps.setdefault(tp, deque(maxlen=STAMPS))
        stamps.extend(record.timestamp for record in chunk[-STAMPS:])
        arrived = min(*stamps, time.time_ns() // 1_000_000)
        self._delivered[tp] = Progress(chunk[-1].offset + 1, arrived)
        self._outstanding.setdefault(tp, deque()).append((chunk, arrived))

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
            # What is acknowledged late, of before it has gone back, says nothing of what lies before it.
            return None if self._is_batched(tp.topic) else super()._new_offset(tp)
        acked = self._acked_index[tp]
        committable = None
        # The chunk itself says so, not its offset: what is read again after a rebalance is another chunk, though it
        # may end at the same place as one whose acknowledgement came late.
        while waiting and waiting[0][0].done:
            chunk, arrived = waiting.popleft()
            last = chunk[-1].offset
            if last in acked:
                acked.discard(last)
                self._acked[tp].remove(last)
            committable = last + 1
            self._committable[tp] = Progress(committable, arrived)
        return committable

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Any:
        """Give the partitions to look at: Faust's, and those with chunks, of which Faust may have dropped an ack."""
        found = set(super()._filter_tps_with_pending_acks(topics))
        return found | {tp for tp in self._outstanding if topics is None or tp in topics or tp.topic in topics}

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: FBT002 - Faust's
        """Commit, and note how far that reaches."""
        committed = await super()._commit_offsets(offsets, start_new_transaction)
        for tp, offset in offsets.items() if committed else ():
            reached = self._committable.get(tp)
            if reached and reached.offset == offset == self._committed_offset.get(tp):
                self._progress[tp] = reached
        return committed

    def progress(self, topic: str) -> dict[int, Progress]:
        """Give how far the partitions of a batch topic that are ours have been read, by number."""
        return {tp.partition: reached for tp, reached in self._progress.items() if tp.topic == topic}

    def views(self, topic: str) -> dict[int, View]:
        """Give our partitions of a topic as they were last seen on the broker, by number."""
        found = {tp.partition: self._state(tp) for tp in self.assignment() if tp.topic == topic}
        return {number: View(*state[1:]) for number, state in found.items() if state}

    def _state(self, tp: TP) -> tuple[int, int, int] | None:
        """Give position, end and time of the last poll (ms), as the client in the consumer thread has them."""
        client = cast("Any", self._thread)._consumer
        subscription = client._subscription.subscription if client else None
        assignment = subscription.assignment if subscription else None
        if assignment is None or tp not in assignment.tps:
            return None
        state = assignment.state_value(tp)
        if not state.has_valid_position or state.highwater is None or not state.timestamp:
            return None
        return state.position, state.highwater, state.timestamp

    def _look_for_ends(self) -> None:
        """Note the partitions of which everything there is has been committed: they are complete up to their last poll.

        Called between fetches, when no record is on its way from the client to us.
        """
        for tp in () if self._skipped else self.assignment():
            state = self._state(tp) if self._is_batched(tp.topic) and not self._outstanding.get(tp) else None
            delivered = self._delivered.get(tp)
            if state is None or (delivered and delivered.offset != self._committed_offset.get(tp)):
                continue
            position, end, polled_at = state
            at_end = self._at_end.pop(tp, None)
            if position >= end:
                # The time of an earlier poll: an answer may have waited for us after the broker gave it, the next one
                # was asked for later.
                first = at_end if at_end and at_end[0] == position else (position, polled_at)
                if first[1] < polled_at:
                    self._progress[tp] = Progress(position, first[1])
                    first = (position, polled_at)
                self._at_end[tp] = first

    async def perform_seek(self) -> None:
        """Go back to the committed offsets; chunks delivered before will come again."""
        self._outstanding.clear()
        self._delivered.clear()
        self._stamps.clear()
        self._at_end.clear()
        # Before: the client sets back one partition after the other and asks the broker in between. What it gives of
        # the first ones meanwhile may be passed over, and then all has to go back once more.
        self._skipped = False
        try:
            await super().perform_seek()
        except BaseException:
            self._skipped = True
            raise

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is done before Faust forgets it, then let go of the partitions."""
        # Faust tells of it only after all batches in work are done: until then nobody would stop restoring.
        await cast("App", self.app).before_revoked()
        await self.commit()
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._progress.pop(tp, None)
            self._committable.pop(tp, None)


class Transport(driver.Transport):
    """The aiokafka transport with our consumer; URL scheme `bounceline`."""

    Consumer = Consumer
