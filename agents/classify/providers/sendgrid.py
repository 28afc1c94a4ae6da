"""SendGrid's Event Webhook. Which status follows is in rules.toml (rows with `provider = "sendgrid"`), not here.

Sources: Twilio SendGrid's Event Webhook reference and its page on bounce and block classifications unless a row says
otherwise.
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
    required_text,
    required_time,
    strict_text,
)
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome

EVENTS: Final[Mapping[str, Outcome]] = {
    "processed": "other",  # SendGrid took it from the sender
    "deferred": "deferred",  # retried for 72 hours
    "delivered": "delivered",
    "bounce": "bounced",
    "dropped": "blocked",  # not attempted
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    # From one group of mailings. There is one `User` per tenant: too wide is lawful, too narrow is not.
    "group_unsubscribe": "unsubscribed",
    # And back into that group alone. `resubscribed` would lift an unsubscribe from everything as well.
    "group_resubscribe": "other",
}
"""`event` to what became of the message."""

ACCOUNT_EVENTS: Final = frozenset(("account_status_change",))
"""Events about the account: nobody was mailed, and they name no recipient."""

HARDNESS: Final[Mapping[str, bool]] = {
    "bounce": True,
    "blocked": False,  # refused for a reason that SendGrid does not hold against the address: it goes on sending
    "expired": False,  # deferred until SendGrid gave up
}
"""`type` of a bounce to whether it is permanent; the first half of the `provider_code`."""

_PASSING: Final = "technical failure"
"""The classification of a server or a name server that was out of order: soft under any `type`, also of a bounce."""

# As the API's enumeration writes them. The webhook's own samples have "invalid", "Technical" and "Frequency/Volume" as
# well, so the first word tells.
CLASSIFICATIONS: Final[Mapping[str, str]] = {
    "invalid": "invalid address",
    "technical": "technical failure",
    "content": "content",
    "reputation": "reputation",
    "frequency": "frequency or volume too high",
    "volume": "frequency or volume too high",
    "mailbox": "mailbox unavailable",
    "unclassified": "unclassified",
}
"""How a `bounce_classification` begins, to its name; the second half of the `provider_code`."""

DROPS: Final = frozenset(
    (
        "bounced address",
        "spam reporting address",
        "unsubscribed address",
        "invalid",
        "spam content",
        "invalid smtpapi header",
        "recipient list over package quota",
    )
)
"""`reason` of a drop, after `dropped/` in the `provider_code`. Others are `dropped` alone, with the reason in words."""

CODES: Final = frozenset(
    (
        *HARDNESS,
        *CLASSIFICATIONS.values(),
        *(f"{kind}/{named}" for kind in HARDNESS for named in CLASSIFICATIONS.values()),
        "dropped",
        *(f"dropped/{reason}" for reason in DROPS),
    )
)
"""Every `provider_code` there can be, in lower case, as the rows of rules.toml write it."""


def sendgrid(report: Report) -> Iterable[Told]:
    """Read the array that SendGrid posts, or one event of it."""
    return each_element(report.payload, _event)


def _event(event: dict[str, Any]) -> Iterable[Happening | Rejected]:
    kind = required_text(event, "event")
    if isinstance(kind, Rejected):
        return (kind,)
    kind = folded(kind)  # one documented sample says "Processed"
    return () if kind in ACCOUNT_EVENTS else (_happening(event, kind),)


def _happening(event: dict[str, Any], kind: str) -> Happening | Rejected:
    outcome = EVENTS.get(kind)
    if outcome is None:
        return Rejected("unknown-event", "SendGrid has no such kind of event")
    email = required_text(event, "email")
    if isinstance(email, Rejected):
        return email
    occurred_at = required_time(event, "timestamp")
    if isinstance(occurred_at, Rejected):
        return occurred_at
    message_id = _message_id(event)
    if isinstance(message_id, Rejected):
        return message_id
    bounced, failed = kind == "bounce", kind in ("bounce", "dropped")
    smtp_code, enhanced_code = _codes(event.get("status")) if bounced else (None, None)
    code = _bounce_code(event) if bounced else _drop_code(event) if failed else None
    words = ("reason", "response") if failed else ("response", "reason")
    return Happening(
        recipient=email,
        occurred_at=occurred_at,
        outcome=outcome,
        provider="sendgrid",
        event_id=lenient_text(event.get("sg_event_id")),
        message_id=message_id,
        campaign_id=_campaign_id(event),
        permanent=_hard(event, code) if bounced else None,
        smtp_code=smtp_code,
        enhanced_code=enhanced_code,
        diagnostic=lenient_text(event.get(words[0])) or lenient_text(event.get(words[1])),
        provider_code=code,
    )


# Machines of SendGrid that stand at the front of a `sg_message_id` whose message has no id of its own
# (`filter0199p1las1.4745.5717FB6F5.0` on drops): up to the dot it would be one id for everybody's mail.
_MACHINE: Final = re.compile(r"(?:st)?filter(?:[0-9-]|drecv-)|recvd-|geopod-|(?:st)?ismtpd")
_SMTP_ID: Final = re.compile(r"<?([^<>@\s]+)@([^<>@\s]*)>?")


def _message_id(event: dict[str, Any]) -> str | Rejected | None:
    """Give the id all events of one message share: what `sg_message_id` and `smtp-id` begin with, up to the first dot.

    What follows in `sg_message_id` names machines and the place among the recipients, and is not the same in all events
    of a message. Bounces that come later by mail (asynchronous ones) have it empty, and often no `smtp-id` either:
    nothing ties those to their message.
    """
    given = strict_text(event, "sg_message_id")
    if isinstance(given, Rejected) or (given and not _MACHINE.match(given)):
        return given if isinstance(given, Rejected) else given.partition(".")[0] or given
    smtp_id = strict_text(event, "smtp-id")
    if isinstance(smtp_id, Rejected):
        return smtp_id
    found = _SMTP_ID.fullmatch(smtp_id.strip()) if smtp_id else None
    if found is None:
        return given or smtp_id
    # Made by SendGrid (`<14c5d75ce93.dfd.64b469@ismtpd-555>`), or the Message-ID the sender gave.
    ours = "ismtpd" in found[2] or "sendgrid." in found[2]
    return found[1].partition(".")[0] or found[1] if ours else f"{found[1]}@{found[2]}"


def _campaign_id(event: dict[str, Any]) -> str | None:
    """Give the id of the single send or campaign, else the (first) category, which the sender chooses."""
    for name in ("singlesend_id", "marketing_campaign_id"):
        if campaign_id := lenient_text(event.get(name)):
            return campaign_id
    return first_text(event.get("category"))


def _codes(status: object) -> tuple[str | None, str | None]:
    """Tell apart the reply code and the enhanced code that `status` may hold; it is often absent."""
    text = lenient_text(status)
    return (None, text) if text is None or "." in text else (text, None)


def _hard(event: dict[str, Any], code: str | None) -> bool | None:
    return False if code and code.endswith(_PASSING) else HARDNESS.get(folded(event.get("type")))


def _bounce_code(event: dict[str, Any]) -> str | None:
    """Give `type/classification`, such as `blocked/reputation`; one alone where only one is known."""
    kind, named = folded(event.get("type")), folded(event.get("bounce_classification"))
    classification = next((name for begin, name in CLASSIFICATIONS.items() if named.startswith(begin)), "")
    return "/".join(filter(None, (kind if kind in HARDNESS else "", classification))) or None


def _drop_code(event: dict[str, Any]) -> str:
    reason = folded(event.get("reason"))
    return f"dropped/{reason}" if reason in DROPS else "dropped"
