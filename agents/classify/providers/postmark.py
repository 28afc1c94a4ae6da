"""Postmark's webhooks. Which status follows is in rules.toml (rows with `provider = "postmark"`), not here.

Sources: Postmark's webhook pages and the list of bounce types of its API, unless a row says otherwise.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from agents.classify.evidence import Happening
from agents.classify.fields import Told, each_element, lenient_text, required_text, required_time, strict_text
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome

TIMES: Final[Mapping[str, str]] = {
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",  # a complaint is a bounce to Postmark
    "Delivery": "DeliveredAt",
    "SubscriptionChange": "ChangedAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
}
"""`RecordType` to the field with its time: RFC 3339, with up to seven digits of a second."""

_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "SpamComplaint": "complained",  # whatever its Type and TypeCode: published samples have 512 as well as 100001
    "Delivery": "delivered",
    "Open": "opened",
    "Click": "clicked",
}

BOUNCES: Final[Mapping[str, tuple[int, Outcome, bool | None]]] = {
    "HardBounce": (1, "bounced", True),
    "Transient": (2, "deferred", None),  # Postmark tries again
    "Unsubscribe": (16, "unsubscribed", None),
    "Subscribe": (32, "other", None),  # a mail that asks to be subscribed is no consent we could prove
    "AutoResponder": (64, "other", None),
    "AddressChange": (128, "other", None),  # somebody wrote back; the mail arrived
    "DnsError": (256, "bounced", False),  # of the receiving domain, at that moment
    "SpamNotification": (512, "bounced", None),  # what a filter says, not what a person did
    "OpenRelayTest": (1024, "bounced", None),
    "Unknown": (2048, "bounced", None),
    "SoftBounce": (4096, "bounced", False),
    "VirusNotification": (8192, "bounced", None),
    "ChallengeVerification": (16384, "other", None),  # asks for a click before it delivers
    "BadEmailAddress": (100000, "bounced", True),
    "SpamComplaint": (100001, "complained", None),
    "ManuallyDeactivated": (100002, "blocked", None),
    "Unconfirmed": (100003, "other", None),  # about the sender's registration
    "Blocked": (100006, "bounced", None),
    "SMTPApiError": (100007, "blocked", None),
    "InboundError": (100008, "blocked", None),
    "DMARCPolicy": (100009, "bounced", None),
    "TemplateRenderingFailed": (100010, "blocked", None),
}
"""`Type` of a bounce to its `TypeCode`, to what became of the message, and to whether it is permanent."""

_TYPE_OF_CODE: Final = {str(code): name for name, (code, _, _) in BOUNCES.items()}

SUPPRESSIONS: Final[Mapping[str, Outcome]] = {
    "HardBounce": "bounced",
    "SpamComplaint": "complained",
    "ManualSuppression": "unsubscribed",  # a recipient's unsubscribe arrives as this too
}
"""`SuppressionReason` of a SubscriptionChange to what happened."""

CODES: Final = frozenset(
    (*map(str.lower, BOUNCES), *(f"suppression/{reason.lower()}" for reason in SUPPRESSIONS), "reactivation")
)
"""Every `provider_code` there can be, in lower case, as the rows of rules.toml write it."""

_NO_MESSAGE: Final = "00000000-0000-0000-0000-000000000000"  # in what the "Send test" button sends


def postmark(report: Report) -> Iterable[Told]:
    """Read one event; an array of them too, though Postmark sends none."""
    return each_element(report.payload, _element)


def _element(event: dict[str, Any]) -> Iterable[Happening | Rejected]:
    # An inbound mail has no RecordType, or this one: nothing became of a mail of ours.
    kind = event.get("RecordType")
    inbound = kind == "Inbound" or (not kind and "FromFull" in event)
    return () if inbound else (_event(event),)


def _event(event: dict[str, Any]) -> Happening | Rejected:
    kind = required_text(event, "RecordType")
    if isinstance(kind, Rejected):
        return kind
    if kind not in TIMES:
        return Rejected("unknown-event", "Postmark has no such RecordType")
    told = _told(event, kind)
    if isinstance(told, Rejected):
        return told
    outcome, permanent, provider_code = told
    recipient = required_text(event, "Recipient" if event.get("Recipient") else "Email")
    if isinstance(recipient, Rejected):
        return recipient
    occurred_at = required_time(event, TIMES[kind])
    if isinstance(occurred_at, Rejected):
        return occurred_at
    event_id = strict_text(event, "ID")
    if isinstance(event_id, Rejected):
        return event_id
    message_id = strict_text(event, "MessageID")
    if isinstance(message_id, Rejected):
        return message_id
    return Happening(
        recipient=recipient,
        occurred_at=occurred_at,
        outcome=outcome,
        provider="postmark",
        event_id=None if event_id == "0" else event_id,  # of bounces and complaints alone
        message_id=None if message_id == _NO_MESSAGE else message_id,
        campaign_id=lenient_text(event.get("Tag")),
        permanent=permanent,
        # Never Description: Postmark's own words for the type, such as "ex: unknown user, mailbox not found", hold
        # the very phrases that rules look for.
        diagnostic=lenient_text(event.get("Details")) if kind != "Delivery" else None,
        provider_code=provider_code,
    )


_What = tuple[Outcome, bool | None, str | None]


def _told(event: dict[str, Any], kind: str) -> _What | Rejected:
    """Say what happened, whether for good, and in which of Postmark's words."""
    if kind == "Bounce":
        name = event.get("Type")
        if not isinstance(name, str) or name not in BOUNCES:
            name = _TYPE_OF_CODE.get(lenient_text(event.get("TypeCode")) or "")
        if name is None:
            return Rejected("unknown-event", "Postmark has no such Type of bounce")
        _, outcome, permanent = BOUNCES[name]
        return outcome, permanent, name
    if kind == "SubscriptionChange":
        return _subscription(event)
    return _OUTCOMES[kind], None, None


def _subscription(event: dict[str, Any]) -> _What | Rejected:
    """Read a change of the suppression list of a message stream, which Postmark tells beside the bounce itself.

    A reactivation lifts nothing but an unsubscribe, and that only if the recipient took it back: a customer who
    reactivates an address has no new consent, and why it was suppressed is mostly not told.
    """
    suppressed, reason = event.get("SuppressSending"), event.get("SuppressionReason")
    if suppressed is False:
        taken_back = reason == "ManualSuppression" and event.get("Origin") == "Recipient"
        return "resubscribed" if taken_back else "other", None, "reactivation"
    if suppressed is not True:
        return Rejected("missing-field", "SuppressSending is neither true nor false")
    outcome = SUPPRESSIONS.get(reason) if isinstance(reason, str) else None
    if outcome is None:
        return Rejected("unknown-event", "Postmark has no such SuppressionReason")
    return outcome, None, f"suppression/{reason}"
