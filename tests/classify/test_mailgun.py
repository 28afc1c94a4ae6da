"""Mailgun's webhooks, quirk by quirk."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.mailgun import CODES, EVENTS, NO_MAIL_OF_OURS, NOT_ATTEMPTED, OF_NOBODY
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support import reports

UU, CO, QE, CI, US, SP, PB, IG = (
    "User unknown", ":", "Quota exceeded", "Connection issue", "User", "Spam", "Preblock", None
)  # fmt: skip
EVENT = {
    "event": "failed",
    "id": "k1",
    "timestamp": 1760002000.25,
    "recipient": "mo@example.org",
    "message": {"headers": {"to": "Mo <mo@example.org>", "message-id": "20251009.1@mg.example.org"}},
}


def webhook(event: object) -> dict:
    return {"signature": {"timestamp": "1760002000", "token": "c2b5", "signature": "ab12"}, "event-data": event}


def one(**fields) -> DeliveryEvent:
    return reports.one("mailgun", webhook({**EVENT, **fields}))


def failed(severity="permanent", reason="bounce", **status) -> DeliveryEvent:
    named = {name.replace("_", "-"): value for name, value in status.items()}
    return one(severity=severity, reason=reason, **{"delivery-status": named})


KINDS = {
    "accepted": ("other", None, "other"),
    "delivered": ("delivered", None, "delivered"),
    "failed": ("bounced", CI, "bounced-unexplained"),
    "bounced": ("bounced", CO, "permanent-unexplained"),
    "dropped": ("bounced", CO, "permanent-unexplained"),
    "rejected": ("blocked", None, "mailgun-not-sent"),
    "opened": ("opened", None, "reader-activity"),
    "clicked": ("clicked", None, "reader-activity"),
    "complained": ("complained", SP, "complained"),
    "unsubscribed": ("unsubscribed", US, "unsubscribed"),
    "stored": ("other", None, "other"),
    "list_uploaded": ("other", None, "other"),
    "list_member_uploaded": ("other", None, "other"),
    "list_member_upload_error": ("other", None, "other"),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_a_kind_of_event_means(kind):
    found = one(event=kind)
    assert (found.outcome, found.status, found.rule) == KINDS[kind]


@pytest.mark.parametrize("kind", OF_NOBODY)
@pytest.mark.parametrize("recipient", [None, ""])
def test_an_event_about_nobody_is_no_happening(kind, recipient):
    assert reports.classified("mailgun", webhook({**EVENT, "event": kind, "recipient": recipient})) == []


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ({"code": 550, "message": "5.1.1 The email account that you tried to reach does not exist"}, UU),
        ({"code": 550, "enhanced_code": "5.1.1", "message": "no", "bounce_type": "hard"}, UU),
        ({"code": 550, "bounce_code": "5.1.1", "message": "no"}, UU),
        ({"code": 550, "enhanced_code": "", "bounce_code": "5.1.1"}, UU),
        ({"code": 550, "message": "no such user here"}, UU),
        ({"code": 550, "bounce_code": "5.1.2"}, CO),
        ({"code": 556, "message": "5.1.10 recipient address has null MX"}, CO),
        ({"code": 498, "message": "No MX for [example.invalid]", "description": "No MX for [example.invalid]"}, CO),
        ({"code": 552, "message": "5.2.2 over quota"}, QE),
        ({"code": 452, "enhanced_code": "4.2.2"}, QE),
        ({"code": 550, "message": "5.7.1 refused"}, IG),
        ({"code": 550, "message": "Relay Not Permitted"}, IG),
        ({"code": 554, "message": "rejected due to local policy", "bounce_type": "hard"}, IG),
        ({"code": 550, "message": "", "description": "blocked using zen.spamhaus.org"}, IG),
        ({"code": 450, "message": "Recipient address rejected: Greylisted"}, IG),
        ({"code": 550, "message": "nothing we know"}, CO),
        ({"code": 550, "message": "nothing we know", "bounce_type": "soft"}, CI),
        ({"code": "5.1.1", "message": "smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"}, UU),
    ],
)
@pytest.mark.parametrize("named", ["bounce", "hardfail", "generic", "delayed-bounce"])
def test_a_permanent_failure_is_told_by_code_and_words(named, reason, status):
    found = failed("permanent", named, **reason)
    assert (found.outcome, found.status) == ("bounced", status), found.rule


@pytest.mark.parametrize(
    ("named", "code", "status"),
    [
        *(("bounce", None, CO), ("hardfail", None, CO), ("", None, CO)),
        *(("generic", None, CO), ("delayed-bounce", None, CO), ("generic", 550, CO)),
    ],
)
@pytest.mark.parametrize("null", [True, False], ids=["null", "empty"])
def test_a_permanent_failure_without_words_is_told_by_its_reason(named, code, status, null):
    told = {**EVENT, "event": "failed", "severity": "permanent", "reason": named}
    found = reports.one("mailgun", webhook(told | {"delivery-status": None if null and not code else {"code": code}}))
    assert (found.outcome, found.status, found.permanent) == ("bounced", status, True), found.rule


@pytest.mark.parametrize("flag", NO_MAIL_OF_OURS)
@pytest.mark.parametrize("kind", ["delivered", "failed", "rejected"])
def test_what_was_not_sent_or_was_an_incoming_mail_is_no_happening(flag, kind):
    told = {**EVENT, "event": kind, "severity": "permanent", "delivery-status": {"code": 550, "message": "5.1.1"}}
    flags = dict.fromkeys(NO_MAIL_OF_OURS, False)
    assert len(reports.classified("mailgun", webhook({**told, "flags": flags}))) == 1
    assert reports.classified("mailgun", webhook({**told, "flags": flags | {flag: True}})) == []


@pytest.mark.parametrize(("kind", "status"), [("complained", SP), ("unsubscribed", US)])
def test_a_complaint_and_an_unsubscribe_count_whatever_the_flags(kind, status):
    flags = dict.fromkeys(NO_MAIL_OF_OURS, True)
    assert reports.one("mailgun", webhook({**EVENT, "event": kind, "flags": flags})).status == status


@pytest.mark.parametrize("flags", [None, [], "is-test-mode", {"is-test-mode": "true"}, {"is-test-mode": None}])
def test_odd_flags_say_nothing(flags):
    assert reports.one("mailgun", webhook({**EVENT, "event": "delivered", "flags": flags})).effect == "reset"


STATUS_OF_REASON = {
    "suppress-bounce": PB,
    "suppress-unsubscribe": US,
    "suppress-complaint": SP,
    "poor-list-quality": IG,
    "old": CI,
    "espblock": IG,
    "greylisted": IG,
    "blacklisted": IG,
    "webhook": IG,
    "optimized": IG,
    "rejected": IG,
}


@pytest.mark.parametrize("reason", STATUS_OF_REASON)
@pytest.mark.parametrize("code", [None, 550, "550"])
def test_a_reason_has_the_status(reason, code):
    found = failed("permanent", reason, code=code)
    assert found.status == STATUS_OF_REASON[reason], found.rule
    assert found.outcome == ("blocked" if reason in NOT_ATTEMPTED else "bounced")
    assert failed("permanent", reason.upper()).provider_code == reason


STATUS_OF_CODE = {"499": CI, "602": CI, "605": PB, "606": US, "607": SP, "625": IG}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("reason", ["hardfail", "generic", "bounce", "", None])
def test_a_code_of_mailguns_own_says_more_than_the_reason(code, reason):
    for written in (code, int(code)):
        found = failed("permanent", reason, code=written, message="", description="Not delivering")
        assert (found.status, found.provider_code) == (STATUS_OF_CODE[code], CODES[code])
        assert found.smtp_code is None


def test_a_message_too_old_is_told_by_the_last_error():
    assert failed("permanent", "old", code=421, message="Too old").status == CI
    assert failed("permanent", "old", code=602, message="4.2.2 over quota").status == QE
    assert failed("permanent", "old", code=452, enhanced_code="4.2.2", message="full").status == QE
    assert failed("permanent", "old", code=498, message="No MX for [example.invalid]").status == CI
    assert failed("permanent", "old", code=450, message="Greylisted").status == IG


@pytest.mark.parametrize("reason", ["generic", "greylisted", "espblock", "bounce", "old", "suppress-bounce"])
def test_a_temporary_failure_is_retried_and_no_attempt_yet(reason):
    found = failed("temporary", reason, code=452, message="4.2.2 over quota", retry_seconds=600)
    assert (found.outcome, found.effect, found.permanent) == ("deferred", "ignore", False)


@pytest.mark.parametrize(
    ("severity", "bounce_type", "permanent"),
    [
        ("permanent", None, True),
        ("Permanent", "hard", True),
        ("permanent", "soft", False),
        ("temporary", None, False),
        (None, None, None),
        ("", "soft", False),
        (["permanent"], 7, None),
    ],
)
def test_hardness_is_the_severity_but_for_a_bounce_that_says_soft(severity, bounce_type, permanent):
    assert failed(severity, "bounce", bounce_type=bounce_type).permanent is permanent


def test_an_asynchronous_bounce_counts_with_what_little_it_has():
    found = reports.one(
        "mailgun",
        webhook(
            {
                "event": "failed",
                "timestamp": 1681886706.9759276,
                "recipient": "gone@example.net",
                "id": "yY_s08N6RBqdw1",
            }
            | {"envelope": {}, "message": {"headers": {}, "size": 5158}, "flags": {"is-delayed-bounce": True}}
            | {"severity": "permanent", "reason": "generic", "recipient-domain": "", "tags": [], "campaigns": []}
            | {
                "delivery-status": {
                    "code": 550,
                    "bounce-code": "5.0.0",
                    "message": "smtp; The email account that you tried to reach does not exist. Please try again",
                }
            }
        ),
    )
    assert (found.status, found.message_id) == (UU, None)
    assert found.attempt_id == found.event_uid
    assert (found.smtp_code, found.enhanced_code) == ("550", "5.0.0")


@pytest.mark.parametrize("status", [None, [], "550", 7])
def test_delivery_status_may_be_null_or_odd(status):
    found = one(event="delivered", **{"delivery-status": status})
    assert (found.effect, found.diagnostic, found.smtp_code) == ("reset", None, None)


def test_all_that_is_said_is_the_diagnostic_once_each():
    assert failed(message="No MX", description="No MX").diagnostic == "No MX"
    assert failed(message="5.1.1 no", description="gone").diagnostic == "5.1.1 no\ngone"
    assert failed(message="", description=None).diagnostic is None
    assert failed(message={"a": 1}, description="gone").diagnostic == "gone"


def test_a_rejected_request_names_nobody_but_in_the_header():
    told = {"event": "rejected", "reject": {"reason": "Sandbox subdomains are for test purposes only."}}
    found = one(**told, recipient=None)
    assert (found.recipient, found.outcome, found.effect) == ("mo@example.org", "blocked", "ignore")
    assert found.diagnostic == "Sandbox subdomains are for test purposes only."
    assert one(**told, recipient="other@example.org").recipient == "other@example.org"
    for said in ("user unknown", "mailbox full", "550 5.1.1 no such user"):
        assert one(event="rejected", reject={"reason": said}).effect == "ignore"


def test_the_header_is_not_who_a_failure_is_about():
    assert one(message={"headers": {"to": "list@example.org"}}).recipient == "mo@example.org"
    assert reports.rejected("mailgun", webhook({**EVENT, "recipient": None})) == "missing-field"


@pytest.mark.parametrize(
    ("fields", "message_id"),
    [
        ({"message": {"headers": {"message-id": "a.1@mg.example.org"}}}, "a.1@mg.example.org"),
        ({"message": {"headers": {"message-id": " <a.1@mg.example.org> "}}}, "a.1@mg.example.org"),
        ({"message": {"headers": {"message-id": ""}}}, None),
        ({"message": {"headers": {"message-id": "<>"}}}, None),
        ({"message": {"headers": []}}, None),
        ({"message": "x"}, None),
    ],
)
def test_the_message_id_has_no_angle_brackets(fields, message_id):
    assert one(**fields).message_id == message_id


def test_the_id_of_an_event_is_unique_for_a_day_only_so_it_is_not_taken():
    assert one().event_id is None
    assert one(id="k2").event_uid == one().event_uid
    assert one(timestamp=1760002000.26).event_uid != one().event_uid


@pytest.mark.parametrize(
    ("fields", "campaign_id"),
    [
        ({"tags": ["spring", "news"]}, "spring"),
        ({"tags": []}, None),
        ({"tags": "spring"}, "spring"),
        ({"tags": [{}]}, None),
        ({"campaigns": [{"id": "c7", "name": "x"}], "tags": ["spring"]}, "c7"),
        ({"campaigns": ["c7"]}, "c7"),
        ({"campaigns": [], "tags": ["spring"]}, "spring"),
        ({"campaigns": {}, "tags": None}, None),
    ],
)
def test_the_campaign_is_mailguns_else_the_senders_tag(fields, campaign_id):
    assert one(**fields).campaign_id == campaign_id


def test_the_body_may_be_a_post_an_event_or_an_array_of_either():
    same = one(severity="permanent")
    event = {**EVENT, "severity": "permanent"}
    assert reports.one("mailgun", event) == same
    assert reports.events("mailgun", [event, webhook(event)]) == [same, same]
    assert reports.classified("mailgun", []) == []


@pytest.mark.parametrize("payload", ["text", 5])
def test_another_body_is_rejected_as_a_whole(payload):
    [(element, found)] = classify(Report("mailgun", "acme", payload))
    assert (element, found.reason) == (None, "wrong-type")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({**EVENT, "event": "parachute"}, "unknown-event"),
        ({**EVENT, "event": "Failed"}, "unknown-event"),
        ({**EVENT, "event": None}, "missing-field"),
        ({**EVENT, "event": ["failed"]}, "wrong-type"),
        ({**EVENT, "recipient": "nobody"}, "bad-recipient"),
        ({**EVENT, "recipient": ["mo@example.org"]}, "wrong-type"),
        ({**EVENT, "timestamp": None}, "missing-field"),
        ({**EVENT, "timestamp": "soon"}, "bad-time"),
        ({**EVENT, "message": {"headers": {"message-id": ["a"]}}}, "wrong-type"),
        ({}, "missing-field"),
        ([], "wrong-type"),
        ("failed", "wrong-type"),
        (None, "wrong-type"),
    ],
)
def test_a_bad_event_is_rejected_as(event, reason):
    assert reports.rejected("mailgun", webhook(event)) == reason


def test_one_bad_event_does_not_spoil_its_neighbours():
    found = classify(Report("mailgun", "acme", [EVENT, webhook({}), 7, webhook(EVENT)]))
    assert [place for place, _ in found] == [0, 1, 2, 3]
    assert [type(event) for _, event in found] == [DeliveryEvent, Rejected, Rejected, DeliveryEvent]


def test_the_worked_example_of_a_complaint_before():
    event = {
        "event": "failed",
        "id": "k1",
        "timestamp": 1760002000.25,
        "severity": "permanent",
        "reason": "suppress-complaint",
        "recipient": "mo@example.org",
        "tags": [],
        "user-variables": {},
        "delivery-status": {"code": 607, "message": "", "description": "previously marked as spam"},
        "message": {"headers": {"message-id": "20251009.1@mg.example.org"}},
        "domain": {"name": "mg.example.org"},
        "account": {"id": "a1"},
    }
    found = reports.one("mailgun", webhook(event))
    assert (found.status, found.rule, found.outcome) == (SP, "mailgun-suppress-complaint", "blocked")
    assert (found.occurred_at, found.message_id) == ("2025-10-09T09:26:40.250Z", "20251009.1@mg.example.org")
