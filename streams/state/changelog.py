"""The changelog of the table of contacts: written before Redis, and read back when Redis is behind it or has lost it.

Every record carries its writer's fence, the changelog offset at which that writer took the partition. What a former
owner still writes after a newer one took over stands behind a higher fence in the log, and is passed over where the
newer one has written the same window. Where it has not, or where compaction has left nothing else, it is what is known.
A key that is not kept for good has its records say for how many seconds after the last of them; a restore begins them
anew.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Final

import structlog
from aiokafka.structs import ConsumerRecord

from agents.ports import Fenced
from streams.partition_reader import read_stretch
from streams.publisher import KafkaPublisher
from streams.settings import Settings
from streams.state.partitions import Owned, RedisPartitions
from streams.state.scripts import Changes, Notes
from streams.state.store import RedisStore

TOPIC: Final = "bounceline-contacts-changelog"
TAKEN: Final = b"taken"
"""Key of the record that marks where the log was when a worker took a partition or began to restore it."""

CHANGES_PER_CALL: Final = 2_000  # to Redis, of about a megabyte

Renote = Callable[[int, int | None, int], AsyncGenerator[Notes, None]]
"""Gives the notes again that a stretch of the source leads to: partition, first offset (None where Redis has none of
them), and the offset to stop before."""

_log = structlog.get_logger()


class Changelog:
    """Writes and restores one table's partitions."""

    def __init__(self, settings: Settings, store: RedisStore, publisher: KafkaPublisher, renote: Renote) -> None:
        """Take the store to restore, where the changelog lies, and how to find again what is in no changelog."""
        self._settings = settings
        self._store = store
        self._partitions: RedisPartitions = store.partitions
        self._publisher = publisher
        self._renote = renote

    async def write(
        self, partition: int, changes: Mapping[str, Changes], seconds: Mapping[str, int] = MappingProxyType({})
    ) -> int:
        """Write changed windows of a partition that is ours; give the offset of the last record, acknowledged.

        `seconds` is how long what is left under a table key is kept; for good where it is not named.
        """
        owned = self._partitions.owned(partition)
        if owned is None:
            raise RuntimeError(f"partition {partition} is written before it is read")
        fence = _fence_header(owned.fence)
        records = [
            (self._store.changelog_key(key, window), value, headers)
            for key, windows in changes.items()
            for headers in [[fence, _seconds_header(seconds[key])] if key in seconds else [fence]]
            for window, value in windows.items()
        ]
        return await self._publisher.publish_to(TOPIC, partition, records)

    async def restore(self, partition: int, source: int, wanted: Callable[[], bool]) -> None:
        """Make a partition whole in Redis, and ours: up to the end of the changelog, and with all notes of the source.

        Who takes a partition anew builds on what Redis holds where that can be part of this changelog. One that is ours
        already keeps its fence, and all of it is read back.

        Args:
            partition: The partition.
            source: The source offset up to which (exclusive) batches have been applied.
            wanted: Asked again and again whether to go on: not where the partition has been let go of meanwhile.

        Raises:
            Fenced: A newer owner has left its mark in the changelog or in Redis, or the partition is not wanted.
            StateLost: Redis lost what had been restored before all of it was.

        """
        owned = self._partitions.owned(partition)
        _check(wanted, partition)
        end = await self._mark(partition, [_fence_header(owned.fence)] if owned else ())
        fence = owned.fence if owned else end
        foreign = await self._foreign(partition, fence)
        applied = await self._partitions.applied(partition)
        noted_to: int | None = None
        # What is not as we left it is not trusted at all: who knows how it came about.
        if applied is not None and applied[0].offset < end and owned is None:
            there, writer = applied
            noted_to = there.source
            await self._partitions.begin_restore(partition, fence, end)
            writer = await self._restore(partition, fence, there.offset + 1, end, writer, wanted)
        else:  # nothing there, or of another changelog than this one
            if end:  # a partition nobody has ever had has nothing but our mark
                _log.warning("rebuilding", partition=partition, records=end)
            await self._partitions.begin_restore(partition, fence, end, anew=True, foreign=foreign)
            writer = await self._restore(partition, fence, 0, end, 0, wanted)
        async with aclosing(self._renote(partition, noted_to, source)) as found:
            async for notes in found:
                _check(wanted, partition)
                await self._partitions.restore(partition, fence, end, {}, {}, notes)
        await self._partitions.end_restore(partition, end, Owned(fence, end, max(source, noted_to or 0)), writer)

    async def _foreign(self, partition: int, fence: int) -> int:
        """Give the fence in Redis if it is of another changelog, as after a broker has lost everything; else -1.

        A newer owner's is further along the same log: a further mark of ours comes behind it.
        """
        there = await self._partitions.fence(partition)
        if there <= fence or await self._mark(partition, [_fence_header(fence)]) > there:
            return -1
        _log.warning("redis-of-another-changelog", partition=partition, fence=there)
        return there

    async def _mark(self, partition: int, headers: Sequence[tuple[str, bytes]]) -> int:
        """Leave our mark; give its offset.

        Cancelled amid it, waits for it all the same: a mark that came after we have let go of the partition would stand
        above its new owner's, and what that one writes would pass for a former owner's.
        """
        marking = asyncio.ensure_future(self._publisher.publish_to(TOPIC, partition, [(TAKEN, b"", headers)]))
        try:
            return await asyncio.shield(marking)
        except asyncio.CancelledError:
            await asyncio.wait([marking])
            raise

    async def _restore(
        self, partition: int, fence: int, start: int, end: int, writer: int, wanted: Callable[[], bool]
    ) -> int:
        """Apply the changelog from `start` to the mark at `end`.

        `writer` is the fence of the last who wrote before `start`; gives that of the last who wrote before `end`.
        A mark alone makes nobody a former owner: who left it may have let go again before it wrote anything.
        """
        highest = 0
        changes: dict[str, dict[int, bytes | None]] = {}
        seconds: dict[str, int] = {}
        deleted: set[tuple[str, int]] = set()  # for the time of a restore, some 250 bytes each
        stale: dict[tuple[str, int], bytes] = {}
        async with aclosing(read_stretch(self._settings, TOPIC, partition, start, end + 1)) as stretch:
            async for records in stretch:
                _check(wanted, partition)
                for record in records:
                    written_under = _fence_of(record)
                    highest = max(highest, written_under)
                    if record.key == TAKEN:
                        continue
                    window = self._store.parse_changelog_key(record.key)
                    if written_under < writer:
                        if record.value is not None:
                            stale[window] = record.value
                        continue
                    writer = written_under
                    (deleted.add if record.value is None else deleted.discard)(window)
                    changes.setdefault(window[0], {})[window[1]] = record.value
                    seconds[window[0]] = _seconds_of(record)  # the last one tells of the key as it is now
                    if len(changes) >= CHANGES_PER_CALL:
                        await self._partitions.restore(partition, fence, end, changes, seconds)
                        changes.clear()
                        seconds.clear()
        if highest > fence:
            raise Fenced(f"partition {partition} was taken by another worker")
        await self._partitions.restore(partition, fence, end, changes, seconds)
        # Where Redis was whole before `start`, the later owner has decided again what the former one wrote.
        forgotten = {window: value for window, value in stale.items() if window not in deleted} if not start else {}
        # For good: what they knew beside it is not known.
        await self._partitions.restore(partition, fence, end, await self._missing(partition, forgotten))
        return writer

    async def _missing(
        self, partition: int, stale: Mapping[tuple[str, int], bytes]
    ) -> dict[str, dict[int, bytes | None]]:
        """Give those windows written by former owners of which nobody else has written anything."""
        found: dict[str, dict[int, bytes | None]] = {}
        for (key, window), value in stale.items():
            if window not in await self._partitions.windows(partition, key):
                found.setdefault(key, {})[window] = value
        return found


def _check(wanted: Callable[[], bool], partition: int) -> None:
    if not wanted():
        raise Fenced(f"partition {partition} has been let go of")


def _fence_header(fence: int) -> tuple[str, bytes]:
    return "fence", str(fence).encode()


def _fence_of(record: ConsumerRecord) -> int:
    """Give the fence a record was written under; the mark of a new owner is its own."""
    return int(record.headers[0][1]) if record.headers else record.offset


def _seconds_header(seconds: int) -> tuple[str, bytes]:
    return "seconds", str(seconds).encode()


def _seconds_of(record: ConsumerRecord) -> int:
    """Give how long a record's key is kept as of this record; 0 for good."""
    return int(record.headers[1][1]) if len(record.headers) > 1 else 0
