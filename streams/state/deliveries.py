"""What is remembered of deliveries to healthy contacts: notes by hour of event time, in no changelog.

They are most of all events and matter for two hours or so. So they cost one small note in Redis each, an hour of them
is dropped at once, and after a loss of Redis they are read again from `delivery-events`. Where to begin stands in the
table, under the key `deliveries`: hour -> the offset of the first record that led to a note of that hour.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from agents.suppress.attempts import DELIVERED, Mark
from agents.suppress.identity import ContactKeys, contact_name
from schemas.codec import decode_delivery_event
from schemas.rejected import Rejected
from schemas.times import HOUR
from streams.partition_reader import read_stretch
from streams.settings import Settings
from streams.state.partitions import RedisPartitions
from streams.state.scripts import Notes

EVENTS: Final = "delivery-events"

HOURS: Final = "deliveries"
"""The table key of the hours that there are notes of; no contact has that name."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[tuple[int, str]]).decode


def to_notes(delivered: Iterable[tuple[str, Sequence[Mark]]]) -> dict[int, dict[str, list[str]]]:
    """Give notes by hour of event time and contact. A note is `[time in ms, attempt id]`, as JSON."""
    notes: dict[int, dict[str, list[str]]] = {}
    for contact, marks in delivered:
        for at, attempt_id, *_ in marks:
            notes.setdefault(at // HOUR, {}).setdefault(contact, []).append(_encode((at, attempt_id)).decode())
    return notes


def to_marks(notes: Iterable[bytes]) -> list[Mark]:
    """Give the deliveries that notes tell of."""
    return [(at, attempt_id, DELIVERED, "") for text in notes for at, attempt_id in _decode(b"[%b]" % text)]


def over(hours: Iterable[int], before: int) -> list[int]:
    """Give those hours that ended before an event time in ms."""
    return [hour for hour in hours if (hour + 1) * HOUR <= before]


def to_hours(cells: Mapping[int, bytes]) -> dict[int, int]:
    """Read what stands under `HOURS`."""
    return {hour: int(offset) for hour, offset in cells.items()}


class Deliveries:
    """Finds deliveries again on `delivery-events`."""

    def __init__(self, settings: Settings, partitions: RedisPartitions, contact_key: ContactKeys) -> None:
        """Take where the events lie, where the hours stand, and how contacts are named."""
        self._settings = settings
        self._partitions = partitions
        self._contact_key = contact_key

    async def renote(self, partition: int, start: int | None, stop: int) -> AsyncGenerator[Notes, None]:
        """Give the notes that the events of a stretch lead to (`changelog.Renote`)."""
        hours = to_hours(await self._partitions.windows(partition, HOURS))
        if not hours:
            return
        first = min(hours.values())
        begin = first if start is None else max(first, start)
        async for records in read_stretch(self._settings, EVENTS, partition, begin, stop):
            delivered: dict[str, list[Mark]] = {}
            for record in records:
                event = decode_delivery_event(record.value)
                if isinstance(event, Rejected) or event[0].effect != "reset" or event[1] // HOUR not in hours:
                    continue
                name = contact_name(self._contact_key, event[0].tenant, event[0].recipient)
                delivered.setdefault(name, []).append((event[1], event[0].attempt_id, DELIVERED, ""))
            yield to_notes(delivered.items())
