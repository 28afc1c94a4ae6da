"""Reports of the made-up day that can't be read: one or more for every reason there is to reject one."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from schemas.rejected import Reason
from schemas.report import MAX_REPORT_BYTES
from schemas.times import DAY, format_time
from streams.demo.happenings import Intended

_SENT: Final = {"event": "sent", "MessageID": 19_421_000_000_000_001, "smtp_reply": "sent (250 2.0.0 OK)"}


class Poison(NamedTuple):
    """One unreadable report: its bytes, what is to become of each of its parts, and how many of them come."""

    value: bytes
    intended: tuple[Intended, ...]
    copies: int = 1


def poison(at: int) -> Sequence[Poison]:
    """Give the unreadable reports as they would be written at `at` (ms since 1970)."""
    seconds = at // 1000
    good = {**_SENT, "time": seconds, "email": "good.neighbour@example.com"}
    event = {"recipient": "someone@example.com", "occurred_at": format_time(at), "outcome": "bounced"}

    def mailjet(payload: Any, tenant: str = "atelier") -> bytes:
        return _report("mailjet", tenant, payload, at)

    def normalized(payload: Any) -> bytes:
        return _report("normalized", "pulse", payload, at)

    def alone(value: bytes, reason: Reason, copies: int = 1) -> Poison:
        return Poison(value, (reason,), copies)

    latin = mailjet({**good, "event": "bounce", "comment": "Empf\N{LATIN SMALL LETTER A WITH DIAERESIS}nger unbekannt"})
    return [
        alone(mailjet(good)[:-40], "not-json", 4),
        alone(latin.decode().encode("latin-1"), "not-json", 3),
        alone(mailjet({**_SENT, "event": "bounce", "time": seconds}), "missing-field", 6),
        # One bad element in the middle does not spoil its neighbours.
        Poison(mailjet([good, {**_SENT, "time": seconds}, good], "gazette"), ("reset", "missing-field", "reset"), 3),
        alone(_report("mailjet", "", good, at), "missing-field"),
        alone(mailjet({**good, "email": 7}), "wrong-type", 2),
        alone(mailjet(42), "wrong-type"),
        alone(b'["mailjet", "atelier"]', "wrong-type"),
        alone(_report("pigeonpost", "atelier", good, at), "unknown-provider", 2),
        alone(mailjet({**good, "event": "teleported"}), "unknown-event", 3),
        alone(mailjet(good, "atelier & sons"), "bad-tenant", 2),
        alone(normalized({**event, "tenant": "atelier"}), "tenant-mismatch", 2),
        alone(mailjet({**good, "email": "undisclosed-recipients:;"}), "bad-recipient", 5),
        alone(normalized({**event, "occurred_at": "yesterday"}), "bad-time", 2),
        # A clock that is a year ahead must not make everybody else late.
        alone(mailjet({**good, "time": seconds + 365 * DAY // 1000}), "implausible-time", 2),
        alone(normalized({**event, "status": "Mailbox gone"}), "unknown-status", 2),
        alone(normalized({**event, "outcome": "vanished"}), "unknown-outcome", 2),
        alone(mailjet({**good, "Payload": "x" * MAX_REPORT_BYTES}), "too-large"),
        # Not poison, but as odd: Mailjet posts an empty array now and then.
        Poison(mailjet([], "gazette"), (), 2),
    ]


def _report(provider: str, tenant: str, payload: Any, received_at: int) -> bytes:
    return orjson.dumps(
        {"provider": provider, "tenant": tenant, "payload": payload, "received_at": format_time(received_at)}
    )
