"""How far the reports have been read, by all workers together (`agents.ports.Arrivals`).

Every worker tells, for its partitions of `esp-reports`, up to which record timestamp everything has been published on
`delivery-events` and committed: a fact that stays true. It stands in one hash in Redis; a flush or a rollback only
makes it older. A partition that has been read to its end is told to be complete up to now: an idle one holds nobody
back.

What was told is in `delivery-events` by then. So a reader takes it for granted once it has decided and committed its
partition up to an end of the log that it has seen later. Committed, since what is read again after a crash must find
that nothing has been forgotten which it was decided by.
"""

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from agents.ports import Complete
from streams.transport import Progress, View

SLACK_MS: Final = 3_000
"""How much older than what is already there the timestamp of a record still to be appended may be: producers stamp
their records first and send them together after a while, and their clocks differ by a little."""

NOTHING: Final = Complete(0, {})


class _Expected(NamedTuple):
    """What was told, while the partition has not come as far. `end` is None until it has been seen."""

    complete: Complete
    polled_at: int  # ms; an end counts when it is from a later poll
    again: bool  # a poll that was under way when it was told may be of before: so the second one counts
    end: int | None


class RedisArrivals:
    """Tells and reads how far the reports have been read."""

    def __init__(self, redis: Any, key: str, partitions: int) -> None:
        """Take an asynchronous client, the key of the hash, and how many partitions `esp-reports` has."""
        self._redis = redis
        self._key = key
        self._partitions = partitions
        self._expected: dict[int, _Expected] = {}
        self._taken: dict[int, tuple[int, Complete]] = {}  # partition -> end of the log, and what is complete there
        self._committed: dict[int, int] = {}  # partition -> offset

    def complete(self, partition: int, offset: int) -> Complete:
        """Give what is complete for who has decided a partition of `delivery-events` up to `offset` (exclusive)."""
        expected = self._expected.get(partition)
        if expected and expected.end is not None and self._committed.get(partition, 0) >= expected.end:
            self._taken[partition] = (expected.end, expected.complete)
            del self._expected[partition]
        end, complete = self._taken.get(partition, (0, NOTHING))
        return complete if offset >= end else NOTHING  # smaller: it has gone back to what was committed

    async def look(
        self, reports: Mapping[int, Progress], events: Mapping[int, View], decided: Mapping[int, Progress]
    ) -> None:
        """Tell how far our partitions of reports are, and learn how far all are.

        Args:
            reports: Our partitions of `esp-reports`: how far they have been committed.
            events: Our partitions of `delivery-events`, as last seen on the broker.
            decided: The same: how far they have been committed.

        """
        self._committed.update((partition, one.offset) for partition, one in decided.items())
        if reports:
            await self._redis.hset(self._key, mapping={str(number): one.text() for number, one in reports.items()})
        complete = self._complete(await self._redis.hgetall(self._key))
        now = time.time_ns() // 1_000_000
        for partition, view in events.items():
            self._see(partition, view, complete, now)

    def _complete(self, told: Mapping[bytes, bytes]) -> Complete | None:
        """Put together what was told of all partitions; None while one is missing."""
        progress = {int(partition): Progress.parse(text) for partition, text in told.items()}
        if len(progress) < self._partitions:
            return None
        until = min(one.arrived for one in progress.values()) - SLACK_MS
        return Complete(until, {partition: one.offset for partition, one in progress.items()})

    def _see(self, partition: int, view: View, complete: Complete | None, now: int) -> None:
        expected = self._expected.get(partition)
        if expected is None:
            if complete:
                self._expected[partition] = _Expected(complete, now, again=False, end=None)
        elif expected.end is None and view.polled_at > expected.polled_at:
            if expected.again:
                self._expected[partition] = expected._replace(end=view.end)
            else:
                self._expected[partition] = expected._replace(polled_at=view.polled_at, again=True)
