"""The table of contacts: a Faust windowed table in Redis, read and written a batch at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final

import faust

from agents.ports import Batch, Changed, Fenced, Known, Needed
from schemas.times import DAY, SECOND
from streams.partition_reader import committed
from streams.patience import patiently
from streams.publisher import partition_of
from streams.settings import Settings
from streams.state.changelog import Changelog
from streams.state.deliveries import EVENTS, HOURS, over, to_hours, to_marks, to_notes
from streams.state.partitions import FENCED_SECONDS, RedisPartitions, StateLost, Write
from streams.state.scripts import Changes
from streams.state.walking import Walks

CONTACTS: Final = "contacts"

NET_SECONDS: Final = 15 * DAY // SECOND
"""How much longer than an event may need it something stays: a day longer than a report may wait on `esp-reports` and
then its event on `delivery-events`, 7 days each."""

REVOKED_SECONDS: Final = 3.0
"""How long a rebalance may wait for us to stop restoring; less than any session."""


def make_contacts(app: faust.App, redis: str, partitions: int) -> Any:
    """Declare the table of contacts: tumbling windows of one day of event time, values as the agents wrote them.

    No `expires`: Faust would expire by wall clock and leak on the way. The fold deletes what is not needed any more;
    what no event comes back to, Redis does, long after.
    """
    table = app.Table(
        CONTACTS,
        partitions=partitions,
        schema=faust.Schema(key_type=str, value_type=bytes, key_serializer="json", value_serializer="raw"),
        options={
            "redis": redis,
            "partition_of": lambda contact: partition_of(contact.split("\x1f")[1].encode(), partitions),
        },
    )
    return table.tumbling(timedelta(days=1))


class RedisContactTable:
    """The windowed table as agents see it (`agents.ports.ContactTable`).

    A partition is taken when it is assigned, or when its first batch is read, and restored when Redis turns out to have
    lost it. Until that is done its batch waits: nothing is ever decided on a state that is not whole.
    """

    def __init__(
        self,
        settings: Settings,
        partitions: RedisPartitions,
        changelog: Changelog,
        on_crash: Callable[[BaseException], None],
    ) -> None:
        """Take the table's partitions in Redis, their changelog, and what to call when the unexpected happens."""
        self._settings = settings
        self._partitions = partitions
        self._changelog = changelog
        self._on_crash = on_crash
        self._walks = Walks(settings, partitions)
        self._hours: dict[int, dict[int, int]] = {}  # partition -> hour of event time -> offset of its first note
        self._forgotten: dict[int, int] = {}  # partition -> event time in ms that notes are not older than
        self._reached: dict[int, int] = {}  # partition -> end of the last batch of the source that was decided
        self._locks: dict[int, asyncio.Lock] = {}
        self._taking: dict[int, asyncio.Task[None]] = {}

    # -- a batch at a time (`agents.ports.ContactTable`) --------------------------------------------------------

    async def read(self, batch: Batch, contacts: Sequence[str], failing: Collection[str]) -> Sequence[Known]:
        """Give what is known of each contact, in one round trip."""
        partition = batch.partition
        if not batch.records and (partition not in self._taking or not self._is_whole(partition)):
            return [Known({}) for _ in contacts]  # nothing is decided on it
        # Nor is Redis believed where nothing comes: others read what we left there, and must not miss anything.
        while True:
            await self._take(partition, partial(self._stands_at, batch))
            read = partial(self._partitions.read, partition, contacts, failing, list(self._hours[partition]))
            try:
                found = await patiently(read)
            except StateLost:
                await self._restore(partition, await self._stands_at(batch))
            else:
                return [Known(windows, to_marks(notes)) for windows, notes in found]

    async def write(self, batch: Batch, changes: Mapping[str, Changed]) -> None:
        """Write the changelog, wait for the broker, then write Redis: Redis never knows more than the changelog."""
        forgotten = self._forgotten.get(batch.partition, 0)
        cells: dict[str, Changes] = {contact: changed.cells for contact, changed in changes.items() if changed.cells}
        seconds = {contact: _seconds(one.needed) for contact, one in changes.items() if one.needed and one.cells}
        notes = to_notes((contact, changed.delivered) for contact, changed in changes.items())
        for hour in over(notes, forgotten):
            del notes[hour]
        if not cells and not notes:
            return
        start = end = batch.start
        if not batch.beside and batch.records:
            end = batch.records[-1].offset + 1
        elif owned := self._partitions.owned(batch.partition):
            start = end = owned.source
        new = [hour for hour in notes if hour not in self._hours[batch.partition]]
        if new:
            cells[HOURS] = dict.fromkeys(new, b"%d" % start)
        await self._write(batch, Write(cells, None, end, notes, seconds=seconds))
        self._hours[batch.partition].update((hour, start) for hour in new)

    async def forget(self, batch: Batch, before: int) -> None:
        """Drop the hours that ended by then."""
        partition = batch.partition
        self._reached[partition] = batch.records[-1].offset + 1 if batch.records else batch.start
        self._forgotten[partition] = max(before, self._forgotten.get(partition, 0))
        if not self._is_whole(partition):
            return
        dropped = over(self._hours[partition], before)
        if dropped:
            # A source offset smaller than Redis has it is not taken.
            write = Write({HOURS: dict.fromkeys(dropped)}, None, batch.start, dropped=dropped)
            await self._write(batch, write, decided=True)
            for hour in dropped:
                self._hours[partition].pop(hour, None)  # restored meanwhile, it is not there

    async def walk(self, batch: Batch, place: int) -> tuple[Sequence[str], int | None]:
        """Give contacts along the changelog, and the next place."""
        await self._take(batch.partition, partial(self._stands_at, batch))
        return await self._walks.step(batch.partition, place)

    async def _write(self, batch: Batch, write: Write, *, decided: bool = False) -> None:
        """Write; `decided` says that the batch itself has been written before."""
        partition = batch.partition
        if write.changes:
            write = write._replace(offset=await self._changelog.write(partition, write.changes, write.seconds))
        while True:
            try:
                return await patiently(partial(self._partitions.write, partition, write))
            except StateLost:
                # What we meant to write of the windows is in the changelog, and so restored.
                await self._restore(partition, self._reached[partition] if decided else await self._stands_at(batch))
                write = write._replace(changes={}, offset=None)

    # -- whose a partition is -----------------------------------------------------------------------------------

    def assigned(self, partitions: Collection[int]) -> None:
        """Take note of which partitions are ours now, and begin to make those whole that are new."""
        for partition in set(partitions).difference(self._taking):
            self._taking[partition] = asyncio.get_running_loop().create_task(self._prepare(partition))
            self._taking[partition].add_done_callback(self._on_prepared)

    async def revoked(self) -> None:
        """Let go of every partition: return once nothing is taken any more, so that others may take them."""
        taking, self._taking = list(self._taking.values()), {}
        await self._walks.stop()
        if taking:
            # They end by themselves when they see it, unless they wait for a broker or a Redis that is away.
            _, waiting = await asyncio.wait(taking, timeout=REVOKED_SECONDS)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def is_ready(self) -> bool:
        """Say whether every partition that is ours is whole."""
        return all(self._is_whole(partition) for partition in self._taking)

    def fenced(self, partition: int) -> bool:
        """Let go of a partition that another worker has taken; say whether it is assigned to us all the same."""
        self._partitions.let_go(partition)
        return partition in self._taking

    async def _prepare(self, partition: int) -> None:
        ours = asyncio.current_task()
        while self._taking.get(partition) is ours and not self._is_whole(partition):
            try:
                await self._take(partition, partial(self._committed, partition))
            except Fenced:  # by a worker that is slower to let go, or it is not ours any more
                if self._taking.get(partition) is ours:
                    await asyncio.sleep(FENCED_SECONDS)

    def _on_prepared(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._on_crash(error)

    def _is_whole(self, partition: int) -> bool:
        return self._partitions.owned(partition) is not None and partition in self._hours

    async def _committed(self, partition: int) -> int:
        return await patiently(partial(committed, self._settings, EVENTS, partition))

    async def _stands_at(self, batch: Batch) -> int:
        """Give the offset of the source up to which (exclusive) batches have been decided, as one comes."""
        if batch.records and not batch.beside:
            return batch.start
        return max(self._reached.get(batch.partition, 0), await self._committed(batch.partition))

    async def _take(self, partition: int, source: Callable[[], Awaitable[int]]) -> None:
        wanted = self._wanted(partition)
        if not self._is_whole(partition):
            async with self._lock(partition):
                if not self._is_whole(partition):
                    await self._restore_locked(partition, await source(), wanted)

    async def _restore(self, partition: int, source: int) -> None:
        wanted = self._wanted(partition)
        async with self._lock(partition):
            await self._restore_locked(partition, source, wanted)

    def _wanted(self, partition: int) -> Callable[[], bool]:
        """Give what says whether to go on restoring: not once the partition is let go of, for a rebalance waits."""
        taking = self._taking.get(partition)
        return lambda: taking is None or self._taking.get(partition) is taking

    def _lock(self, partition: int) -> asyncio.Lock:
        return self._locks.setdefault(partition, asyncio.Lock())

    async def _restore_locked(self, partition: int, source: int, wanted: Callable[[], bool]) -> None:
        self._hours.pop(partition, None)
        restored = False
        while not restored:
            with suppress(StateLost):  # again, amid it
                await patiently(lambda: self._changelog.restore(partition, source, wanted))
                restored = True
        self._hours[partition] = to_hours(await patiently(lambda: self._partitions.windows(partition, HOURS)))


def _seconds(needed: Needed) -> int:
    """Give how long to keep what may be needed: as counted from now, or from its newest event where that is ahead."""
    ahead = max(0, needed.newest - round(time.time() * 1000))
    return (ahead + needed.span) // SECOND + NET_SECONDS
