"""Mailjet's lists: contacts with their exclusion, and messages that bounced, were blocked, complained or unsubscribed.

Sources: Mailjet's API reference (resources `contact` and `message`, the list of StateIDs) and its Event API guide. The
columns of CSV exports are these fields in any spelling.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from agents.classify.evidence import Happening
from agents.classify.fields import folded
from agents.classify.providers.mailjet import ERRORS
from agents.classify.table import RuleTable
from agents.lists.entry import Entry, Read, Row, Skipped
from agents.lists.fields import flag, judged, note_of, text, time_of
from schemas.rejected import Rejected
from schemas.typology import Outcome

STATES: Final[Mapping[str, str]] = {
    "1": "user unknown",
    "2": "mailbox inactive",
    "3": "quota exceeded",
    "4": "invalid domain",
    "5": "no mail host",
    "6": "relay/access denied",
    "7": "sender blocked",
    "8": "content blocked",
    "9": "policy issue",
    "10": "system issue",
    "11": "protocol issue",
    "12": "connection issue",
    "13": "greylisted",
    "14": "preblocked",
    "15": "duplicate in campaign",
    "16": "spam preblocked",
    "17": "bad or empty template",
    "18": "error in template language",
    "19": "typofix",
    "20": "blacklisted",
    "21": "spam reporter",
}
"""`StateID` of the message API to the `error` of the webhook."""

EVENTS: Final[Mapping[str, tuple[Outcome, bool | None]]] = {
    "bounce": ("bounced", None),
    "bounced": ("bounced", None),
    "hardbounced": ("bounced", True),
    "hard bounce": ("bounced", True),
    "softbounced": ("bounced", False),
    "soft bounce": ("bounced", False),
    "blocked": ("blocked", None),
    "typofix": ("blocked", None),
    "spam": ("complained", None),
    "unsub": ("unsubscribed", None),
    "unsubscribed": ("unsubscribed", None),
}
"""`Status` of a message, or `event`, to what became of it and whether it is permanent. Others block nobody."""

OTHERS: Final = frozenset(("sent", "open", "opened", "click", "clicked", "queued", "deferred", "unknown"))


def contacts(row: Row, _rules: RuleTable) -> Iterable[Read]:
    """Read a contact: excluded or unsubscribed is `User`, complained is `Spam`, all others may be mailed."""
    recipient = text(row, "email")
    if not recipient:
        return (Rejected("missing-field", "email is missing"),)
    found: list[Read] = []
    if flag(row, "isspamcomplaining"):
        at = time_of(
            row, "lastupdateat", "lastactivityat", "createdat", "unsubscribedat", "exclusionfromcampaignsupdatedat"
        )
        found.append(at if isinstance(at, Rejected) else Entry(recipient, "Spam", at))
    left = flag(row, "isunsubscribed")
    if flag(row, "isexcludedfromcampaigns") or left or (left is None and text(row, "unsubscribedat")):
        at = time_of(row, "exclusionfromcampaignsupdatedat", "unsubscribedat", "lastupdateat", "createdat")
        found.append(at if isinstance(at, Rejected) else Entry(recipient, "User", at))
    return found or (Skipped("contactable"),)


def messages(row: Row, rules: RuleTable) -> Iterable[Read]:
    """Read a message that failed, by its state or its error. One soft failure is no reason to block."""
    kind = folded(text(row, "event", "status"))
    if kind in OTHERS:
        return (Skipped("not-a-block"),)
    if kind not in EVENTS:
        return (Rejected("unknown-event", "Mailjet has no such status of a message"),)
    at = time_of(row, "time", "arrivedat", "bouncedat", "date", "createdat")
    if isinstance(at, Rejected):
        return (at,)
    recipient = text(row, "email", "contactalt", "recipient")
    outcome, permanent = EVENTS[kind]
    if not recipient:
        return (Rejected("missing-field", "email is missing"),)
    if outcome in ("complained", "unsubscribed"):
        return (Entry(recipient, "Spam" if outcome == "complained" else "User", at, note_of(text(row, "source"))),)
    for name in ("hardbounce", "statepermanent", "isstatepermanent"):
        permanent = flag(row, name) if permanent is None else permanent
    happening = Happening(
        recipient=recipient,
        occurred_at=at or 0,
        outcome=outcome,
        provider="mailjet",
        permanent=permanent,
        diagnostic=text(row, "comment") or None,
        provider_code="domain/typofix" if kind == "typofix" else _code(row),
    )
    return (judged(happening, at, rules),)


def _code(row: Row) -> str | None:
    error, family = folded(text(row, "error")), folded(text(row, "errorrelatedto"))
    for known in (error, family, STATES.get(text(row, "stateid"), "")):
        if known in ERRORS:
            return f"{ERRORS[known]}/{known}"
    return "/".join(filter(None, (family, error))) or None
