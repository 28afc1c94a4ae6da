"""Lists of our own: what `bounceline export` writes, records of `suppressions`, and plain `recipient,status,at`."""

from collections.abc import Iterable
from typing import Any

from agents.classify.fields import folded
from agents.classify.table import RuleTable
from agents.lists.entry import Entry, Read, Row, Skipped, column_name
from agents.lists.fields import note_of, text, time_of
from schemas.codec import decode_json
from schemas.command_reading import MAX_RULE
from schemas.rejected import Rejected
from schemas.typology import STATUSES


def own(row: Row, _rules: RuleTable) -> Iterable[Read]:
    """Read one standing decision: an entry for each of its reasons, or for its status where it names none.

    A status stands for itself, a soft one too: whoever wrote the list had decided. A reason goes by the rule it
    names; a bare `:` is one of history, and can be released by the rule `import-unverified`.
    """
    if folded(row.get("action")) == "release":
        return (Skipped("contactable"),)
    reasons = _reasons(row.get("reasons"))
    if isinstance(reasons, Rejected):
        return (reasons,)
    return [_entry(row, reason) for reason in reasons or (row,)]


def _reasons(written: object) -> list[Row] | Rejected:
    """Read `reasons`: an array, or in CSV the JSON text of one."""
    if isinstance(written, str) and written.strip():
        written = decode_json(written.encode(errors="surrogatepass"))
    if isinstance(written, Rejected):
        return written
    if written in (None, ""):
        return []
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        return Rejected("wrong-type", "reasons is no array of objects")
    return [_named(one) for one in written]


def _named(reason: dict[str, Any]) -> Row:
    return {column_name(name): value for name, value in reason.items()}


def _entry(row: Row, reason: Row) -> Read:
    recipient = text(row, "recipient")
    if not recipient:
        return Rejected("missing-field", "recipient is missing")
    written = text(reason, "status")
    status = next((label for label in STATUSES if folded(label) == folded(written)), None)
    if status is None:
        return Rejected(*(("unknown-status", "status is none of the eight labels") if written else _NO_STATUS))
    at = time_of(reason, "since", "at")
    if isinstance(at, Rejected):
        return at
    expires_at = time_of(reason, "expiresat")
    if isinstance(expires_at, Rejected):
        return expires_at
    rule = text(reason, "rule")[:MAX_RULE] or ("import-unverified" if status == ":" else None)
    ends = expires_at if status == "Preblock" else None  # nothing else does (SPEC 6)
    return Entry(recipient, status, at, note_of(text(row, "note")), rule, ends)


_NO_STATUS = ("missing-field", "status is missing")
