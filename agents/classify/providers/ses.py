"""Amazon SES, through Amazon SNS or as it is. Which status follows is in rules.toml (rows with `provider = "ses"`).

Sources: Amazon SES developer guide, notification contents (identities) and contents of event data (configuration
sets), unless a row says otherwise.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from agents.classify.evidence import FAILURES, Happening
from agents.classify.fields import (
    Told,
    first_text,
    first_time,
    folded,
    lenient_text,
    object_of,
    required_text,
    strict_text,
)
from agents.classify.sns import each_message
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome


class Kind(NamedTuple):
    """What a kind of event means, the object that tells of it, and the list of the recipients in that object."""

    outcome: Outcome
    part: str
    recipients: str | None = None  # None: all of `mail.destination`


KINDS: Final[Mapping[str, Kind]] = {
    "Bounce": Kind("bounced", "bounce", "bouncedRecipients"),  # of the soft ones those that SES gave up
    "Complaint": Kind("complained", "complaint", "complainedRecipients"),  # all who may have complained
    "Delivery": Kind("delivered", "delivery", "recipients"),  # a bounce may still follow
    "DeliveryDelay": Kind("deferred", "deliveryDelay", "delayedRecipients"),
    "Send": Kind("other", "send"),  # SES took it from the sender
    "Reject": Kind("blocked", "reject"),  # SES found a virus
    "Rendering Failure": Kind("blocked", "failure"),  # the sender's template
    "Open": Kind("opened", "open"),
    "Click": Kind("clicked", "click"),
    "Subscription": Kind("other", "subscription"),  # unsubscribed where one recipient has nothing left
}
"""`notificationType` of identities, and `eventType` of configuration sets, to what is told."""

HARDNESS: Final[Mapping[str, bool]] = {"permanent": True, "transient": False}
"""`bounceType` to whether it is permanent; `Undetermined` is neither."""

NOT_ATTEMPTED: Final = frozenset(
    (
        "suppressed",
        "onaccountsuppressionlist",
        "ontenantsuppressionlist",
        "emailvalidationsuppressed",
        "unsubscribedrecipient",
    )
)
"""Each `bounceSubType` that says: SES did not try."""

ACTIONS: Final[Mapping[str, Outcome]] = {
    "delayed": "deferred",  # the reporting server goes on trying
    "delivered": "other",
    "relayed": "other",
    "expanded": "other",
}
"""Actions of a recipient's delivery report (RFC 3464, 2.3.3) that are no failure, though they come in a bounce."""

NO_COMPLAINTS: Final = frozenset(("not-spam", "auth-failure"))
"""Feedback types that tell of no complaint, whoever they name."""

# `AmazonSnsSubscriptionSucceeded`: SES sees whether somebody is there, once the topic of an identity is set.
_PROBE: Final = "AmazonSnsSubscription"
_CAMPAIGN_TAGS: Final = ("campaign_id", "campaign-id", "campaignId", "campaign")


def ses(report: Report) -> Iterable[Told]:
    """Read SNS notifications, or SES messages without them (raw delivery): an object, an array, or JSON as text."""
    return each_message(report.payload, _message)


def _message(message: dict[str, Any], published: object) -> Iterable[Happening | Rejected]:
    name = required_text(message, "notificationType" if message.get("notificationType") else "eventType")
    if isinstance(name, Rejected):
        return (name,)
    if name.startswith(_PROBE):
        return ()
    kind = KINDS.get(name)
    if kind is None:
        return (Rejected("unknown-event", "Amazon SES has no such kind of event"),)
    mail, part = object_of(message.get("mail")), object_of(message.get(kind.part))
    # The event's own time, else when SNS got to know of it, else when the mail was sent: some kinds have no other.
    occurred_at = first_time(
        ("timestamp", part.get("timestamp")), ("Timestamp", published), ("mail.timestamp", mail.get("timestamp"))
    )
    if isinstance(occurred_at, Rejected):
        return (occurred_at,)
    message_id = strict_text(mail, "messageId")
    if isinstance(message_id, Rejected):
        return (message_id,)
    shared = {
        "occurred_at": occurred_at,
        "provider": "ses",
        # One bounce or complaint. The MessageId of SNS is one publication: where both dialects are on, one bounce has
        # two of them. Events of other kinds are told apart by what they say.
        "event_id": lenient_text(part.get("feedbackId")),
        "message_id": message_id,
        "campaign_id": _campaign_id(mail),
        "provider_code": _provider_code(name, part),
    }
    recipients = list(_recipients(mail, part, kind))
    return [_happening(name, kind, part, recipient, shared, alone=len(recipients) == 1) for recipient in recipients]


def _recipients(mail: dict[str, Any], part: dict[str, Any], kind: Kind) -> Iterable[dict[str, Any]]:
    """Give each recipient as an object with `emailAddress`, and never one that the event is not about.

    `mail.destination` holds everybody the mail went to. Where a bounce of some of them was taken for a bounce of all,
    healthy contacts were blocked (useSend, issue 337).
    """
    listed = part.get(kind.recipients) if kind.recipients else mail.get("destination")
    if not isinstance(listed, list):
        listed = [listed]  # the guide calls the delayed recipients an object, its sample has an array
    return [_recipient(one) for one in listed or [None]]


def _recipient(one: object) -> dict[str, Any]:
    return {"emailAddress": one} if isinstance(one, str) else object_of(one)


def _happening(
    name: str, kind: Kind, part: dict[str, Any], recipient: dict[str, Any], shared: dict[str, Any], *, alone: bool
) -> Happening | Rejected:
    address = required_text(recipient, "emailAddress")
    if isinstance(address, Rejected):
        return address
    outcome, hard = kind.outcome, None
    if name == "Bounce":
        hard = HARDNESS.get(folded(part.get("bounceType")))
        outcome = _bounce_outcome(part, recipient, hard)
    elif name == "Subscription" and alone and _nothing_left(object_of(part.get("newTopicPreferences"))):
        outcome = "unsubscribed"
    words = (recipient.get("diagnosticCode"), part.get("smtpResponse"), part.get("errorMessage"))
    return Happening(
        recipient=address,
        outcome=outcome,
        permanent=hard if outcome in FAILURES else None,
        enhanced_code=lenient_text(recipient.get("status")),
        diagnostic=next(filter(None, map(lenient_text, words)), None),
        **shared,
    )


def _bounce_outcome(part: dict[str, Any], recipient: dict[str, Any], hard: bool | None) -> Outcome:
    """Say what a bounce means for one of its recipients; delivery reports of other servers tell of several fates."""
    if folded(part.get("bounceSubType")) in NOT_ATTEMPTED:
        return "blocked"
    action = ACTIONS.get(folded(recipient.get("action")).partition("(")[0].strip())  # a comment may follow it
    if action is not None:
        return action
    passing = (lenient_text(recipient.get("status")) or "").strip().startswith("4.")
    return "deferred" if passing and hard else "bounced"


def _nothing_left(preferences: dict[str, Any]) -> bool:
    """Say whether no topic is left; who opts out of one of several topics still wants the others."""
    topics = preferences.get("topicSubscriptionStatus")
    statuses = [object_of(topic).get("subscriptionStatus") for topic in topics] if isinstance(topics, list) else []
    opted_out = bool(statuses) and all(folded(status) == "optout" for status in statuses)
    return opted_out or preferences.get("unsubscribeAll") in (True, "true")


def _provider_code(name: str, part: dict[str, Any]) -> str | None:
    """Give `bounceType/bounceSubType` such as `Permanent/NoEmail`, or the type of the feedback, delay or refusal."""
    if name == "Bounce":
        names = (lenient_text(part.get("bounceType")), lenient_text(part.get("bounceSubType")))
        return "/".join(filter(None, names)) or None
    if name == "Complaint":
        return _complaint_code(part)
    if name == "Reject":
        return "/".join(filter(None, (name, lenient_text(part.get("reason")))))
    return name if name == "Rendering Failure" else lenient_text(part.get("delayType"))


def _complaint_code(part: dict[str, Any]) -> str | None:
    """Give `OnAccountSuppressionList`, where nothing was sent because of an earlier complaint, or the feedback type.

    Who complained is mostly redacted. Of a message to several people at the complaining provider SES names all of them,
    and `one-of-several/` says so.
    """
    subtype = lenient_text(part.get("complaintSubType"))
    if subtype:
        return subtype
    feedback = lenient_text(part.get("complaintFeedbackType"))
    named = part.get("complainedRecipients")
    named = [_recipient(one).get("emailAddress") for one in named] if isinstance(named, list) else []
    several = len({folded(address) for address in named}) > 1
    if not several or folded(feedback) in NO_COMPLAINTS:
        return feedback
    return f"one-of-several/{feedback or 'unnamed'}"


def _campaign_id(mail: dict[str, Any]) -> str | None:
    """Give the message tag that names a campaign. Configuration sets are streams of mail, not campaigns."""
    tags = object_of(mail.get("tags"))
    return next(filter(None, (first_text(tags.get(name)) for name in _CAMPAIGN_TAGS)), None)
