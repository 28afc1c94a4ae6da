"""The world in memory: what `replay` and the tests give to agents in place of Kafka and Redis."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from agents.ports import Batch, Changed, Known, Metric, Outgoing
from agents.suppress.attempts import Mark
from schemas.times import DAY, HOUR


class MemoryRecord(NamedTuple):
    """A record that was never on a broker."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class MemoryBatch:
    """Some records, which nobody waits to see acknowledged."""

    def __init__(self, records: Sequence[MemoryRecord], *, beside: bool = False) -> None:
        """Take records of one partition, in order."""
        self.records = records
        self.beside = beside
        self.partition = records[0].partition
        self.start = records[0].offset

    def done(self) -> None:
        """Let it go by."""

    def drop(self) -> None:
        """Let it go by."""


async def each(batches: Iterable[MemoryBatch]) -> AsyncIterator[MemoryBatch]:
    """Give batches to an agent, one after the other."""
    for batch in batches:
        yield batch


class MemoryPublisher:
    """Hands every record to a function."""

    def __init__(self, take: Callable[[Outgoing], None]) -> None:
        """Take the function."""
        self._take = take

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Hand the records over, in order."""
        for record in outgoing:
            self._take(record)


class MemoryTable:
    """The table of contacts in dicts."""

    def __init__(self) -> None:
        """Start with nobody known."""
        self._cells: dict[str, dict[int, bytes]] = {}
        self._delivered: dict[int, dict[str, list[Mark]]] = {}  # hour of event time -> contact -> deliveries in it

    async def read(self, batch: Batch, contacts: Sequence[str], failing: Collection[str]) -> Sequence[Known]:
        """Give what is known of each contact."""
        return [
            Known(self._cells.get(contact, {}), self._deliveries(contact) if contact in failing else ())
            for contact in contacts
        ]

    def _deliveries(self, contact: str) -> list[Mark]:
        return [mark for hour in self._delivered.values() for mark in hour.get(contact, ())]

    def names(self) -> list[str]:
        """Give every contact that has a cell, in the order they came; not what the network knows of addresses."""
        return [name for name in self._cells if name[0] not in "*#"]

    async def walk(self, batch: Batch, place: int) -> tuple[Sequence[str], int | None]:
        """Give all contacts at once."""
        return self.names(), None

    async def write(self, batch: Batch, changes: Mapping[str, Changed]) -> None:
        """Change cells and remember deliveries; a contact without any cell is forgotten."""
        for contact, (cells, delivered, _) in changes.items():
            known = {**self._cells.get(contact, {}), **cells}
            kept = {day: cell for day, cell in known.items() if cell is not None}
            if kept:
                self._cells[contact] = kept
            else:
                self._cells.pop(contact, None)
            for mark in delivered:
                hour = self._delivered.setdefault(mark[0] // HOUR, {}).setdefault(contact, [])
                if mark not in hour:
                    hour.append(mark)

    async def forget(self, batch: Batch, before: int) -> None:
        """Forget the hours that ended a day before then: there is room, and a chain of reports may be long."""
        for hour in [hour for hour in self._delivered if (hour + 1) * HOUR <= before - DAY]:
            del self._delivered[hour]


class InOrder:
    """Tells that whatever has come was all that arrived before (`agents.ports.Arrivals`): true of a file."""

    def complete(self, partition: int, offset: int) -> int:
        """Give the end of time."""
        return 2**62


class NoMeter:
    """Counts nothing."""

    def count(self, metric: Metric, amount: int = 1, label: str = "") -> None:
        """Let it go by."""
