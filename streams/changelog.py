"""The changelog of the table of contacts: written before Redis, and read back when Redis is behind it or has lost it.

Every record carries its writer's fence, the changelog offset at which that writer took the partition. What a former
owner still writes after a newer one took over stands behind a higher fence in the log, and is passed over where the
newer one has written the same window. Where it has not, or where compaction has left nothing else, it is what is known.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.publisher import KafkaPublisher
from streams.redis_scripts import Changes
from streams.redis_store import Fenced, RedisStore
from streams.settings import Settings

TOPIC: Final = "bounceline-contacts-changelog"
TAKEN: Final = b"taken"
"""Key of the record that marks where the log was when a worker took a partition or began to restore it."""

RECORDS_PER_WRITE: Final = 2_000  # one call to Redis of about a megabyte

_log = structlog.get_logger()


class Changelog:
    """Writes and restores one table's partitions."""

    def __init__(self, settings: Settings, store: RedisStore, publisher: KafkaPublisher) -> None:
        """Take the store to restore and where the changelog lies."""
        self._settings = settings
        self._store = store
        self._publisher = publisher

    async def write(self, partition: int, changes: Mapping[str, Changes]) -> int:
        """Write changed windows of a partition that is ours; give the offset of the last record, acknowledged."""
        owned = self._store.owned(partition)
        if owned is None:
            raise RuntimeError(f"partition {partition} is written before it is read")
        records = [
            (self._store.changelog_key(key, window), value)
            for key, windows in changes.items()
            for window, value in windows.items()
        ]
        return await self._publisher.publish_to(TOPIC, partition, records, [_fence_header(owned.fence)])

    async def take(self, partition: int) -> None:
        """Take a partition that was assigned to us: bring Redis up to the end of the changelog, under our fence."""
        end = await self._publisher.publish_to(TOPIC, partition, [(TAKEN, b"")], ())
        applied = await self._store.applied(partition)
        if applied is None or applied.offset >= end:  # nothing there, or of another changelog than this one
            await self._rebuild(partition, end, end)
        else:
            await self._restore(partition, end, applied.offset + 1, end, applied.fence)

    async def rebuild(self, partition: int, fence: int) -> None:
        """Rebuild a partition that is ours and that Redis has lost.

        Raises:
            Fenced: A newer owner has left its mark in the changelog: it is not ours any more.

        """
        end = await self._publisher.publish_to(TOPIC, partition, [(TAKEN, b"")], [_fence_header(fence)])
        await self._rebuild(partition, fence, end)

    async def _rebuild(self, partition: int, fence: int, end: int) -> None:
        if end:  # a partition nobody has ever had has nothing but our mark
            _log.warning("rebuilding", partition=partition, records=end)
        await self._store.wipe(partition)
        await self._restore(partition, fence, 0, end)

    async def _restore(self, partition: int, fence: int, start: int, end: int, highest: int = 0) -> None:
        """Apply the changelog from `start` to the mark at `end`; `highest` is the highest fence before `start`."""
        changes: dict[str, dict[int, bytes | None]] = {}
        deleted: set[tuple[str, int]] = set()  # for the time of a restore, some 250 bytes each
        stale: dict[tuple[str, int], bytes] = {}
        async for record in self._records(partition, start, end):
            written_under = _fence_of(record)
            if record.key == TAKEN:
                highest = max(highest, written_under)
                continue
            window = self._store.parse_changelog_key(record.key)
            if written_under < highest:
                if record.value is not None:
                    stale[window] = record.value
                continue
            highest = written_under
            (deleted.add if record.value is None else deleted.discard)(window)
            changes.setdefault(window[0], {})[window[1]] = record.value
            if len(changes) >= RECORDS_PER_WRITE:
                await self._store.restore(partition, fence, changes, None)
                changes.clear()
        if highest > fence:
            raise Fenced(f"partition {partition} was taken by another worker")
        await self._store.restore(partition, fence, changes, None if stale else end)
        if stale:
            forgotten = {window: value for window, value in stale.items() if window not in deleted}
            await self._store.restore(partition, fence, await self._missing(partition, forgotten), end)

    async def _missing(
        self, partition: int, stale: Mapping[tuple[str, int], bytes]
    ) -> dict[str, dict[int, bytes | None]]:
        """Give those windows written by former owners of which nobody else has written anything."""
        found: dict[str, dict[int, bytes | None]] = {}
        for (key, window), value in stale.items():
            if not await self._store.holds(partition, key, window):
                found.setdefault(key, {})[window] = value
        return found

    async def _records(self, partition: int, start: int, end: int) -> AsyncIterator[ConsumerRecord]:
        """Read from `start` up to and with `end`: a mark of ours, so that no broker's idea of an end is needed."""
        place = TopicPartition(self._settings.topic(TOPIC), partition)
        async with contextlib.AsyncExitStack() as stack:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka,
                auto_offset_reset="earliest",  # compaction may have removed `start`
                max_partition_fetch_bytes=4_194_304,
                fetch_max_wait_ms=50,
            )
            await consumer.start()
            stack.push_async_callback(consumer.stop)
            consumer.assign([place])
            consumer.seek(place, start)
            while True:
                for record in (await consumer.getmany(timeout_ms=1_000)).get(place, ()):
                    if record.offset > end:
                        return
                    yield record
                    if record.offset == end:
                        return


def _fence_header(fence: int) -> tuple[str, bytes]:
    return "fence", str(fence).encode()


def _fence_of(record: ConsumerRecord) -> int:
    """Give the fence a record was written under; the mark of a new owner is its own."""
    return int(record.headers[0][1]) if record.headers else record.offset
