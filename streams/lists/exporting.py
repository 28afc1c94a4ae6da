"""Exporting the standing decisions of a tenant: `suppressions` is read to its end, partition by partition.

A key lies in one partition, so that what has to be held at a time is the decisions of that tenant that stand in one
partition: an eighth of them, about half a kilobyte each.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from schemas.codec import decode_suppression, encode
from schemas.rejected import Rejected
from schemas.suppression import Reason, Suppression
from schemas.times import parse_time
from schemas.typology import Category, Status
from streams.errors import Failed
from streams.reading import consumer_of, places_of, to_the_end
from streams.settings import Settings

TOPIC: Final = "suppressions"


class Standing(msgspec.Struct, frozen=True):
    """One standing decision as it is exported: the fields of the suppression that say who, why and until when."""

    recipient: str
    status: Status
    category: Category
    since: str
    expires_at: str | None
    reasons: tuple[Reason, ...]


async def export_standing(
    settings: Settings,
    tenant: str,
    now: int,
    on_standing: Callable[[bytes], None],
    on_progress: Callable[[int, int], None],
) -> int:
    """Give every standing decision of a tenant as JSON, in no order; returns how many there are.

    Args:
        settings: Where the broker is, and the prefix.
        tenant: Whose decisions.
        now: ms since 1970; a reason that has expired by then is left out, and a decision with no other one.
        on_standing: Takes each decision, a `Standing` as JSON.
        on_progress: Told how many records of how many have been read.

    Raises:
        Failed: There is no such topic, or the broker falls silent.
        KafkaError: The broker can't be used.

    """
    written = 0
    async with consumer_of(settings) as consumer:
        places = await places_of(settings, consumer, {TOPIC: {}})
        consumer.assign(places)
        beginnings, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        total, done = sum(ends[place] - beginnings[place] for place in places), 0
        mine = f"{tenant}\x1f".encode()
        for place in places:
            standing: dict[bytes, bytes] = {}
            consumer.assign([place])
            consumer.seek(place, beginnings[place])
            async for records in to_the_end(consumer, [place]):
                for record in records:
                    if record.key is not None and record.key.startswith(mine):
                        standing.pop(record.key, None)
                        if record.value is not None and (kept := _standing(record.value, now)):
                            standing[record.key] = kept
                done += len(records)
                on_progress(min(done, total), total)
            for line in standing.values():
                on_standing(line)
            written += len(standing)
    return written


def _standing(value: bytes, now: int) -> bytes | None:
    """Give what is exported of a record; None for a release, and where every reason has expired."""
    record = decode_suppression(value)
    if isinstance(record, Rejected):
        raise Failed(f"a record on {TOPIC} can't be read: {record.detail}")
    reasons = tuple(reason for reason in record.reasons if _holds(reason, now))
    return encode(_exported(record, reasons)) if reasons else None


def _holds(reason: Reason, now: int) -> bool:
    if reason.expires_at is None:
        return True
    expires_at = parse_time(reason.expires_at)
    return isinstance(expires_at, Rejected) or expires_at > now


def _exported(record: Suppression, reasons: tuple[Reason, ...]) -> Standing:
    strongest = reasons[0]
    return Standing(
        record.recipient, strongest.status, strongest.category, strongest.since, strongest.expires_at, reasons
    )


CSV_COLUMNS: Final = ("recipient", "status", "category", "since", "expires_at", "reasons")


def csv_fields(line: bytes) -> list[str]:
    """Give the fields of an exported decision for CSV: `reasons` as the JSON text of the array."""
    one = msgspec.json.decode(line, type=Standing)
    reasons = msgspec.json.encode(one.reasons).decode()
    return [one.recipient, one.status, one.category, one.since, one.expires_at or "", reasons]
