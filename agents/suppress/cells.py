"""A contact as cells of a windowed table: one day of event time each, and one for what stands.

A day's cell holds what the fold needs of that day. Folding a contact's cells together gives the contact; writing only
the cells that changed keeps a table write as small as the event that caused it. Values are JSON, readable as they lie.

Deliveries of a contact without a soft bounce are in no cell. They are most of all events, so they are remembered apart,
and for a short time (`agents.ports.ContactTable`).
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from agents.suppress.attempts import Mark, any_failed
from agents.suppress.contact import AtOnce, Contact, Span
from schemas.suppression import Reason
from schemas.times import DAY
from schemas.typology import Status

NO_DAY = -1
"""The cell that is no day."""

STANDING = NO_DAY
"""Of a contact it holds the reasons as last published."""

Cells = Mapping[int, bytes]
"""Day of event time (days since 1970; `STANDING` for what stands) -> cell as JSON."""


class _Day(msgspec.Struct, array_like=True):
    """One day's cell. Grows at the end: a reader of today takes a shorter one."""

    marks: list[Mark] = []
    at_once: dict[Status, AtOnce] = {}
    unsubscribes: list[AtOnce] = []
    consent: int | None = None
    preblocks: list[Span] = []
    network: int | None = None


_encode = msgspec.json.Encoder().encode
_day = msgspec.json.Decoder(_Day)
_standing = msgspec.json.Decoder(tuple[Reason, ...])


def to_contact(cells: Cells, delivered: Sequence[Mark] = ()) -> Contact:
    """Fold a contact's cells together, and with them what is remembered of its deliveries.

    Raises:
        msgspec.DecodeError: A cell is not what `to_cells` wrote: the table holds something else than our state.

    """
    contact = Contact()
    if not cells and not delivered:  # most contacts, most of the time
        return contact
    for day, cell in cells.items():
        if day == STANDING:
            contact.standing = _standing.decode(cell)
            continue
        part = _day.decode(cell)
        contact.marks += part.marks
        contact.at_once.update(part.at_once)
        contact.unsubscribes += part.unsubscribes
        contact.consent = part.consent if part.consent is not None else contact.consent
        contact.preblocks += part.preblocks
        contact.network = part.network if part.network is not None else contact.network
    contact.marks = sorted({*contact.marks, *delivered})
    contact.unsubscribes.sort()
    contact.preblocks.sort()
    return contact


def to_cells(contact: Contact) -> dict[int, bytes]:
    """Lay a contact out by day of event time; days of which nothing is kept have no cell."""
    if not contact.is_kept:
        return {}
    days: dict[int, _Day] = {}

    def day(at: int) -> _Day:
        number = at // DAY
        if number not in days:
            days[number] = _Day([], {}, [], None, [], None)
        return days[number]

    for mark in contact.marks if any_failed(contact.marks) else ():
        day(mark[0]).marks.append(mark)
    _lay_out_blocks(contact, day)
    cells = {number: _encode(part) for number, part in days.items()}
    if contact.standing:
        cells[STANDING] = _encode(contact.standing)
    return cells


def _lay_out_blocks(contact: Contact, day: Callable[[int], _Day]) -> None:
    for status, event in contact.at_once.items():
        day(event[0]).at_once[status] = event
    for event in contact.unsubscribes:
        day(event[0]).unsubscribes.append(event)
    if contact.consent is not None:
        day(contact.consent).consent = contact.consent
    for span in contact.preblocks:
        day(span[0]).preblocks.append(span)
    if contact.network is not None:
        day(contact.network).network = contact.network


def to_deliveries(contact: Contact) -> Sequence[Mark]:
    """Give the deliveries that are in no cell, to be remembered apart."""
    return () if any_failed(contact.marks) else contact.marks


def changes(before: Cells, after: Cells) -> dict[int, bytes | None]:
    """Give the cells to write: new and changed ones with their value, those gone as None."""
    written: dict[int, bytes | None] = {day: cell for day, cell in after.items() if before.get(day) != cell}
    written.update((day, None) for day in before if day not in after)
    return written
