"""The table of contacts: a Faust windowed table in Redis, read and written a batch at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import faust
import structlog
from redis import exceptions

from agents.suppress.cells import Cells
from streams.changelog import Changelog
from streams.publisher import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, partition_of
from streams.redis_store import RedisStore, StateLost

CONTACTS: Final = "contacts"

_REDIS_AWAY: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,  # a former master, until the new one is found
)
_T = TypeVar("_T")
_log = structlog.get_logger()


def make_contacts(app: faust.App, partitions: int) -> Any:
    """Declare the table of contacts: tumbling windows of one day of event time, values as the agents wrote them.

    No `expires`: Faust would expire by wall clock and leak on the way. The fold deletes what is not needed any more.
    """
    table = app.Table(
        CONTACTS,
        partitions=partitions,
        schema=faust.Schema(key_type=str, value_type=bytes, key_serializer="json", value_serializer="raw"),
        options={"partition_of": lambda contact: partition_of(contact.split("\x1f")[1].encode(), partitions)},
    )
    return table.tumbling(timedelta(days=1))


class RedisContactTable:
    """The windowed table as agents see it (`agents.ports.ContactTable`).

    A partition is taken when its first batch is read, and rebuilt when Redis turns out to have lost it. Until that is
    done its batch waits: nothing is ever decided on a state that is not whole.
    """

    def __init__(self, store: RedisStore, changelog: Changelog) -> None:
        """Take the table's store and its changelog."""
        self._store = store
        self._changelog = changelog

    async def read(self, partition: int, contacts: Sequence[str]) -> Sequence[Cells]:
        """Give each contact's cells in one round trip."""
        while True:
            owned = self._store.owned(partition)
            if owned is None:
                await _patiently(lambda: self._changelog.take(partition))
            try:
                return await _patiently(lambda: self._store.read_many(partition, contacts))
            except StateLost:
                await self._rebuild(partition)

    async def write(self, partition: int, changes: Mapping[str, Mapping[int, bytes | None]]) -> None:
        """Write the changelog, wait for the broker, then write Redis: Redis never knows more than the changelog."""
        if not any(changes.values()):
            return
        offset = await self._changelog.write(partition, changes)
        try:
            await _patiently(lambda: self._store.write_many(partition, changes, offset))
        except StateLost:
            # Lost since it was read, or a write whose answer was lost: what we meant to write is in the changelog.
            await self._rebuild(partition)

    async def _rebuild(self, partition: int) -> None:
        owned = self._store.owned(partition)
        if owned is None:
            raise RuntimeError(f"partition {partition} is rebuilt before it is taken")
        await _patiently(lambda: self._changelog.rebuild(partition, owned.fence))


async def _patiently(command: Callable[[], Awaitable[_T]]) -> _T:
    """Repeat a command for as long as Redis is away: the batch waits, nothing is decided without state."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return await command()
        except _REDIS_AWAY as error:
            _log.warning("redis-retry", error=type(error).__name__, pause_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
