"""Brevo's webhooks in both dialects, quirk by quirk."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.brevo import EVENTS
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support.reports import Varied

UU, CO, QE, CI, US, SP, PB = "User unknown", ":", "Quota exceeded", "Connection issue", "User", "Spam", "Preblock"
EVENT = {
    "event": "soft_bounce",
    "email": "uma@example.org",
    "id": 26224,
    "date": "2025-10-09 12:00:00",
    "ts": 1760004000,
    "ts_event": 1760004000,
    "ts_epoch": 1760004000123,
    "message-id": "<202510091200.1@smtp-relay.example>",
    "subject": "s",
    "tag": '["news"]',
    "tags": ["news"],
}
TRANSACTIONAL = Varied("brevo", EVENT)
MARKETING = Varied(
    "brevo",
    {"event": "soft_bounce", "id": 26224, "camp_id": 77, "email": "uma@example.org", "campaign name": "Spring"}
    | {"date_sent": "2025-10-09 11:00:00", "date_event": "2025-10-09 12:00:00", "tag": "", "reason": ""}
    | {"ts_sent": 1760000400, "ts_event": 1760004000},
)

KINDS = {
    "request": ("other", None),
    "sent": ("other", None),
    "delivered": ("delivered", None),
    "hard_bounce": ("bounced", UU),
    "soft_bounce": ("bounced", CI),
    "invalid_email": ("bounced", CO),
    "invalid": ("bounced", CO),
    "blocked": ("blocked", PB),
    "error": ("blocked", None),
    "deferred": ("deferred", None),
    "spam": ("complained", SP),
    "complaint": ("complained", SP),
    "unsubscribe": ("unsubscribed", US),
    "unsubscribed": ("unsubscribed", US),
    "opened": ("opened", None),
    "unique_opened": ("opened", None),
    "proxy_open": ("opened", None),
    "unique_proxy_open": ("opened", None),
    "click": ("clicked", None),
    "list_addition": ("other", None),
    "contact_updated": ("other", None),
    "contact_deleted": ("other", None),
}


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("reports", [TRANSACTIONAL, MARKETING], ids=["transactional", "marketing"])
def test_a_kind_of_event_means_in_either_dialect(reports, kind):
    found = reports.one(event=kind)
    assert (found.outcome, found.status) == KINDS[kind]


@pytest.mark.parametrize("kind", EVENTS)
def test_a_kind_is_the_same_in_camel_case(kind):
    first, *rest = kind.split("_")
    camel = first + "".join(word.title() for word in rest)
    assert TRANSACTIONAL.one(event=camel) == TRANSACTIONAL.one(event=kind)


REASONS = {
    ("hard_bounce", ""): UU,
    ("hard_bounce", "server is down"): UU,
    ("hard_bounce", " RecipientError: 550 5.5.0 Requested action not taken: mailbox unavailable."): UU,
    ("hard_bounce", "550-5.1.1 The email account that you tried to reach does not exist."): UU,
    ("hard_bounce", "550 5.1.2 no such domain"): CO,
    ("hard_bounce", "undefined Unable to find MX of domain nowhere.invalid"): CO,
    ("hard_bounce", "550 no"): UU,
    ("hard_bounce", "550 5.7.1 blocked by policy"): None,
    ("hard_bounce", "554 rejected: your IP is on a blocklist"): None,
    ("hard_bounce", "552 5.2.2 over quota"): QE,
    ("soft_bounce", ""): CI,
    ("soft_bounce", "452 4.2.2 mailbox full"): QE,
    ("soft_bounce", "the mailbox is full"): QE,
    ("soft_bounce", "undefined Unable to find MX of domain nowhere.invalid"): CI,
    ("soft_bounce", "550 5.1.1 user unknown"): CI,
    ("soft_bounce", "550 5.1.2 no such domain"): CI,
    ("soft_bounce", "421 4.7.0 try again later, greylisted"): None,
    ("deferred", "550 RecipientError: 550 5.1.1 <uma@example.org>: User unknown in virtual alias table"): None,
    ("deferred", "452 4.2.2 mailbox full"): None,
    ("blocked", "blocked : due to blacklist user"): PB,
    ("blocked", "blocked : due to unsubscribed user"): US,
    ("blocked", "something else"): PB,
    ("blocked", "550 5.1.1 user unknown"): UU,
    ("blocked", "blocked : your sending IP is blacklisted"): None,
    ("blocked", "550 5.7.1 policy"): None,
    ("error", "user unknown, mailbox full"): None,
    ("invalid_email", "not valid"): CO,
}


@pytest.mark.parametrize(("kind", "reason"), REASONS)
def test_the_words_beside_a_kind(kind, reason):
    assert TRANSACTIONAL.one(event=kind, reason=reason).status == REASONS[kind, reason]


def test_the_space_a_reason_begins_with_is_cut_off():
    assert TRANSACTIONAL.one(reason=" 452 4.2.2 full ").diagnostic == "452 4.2.2 full"
    assert TRANSACTIONAL.one(reason=" ").diagnostic is None
    assert TRANSACTIONAL.one(reason={"a": 1}).diagnostic is None


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({}, "2025-10-09T10:00:00.123Z"),
        ({"ts_epoch": 1760004001}, "2025-10-09T10:00:01.000Z"),  # seconds, as some samples have it
        ({"ts_epoch": "1760004000123"}, "2025-10-09T10:00:00.123Z"),
        ({"ts_epoch": None}, "2025-10-09T10:00:00.000Z"),
        ({"ts_epoch": ""}, "2025-10-09T10:00:00.000Z"),
        ({"ts_epoch": None, "ts_event": 1760004002}, "2025-10-09T10:00:02.000Z"),
        ({"ts_epoch": None, "ts_event": None, "ts": 1760004003}, "2025-10-09T10:00:03.000Z"),
        ({"ts_event": 1760036400}, "2025-10-09T10:00:00.123Z"),  # hours off, as captured
        ({"ts_epoch": "soon"}, "2025-10-09T10:00:00.000Z"),
        ({"ts_epoch": {"x": 1}, "ts_event": True, "ts": 1760004003}, "2025-10-09T10:00:03.000Z"),
    ],
)
def test_the_time_is_the_first_timestamp_that_can_be_read(times, expected):
    assert TRANSACTIONAL.one(**times).occurred_at == expected


def test_the_time_of_a_marketing_event_is_not_when_the_campaign_was_sent():
    assert MARKETING.one().occurred_at == "2025-10-09T10:00:00.000Z"


def test_a_date_without_a_zone_is_no_time():
    none = {"ts": None, "ts_event": None, "ts_epoch": None}
    assert TRANSACTIONAL.rejected(**none) == "bad-time"
    assert TRANSACTIONAL.rejected(**none, date=None) == "missing-field"
    assert TRANSACTIONAL.rejected(**{**none, "ts_event": "soon"}) == "bad-time"
    assert TRANSACTIONAL.rejected(ts_epoch="soon", ts_event=[1], ts="x") == "bad-time"


@pytest.mark.parametrize(
    ("written", "message_id"),
    [
        ("<202510091200.1@smtp-relay.example>", "202510091200.1@smtp-relay.example"),
        ("202510091200.1@smtp-relay.example", "202510091200.1@smtp-relay.example"),
        (7, "7"),
        ("<>", None),
        ("", None),
        (None, None),
    ],
)
def test_the_message_id_is_the_same_with_angle_brackets_and_without(written, message_id):
    assert TRANSACTIONAL.one(**{"message-id": written}).message_id == message_id


def test_the_reports_of_one_campaign_to_one_contact_are_one_attempt():
    bounce, delivery = MARKETING.one(), MARKETING.one(event="delivered", ts_event=1760003000)
    assert bounce.message_id == delivery.message_id == "campaign-77"
    assert MARKETING.one(camp_id=78).message_id == "campaign-78"
    assert MARKETING.one(camp_id=None).message_id is None


def test_ids_that_cannot_be_exact_are_rejected():
    assert TRANSACTIONAL.rejected(**{"message-id": ["m"]}) == "wrong-type"
    assert MARKETING.rejected(camp_id=1.5e17) == "wrong-type"


def test_the_id_of_the_webhook_is_no_event_id():
    assert TRANSACTIONAL.one().event_id is None
    assert TRANSACTIONAL.one(id=1).event_uid == TRANSACTIONAL.one(id="xxxxx").event_uid


@pytest.mark.parametrize(
    ("fields", "campaign_id"),
    [
        ({"camp_id": 77, "tags": ["news"]}, "77"),
        ({}, "news"),
        ({"tags": None, "tag": "welcome"}, "welcome"),
        ({"tags": [], "tag": "welcome"}, "welcome"),
        ({"tags": [{}], "tag": None}, None),
        ({"tags": None, "tag": None}, None),
    ],
)
def test_the_campaign_is_its_id_else_the_first_tag(fields, campaign_id):
    assert TRANSACTIONAL.one(**fields).campaign_id == campaign_id


def test_a_deleted_contact_may_have_several_addresses_at_one_place():
    event = {"id": 1, "email": ["a@example.com", 7, "b@example.com"], "event": "contact_deleted", "ts": 1760004000}
    found = classify(Report("brevo", "acme", [EVENT, event]))
    assert [place for place, _ in found] == [0, 1, 1, 1]
    assert [event.reason if isinstance(event, Rejected) else event.recipient for _, event in found] == [
        "uma@example.org",
        "a@example.com",
        "wrong-type",
        "b@example.com",
    ]


def test_the_body_may_be_an_object_a_batch_or_empty():
    assert [found.effect for found in TRANSACTIONAL.classified(EVENT)] == ["count"]
    batch = [EVENT, MARKETING.event | {"event": "spam"}, {**EVENT, "event": "opened"}]
    assert [found.effect for found in TRANSACTIONAL.classified(batch)] == ["count", "block", "ignore"]
    assert TRANSACTIONAL.classified([]) == []
    [(place, event)] = classify(Report("brevo", "acme", "text"))
    assert (place, event.reason) == (None, "wrong-type")


def test_an_inbound_mail_is_no_happening():
    assert TRANSACTIONAL.classified({"items": [{"From": {"Address": "joe@example.com"}}]}) == []


def test_one_bad_event_does_not_spoil_its_neighbours():
    found = classify(Report("brevo", "acme", [EVENT, {**EVENT, "event": "parachute"}, 7, EVENT]))
    assert [place for place, _ in found] == [0, 1, 2, 3]
    assert [type(event) for _, event in found] == [DeliveryEvent, Rejected, Rejected, DeliveryEvent]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event": "parachute"}, "unknown-event"),
        ({"event": None}, "missing-field"),
        ({"event": 1}, "wrong-type"),
        ({"email": None}, "missing-field"),
        ({"email": []}, "wrong-type"),
        ({"email": "uma"}, "bad-recipient"),
    ],
)
def test_a_bad_event_is_rejected_as(fields, reason):
    assert TRANSACTIONAL.rejected(**fields) == reason


def test_the_worked_example():
    found = TRANSACTIONAL.one(reason="452 4.2.2 mailbox full")
    assert (found.status, found.effect, found.rule) == (QE, "count", "iana-x.2.2")
    assert (found.permanent, found.provider_code, found.campaign_id) == (False, "soft_bounce", "news")
