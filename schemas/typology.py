"""The closed list of statuses and what each one means (SPEC 1). Everything else in the project looks here."""

from typing import Final, Literal, get_args

import msgspec

Status = Literal["Spam", "User", "User unknown", ":", "Typofix", "Quota exceeded", "Connection issue", "Preblock"]
"""One of the eight labels, exactly as the Webmecanik/Mailjet guide writes them."""

Category = Literal["complaint", "unsubscribe", "hard_bounce", "system_protection", "soft_bounce", "network_protection"]
Severity = Literal["critical", "high", "moderate", "low", "very_low", "none"]

Outcome = Literal[
    "delivered",
    "bounced",
    "blocked",
    "complained",
    "unsubscribed",
    "resubscribed",
    "deferred",
    "opened",
    "clicked",
    "other",
]
"""What became of one message for one recipient, as the provider tells it."""

Effect = Literal["block", "count", "reset", "lift", "ignore"]
"""What a delivery event does to the contact.

`block` blocks at once, `count` counts towards the soft-bounce limit, `reset` ends a run of soft bounces,
`lift` lifts an unsubscribe (a new consent), `ignore` does nothing.
"""


class StatusMeaning(msgspec.Struct, frozen=True):
    """What one status stands for: its category, its severity, what it does, and the outcome it implies."""

    category: Category
    severity: Severity
    effect: Effect
    outcome: Outcome


TYPOLOGY: Final[dict[Status, StatusMeaning]] = {
    # In order of strength: the first reason of a contact is the one it is known by (SPEC 6).
    "Spam": StatusMeaning("complaint", "critical", "block", "complained"),
    "User": StatusMeaning("unsubscribe", "none", "block", "unsubscribed"),
    "User unknown": StatusMeaning("hard_bounce", "high", "block", "bounced"),
    ":": StatusMeaning("hard_bounce", "high", "block", "bounced"),
    "Typofix": StatusMeaning("system_protection", "moderate", "block", "blocked"),
    "Quota exceeded": StatusMeaning("soft_bounce", "low", "count", "bounced"),
    "Connection issue": StatusMeaning("soft_bounce", "very_low", "count", "bounced"),
    "Preblock": StatusMeaning("network_protection", "none", "block", "blocked"),
}
"""The typology, strongest status first."""

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

STRENGTH: Final[dict[str, int]] = {status: place for place, status in enumerate(TYPOLOGY)}
"""Place in the order of strength; 0 is the strongest. Both soft statuses share one reason, so their order is moot."""

HARD: Final[frozenset[Status]] = frozenset(s for s, m in TYPOLOGY.items() if m.category == "hard_bounce")
"""The two statuses that the network is told of."""

SOFT: Final[frozenset[Status]] = frozenset(s for s, m in TYPOLOGY.items() if m.category == "soft_bounce")
"""The two statuses that share the soft-bounce counter."""
