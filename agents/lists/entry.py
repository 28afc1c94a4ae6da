"""What a row of a list leads to: an entry, a reason to pass it over, or why it can't be read."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from agents.classify.table import RuleTable
from schemas.rejected import Rejected
from schemas.typology import Status

Row = Mapping[str, Any]
"""One row by column, whose names are `column_name`s. From CSV all values are text; absent and empty are the same."""

SkipReason = Literal[
    "soft",  # one soft bounce, or several: no reason to block until five stand in a row
    "not-the-contact",  # policy, reputation, content, greylisting, the sender's own failures
    "contactable",  # the list itself says that this contact may be mailed, or has been released
    "other-channel",  # text messages and the like
    "not-a-block",  # tells of a delivery, an open, a message under way
    "expired",  # the block was for a limited time, and that is over
]


class Skipped(NamedTuple):
    """A row that is well read and blocks nobody."""

    why: SkipReason


class Entry(NamedTuple):
    """One reason to block one recipient, as the list has it.

    at: when, in ms since 1970; None where the list does not say.
    note: what the list says in words; empty where it says none.
    rule: which rule the reason goes by, where a release by rule must find it again.
    expires_at: when the list says that the block ends, in ms; None where it does not.
    """

    recipient: str
    status: Status
    at: int | None
    note: str = ""
    rule: str | None = None
    expires_at: int | None = None


Read = Entry | Skipped | Rejected
Reader = Callable[[Row, RuleTable], Iterable[Read]]
"""Reads one row: several entries where a contact is blocked for several reasons. Total: never raises."""


def column_name(written: str) -> str:
    """Give the name of a column as it is looked up: `Created At`, `created_at` and `CreatedAt` are all `createdat`."""
    return "".join(letter for letter in written.lower() if letter.isalnum())
