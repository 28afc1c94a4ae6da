"""The world in memory: what `replay` and the tests give to agents in place of Kafka and Redis."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from agents.ports import Metric, Outgoing
from agents.suppress.cells import Cells


class MemoryRecord(NamedTuple):
    """A record that was never on a broker."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None


class MemoryBatch:
    """Some records, which nobody waits to see acknowledged."""

    def __init__(self, records: Sequence[MemoryRecord]) -> None:
        """Take records of one partition, in order."""
        self.records = records
        self.partition = records[0].partition

    def done(self) -> None:
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
    """The table of contacts in a dict."""

    def __init__(self) -> None:
        """Start with nobody known."""
        self._cells: dict[str, dict[int, bytes]] = {}

    async def read(self, partition: int, contacts: Sequence[str]) -> Sequence[Cells]:
        """Give each contact's cells."""
        return [self._cells.get(contact, {}) for contact in contacts]

    async def write(self, partition: int, changes: Mapping[str, Mapping[int, bytes | None]]) -> None:
        """Change cells; a contact without any is forgotten."""
        for contact, cells in changes.items():
            known = {**self._cells.get(contact, {}), **cells}
            kept = {day: cell for day, cell in known.items() if cell is not None}
            if kept:
                self._cells[contact] = kept
            else:
                self._cells.pop(contact, None)


class NoMeter:
    """Counts nothing."""

    def count(self, metric: Metric, amount: int = 1, label: str = "") -> None:
        """Let it go by."""
