"""A contact as cells of a windowed table: one day of event time each, and one for what stands.

A day's cell holds what the fold needs of that day. Folding a contact's cells together gives the contact; writing only
the cells that changed keeps a table write as small as the event that caused it. Values are JSON, readable as they lie.

Deliveries of a contact without a soft bounce are in no cell. They are most of all events, so they are remembered apart,
and for a short time (`agents.ports.ContactTable`).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from agents.suppress.at_once import CONSENT, NETWORK, AtOnce, Told
from agents.suppress.attempts import Mark, any_failed
from agents.suppress.contact import Contact
from agents.suppress.coordinates import Coordinates
from agents.suppress.orders import Orders
from schemas.order import HardBounce
from schemas.suppression import Reason
from schemas.times import DAY
from schemas.typology import Status

NO_DAY = -1
"""The cell that is no day."""

STANDING = NO_DAY
"""Of a contact it holds who that is, and the reasons as last published."""

ORDERS = -2
"""The cell of what commands left behind. It outlives an erasure, and holds no address."""

UNSAID = -3
"""The cell that is there while the brake holds back what stands."""

Cells = Mapping[int, bytes]
"""Day of event time (days since 1970), or one of those that are no day -> cell as JSON."""


class _Day(msgspec.Struct, array_like=True):
    """One day's cell. Grows at the end: a reader of today takes a shorter one.

    `coordinates` are of what `_told` gives, in that order, None where they are not known; empty where none are.
    `network` was once the event time of the latest hard bounce alone, in ms.
    """

    marks: list[Mark] = []
    at_once: dict[Status, list[AtOnce]] = {}
    by_hand: dict[Status, list[AtOnce]] = {}
    consent: int | None = None
    network: list[HardBounce] | int | None = None
    coordinates: list[Coordinates | None] = []


class _Standing(msgspec.Struct, array_like=True):
    """The cell of what stands."""

    recipient: str
    reasons: tuple[Reason, ...] = ()


_encode = msgspec.json.Encoder().encode
_day = msgspec.json.Decoder(_Day)
_standing = msgspec.json.Decoder(_Standing)
_orders = msgspec.json.Decoder(Orders)


def to_contact(cells: Cells, delivered: Sequence[Mark] = ()) -> Contact:
    """Fold a contact's cells together, and with them what is remembered of its deliveries.

    Raises:
        msgspec.DecodeError: A cell is not what `to_cells` wrote: the table holds something else than our state.

    """
    contact = Contact()
    if not cells and not delivered:  # most contacts, most of the time
        return contact
    for day, cell in sorted(cells.items()):
        if day == ORDERS:
            contact.orders = _orders.decode(cell)
        elif day == UNSAID:
            contact.unsaid = True
        elif day == STANDING:
            stands = _standing.decode(cell)
            contact.recipient, contact.standing = stands.recipient, stands.reasons
        else:
            part = _day.decode(cell)
            contact.marks += part.marks
            contact.consent = part.consent if part.consent is not None else contact.consent
            contact.network += _network(part)
            if part.coordinates:
                placed = zip(_told(part), part.coordinates, strict=True)
                contact.coordinates.update((told, first) for told, first in placed if first)
            for own, parts in ((contact.at_once, part.at_once), (contact.by_hand, part.by_hand)):
                for status, events in parts.items():
                    own.setdefault(status, []).extend(events)  # days come in order
    contact.marks = sorted({*contact.marks, *delivered})
    if contact.orders.erased is not None:
        # Deliveries that are remembered apart; and days that the table had let go of, and a restore has brought back.
        contact.marks = [mark for mark in contact.marks if not contact.orders.is_forgotten(mark[0])]
    return contact


def to_cells(contact: Contact) -> dict[int, bytes]:
    """Lay a contact out by day of event time; days of which nothing is kept have no cell."""
    if not contact.is_kept:
        return {}
    days: dict[int, _Day] = {}

    def day(at: int) -> _Day:
        number = at // DAY
        if number not in days:
            days[number] = _Day([], {}, {})
        return days[number]

    fails = any_failed(contact.marks)
    for mark in contact.marks if fails else ():
        day(mark[0]).marks.append(mark)
    for status, event in _each(contact.at_once):
        day(event[0]).at_once.setdefault(status, []).append(event)
    for status, event in _each(contact.by_hand):
        day(event[0]).by_hand.setdefault(status, []).append(event)
    if contact.consent is not None:
        day(contact.consent).consent = contact.consent
    for number, bounces in groupby(contact.network, lambda bounce: bounce.at // DAY):  # sorted
        day(number * DAY).network = list(bounces)
    for part in days.values() if contact.coordinates else ():
        placed = [contact.coordinates.get(told) for told in _told(part)]
        part.coordinates = placed if any(placed) else []
    cells = {number: _encode(part) for number, part in days.items()}
    return cells | _beside_days(contact, is_known=bool(fails or contact.at_once or contact.by_hand))


def _beside_days(contact: Contact, *, is_known: bool) -> dict[int, bytes]:
    """Give the cells that are no days; `is_known` says whether there is anything to name the contact for."""
    cells = {}
    if is_known or contact.standing or contact.network:
        cells[STANDING] = _encode(_Standing(contact.recipient, contact.standing))
    if contact.orders.is_kept:
        cells[ORDERS] = _encode(contact.orders)
    if contact.unsaid:
        cells[UNSAID] = b"true"
    return cells


def _told(part: _Day) -> Iterator[Told]:
    """Give what a day tells of, one after the other."""
    yield from part.marks
    for events in (*part.at_once.values(), *part.by_hand.values()):
        yield from events
    if part.consent is not None:
        yield CONSENT
    if part.network is not None:
        yield NETWORK


def _network(part: _Day) -> list[HardBounce]:
    return [HardBounce(part.network)] if isinstance(part.network, int) else part.network or []


def _each(events: Mapping[Status, Sequence[AtOnce]]) -> Iterator[tuple[Status, AtOnce]]:
    return ((status, event) for status, known in events.items() for event in known)


def to_deliveries(contact: Contact) -> Sequence[Mark]:
    """Give the deliveries that are in no cell, to be remembered apart."""
    return () if any_failed(contact.marks) else contact.marks


def changes(before: Cells, after: Cells) -> dict[int, bytes | None]:
    """Give the cells to write: new and changed ones with their value, those gone as None."""
    written: dict[int, bytes | None] = {day: cell for day, cell in after.items() if before.get(day) != cell}
    written.update((day, None) for day in before if day not in after)
    return written
