"""One happening of the made-up day, and how Mailjet or a sender's own relay would write it down."""

from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from schemas.rejected import Reason
from schemas.times import format_time
from schemas.typology import Status

Intended = Status | Literal["reset", "lift", "ignore"] | Reason
"""What is to become of a happening: a status, an effect where there is no status, or why it is rejected."""

Written = Literal["mailjet", "mailjet-grouped", "normalized"]
"""How a tenant's reports come: Mailjet's single objects, its arrays of what a second brought, or our own words."""


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to say something: the fields that say it, and what is to become of it.

    `fields` come beside those that every event has; `{recipient}` and `{domain}` stand for the address.
    """

    intended: Intended
    fields: dict[str, Any]


class Happening(NamedTuple):
    """One happening to one message for one recipient.

    at: event time, ms since 1970, whole seconds as Mailjet gives them.
    delay: ms until it is reported.
    message: number of the message; all its happenings have the same.
    """

    tenant: str
    written: Written
    recipient: str
    at: int
    delay: int
    message: int
    mailing: str
    wording: Wording

    @property
    def arrives(self) -> int:
        """When it is reported, in ms since 1970."""
        return self.at + self.delay


# Real ones are larger than 2^53: whoever reads them as floating point joins strangers' messages.
_FIRST_MESSAGE_ID: Final = 19_421_777_835_146_490
_FIRST_CAMPAIGN_ID: Final = 811_200


def message_id(happening: Happening) -> str:
    """Give the id under which a provider reports on the message."""
    if happening.written == "normalized":
        return f"{happening.mailing}-{happening.message:x}@relay.{happening.tenant}.example"
    return str(_FIRST_MESSAGE_ID + happening.message)


def payload(happening: Happening) -> dict[str, Any]:
    """Write a happening as its tenant's provider does."""
    return _normalized(happening) if happening.written == "normalized" else _mailjet(happening)


def _mailjet(happening: Happening) -> dict[str, Any]:
    number = happening.message
    event = {
        "event": "",  # here, so that it comes first
        # The guide says a number; a string has been seen as well.
        "time": str(happening.at // 1000) if number % 97 == 0 else happening.at // 1000,
        "MessageID": int(message_id(happening)),
        "Message_GUID": str(UUID(int=number * 0x9E3779B97F4A7C15 << 48 | number, version=4)),
        "email": happening.recipient,
        "mj_campaign_id": _FIRST_CAMPAIGN_ID + len(happening.mailing),
        "mj_contact_id": "" if number % 41 == 0 else 500_000 + number % 9_973,  # "" where it is none
        "customcampaign": happening.mailing,
        **_filled(happening),
        "CustomID": "",
        "Payload": "",
    }
    if event["event"] == "sent":
        event["mj_message_id"] = message_id(happening)
    return event


def _normalized(happening: Happening) -> dict[str, Any]:
    return {
        "recipient": happening.recipient,
        "occurred_at": format_time(happening.at),
        **_filled(happening),
        "message_id": message_id(happening),
        "campaign_id": happening.mailing,
    }


def _filled(happening: Happening) -> dict[str, Any]:
    recipient = happening.recipient
    domain = recipient.rpartition("@")[2]
    return {
        name: value.format(recipient=recipient, domain=domain) if isinstance(value, str) else value
        for name, value in happening.wording.fields.items()
    }
