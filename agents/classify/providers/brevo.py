"""Brevo's webhooks, transactional and marketing. Which status follows is in rules.toml (rows with `brevo`), not here.

Sources: Brevo's pages on transactional, marketing and batched webhooks, unless a row says otherwise.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from agents.classify.evidence import FAILURES, Happening
from agents.classify.fields import (
    Told,
    each_element,
    first_text,
    first_time,
    lenient_text,
    required_text,
    strict_text,
)
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome

EVENTS: Final[Mapping[str, tuple[Outcome, bool | None]]] = {
    "request": ("other", None),  # Brevo took it; "sent" where webhooks are configured
    "sent": ("other", None),
    "delivered": ("delivered", None),
    "hard_bounce": ("bounced", True),
    "soft_bounce": ("bounced", False),
    "invalid_email": ("bounced", True),
    "invalid": ("bounced", True),  # as webhooks are configured
    "blocked": ("blocked", None),
    "error": ("blocked", None),
    # Even with "550 5.1.1 … User unknown", as captured by django-anymail: the final event is still to come.
    "deferred": ("deferred", None),
    "spam": ("complained", None),  # marketing
    "complaint": ("complained", None),  # transactional
    "unsubscribe": ("unsubscribed", None),  # marketing
    "unsubscribed": ("unsubscribed", None),  # transactional
    "opened": ("opened", None),
    "unique_opened": ("opened", None),
    "proxy_open": ("opened", None),  # a mail program that loads images for its users
    "unique_proxy_open": ("opened", None),
    "click": ("clicked", None),
    # Of the contact list, not of a message. Being put on a list is no consent we could prove.
    "list_addition": ("other", None),
    "contact_updated": ("other", None),
    "contact_deleted": ("other", None),
}
"""`event` to what became of the message, and to whether it is permanent. Names come as here and as `hardBounce`."""

_TIMES: Final = (
    "ts_epoch",  # milliseconds in UTC; documented samples with seconds exist, and the size of the number tells
    "ts_event",  # seconds in UTC by the page, but hours off in a capture of django-anymail that has both
    "ts",
)
"""Fields with the time, best first. `date` and `date_event` have no zone: they are in the one of the account."""

_FAILED: Final = FAILURES | {"deferred"}

CODES: Final = frozenset(name for name, (outcome, _) in EVENTS.items() if outcome in _FAILED)
"""Every `provider_code` there can be, in lower case, as the rows of rules.toml write it."""


def _squashed(name: str) -> str:
    return name.replace("_", "").lower()


_BY_NAME: Final = {_squashed(name): name for name in EVENTS}


def brevo(report: Report) -> Iterable[Told]:
    """Read one event, or the array of them that batched webhooks send."""
    return each_element(report.payload, _happenings)


def _happenings(event: dict[str, Any]) -> Iterable[Happening | Rejected]:
    """Read one event, which of a deleted contact holds an array of addresses."""
    if "items" in event and "event" not in event:  # inbound mails
        return ()
    emails = event.get("email")
    if isinstance(emails, list) and emails:
        return [_event({**event, "email": email}) for email in emails]
    return (_event(event),)


def _event(event: dict[str, Any]) -> Happening | Rejected:
    written = required_text(event, "event")
    if isinstance(written, Rejected):
        return written
    kind = _BY_NAME.get(_squashed(written))
    if kind is None:
        return Rejected("unknown-event", "Brevo has no such event")
    recipient = required_text(event, "email")
    if isinstance(recipient, Rejected):
        return recipient
    occurred_at = _time(event)
    if isinstance(occurred_at, Rejected):
        return occurred_at
    message_id = _message_id(event)
    if isinstance(message_id, Rejected):
        return message_id
    outcome, permanent = EVENTS[kind]
    failed = outcome in _FAILED
    reason = lenient_text(event.get("reason")) if failed else None
    return Happening(
        recipient=recipient,
        occurred_at=occurred_at,
        outcome=outcome,
        provider="brevo",
        # No event_id: `id` is the webhook's.
        message_id=message_id,
        campaign_id=_campaign_id(event),
        permanent=permanent,
        diagnostic=(reason or "").strip() or None,  # captured ones begin with a space
        provider_code=kind if failed else None,
    )


def _time(event: dict[str, Any]) -> int | Rejected:
    if any(event.get(name) for name in _TIMES):
        return first_time(*((name, event.get(name)) for name in _TIMES))
    if event.get("date") or event.get("date_event"):
        return Rejected("bad-time", "a date without a zone, and no timestamp")
    return Rejected("missing-field", "there is no timestamp")


def _message_id(event: dict[str, Any]) -> str | Rejected | None:
    """Give the id all events of one message share.

    Marketing mails have none. A campaign goes to a contact once, so its id does as well: without one, a bounce after
    a delivery would be another attempt, and every campaign would reset the run that the one before began.
    """
    message_id = strict_text(event, "message-id")
    if isinstance(message_id, Rejected):
        return message_id
    # Samples have it with angle brackets and without.
    if message_id and (bare := message_id.strip(" <>")):
        return bare
    campaign = strict_text(event, "camp_id")
    return f"campaign-{campaign}" if isinstance(campaign, str) else campaign


def _campaign_id(event: dict[str, Any]) -> str | None:
    """Give the campaign's id, else the first tag; where `tag` holds several as JSON, `tags` has them as well."""
    return lenient_text(event.get("camp_id")) or first_text(event.get("tags")) or lenient_text(event.get("tag"))
