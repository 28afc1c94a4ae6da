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

from streams.transport import Progress, View

SLACK_MS: Final = 3_000
"""How much older than what is already there the timestamp of a record still to be appended may be: producers stamp
their records first and send them together after a while, and their clocks differ by a little."""


class _Expected(NamedTuple):
    """What was told, while the partition has not come as far. `end` is None until it has been seen."""

    until: int
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
        self._taken: dict[int, tuple[int, int]] = {}  # partition -> end of the log, and until when all is there
        self._committed: dict[int, int] = {}  # partition -> offset

    def complete(self, partition: int, offset: int) -> int:
        """Give the moment before which whatever arrived has been decided (`agents.ports.Arrivals`); 0 if not known."""
        expected = self._expected.get(partition)
        if expected and expected.end is not None and self._committed.get(partition, 0) >= expected.end:
            self._taken[partition] = (expected.end, expected.until)
            del self._expected[partition]
        end, until = self._taken.get(partition, (0, 0))
        return until if offset >= end else 0  # smaller: it has gone back to what was committed

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
        until = self._until(await self._redis.hgetall(self._key))
        now = time.time_ns() // 1_000_000
        for partition, view in events.items():
            self._see(partition, view, until, now)

    def _until(self, told: Mapping[bytes, bytes]) -> int:
        """Put together what was told of all partitions; 0 while one is missing."""
        arrived = [Progress.parse(text).arrived for text in told.values()]
        return min(arrived) - SLACK_MS if len(arrived) == self._partitions else 0

    def _see(self, partition: int, view: View, until: int, now: int) -> None:
        expected = self._expected.get(partition)
        if expected is None:
            if until:
                self._expected[partition] = _Expected(until, now, again=False, end=None)
        elif expected.end is None and view.polled_at > expected.polled_at:
            if expected.again:
                self._expected[partition] = expected._replace(end=view.end)
            else:
                self._expected[partition] = expected._replace(polled_at=view.polled_at, again=True)
