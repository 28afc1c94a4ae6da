"""Mautic's do-not-contact rows (`lead_donotcontact` joined with the contact's address), those of Webmecanik among them.

Sources: Mautic's DoNotContact entity (reason codes), the Mailjet transport of Mautic 2 to 4, its issue 11888 and pull
request 11912, the Leuchtfeuer Mailjet plugin for Mautic 5, and Webmecanik's guide to bounce statuses.

Until 4.3 the comment of a Mailjet bounce was `related: error`, which made `: ` of two empty fields; 4.4 and the plugin
put `HARD: `, `SOFT: ` or `BLOCKED: ` before it and the server's words behind it; the plugin of 2025 leaves empty parts
out. The statuses of the guide are the tails of these comments, and stand alone in exports of Webmecanik.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from agents.classify.evidence import Happening
from agents.classify.fields import folded
from agents.classify.providers.mailjet import ERRORS
from agents.classify.table import RuleTable
from agents.lists.entry import Entry, Read, Row, Skipped
from agents.lists.fields import judged, note_of, text, time_of
from schemas.rejected import Rejected
from schemas.typology import SOFT, STATUSES, Outcome, Status

REASONS: Final[Mapping[str, str]] = {
    "0": "contactable",
    "1": "unsubscribed",
    "2": "bounced",
    "3": "manual",
    "contactable": "contactable",
    "unsubscribed": "unsubscribed",
    "bounced": "bounced",
    "manual": "manual",
}
"""`reason` as the table has it, or as its name."""

LABELS: Final[Mapping[str, Status]] = {folded(status): status for status in STATUSES}
"""Comments that are a status of the guide by themselves."""

BY_HAND: Final[Mapping[str, Status]] = {status: status for status in STATUSES if status != ":"}
"""Comments of a manual entry that are a status: the guide's labels as it writes them. Anything else is an opt-out, also
`:`, which says nothing: taken for a bounce, a release would lift it without consent."""

_SPAM: Final = "user reported email as spam"  # `User reported email as spam, source: JMRPP`
_PREFIX: Final = re.compile(r"\s*(HARD|SOFT|BLOCKED)\s*(?::|$)")  # in capitals: `Blocked: …` is somebody's sentence
_FAMILIES: Final = frozenset(ERRORS.values())
_PERMANENT: Final[Mapping[str, bool]] = {"HARD": True, "SOFT": False}


def mautic(row: Row, rules: RuleTable) -> Iterable[Read]:
    """Read one row; those of other channels than mail, and those that say the contact may be mailed, block nobody."""
    if folded(row.get("channel")) not in ("", "email"):
        return (Skipped("other-channel"),)
    reason = REASONS.get(folded(text(row, "reason")))
    if reason is None:
        return (Rejected("unknown-event", "reason is none of 0 to 3, contactable, unsubscribed, bounced, manual"),)
    if reason == "contactable":
        return (Skipped("contactable"),)
    at = time_of(row, "dateadded")
    if isinstance(at, Rejected):
        return (at,)
    recipient = text(row, "email")
    if not recipient:
        return (Rejected("missing-field", "email is missing"),)
    comment = text(row, "comments", "comment")
    if reason == "bounced":
        return (_bounced(recipient, at, comment, rules),)
    note = note_of(comment)
    if reason == "manual" and comment in BY_HAND:
        return (Entry(recipient, BY_HAND[comment], at, note),)
    left = Entry(recipient, "User", at, note)
    # Mautic files a complaint as an unsubscribe. It is both, and neither lifts the other.
    return (left._replace(status="Spam"), left) if folded(comment).startswith(_SPAM) else (left,)


def _named(comment: str) -> Status | None:
    """Give the status a comment names by itself."""
    said = folded(comment)
    return "Spam" if said.startswith(_SPAM) else LABELS.get(said)


def _bounced(recipient: str, at: int | None, comment: str, rules: RuleTable) -> Read:
    named = _named(comment)
    if named and named != ":":
        return Entry(recipient, named, at, note_of(comment))
    found = _PREFIX.match(comment)
    prefix = found[1] if found else ""
    told = comment[found.end() :].strip() if found else comment
    code, words = _taken_apart(told)
    if not code and not words:
        if not prefix:
            # `: ` and nothing: whether hard or soft, nobody knows any more.
            return Entry(recipient, ":", at, note_of(comment), "import-unverified")
        words = ""
    outcome: Outcome = "blocked" if prefix == "BLOCKED" else "bounced"
    happening = Happening(
        recipient=recipient,
        occurred_at=at or 0,
        outcome=outcome,
        provider="mailjet" if code or prefix else None,
        permanent=_PERMANENT.get(prefix),
        diagnostic=words or None,
        provider_code=code or None,
    )
    return judged(happening, at, rules, explicit_soft=_error(code) in {folded(status) for status in SOFT})


def _error(code: str) -> str:
    return code.partition("/")[2]


def _taken_apart(told: str) -> tuple[str, str]:
    """Take `related: error: words` apart: gives `related/error` as Mailjet's mapping does, and the words.

    Mailjet puts the error into either field, and the words of a server may hold colons of their own.
    """
    parts = [part.strip() for part in told.split(":", 2)]
    for place, part in enumerate(parts[:2]):
        if (error := folded(part)) in ERRORS:
            return f"{ERRORS[error]}/{error}", ": ".join(filter(None, parts[place + 1 :]))
    if len(parts) > 1 and folded(parts[0]) in _FAMILIES:  # an error that the table does not have yet
        return f"{folded(parts[0])}/{folded(parts[1])}", ": ".join(parts[2:])
    return "", told.strip(": ")
