"""What is around an SES message: SNS, probes, ids and times."""

import json

import pytest

from agents.classify.classification import classify
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support import reports

MESSAGE = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Transient",
        "bounceSubType": "MailboxFull",
        "bouncedRecipients": [{"emailAddress": "ana@example.com"}],
        "timestamp": "2025-10-09T08:53:21.000Z",
        "feedbackId": "f1",
    },
    "mail": {"messageId": "m1", "destination": ["ana@example.com", "bob@example.com"]},
}


def envelope(message: object, **fields) -> dict:
    told = {
        "Type": "Notification",
        "MessageId": "7d1c-aa",
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:ses",
        "Message": message if isinstance(message, str) else json.dumps(message) + "\n",
        "Timestamp": "2025-10-09T08:53:22.100Z",
        "SignatureVersion": "1",
        "Signature": "x",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
    }
    return {**told, **fields}


def test_the_worked_example_counts_for_the_bounced_one_alone():
    found = reports.one("ses", envelope(MESSAGE))
    assert (found.recipient, found.status, found.effect) == ("ana@example.com", "Quota exceeded", "count")
    assert (found.provider, found.message_id, found.event_id) == ("ses", "m1", "f1")
    assert (found.occurred_at, found.provider_code) == ("2025-10-09T08:53:21.000Z", "Transient/MailboxFull")


@pytest.mark.parametrize(
    "payload",
    [
        MESSAGE,
        [MESSAGE],
        [envelope(MESSAGE)],
        envelope(MESSAGE, Message=MESSAGE),
        envelope(MESSAGE, Type=None),
        json.dumps(MESSAGE),
        json.dumps(envelope(MESSAGE)) + "\n",
        json.dumps([envelope(MESSAGE)]),
        {**MESSAGE, "eventType": "Bounce"},
        {"eventType": "Bounce", **{name: part for name, part in MESSAGE.items() if name != "notificationType"}},
    ],
    ids=["raw", "raws", "array", "decoded", "untyped", "text", "envelope as text", "array as text", "both", "event"],
)
def test_however_it_is_wrapped_and_in_either_dialect_it_is_the_same_event(payload):
    assert reports.one("ses", payload) == reports.one("ses", envelope(MESSAGE))


def test_one_bounce_published_twice_is_one_event():
    again = envelope(MESSAGE, MessageId="7d1c-bb", Timestamp="2025-10-09T08:55:00.000Z")
    assert reports.one("ses", again).event_uid == reports.one("ses", envelope(MESSAGE)).event_uid


SUCCEEDED = {
    "notificationType": "AmazonSnsSubscriptionSucceeded",
    "message": "You have successfully subscribed your Amazon SNS topic to receive 'Bounce' notifications",
}
PROBES = [
    envelope("Successfully validated SNS topic for Amazon SES event publishing."),
    envelope("Successfully validated SNS topic for Amazon SES event publishing.\n", Type=None),
    "Successfully validated SNS topic for Amazon SES event publishing.",
    envelope(SUCCEEDED),
    SUCCEEDED,
    {"Type": "SubscriptionConfirmation", "MessageId": "1", "Token": "2", "Message": "You have chosen to subscribe"},
    {"Type": "UnsubscribeConfirmation", "MessageId": "1", "Token": "2", "Message": "You have chosen to deactivate"},
]


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_is_no_happening_and_no_dead_letter(probe):
    assert reports.classified("ses", probe) == []


def test_a_probe_among_events_does_not_move_their_places():
    found = classify(Report("ses", "acme", [SUCCEEDED, MESSAGE, PROBES[0], envelope(MESSAGE)]))
    assert [place for place, _ in found] == [1, 3]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (envelope("hello"), "not-json"),
        (envelope('{"notificationType": "Bou'), "not-json"),
        (envelope("\ud800"), "not-json"),
        (envelope("null"), "wrong-type"),
        (envelope("[]"), "wrong-type"),
        (envelope("{}"), "missing-field"),
        (envelope(MESSAGE, Message=None), "wrong-type"),
        (envelope(MESSAGE, Message=7), "wrong-type"),
        (envelope(MESSAGE, Type=["Notification"], Message=[]), "wrong-type"),
        ({"Type": "Notification"}, "missing-field"),
        ({}, "missing-field"),
    ],
)
def test_a_bad_notification_is_rejected_as(payload, reason):
    [(element, found)] = classify(Report("ses", "acme", payload))
    assert (element, found.reason) == (0, reason)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [("hello", "not-json"), ("", "not-json"), ("null", "wrong-type"), ("7", "wrong-type"), (5, "wrong-type")],
)
def test_another_body_is_rejected_as_a_whole(payload, reason):
    [(element, found)] = classify(Report("ses", "acme", payload))
    assert (element, found.reason) == (None, reason)


def test_one_bad_notification_does_not_spoil_its_neighbours():
    found = classify(Report("ses", "acme", [envelope(MESSAGE), envelope("hello"), 7, MESSAGE]))
    assert [place for place, _ in found] == [0, 1, 2, 3]
    assert [type(event) for _, event in found] == [DeliveryEvent, Rejected, Rejected, DeliveryEvent]


PUBLISHED, SENT = "2025-10-09T08:53:22.100Z", "2025-10-09T08:53:20.500Z"


def test_the_time_is_the_events_own_else_the_publications_else_the_mails():
    own = "2025-10-09T08:53:21.000Z"
    for part, published, sent, expected in (
        (own, PUBLISHED, SENT, own),
        (None, PUBLISHED, SENT, PUBLISHED),
        ("", None, SENT, SENT),
        (None, None, "2025-10-09T08:53:20 +0000", "2025-10-09T08:53:20.000Z"),
        ("soon", PUBLISHED, SENT, PUBLISHED),
        ("soon", "later", SENT, SENT),
        ({"x": 1}, None, SENT, SENT),
    ):
        message = {
            "eventType": "Delivery",
            "delivery": {"timestamp": part, "recipients": ["ana@example.com"]},
            "mail": {"timestamp": sent},
        }
        assert reports.one("ses", envelope(message, Timestamp=published)).occurred_at == expected


@pytest.mark.parametrize(
    ("tags", "campaign_id"),
    [
        ({"campaign": ["spring"], "ses:configuration-set": ["news"]}, "spring"),
        ({"campaign_id": ["7"], "campaign": ["spring"]}, "7"),
        ({"campaignId": "7"}, "7"),
        ({"campaign-id": []}, None),
        ({"ses:configuration-set": ["news"]}, None),
        (None, None),
        ([], None),
    ],
)
def test_the_campaign_is_a_tag_that_says_so_and_no_configuration_set(tags, campaign_id):
    message = {**MESSAGE, "mail": {**MESSAGE["mail"], "tags": tags}}
    assert reports.one("ses", message).campaign_id == campaign_id


def test_all_reports_of_one_message_have_one_id():
    delivery = {
        "eventType": "Delivery",
        "mail": {**MESSAGE["mail"], "commonHeaders": {"messageId": "custom"}},
        "delivery": {"timestamp": PUBLISHED, "recipients": ["ana@example.com"]},
    }
    found = reports.events("ses", [MESSAGE, envelope(delivery)])
    assert {event.message_id for event in found} == {"m1"}
