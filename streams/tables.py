"""The table of contacts: a Faust windowed table in Redis, read and written a batch at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import faust
import structlog
from redis import exceptions

from agents.suppress.cells import Cells
from streams.publisher import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, KafkaPublisher, partition_of
from streams.redis_store import RedisStore

CONTACTS: Final = "contacts"
CHANGELOG: Final = "bounceline-contacts-changelog"

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
    """The windowed table as agents see it (`agents.ports.ContactTable`)."""

    def __init__(self, store: RedisStore, publisher: KafkaPublisher) -> None:
        """Take the table's store, and where its changelog is written."""
        self._store = store
        self._publisher = publisher

    async def read(self, partition: int, contacts: Sequence[str]) -> Sequence[Cells]:
        """Give each contact's cells in one round trip."""
        return await _patiently(lambda: self._store.read_many(partition, contacts))

    async def write(self, partition: int, changes: Mapping[str, Mapping[int, bytes | None]]) -> None:
        """Write the changelog, wait for the broker, then write Redis: Redis never knows more than the changelog."""
        records = [
            self._store.changelog_record(contact, day, cell)
            for contact, cells in changes.items()
            for day, cell in cells.items()
        ]
        if records:
            offset = await self._publisher.publish_to(CHANGELOG, partition, records)
            await _patiently(lambda: self._store.write_many(partition, changes, offset))


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
