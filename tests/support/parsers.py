"""Every parser, with originals that it understands and ways to spoil them, and what holds whatever comes of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from agents.classify.classification import classify
from agents.classify.providers import CODES, MAPPINGS
from schemas.codec import encode
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support import reports
from tests.support.mutation import SECRET, Maker, changed_mail, from_nothing, mutated, one_of, pieces

MAILS: Final = [
    file.read_text("utf-8") for file in sorted((Path(__file__).parents[1] / "classify/mails").glob("*.eml"))
]

_TO = {
    "destination": ["ana@example.com", "bob@example.com"],
    "messageId": "m1",
    "timestamp": "2025-10-09T08:53:20.500Z",
}
SES_MESSAGES: Final[list[Any]] = [
    *(json.loads(element.get("Message", "null")) or element for element in reports.examples("ses")),
    {"eventType": "Reject", "reject": {"reason": "Bad content"}, "mail": _TO},
    {"eventType": "Rendering Failure", "failure": {"errorMessage": "Attribute 'a' is missing"}, "mail": _TO},
    {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully subscribed"},
]


def enveloped(message: Any) -> dict[str, Any]:
    """Give a message as SNS delivers it."""
    told = {"Type": "Notification", "MessageId": "1", "Timestamp": "2025-10-09T08:53:22.100Z"}
    return {**told, "Message": json.dumps(message) + "\n"}


# Kinds that the examples do not show.
_BESIDE: Final[Mapping[str, list[Any]]] = {
    "mailgun": [{"event": "stored", "timestamp": 1760002000}],
    "postmark": [
        {"RecordType": "Open", "Recipient": "jane@example.com", "ReceivedAt": "2025-10-09T08:53:20.1234567Z"},
        {"RecordType": "Bounce", "TypeCode": 512, "Email": "jane@example.com", "BouncedAt": "2025-10-09T08:53:20Z"},
    ],
    "sendgrid": [
        {"event": "account_status_change", "timestamp": 1760001000, "type": "compliance_suspend"},
        {"event": "dropped", "email": "jane@example.com", "timestamp": "1760001000", "sg_message_id": "filter9.4.5.0"},
    ],
    "sparkpost": [
        {"msys": {"message_event": {"type": "out_of_band", "rcpt_to": "jane@example.com", "timestamp": "1760003000"}}},
        {"msys": {"relay_message": {"content": {}}}},
    ],
}
TEXTS: Final = ("arf", "dsn")
"""The providers whose payload is a raw mail."""

ORIGINALS: Final[Mapping[str, list[Any]]] = {
    name: [*reports.examples(name), *_BESIDE.get(name, [])] for name in MAPPINGS if name not in TEXTS and name != "ses"
} | {"ses": [enveloped(message) for message in SES_MESSAGES]}
"""Elements that are understood, by provider."""

SPOILT: Final[Mapping[str, Maker]] = {
    name: mutated(originals) for name, originals in ORIGINALS.items() if name != "ses"
} | {"ses": one_of(mutated(ORIGINALS["ses"]), mutated(SES_MESSAGES, enveloped), mutated(SES_MESSAGES))}
"""Elements in which something went astray, by provider."""


def three(maker: Maker) -> Maker:
    """Make an array of three."""
    return lambda random: [maker(random) for _ in range(3)]


PAYLOADS: Final[Mapping[str, Maker]] = {
    **{
        # Mostly one element in which something went astray; now and then several, or JSON that was never one.
        name: one_of(
            *[maker] * 5,
            three(maker),
            from_nothing(SES_MESSAGES if name == "ses" else ORIGINALS[name]),
        )
        for name, maker in SPOILT.items()
    },
    **{name: one_of(*[changed_mail(MAILS)] * 5, pieces) for name in TEXTS},
}
"""Whatever may come as a payload, by provider."""


def check_found(found: list[tuple[int | None, DeliveryEvent | Rejected]], places: set[int | None]) -> None:
    """Check what holds for whatever a payload was classified to, where it has elements at these places."""
    assert {place for place, _ in found} <= places
    for element, event in found:
        if isinstance(event, Rejected):
            assert event.detail
            assert SECRET not in event.detail
        else:
            assert element is not None
            assert event.tenant == "acme"
            assert (event.status is None) == (event.effect in ("reset", "lift", "ignore"))
            assert msgspec.json.decode(encode(event), type=DeliveryEvent) == event


def check(provider: str, payload: Any) -> list[tuple[int | None, DeliveryEvent | Rejected]]:
    """Classify a payload twice and check what holds for any; gives what it was classified to."""
    report = Report(provider, "acme", payload)
    found = classify(report)
    assert classify(report, 10**15) == found
    check_found(found, {None, *range(len(payload) if isinstance(payload, list) else 1)})
    codes = {event.provider_code for _, event in found if not isinstance(event, Rejected) and event.provider_code}
    assert provider not in CODES or {code.lower() for code in codes} <= CODES[provider]
    return found
