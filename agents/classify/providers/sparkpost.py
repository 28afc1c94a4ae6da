"""SparkPost's webhooks. Which status follows is in rules.toml (rows with `provider = "sparkpost"`), not here.

Sources: SparkPost's webhook and events API reference and its page on bounce classes, unless a row says otherwise.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from agents.classify.address import canonical_recipient
from agents.classify.evidence import FAILURES, Happening
from agents.classify.fields import Told, each_element, lenient_text, required_text, required_time, strict_text
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome

EVENTS: Final[Mapping[str, Outcome]] = {
    "delivery": "delivered",
    "bounce": "bounced",
    "out_of_band": "bounced",  # a bounce mail, after the server had accepted the message
    "delay": "deferred",
    "policy_rejection": "blocked",
    "generation_rejection": "blocked",
    "generation_failure": "blocked",  # a template that can't be filled in
    "injection": "other",  # SparkPost took it
    "spam_complaint": "complained",
    "list_unsubscribe": "unsubscribed",
    "link_unsubscribe": "unsubscribed",
    "open": "opened",
    "initial_open": "opened",
    "amp_open": "opened",
    "amp_initial_open": "opened",
    "click": "clicked",
    "amp_click": "clicked",
}
"""`type` to what became of the message."""

NOT_MAIL: Final = frozenset(
    (
        *("sms_status", "ab_test_completed", "ab_test_cancelled", "success", "error"),  # the last two of data ingestion
        *("relay_injection", "relay_delivery", "relay_rejection", "relay_tempfail", "relay_permfail"),  # inbound mail
    )
)
"""`type` of events that tell of no mail of ours to anybody: no happening, and no error in a webhook for everything."""

BOUNCE_CLASSES: Final[Mapping[str, tuple[Outcome, bool | None]]] = {
    "1": ("bounced", None),  # undetermined
    "10": ("bounced", True),  # invalid recipient
    "20": ("bounced", False),  # soft bounce
    "21": ("bounced", False),  # DNS failure
    "22": ("bounced", False),  # mailbox full
    "23": ("bounced", False),  # too large
    "24": ("bounced", False),  # timeout
    "25": ("bounced", None),  # admin failure: SparkPost's own policies
    "30": ("bounced", True),  # generic bounce, no RCPT
    "40": ("bounced", False),  # generic bounce
    "50": ("bounced", None),  # mail block
    "51": ("bounced", None),  # spam block
    "52": ("bounced", None),  # spam content
    "53": ("bounced", None),  # prohibited attachment
    "54": ("bounced", None),  # relaying denied
    "60": ("other", None),  # auto-reply: it arrived
    "70": ("bounced", False),  # transient failure, given up
    "80": ("other", None),  # subscribe request, by mail
    "90": ("unsubscribed", None),  # unsubscribe request, by mail
    "100": ("other", None),  # challenge-response: asks for a click before it delivers
}
"""`bounce_class` to what became of the message, and to whether SparkPost's family for it is hard or soft."""


def sparkpost(report: Report) -> Iterable[Told]:
    """Read one element or an array of them; an empty `msys` is a probe, which tells of nothing."""
    return each_element(report.payload, _element)


def _element(element: dict[str, Any]) -> Iterable[Happening | Rejected]:
    """Read `{"msys": {"message_event": {…}}}`: one class of event, and of no interest which."""
    classes = element.get("msys")
    if classes is None:
        return (Rejected("missing-field", "msys is missing"),)
    if classes == {}:
        return ()
    if not isinstance(classes, dict) or len(classes) > 1:
        return (Rejected("wrong-type", "msys is not an object of one class of event"),)
    [(name, event)] = classes.items()
    if name == "relay_message":  # an inbound mail
        return ()
    if not isinstance(event, dict):
        return (Rejected("wrong-type", "an event is an object"),)
    told = _event(event)
    return () if told is None else (told,)


def _event(event: dict[str, Any]) -> Happening | Rejected | None:
    kind = required_text(event, "type")
    if isinstance(kind, Rejected):
        return kind
    if kind in NOT_MAIL:
        return None
    told = _told(event, kind)
    if told is None:
        return Rejected("unknown-event", "SparkPost has no such type of event")
    outcome, permanent, provider_code = told
    recipient = _recipient(event)
    if isinstance(recipient, Rejected):
        return recipient
    # An epoch of seconds as text; RFC 3339 in captured events of failed templates.
    occurred_at = required_time(event, "timestamp")
    if isinstance(occurred_at, Rejected):
        return occurred_at
    event_id = strict_text(event, "event_id")
    if isinstance(event_id, Rejected):
        return event_id
    # One transmission may have many recipients, so the other id is the better name; generated mails that failed
    # before there was a message have that of the transmission alone.
    message_id = strict_text(event, "message_id", "transmission_id")
    if isinstance(message_id, Rejected):
        return message_id
    failed = outcome in FAILURES or outcome == "deferred"
    return Happening(
        recipient=recipient,
        occurred_at=occurred_at,
        outcome=outcome,
        provider="sparkpost",
        event_id=event_id,
        message_id=message_id,
        campaign_id=lenient_text(event.get("campaign_id")),
        permanent=permanent,
        smtp_code=lenient_text(event.get("error_code")) if failed else None,
        # In `reason` numbers and names are blotted out, so that equal causes look equal.
        diagnostic=lenient_text(event.get("raw_reason")) or lenient_text(event.get("reason")) if failed else None,
        provider_code=provider_code,
    )


def _recipient(event: dict[str, Any]) -> str | Rejected:
    """Give the address as it was written, else the one in lower case, `rcpt_to`.

    A bounce that came by mail may have neither, where its headers were lost.
    """
    raw = event.get("raw_rcpt_to")
    usable = isinstance(raw, str) and isinstance(canonical_recipient(raw), str)
    if usable or (raw and not event.get("rcpt_to")):
        return required_text(event, "raw_rcpt_to")
    return required_text(event, "rcpt_to")


def _told(event: dict[str, Any], kind: str) -> tuple[Outcome, bool | None, str | None] | None:
    """Say what happened, whether for good, and in which of SparkPost's words; None for an unknown type."""
    outcome = EVENTS.get(kind)
    if outcome == "bounced":
        bounce_class = lenient_text(event.get("bounce_class"))
        return *BOUNCE_CLASSES.get(bounce_class or "", (outcome, None)), bounce_class
    if outcome == "complained":
        return outcome, None, lenient_text(event.get("fbtype"))  # of the feedback report: abuse, not-spam
    # What SparkPost refused has class 25 at best, so its type says more.
    return outcome and (outcome, None, kind if outcome == "blocked" else None)
