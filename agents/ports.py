"""What agents need from the world, as Protocols: batches in, records out, the contact table, and counters.

`streams` provides them over Kafka and Redis, or in memory for `replay` and the tests. The same agents run on both.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from agents.suppress.cells import Cells


class Record(Protocol):
    """A record as it was read. `timestamp` is in ms since 1970, None where there is none (`replay`)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Batch(Protocol):
    """Some records of one partition, in order; the unit that is decided, published, remembered and acknowledged."""

    @property
    def partition(self) -> int: ...
    @property
    def records(self) -> Sequence[Record]: ...
    def done(self) -> None:
        """Acknowledge the batch: everything that follows from it is safe."""


class Outgoing(NamedTuple):
    """A record to publish. `topic` is its name in the catalogue, without the prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Publisher(Protocol):
    """Writes records to Kafka."""

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Return once the broker has acknowledged every record; retries trouble in place.

        A retry may bring records of one call out of order: at most one per key, or an order that does not matter.
        """


class ContactTable(Protocol):
    """The table of contacts: what the fold keeps, by contact and day of event time.

    A contact is named by tenant, unit separator and contact key.
    """

    async def read(self, partition: int, contacts: Sequence[str]) -> Sequence[Cells]:
        """Give each contact's cells, in the order asked; empty for a contact of whom nothing is known."""

    async def write(self, partition: int, changes: Mapping[str, Mapping[int, bytes | None]]) -> None:
        """Remember changed cells (None deletes one); return once they would survive the loss of Redis."""


Metric = Literal["reports", "delivery_events", "rejected", "late_reports", "suppressions"]
"""The closed list of what agents count; `streams.metrics` says what each means."""


class Meter(Protocol):
    """Counts. A label never holds an address, a contact key or anything unbounded."""

    def count(self, metric: Metric, amount: int = 1, label: str = "") -> None: ...


Agent = Callable[[AsyncIterable[Batch]], Awaitable[None]]
"""An agent: takes batches until there are no more. It raises only what must stop the worker."""
