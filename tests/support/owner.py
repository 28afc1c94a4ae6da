"""A worker's hold on the table of contacts, without the worker."""

from collections.abc import Mapping
from itertools import count
from typing import Any, Final

import faust
from redis.asyncio import Redis

from agents.ports import Changed
from agents.suppress.identity import contact_keys
from streams.app import make_app
from streams.memory import MemoryBatch, MemoryRecord
from streams.publisher import KafkaPublisher, partition_of
from streams.settings import Settings
from streams.state.changelog import Changelog
from streams.state.contacts import RedisContactTable, make_contacts
from streams.state.deliveries import Deliveries
from streams.state.store import RedisStore

CONTACT: Final = "acme\x1f" + "ab" * 32
PARTITION: Final = partition_of(b"ab" * 32, 8)
DAY: Final = 20_000


def recipient_here() -> str:
    """Give an address whose contact is in `PARTITION`, where the secret is `a secret`."""
    keys = contact_keys(b"a secret")
    names = (f"r{number}@example.com" for number in count())
    return next(name for name in names if partition_of(keys(name).encode(), 8) == PARTITION)


class Owner:
    """One worker's hold on the table; reads and writes `PARTITION`."""

    def __init__(self, settings: Settings, publisher: KafkaPublisher) -> None:
        app: faust.App = make_app(settings)
        self.faust_table: Any = make_contacts(app, settings.redis, 8)
        self.store: RedisStore = self.faust_table.table.data
        self.partitions = self.store.partitions
        deliveries = Deliveries(settings, self.partitions, contact_keys(settings.contact_secret))
        self.changelog = Changelog(settings, self.store, publisher, deliveries.renote)
        self.crashes: list[BaseException] = []
        self.table = RedisContactTable(settings, self.partitions, self.changelog, self.crashes.append)
        self.at = 0

    def batch(self) -> MemoryBatch:
        """Give a batch of one record, at the next offset."""
        self.at += 1
        return MemoryBatch([MemoryRecord("delivery-events", PARTITION, self.at - 1, None, None, None)])

    async def read(self, *contacts: str) -> list[dict[int, bytes]]:
        """Read the cells of contacts."""
        return [dict(known.cells) for known in await self.table.read(self.batch(), contacts, ())]

    async def cells(self) -> dict[int, bytes]:
        return (await self.read(CONTACT))[0]

    async def write(self, changes: Mapping[str, Mapping[int, bytes | None]]) -> None:
        """Write cells."""
        await self.table.write(self.batch(), {contact: Changed(cells) for contact, cells in changes.items()})

    async def put(self, **cells: bytes | None) -> None:
        """Write cells; `day3=…` is the cell three days after the first."""
        await self.write({CONTACT: {DAY + int(name.removeprefix("day")): cell for name, cell in cells.items()}})


async def dumped(redis: Redis, prefix: str) -> dict[bytes, Any]:
    """Give all that Redis holds of us."""
    return {key: await redis.dump(key) async for key in redis.scan_iter(f"{prefix}*")}


async def put_back(redis: Redis, prefix: str, dump: dict[bytes, Any]) -> None:
    """Put that in the place of what is there now."""
    async for key in redis.scan_iter(f"{prefix}*"):
        await redis.delete(key)
    for key, value in dump.items():
        await redis.restore(key, 0, value)
