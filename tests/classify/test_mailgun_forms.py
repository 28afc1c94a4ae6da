"""Mailgun's form posts, which some accounts still get: all fields are text, and none is inside another."""

import json

import pytest

from tests.support import reports

FORM = {
    "event": "bounced",
    "recipient": "noreply@example.com",
    "domain": "mg.example.com",
    "timestamp": "1461261330",
    "token": "a3fe1fa1640349ac552b84ddde373014b4c41645830c8dd3fc",
    "signature": "ab12",
}
HEADERS = json.dumps(
    [
        ["X-Mailgun-Sid", "WyI3Y2VjMyIs"],
        ["Message-Id", "<20160421180324.70521.79375@mg.example.com>"],
        ["Content-Type", ["multipart/alternative", {"boundary": "a5b51388"}]],
    ]
)


def one(**fields):
    return reports.one("mailgun", {**FORM, **{name.replace("_", "-"): value for name, value in fields.items()}})


BOUNCES = [
    ({"code": "550", "error": "550 5.1.1 The email account that you tried to reach does not exist"}, "User unknown"),
    ({"code": "5.1.1", "error": "smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"}, "User unknown"),
    ({"code": "5.1.1", "error": "", "notification": ""}, "User unknown"),
    ({"code": "552", "error": "no", "notification": "mailbox is full"}, "Quota exceeded"),
    ({"code": "550", "error": "550 5.7.1 refused"}, None),
    ({"code": "550", "error": "", "notification": "blocked using zen.spamhaus.org"}, None),
    ({"code": "550", "error": "nothing we know"}, ":"),
    ({"code": "", "error": ""}, ":"),
]


@pytest.mark.parametrize(("fields", "status"), BOUNCES)
def test_a_bounce_is_hard_and_told_by_code_and_words(fields, status):
    found = one(**fields)
    assert (found.outcome, found.status, found.provider_code) == ("bounced", status, "bounce"), found.rule
    assert found.permanent is True


DROPS = [
    ({"code": "605", "reason": "hardfail", "description": "Not delivering to previously bounced address"}, "Preblock"),
    ({"code": "606", "reason": "hardfail", "description": "Not delivering to unsubscribed address"}, "User"),
    ({"code": "607", "reason": "hardfail", "description": "a user who marked your messages as spam"}, "Spam"),
    ({"code": "499", "reason": "old", "description": "Unable to connect to MX servers"}, "Connection issue"),
    ({"code": "452", "reason": "old", "description": "4.2.2 over quota"}, "Quota exceeded"),
    ({"reason": "old"}, "Connection issue"),
    # `code` is optional, and a hard failure is one of three lists: the words name it.
    ({"reason": "hardfail", "description": "Not delivering to previously bounced address"}, "Preblock"),
    ({"reason": "hardfail", "description": "Not delivering to unsubscribed address"}, "User"),
    ({"reason": "hardfail", "description": "a user who marked your messages as spam"}, "Spam"),
    ({"reason": "hardfail", "code": "550", "description": "rejected as spam"}, None),
]


@pytest.mark.parametrize(("fields", "status"), DROPS)
def test_a_drop_is_told_by_its_code_reason_and_description(fields, status):
    found = one(event="dropped", **fields)
    assert found.status == status, found.rule


@pytest.mark.parametrize(
    ("kind", "effect"),
    [
        ("delivered", "reset"),
        ("complained", "block"),
        ("unsubscribed", "block"),
        ("opened", "ignore"),
        ("clicked", "ignore"),
    ],
)
def test_other_kinds_are_those_of_the_webhooks(kind, effect):
    found = one(event=kind)
    assert (found.effect, found.provider_code) == (effect, None)


@pytest.mark.parametrize(
    ("fields", "message_id"),
    [
        ({"Message_Id": "<20160421180324.70521.79375@mg.example.com>"}, "20160421180324.70521.79375@mg.example.com"),
        ({"message_id": "20160421180324.70521.79375@mg.example.com"}, "20160421180324.70521.79375@mg.example.com"),
        ({"message_headers": HEADERS}, "20160421180324.70521.79375@mg.example.com"),
        ({"Message_Id": "", "message_headers": HEADERS}, "20160421180324.70521.79375@mg.example.com"),
        ({"message_headers": "[]"}, None),
        ({"message_headers": "no json"}, None),
        ({"message_headers": '{"Message-Id": "x"}'}, None),
        ({"message_headers": '[["Message-Id"], "Message-Id", ["Message-Id", ["x"]], [7, 8]]'}, None),
        ({"message_headers": "\ud800"}, None),
        ({}, None),
    ],
)
def test_the_message_id_is_a_field_or_a_header(fields, message_id):
    assert one(**fields).message_id == message_id


def test_a_form_and_a_webhook_of_one_message_have_one_message_id():
    webhook = {"event": "delivered", "recipient": "noreply@example.com", "timestamp": 1461261330.5}
    webhook["message"] = {"headers": {"message-id": "20160421180324.70521.79375@mg.example.com"}}
    found = reports.events("mailgun", [{**FORM, "message-headers": HEADERS}, {"event-data": webhook}])
    assert len({event.message_id for event in found}) == 1


@pytest.mark.parametrize(
    ("fields", "campaign_id"),
    [
        ({"campaign_id": "c7", "tag": "spring"}, "c7"),
        ({"tag": "spring"}, "spring"),
        ({"tag": ["a", "b"]}, "a"),
        ({}, None),
    ],
)
def test_the_campaign_is_its_id_else_the_tag(fields, campaign_id):
    assert one(**fields).campaign_id == campaign_id


def test_the_time_is_text():
    assert one().occurred_at == "2016-04-21T17:55:30.000Z"
