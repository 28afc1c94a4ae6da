"""Mailgun's webhooks, and the form posts it sent before 2018. Which status follows is in rules.toml (`mailgun`).

Sources: Mailgun's user manual and events API (events and their fields) unless a row says otherwise.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agents.classify.evidence import Happening
from agents.classify.fields import (
    Told,
    each_element,
    first_text,
    folded,
    lenient_text,
    object_of,
    required_text,
    required_time,
    strict_text,
)
from schemas.codec import decode_json
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome

EVENTS: Final[Mapping[str, Outcome]] = {
    "accepted": "other",  # Mailgun took it from the sender
    "delivered": "delivered",
    "failed": "bounced",  # `deferred` where its severity is temporary, `blocked` where Mailgun did not try
    "bounced": "bounced",  # form posts: a hard bounce
    "dropped": "bounced",  # form posts: Mailgun gave up, or did not try
    "rejected": "blocked",  # Mailgun refused the sender's request
    "opened": "opened",
    "clicked": "clicked",
    "complained": "complained",
    "unsubscribed": "unsubscribed",  # from the domain, a tag or a list; there is one `User` per tenant
    "stored": "other",  # of incoming mail
    "list_uploaded": "other",  # of mailing lists
    "list_member_uploaded": "other",
    "list_member_upload_error": "other",
}
"""`event` to what became of the message."""

OF_NOBODY: Final = frozenset(("stored", "list_uploaded", "list_member_uploaded", "list_member_upload_error"))
"""Kinds of events that may name no recipient: nothing was sent."""

CODES: Final[Mapping[str, str]] = {
    "499": "old",  # could not connect (anymail's captured events)
    "602": "old",  # "Too old"
    "605": "suppress-bounce",
    "606": "suppress-unsubscribe",
    "607": "suppress-complaint",
    "625": "poor-list-quality",  # Symfony's Mailgun bridge has these four as Mailgun's own
}
"""Mailgun's own codes, in place of a reply code, to the `reason` they stand for: form posts have `hardfail` for all."""

NOT_ATTEMPTED: Final = frozenset(("suppress-bounce", "suppress-unsubscribe", "suppress-complaint", "poor-list-quality"))
"""Reasons for which Mailgun does not try."""

NO_MAIL_OF_OURS: Final = (
    "is-test-mode",  # accepted and not sent (user manual, sending in test mode): "delivered" says nothing
    "is-system-test",
    "is-routed",  # an incoming mail that a route of the account forwards, to the account's own people
)
"""`flags` with which a message that was delivered or failed was none of ours to a contact."""

_REPLY: Final = re.compile(r"[245][0-7][0-9]", re.ASCII)
_ENHANCED: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)


def mailgun(report: Report) -> Iterable[Told]:
    """Read what a webhook posts (`event-data` beside a `signature`), events as the API has them, or form fields."""
    return each_element(report.payload, _element)


def _element(element: dict[str, Any]) -> Iterable[Happening | Rejected]:
    event = element.get("event-data", element)
    if not isinstance(event, dict):
        return (Rejected("wrong-type", "event-data is no object"),)
    kind = required_text(event, "event")
    if isinstance(kind, Rejected):
        return (kind,)
    outcome = EVENTS.get(kind)
    if outcome is None:
        return (Rejected("unknown-event", "Mailgun has no such kind of event"),)
    recipient = _recipient(event, kind)
    if recipient is None or (outcome in _FATES and _is_no_mail_of_ours(event)):
        return ()
    return (recipient if isinstance(recipient, Rejected) else _happening(event, kind, outcome, recipient),)


# A complaint or an unsubscribe counts, however somebody came by the mail.
_FATES: Final = frozenset(("delivered", "bounced", "blocked"))


def _is_no_mail_of_ours(event: dict[str, Any]) -> bool:
    flags = object_of(event.get("flags"))
    return any(flags.get(name) is True for name in NO_MAIL_OF_OURS)


def _recipient(event: dict[str, Any], kind: str) -> str | Rejected | None:
    """Give whom the mail was for. The header `to` may name others, so it counts only where there is nothing else."""
    if not event.get("recipient"):
        if kind in OF_NOBODY:
            return None
        if kind == "rejected":
            return required_text(_headers(event), "to")
    return required_text(event, "recipient")


def _happening(event: dict[str, Any], kind: str, outcome: Outcome, recipient: str) -> Happening | Rejected:
    occurred_at = required_time(event, "timestamp")
    if isinstance(occurred_at, Rejected):
        return occurred_at
    message_id = _message_id(event)
    if isinstance(message_id, Rejected):
        return message_id
    # Form posts have flat what webhooks have in `delivery-status`, which may also be null.
    status = object_of(event.get("delivery-status"))
    code = lenient_text(status.get("code", event.get("code"))) or ""
    failed = outcome == "bounced"
    reason = _reason(event, kind, code) if failed else None
    return Happening(
        recipient=recipient,
        occurred_at=occurred_at,
        outcome=_failure(event, reason) if failed else outcome,
        provider="mailgun",
        # No event_id: `id` is unique within a day only, and `token` names a post, not an event.
        message_id=message_id,
        campaign_id=_campaign_id(event),
        permanent=_hard(event, kind, status, reason) if failed else None,
        smtp_code=code if _REPLY.fullmatch(code) else None,
        enhanced_code=_enhanced(status, code),
        diagnostic=_words(event, status),
        provider_code=kind if kind == "rejected" else reason,
    )


def _reason(event: dict[str, Any], kind: str, code: str) -> str | None:
    """Give Mailgun's reason, of which its own codes know more: form posts name no list, a bounce there no reason."""
    return CODES.get(code) or folded(event.get("reason")) or ("bounce" if kind == "bounced" else None)


def _failure(event: dict[str, Any], reason: str | None) -> Outcome:
    if folded(event.get("severity")) == "temporary":
        return "deferred"  # Mailgun goes on for 8 hours: several of these are still one attempt
    return "blocked" if reason in NOT_ATTEMPTED else "bounced"


def _hard(event: dict[str, Any], kind: str, status: dict[str, Any], reason: str | None) -> bool | None:
    """Say whether it is permanent. A permanent `severity` only says that Mailgun is done with the message.

    What it tried for 8 hours was passing each time, and the newer events name soft bounces in `bounce-type`.
    """
    if reason == "old" or folded(status.get("bounce-type")) == "soft":
        return False
    severity = folded(event.get("severity")) or ("permanent" if kind in ("bounced", "dropped") else "")
    return {"permanent": True, "temporary": False}.get(severity)


def _enhanced(status: dict[str, Any], code: str) -> str | None:
    """Give the enhanced code: bounces that come later by mail have it in `bounce-code`, form posts in `code`."""
    named = lenient_text(status.get("enhanced-code")) or lenient_text(status.get("bounce-code"))
    return named or (code if _ENHANCED.fullmatch(code) else None)


def _words(event: dict[str, Any], status: dict[str, Any]) -> str | None:
    """Give all that is said in words, once each: the server's reply, and what Mailgun adds to it."""
    reject = object_of(event.get("reject"))
    told = (
        *(status.get("message"), status.get("description")),
        *(event.get("error"), event.get("notification"), event.get("description")),
        *(reject.get("reason"), reject.get("description")),
    )
    return "\n".join(dict.fromkeys(filter(None, map(lenient_text, told)))) or None


def _headers(event: dict[str, Any]) -> dict[str, Any]:
    return object_of(object_of(event.get("message")).get("headers"))


def _message_id(event: dict[str, Any]) -> str | Rejected | None:
    """Give the Message-ID without angle brackets, wherever it stands; bounces that came by mail may have none."""
    given = strict_text(_headers(event), "message-id") or strict_text(event, "Message-Id", "message-id")
    if given is None:
        given = _form_header(event.get("message-headers"), "message-id")
    return given.strip(" <>") or None if isinstance(given, str) else given


def _form_header(written: object, name: str) -> str | None:
    """Read one of the header fields of a form post: a JSON array of names and values, as text."""
    fields = decode_json(written.encode(errors="surrogatepass")) if isinstance(written, str) else None
    pairs = [field for field in fields if isinstance(field, list) and len(field) == 2] if type(fields) is list else []
    return next((lenient_text(value) for field, value in pairs if folded(field) == name), None)


def _campaign_id(event: dict[str, Any]) -> str | None:
    """Give the campaign's id, else the (first) tag, which the sender chooses."""
    campaigns = event.get("campaigns")
    first = campaigns[0] if isinstance(campaigns, list) and campaigns else None
    campaign_id = lenient_text(object_of(first).get("id")) or lenient_text(first)
    return campaign_id or lenient_text(event.get("campaign-id")) or first_text(event.get("tags", event.get("tag")))
