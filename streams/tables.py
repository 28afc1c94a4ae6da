"""The table of contacts: a Faust windowed table in Redis, read and written a batch at a time."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import faust

from agents.suppress.cells import Cells
from streams.changelog import Changelog
from streams.patience import patiently
from streams.publisher import partition_of
from streams.redis_store import RedisStore, StateLost

CONTACTS: Final = "contacts"


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
                await patiently(lambda: self._changelog.take(partition))
            try:
                return await patiently(lambda: self._store.read_many(partition, contacts))
            except StateLost:
                await self._rebuild(partition)

    async def write(self, partition: int, changes: Mapping[str, Mapping[int, bytes | None]]) -> None:
        """Write the changelog, wait for the broker, then write Redis: Redis never knows more than the changelog."""
        if not any(changes.values()):
            return
        offset = await self._changelog.write(partition, changes)
        try:
            await patiently(lambda: self._store.write_many(partition, changes, offset))
        except StateLost:
            # Lost since it was read: what we meant to write is in the changelog.
            await self._rebuild(partition)

    async def _rebuild(self, partition: int) -> None:
        owned = self._store.owned(partition)
        if owned is None:
            raise RuntimeError(f"partition {partition} is rebuilt before it is taken")
        await patiently(lambda: self._changelog.rebuild(partition, owned.fence))
