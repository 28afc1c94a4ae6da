"""What commands leave behind on a contact (SPEC 7). Pure.

Each part is a summary that order and repetition can't change: times that only grow, events in a set. None holds an
address, so that it may outlive an erasure.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from agents.classify.table import RuleTable
from schemas.typology import SOFT, Status

BY_HAND: Final = "by-hand"
"""The rule of a reason that a `suppress` command added."""

TYPO_RULE: Final = "check-typo"
"""The rule of a Typofix that a check has found: the table of known typos (`agents.gate.typos`)."""

NETWORK_RULE: Final = "check-network"
"""The rule of a Preblock that a check has found: a hard bounce of other tenants (`agents.gate.preblock`)."""

SOFT_BOUNCE_RULE: Final = "soft-bounce-limit"
"""The rule of a soft-bounce reason: `limit` failed attempts in a row."""

SOFT_BOUNCE: Final = "soft-bounce"
"""What the shared counter of both soft statuses is released under."""

DENYING: Final[frozenset[Status]] = frozenset(("Spam", "User", "User unknown", ":"))
"""What still denies at the check after the person is forgotten: a complaint, an unsubscribe, a hard bounce."""

MAX_SEEN: Final = 256
"""Ids of commands remembered per contact; of too many the oldest is forgotten."""

MAX_LIFTS: Final = 16
"""Releases remembered per contact with where they stand, to tell of them; of too many the oldest is forgotten."""

MAX_RULES: Final = 256
"""Released rules remembered per contact; of too many the one released longest ago is forgotten."""

_BY_NAME_ALONE: Final = frozenset(("Spam", "User"))


def blocking_rules(table: RuleTable) -> set[str]:
    """Give the rules that a reason can go by, but for names that `suppress` commands made up."""
    return {
        BY_HAND,
        TYPO_RULE,
        NETWORK_RULE,
        SOFT_BOUNCE_RULE,
        *(row.verdict.rule for row in table.rows if row.verdict.effect == "block"),
    }


class Lift(msgspec.Struct, frozen=True, array_like=True):
    """A release, to tell of it; nothing is decided by it. `record` is where it stands on `contact-commands`."""

    at: int
    statuses: tuple[Status, ...]
    rules: tuple[str, ...]
    record: tuple[int, int] | None


class Orders(msgspec.Struct, array_like=True):
    """What commands left behind; all times are event times in ms. Grows at the end: a reader takes a shorter one.

    released: status (or `SOFT_BOUNCE`) -> up to when what was told of it no longer counts.
    rules: rule -> the same for what that rule decided; never of Spam and User.
    erased: up to when whatever is told of this contact is forgotten, or None.
    denied: status -> its latest event among what was forgotten.
    seen: what the ids of the commands taken hash to, oldest first.
    lifts: the releases taken, in the order they came; none from before an erasure.
    """

    released: dict[str, int] = {}
    rules: dict[str, int] = {}
    erased: int | None = None
    denied: dict[Status, int] = {}
    seen: list[str] = []
    lifts: list[Lift] = []

    @property
    def is_kept(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.seen or self.denied)

    def lifted(self, status: Status, rule: str, at: int) -> bool:
        """Say whether what was told of a status at a time has been released."""
        return at <= self.released_until(status, rule)

    def released_until(self, status: Status, rule: str) -> int:
        """Give the event time, in ms, up to which a status that a rule gave no longer counts; -1 for never."""
        by_rule = -1 if status in _BY_NAME_ALONE else self.rules.get(rule, -1)
        return max(self.released.get(unit(status), -1), by_rule)

    def is_forgotten(self, at: int) -> bool:
        """Say whether an erasure reaches an event of this time."""
        return self.erased is not None and at <= self.erased

    def release(
        self,
        statuses: Sequence[Status],
        rules: Sequence[str],
        at: int,
        record: tuple[int, int] | None = None,
    ) -> None:
        """Take a release in."""
        self.lifts = [*self.lifts, Lift(at, tuple(statuses), tuple(rules), record)][-MAX_LIFTS:]
        for status in statuses:
            self.released[unit(status)] = max(at, self.released.get(unit(status), -1))
        for rule in rules:
            self.rules[rule] = max(at, self.rules.get(rule, -1))
        while len(self.rules) > MAX_RULES:
            del self.rules[min(self.rules, key=lambda rule: (self.rules[rule], rule))]
        self.denied = {s: latest for s, latest in self.denied.items() if latest > self.released.get(unit(s), -1)}

    def deny(self, status: Status | None, rule: str, at: int, consent: int | None) -> bool:
        """Remember of a forgotten event that its status denies, if it does; say whether that is news."""
        if status is None or status not in DENYING or self.lifted(status, rule, at):
            return False
        if (status == "User" and consent is not None and at < consent) or self.denied.get(status, -1) >= at:
            return False
        self.denied[status] = at
        return True

    def first(self, command_id: str) -> bool:
        """Take note of a command; say whether it is the first one of its id."""
        if self.has_taken(command_id):
            return False
        self.seen = [*self.seen, _named(command_id)][-MAX_SEEN:]
        return True

    def has_taken(self, command_id: str) -> bool:
        """Say whether a command of this id has been taken."""
        return _named(command_id) in self.seen


def _named(command_id: str) -> str:
    return hashlib.sha256(command_id.encode()).hexdigest()[:16]


def unit(status: Status) -> str:
    """Give what a status is released under: both soft ones share a counter."""
    return SOFT_BOUNCE if status in SOFT else status
