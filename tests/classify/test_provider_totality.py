"""Whatever goes astray in a payload: it gives events or rejections, tells no secrets, and spoils no neighbours."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.classify.classification import classify
from schemas.codec import encode
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support import reports
from tests.support.mutation import SECRET, mutated

# Beside the examples: kinds that they do not show.
SENDGRID = [
    *reports.examples("sendgrid"),
    {"event": "account_status_change", "timestamp": 1760001000, "type": "compliance_suspend"},
    {"event": "dropped", "email": "jane@example.com", "timestamp": "1760001000", "sg_message_id": "filter9.4.5.0"},
]
TO = {"destination": ["ana@example.com", "bob@example.com"], "messageId": "m1", "timestamp": "2025-10-09T08:53:20.500Z"}
SES_MESSAGES = [
    *(json.loads(element.get("Message", "null")) or element for element in reports.examples("ses")),
    {"eventType": "Reject", "reject": {"reason": "Bad content"}, "mail": TO},
    {"eventType": "Rendering Failure", "failure": {"errorMessage": "Attribute 'a' is missing"}, "mail": TO},
    {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully subscribed"},
]
MAILGUN = [*reports.examples("mailgun"), {"event": "stored", "timestamp": 1760002000}]
POSTMARK = [
    *reports.examples("postmark"),
    {"RecordType": "Open", "Recipient": "jane@example.com", "ReceivedAt": "2025-10-09T08:53:20.1234567Z"},
    {"RecordType": "Bounce", "TypeCode": 512, "Email": "jane@example.com", "BouncedAt": "2025-10-09T08:53:20Z"},
]
SPARKPOST = [
    *reports.examples("sparkpost"),
    {"msys": {"message_event": {"type": "out_of_band", "rcpt_to": "jane@example.com", "timestamp": "1760003000"}}},
    {"msys": {"relay_message": {"content": {}}}},
]
BREVO = reports.examples("brevo")


def enveloped(message: Any) -> dict[str, Any]:
    told = {"Type": "Notification", "MessageId": "1", "Timestamp": "2025-10-09T08:53:22.100Z"}
    return {**told, "Message": json.dumps(message) + "\n"}


SES = [enveloped(message) for message in SES_MESSAGES]
ELEMENTS = {
    "sendgrid": mutated(SENDGRID),
    "ses": st.one_of(mutated(SES), mutated(SES_MESSAGES, enveloped), mutated(SES_MESSAGES)),
    "mailgun": mutated(MAILGUN),
    "postmark": mutated(POSTMARK),
    "sparkpost": mutated(SPARKPOST),
    "brevo": mutated(BREVO),
}
ORIGINALS = {
    "sendgrid": SENDGRID,
    "ses": SES,
    "mailgun": MAILGUN,
    "postmark": POSTMARK,
    "sparkpost": SPARKPOST,
    "brevo": BREVO,
}
GOOD = {provider: originals[1 if provider == "sparkpost" else 0] for provider, originals in ORIGINALS.items()}


def check(found: list[tuple[int | None, DeliveryEvent | Rejected]]) -> None:
    for element, event in found:
        if isinstance(event, Rejected):
            assert event.detail
            assert SECRET not in event.detail
        else:
            assert element is not None
            assert event.tenant == "acme"
            assert (event.status is None) == (event.effect in ("reset", "lift", "ignore"))
            assert msgspec.json.decode(encode(event), type=DeliveryEvent) == event


@pytest.mark.parametrize("provider", ELEMENTS)
def test_the_originals_are_all_understood(provider):
    found = classify(Report(provider, "acme", ORIGINALS[provider]))
    assert not [event for _, event in found if isinstance(event, Rejected)]


@pytest.mark.parametrize("provider", ELEMENTS)
@settings(max_examples=2000, deadline=None)
@given(st.data())
def test_an_element_in_which_something_went_astray_gives_events_or_rejections_alone(provider, data):
    element = data.draw(ELEMENTS[provider])
    found = classify(Report(provider, "acme", element))
    check(found)
    assert classify(Report(provider, "acme", element)) == found
    assert {place for place, _ in found} <= {0, None}


@pytest.mark.parametrize("provider", ELEMENTS)
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_bad_element_never_spoils_its_neighbours(provider, data):
    elements = data.draw(st.lists(ELEMENTS[provider], min_size=1, max_size=3))
    good = [event for _, event in classify(Report(provider, "acme", GOOD[provider]))]
    found = classify(Report(provider, "acme", [GOOD[provider], *elements, GOOD[provider]]))
    check(found)
    assert [event for place, event in found if place == 0] == good
    assert [event for place, event in found if place == len(elements) + 1] == good
    for number, element in enumerate(elements, start=1):
        alone = [event for _, event in classify(Report(provider, "acme", [element]))]
        assert [event for place, event in found if place == number] == alone


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.text(max_size=40), mutated(SES).map(json.dumps), mutated(SES_MESSAGES).map(json.dumps)))
def test_a_text_for_ses_is_its_json_or_rejected(text):
    check(classify(Report("ses", "acme", text)))
