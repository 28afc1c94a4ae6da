"""What agents need from the world, as Protocols: batches in, records out, the contact table, and counters.

`streams` provides them over Kafka and Redis, or in memory for `replay` and the tests. The same agents run on both.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from agents.suppress.attempts import Mark
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
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Batch(Protocol):
    """Some records of one partition, in order; the unit that is decided, published, remembered and acknowledged.

    `start` is the offset that the partition stands at: everything before it has been acknowledged. A batch without
    records says that for a while nothing came.

    `beside` tells of a batch of another topic than the one that the state follows: orders, beside delivery events. Its
    offsets say nothing of how far that one has been read.
    """

    @property
    def partition(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def records(self) -> Sequence[Record]: ...
    @property
    def beside(self) -> bool: ...
    def done(self) -> None:
        """Acknowledge the batch: everything that follows from it is safe."""

    def drop(self) -> None:
        """Let go of the batch undone: whoever has the partition next takes it anew."""


class Outgoing(NamedTuple):
    """A record to publish. `topic` is its name in the catalogue, without the prefix.

    Its partition is `partition`, or follows from `place`, or from its key where these are None.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    place: bytes | None = None
    partition: int | None = None


class Publisher(Protocol):
    """Writes records to Kafka."""

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Return once the broker has acknowledged every record; retries trouble in place.

        Records of one call with the same key stay in order.
        """


class Known(NamedTuple):
    """What the table knows of a contact: its cells, and its deliveries where they were asked for."""

    cells: Cells
    delivered: Sequence[Mark] = ()


class Needed(NamedTuple):
    """Until when something may be needed: for `span` ms of event time after `newest`, an event time in ms."""

    newest: int
    span: int


class Changed(NamedTuple):
    """What is to be remembered of a contact: its changed cells (None deletes one), and deliveries that are in none.

    `needed` says until when what is left of it, all cells together, may be needed; None for good.
    """

    cells: Mapping[int, bytes | None]
    delivered: Sequence[Mark] = ()
    needed: Needed | None = None


class Fenced(Exception):
    """Another worker owns the partition now: what we were about to write is its business."""


FIRST_PLACE: Final = 0


class ContactTable(Protocol):
    """The table of contacts: what the fold keeps, by contact and day of event time, and their latest deliveries.

    A contact is named by tenant, unit separator and contact key; what the network knows of an address is one too, with
    `*` in place of the tenant.
    """

    async def read(self, batch: Batch, contacts: Sequence[str], failing: Collection[str]) -> Sequence[Known]:
        """Give what is known of each contact, in the order asked; of those that are `failing`, the deliveries too."""

    async def write(self, batch: Batch, changes: Mapping[str, Changed]) -> None:
        """Remember changes; return once they would survive the loss of Redis.

        Raises:
            Fenced: Another worker has taken the partition; what it remembers stands.

        """

    async def forget(self, batch: Batch, before: int) -> None:
        """Forget the deliveries that date from before an event time, in ms."""

    async def walk(self, batch: Batch, place: int) -> tuple[Sequence[str], int | None]:
        """Give contacts of the partition, some at a time, from a place on, and the next place; None at the end.

        `FIRST_PLACE` is the first. Who comes or changes meanwhile may be left out, and one may come twice. A place
        is good for ever.
        """


class Arrivals(Protocol):
    """Knows how far the reports have been read, in all partitions of `esp-reports` and by all workers."""

    def complete(self, partition: int, offset: int) -> int:
        """Give a moment, in ms since 1970: what arrived before it has been decided.

        That is said to whom has decided a partition of `delivery-events` up to `offset` (exclusive).
        """


Metric = Literal[
    "reports",
    "delivery_events",
    "rejected",
    "late_reports",
    "dropped_events",
    "suppressions",
    "held",
    "commands",
    "orders",
    "checks",
]
"""The closed list of what agents count; `streams.metrics` says what each means."""


class Meter(Protocol):
    """Counts. A label never holds an address, a contact key or anything unbounded."""

    def count(self, metric: Metric, amount: int = 1, label: str = "") -> None: ...


Agent = Callable[[AsyncIterable[Batch]], Awaitable[None]]
"""An agent: takes the batches of one partition until there are no more. It raises only what must stop the worker."""
