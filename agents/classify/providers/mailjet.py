"""Mailjet's Event API. Which status follows is in rules.toml (rows with `provider = "mailjet"`), not here.

Sources: Mailjet's Event API guide (webhook events, error table) unless a row says otherwise.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from agents.classify.evidence import Happening
from agents.classify.fields import Told, each_object, folded, lenient_text, required_text, required_time, text_of
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome

EVENTS: Final[Mapping[str, Outcome]] = {
    "sent": "delivered",  # the receiving server accepted it, not: Mailjet took it
    "open": "opened",
    "click": "clicked",
    "bounce": "bounced",
    "blocked": "blocked",  # not attempted
    "spam": "complained",
    "unsub": "unsubscribed",
    # Of old accounts, no longer in the guide; CiviCRM's Mailjet extension takes it as a type of its own.
    "typofix": "blocked",
}
"""`event` to what became of the message."""

ERRORS: Final[Mapping[str, str]] = {
    "user unknown": "recipient",
    "mailbox inactive": "recipient",
    "quota exceeded": "recipient",
    "blacklisted": "recipient",
    "spam reporter": "recipient",
    "invalid domain": "domain",
    "no mail host": "domain",
    "relay/access denied": "domain",
    "greylisted": "domain",
    "typofix": "domain",
    "bad or empty template": "content",
    "error in template language": "content",
    "sender blocked": "spam",
    "content blocked": "spam",
    "policy issue": "spam",
    "system issue": "system",
    "protocol issue": "system",
    "connection issue": "system",
    "preblocked": "mailjet",
    "duplicate in campaign": "mailjet",
    "spam preblocked": "mailjet",  # only in the list of StateIDs of the message API, not in the webhook table
}
"""`error` to the `error_related_to` the guide files it under; together they are the `provider_code`.

The value alone names the row: a captured bounce has `error_related_to: "policy issue"` and `error: ""`
(the fixture of Symfony's Mailjet bridge), so it is looked up in both fields.
"""

# true, "true", 1 and so on; `""`, null and absence mean not known. Mautic 4.4 took only the JSON boolean
# false for soft, so that "false" became a hard bounce.
_HARD: Final[Mapping[object, bool]] = {
    True: True,  # and 1, which Python takes for the same key
    False: False,
    "true": True,
    "false": False,
    "1": True,
    "0": False,
}

# The one field of an event that says in words what happened, where there is one.
_DIAGNOSTIC: Final[Mapping[str, str]] = {
    "sent": "smtp_reply",
    "bounce": "comment",
    "blocked": "comment",
    "typofix": "comment",
    "spam": "source",  # the feedback loop, such as JMRPP
}


def mailjet(report: Report) -> Iterable[Told]:
    """Read one event (version 1 of the webhook) or an array of events of mixed kinds (version 2)."""
    return each_object(report.payload, _event)


def _event(event: dict[str, Any]) -> Happening | Rejected:
    kind = required_text(event, "event")
    if isinstance(kind, Rejected):
        return kind
    outcome = EVENTS.get(kind)
    if outcome is None:
        return Rejected("unknown-event", "Mailjet has no such kind of event")
    email = required_text(event, "email")
    if isinstance(email, Rejected):
        return email
    occurred_at = required_time(event, "time")
    if isinstance(occurred_at, Rejected):
        return occurred_at
    message_id = _message_id(event)
    if isinstance(message_id, Rejected):
        return message_id
    words = _DIAGNOSTIC.get(kind)
    failed = kind in _FAILED
    return Happening(
        recipient=email,
        occurred_at=occurred_at,
        outcome=outcome,
        provider="mailjet",
        message_id=message_id,
        campaign_id=_campaign_id(event),
        permanent=_hard(event.get("hard_bounce")) if failed else None,
        diagnostic=lenient_text(event.get(words)) if words else None,
        provider_code=_provider_code(event, kind) if failed else None,
    )


_FAILED: Final = frozenset(("bounce", "blocked", "typofix"))


def _message_id(event: dict[str, Any]) -> str | Rejected | None:
    """Give the id all events of one message share; 0 and "" mean none.

    `mj_message_id` is the same number in a deprecated field. The uuid `Message_GUID` comes last: events that
    have both must agree with those that have the number alone.
    """
    for name in ("MessageID", "mj_message_id", "Message_GUID"):
        value = event.get(name)
        if value:
            message_id = text_of(value)
            if isinstance(message_id, Rejected):
                # Without an id a message's reports would no longer join; with a rounded one, strangers would.
                return Rejected("wrong-type", f"{name} {message_id.detail}")
            if message_id != "0":
                return message_id
    return None


def _campaign_id(event: dict[str, Any]) -> str | None:
    """Give `mj_campaign_id` (0 or "" when there is none), else the sender's name from X-Mailjet-Campaign."""
    campaign_id = lenient_text(event.get("mj_campaign_id"))
    return campaign_id if campaign_id and campaign_id != "0" else lenient_text(event.get("customcampaign"))


def _hard(value: object) -> bool | None:
    """Read `hard_bounce`, which comes as boolean, as text or not at all; None means not known."""
    if isinstance(value, str):
        value = value.strip().lower()
    return _HARD.get(value) if isinstance(value, (bool, int, str)) else None


def _provider_code(event: dict[str, Any], kind: str) -> str | None:
    """Give `family/error`, such as `recipient/user unknown`, wherever Mailjet put them; None for neither."""
    error, family = folded(event.get("error")), folded(event.get("error_related_to"))
    if kind == "typofix":
        error = error or "typofix"
    for known in (error, family):
        if known in ERRORS:
            return f"{ERRORS[known]}/{known}"
    # A value the table does not have yet: kept, so that rules for a whole family (spam/*) still see it.
    return "/".join(filter(None, (family, error))) or None
