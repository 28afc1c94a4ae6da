"""What a partition remembers beside its contacts: orders being carried out, and incidents that never happened.

It lies in the table under a key of its own, and so in the partition's changelog: it survives whatever the contacts do.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from agents.ports import FIRST_PLACE
from agents.suppress.cells import NO_DAY, Cells
from schemas.command import Retract
from schemas.order import Order

PARTITION: Final = "#\x1fpartition"
"""The table key; no tenant may be called `#`."""

PENDING: Final = NO_DAY
"""The cell of the orders that are being carried out. Those numbered from 0 on are an incident each."""

USUAL: Final = -2
"""The cell of how many blocks are usual, by recipient domain."""

Usual = Mapping[str, tuple[int, float]]
"""Recipient domain -> the minute that was counted last, and how many of this partition's blocks a minute are usual."""


class Incident(msgspec.Struct, frozen=True, array_like=True):
    """An incident that never happened.

    `place` is how far the contacts that were there when it was ordered have been gone through
    (`ContactTable.walk`); None once all of them have been.
    """

    retract: Retract
    place: int | None = FIRST_PLACE


class Partition(NamedTuple):
    """What a partition remembers. `incidents` have the numbers of their cells."""

    pending: Sequence[Order] = ()
    incidents: Mapping[int, Incident] = {}
    usual: Mapping[str, tuple[int, float]] = {}

    @property
    def retracted(self) -> list[Retract]:
        """Every incident that never happened."""
        return [one.retract for one in self.incidents.values()]

    @property
    def under_way(self) -> dict[int, Incident]:
        """Those incidents that not all contacts have been gone through for."""
        return {number: one for number, one in self.incidents.items() if one.place is not None}

    def with_incident(self, retract: Retract) -> "Partition":
        """Add an incident, unless one of its id is there."""
        if any(one.retract.id == retract.id for one in self.incidents.values()):
            return self
        return self._replace(incidents={**self.incidents, len(self.incidents): Incident(retract)})


_encode: Final = msgspec.json.Encoder().encode
_orders: Final = msgspec.json.Decoder(tuple[Order, ...]).decode
_usual: Final = lru_cache(maxsize=64)(msgspec.json.Decoder(dict[str, tuple[int, float]]).decode)
# The same bytes with every batch.
_incident: Final = lru_cache(maxsize=1_024)(msgspec.json.Decoder(Incident).decode)


def to_partition(cells: Cells) -> Partition:
    """Read what `to_cells` wrote.

    Raises:
        msgspec.DecodeError: The table holds something else than our state.

    """
    if not cells:
        return Partition()
    pending, usual = cells.get(PENDING), cells.get(USUAL)
    incidents = {number: _incident(cell) for number, cell in sorted(cells.items()) if number >= 0}
    return Partition(_orders(pending) if pending else (), incidents, _usual(usual) if usual else {})


def to_cells(partition: Partition) -> dict[int, bytes]:
    """Lay out what a partition remembers."""
    cells = {number: _encode(incident) for number, incident in partition.incidents.items()}
    if partition.pending:
        cells[PENDING] = _encode(partition.pending)
    if partition.usual:
        cells[USUAL] = _encode(partition.usual)
    return cells
