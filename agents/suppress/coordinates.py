"""Where what is known of a contact was first told: kept beside the marks and events, and never part of them.

Two copies of a report lie in two places, so places must not make a difference: nothing is decided by them, and they are
dropped with what they belong to. Who asks why a contact is blocked finds the records by them (SPEC 8).
"""

from typing import Final

import msgspec

from schemas.delivery import Origin
from schemas.order import ORDERS

TOPICS: Final = ("delivery-events", "contact-commands", ORDERS)
"""Where a first record may lie, by name in the catalogue. Written as a place in this list: it only grows."""

EVENTS: Final = 0
COMMANDS: Final = 1
DENIALS: Final = 2

Place = tuple[int, int, Origin | None]
"""Where a delivery event lies: partition and offset, and the report it follows from where that is known."""


class Coordinates(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first record that told of something, and what it was judged by.

    topic: index into `TOPICS`; `partition` and `offset` are the record's there.
    policy: SHA-256 of the policy in force when it was decided; base64 on the wire.
    rule: the rule that classified a soft bounce or a delivery; "" where what is known names its rule itself.
    report: partition and offset of the report on `esp-reports`, or None.
    """

    topic: int
    partition: int
    offset: int
    policy: bytes
    rule: str = ""
    report: tuple[int, int] | None = None


First = Coordinates | None
"""Where something was first told; None where that is not known."""


def of_event(place: Place, rule: str, policy_hash: str) -> Coordinates:
    """Give the coordinates of a delivery event; `policy_hash` is hexadecimal."""
    partition, offset, origin = place
    report = (origin.partition, origin.offset) if origin else None
    return Coordinates(EVENTS, partition, offset, bytes.fromhex(policy_hash), rule, report)


def of_order(topic: int, record: tuple[int, int] | None, policy_hash: str) -> First:
    """Give the coordinates of a command or a denial; None where it was never on a topic (`replay`)."""
    return record and Coordinates(topic, *record, bytes.fromhex(policy_hash))
