"""Reading fields of rows, and judging what a list says about a failure by the rules that judge reports."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from agents.classify.evidence import Happening
from agents.classify.fields import folded, lenient_text
from agents.classify.table import RuleTable
from agents.lists.entry import Entry, Read, Row, Skipped
from schemas.rejected import Rejected
from schemas.times import parse_time

MAX_NOTE: Final = 300
"""Characters of what a list says in words that go into a note."""

# As databases write a time: without a zone, which is UTC in Mautic's tables and in every export named here.
_DATABASE: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?))?", re.ASCII)
_RFC_2822: Final = re.compile(r"(?:[A-Za-z]{3}, )?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d", re.ASCII)


def text(row: Row, *names: str) -> str:
    """Give the first of the named fields that is there, as text; "" where none is."""
    for name in names:
        if found := lenient_text(row.get(name)):
            return found.strip()
    return ""


def flag(row: Row, name: str) -> bool | None:
    """Read yes or no in the ways exports write it; None where the field is absent, empty or something else."""
    value = row.get(name)
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(folded(str(value)))


def time_of(row: Row, *names: str) -> int | Rejected | None:
    """Read the first of the named times that is there: ms since 1970; None where none is.

    RFC 3339, an epoch, RFC 2822 (`Fri, 20 Nov 2026 10:15:30 GMT`), or `2026-11-20 10:15:30` and `2026-11-20` in UTC. A
    date such as 11/10/2026 is two different days to different people, and rejected.
    """
    name = next((name for name in names if row.get(name) not in (None, "")), None)
    if name is None:
        return None
    value = row[name]
    if isinstance(value, str):
        value = value.strip()
        if found := _DATABASE.fullmatch(value):
            value = f"{found[1]}T{found[2] or '00:00:00'}Z"
        elif _RFC_2822.match(value):
            return _rfc_2822(value)
    time = parse_time(value)
    if isinstance(time, Rejected):
        return Rejected("bad-time", f"{name} is neither RFC 3339, RFC 2822, an epoch nor 2026-11-20 10:15:30")
    return time


def _rfc_2822(value: str) -> int | Rejected:
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        in_ms = int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    except (ValueError, OverflowError, TypeError):
        return Rejected("bad-time", "no such day or hour")
    return in_ms if in_ms >= 0 else Rejected("bad-time", "a time before 1970")


def note_of(words: str) -> str:
    """Give words on one line and cut to `MAX_NOTE`."""
    return " ".join(words.split())[:MAX_NOTE]


def judged(happening: Happening, at: int | None, rules: RuleTable, *, explicit_soft: bool = False) -> Read:
    """Judge a failure by the classification rules: what would not block a contact at once is passed over.

    Args:
        happening: The failure; its recipient may be empty, and is rejected then.
        at: When, or None where the list does not say.
        rules: The rules.
        explicit_soft: The list itself names one of the two soft statuses, and blocks for it.

    """
    if not happening.recipient:
        return Rejected("missing-field", "the recipient is missing")
    status, rule, effect = rules.decide(happening)
    if status is None:
        return Skipped("not-the-contact" if effect == "ignore" else "not-a-block")
    if effect == "count" and not explicit_soft:
        return Skipped("soft")
    note = note_of(happening.diagnostic or happening.provider_code or "")
    return Entry(happening.recipient, status, at, note, "import-unverified" if rule == "import-unverified" else None)
