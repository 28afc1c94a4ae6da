"""SendGrid's Event Webhook, quirk by quirk."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.sendgrid import ACCOUNT_EVENTS, CLASSIFICATIONS, DROPS, EVENTS, HARDNESS
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support import reports

EVENT = {
    "email": "jane@example.com",
    "timestamp": 1760001000,
    "event": "bounce",
    "sg_event_id": "ZyjAM5rnQmuI1KFInHQ3Nw",
    "sg_message_id": "wrfRRvF7Q0GgwUo2CvDmEA.filter0425p1mdw1.13037.57168B4A1D.0",
}
UU, CO, QE, CI, US, SP, PB, IG = (
    "User unknown", ":", "Quota exceeded", "Connection issue", "User", "Spam", "Preblock", None
)  # fmt: skip


def one(**fields) -> DeliveryEvent:
    return reports.one("sendgrid", [{**EVENT, **fields}])


def rejected(**fields) -> str:
    return reports.rejected("sendgrid", [{**EVENT, **fields}])


KINDS = {
    "processed": ("other", None, "ignore", "other"),
    "deferred": ("deferred", None, "ignore", "not-final"),
    "delivered": ("delivered", None, "reset", "delivered"),
    "bounce": ("bounced", CI, "count", "bounced-unexplained"),
    "dropped": ("blocked", None, "ignore", "sendgrid-dropped"),
    "open": ("opened", None, "ignore", "reader-activity"),
    "click": ("clicked", None, "ignore", "reader-activity"),
    "spamreport": ("complained", SP, "block", "complained"),
    "unsubscribe": ("unsubscribed", US, "block", "unsubscribed"),
    "group_unsubscribe": ("unsubscribed", US, "block", "unsubscribed"),
    "group_resubscribe": ("other", None, "ignore", "other"),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_a_kind_of_event_means(kind):
    found = one(event=kind)
    assert (found.outcome, found.status, found.effect, found.rule) == KINDS[kind]


def test_a_kind_may_be_capitalised():
    assert one(event="Processed") == one(event="processed")


@pytest.mark.parametrize("kind", ACCOUNT_EVENTS)
def test_an_event_about_the_account_is_no_happening(kind):
    about = {"event": kind, "timestamp": 1760001000, "sg_event_id": "x", "type": "compliance_suspend"}
    assert reports.classified("sendgrid", [about]) == []
    assert len(reports.events("sendgrid", [about, EVENT])) == 1


# A classification beside each type, with nothing else to go by.
STATUS_OF_CLASSIFICATION = {
    # name: (bounce, blocked, expired, no type)
    "Invalid Address": (UU, IG, CI, UU),
    "Technical Failure": (CI, CI, CI, CI),
    "Content": (IG, IG, IG, IG),
    "Reputation": (IG, IG, IG, IG),
    "Frequency or Volume Too High": (IG, IG, IG, IG),
    "Mailbox Unavailable": (UU, IG, CI, CI),
    "Unclassified": (UU, IG, CI, CI),
    "": (UU, IG, CI, CI),
}
TYPES = ("bounce", "blocked", "expired", None)


def test_every_type_and_classification_has_an_expectation():
    assert set(HARDNESS) == {kind for kind in TYPES if kind}
    assert {name.lower() for name in STATUS_OF_CLASSIFICATION if name} == set(CLASSIFICATIONS.values())


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("classification", STATUS_OF_CLASSIFICATION)
def test_a_classification_has_the_status(classification, kind):
    found = one(bounce_classification=classification, type=kind)
    assert found.status == STATUS_OF_CLASSIFICATION[classification][TYPES.index(kind)], found.rule
    hard = {"bounce": True, "blocked": False, "expired": False}.get(kind)
    assert found.permanent is (False if classification == "Technical Failure" else hard)
    expected = "/".join(part for part in (kind, classification.lower()) if part)
    assert found.provider_code == (expected or None)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("invalid", "invalid address"),
        ("INVALID ADDRESS", "invalid address"),
        (" Technical ", "technical failure"),
        ("technical", "technical failure"),
        ("content", "content"),
        ("Frequency/Volume", "frequency or volume too high"),
        ("frequency or volume too high", "frequency or volume too high"),
        ("Volume", "frequency or volume too high"),
        ("mailbox unavailable", "mailbox unavailable"),
    ],
)
def test_a_classification_is_known_by_its_first_word(written, name):
    assert one(type="bounce", bounce_classification=written).provider_code == f"bounce/{name}"


@pytest.mark.parametrize("odd", ["something new", "", None, 7, ["content"], {}])
def test_a_classification_that_is_new_or_odd_is_as_none(odd):
    assert one(type="blocked", bounce_classification=odd).provider_code == "blocked"
    assert one(type=odd, bounce_classification="Content").provider_code == "content"


BOUNCES = [
    # (type, classification, status, reason): the status of the contact
    (("bounce", None, "5.1.1", "550 5.1.1 The email account that you tried to reach does not exist."), UU),
    (("bounce", "Invalid Address", "5.1.1", "550 5.1.1 not here"), UU),
    (("bounce", "Invalid Address", "5.1.2", "550 5.1.2 bad"), CO),
    (("bounce", None, "5.1.3", "550 5.1.3 bad"), CO),
    (("bounce", None, "5.1.10", "556 5.1.10 Recipient address has null MX"), CO),
    (("bounce", None, "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound"), UU),
    (("bounce", None, "5.4.4", "550 5.4.4 unable to route"), CO),
    (("bounce", "Mailbox Unavailable", "5.2.2", "552 5.2.2 The email account is over quota"), QE),
    (("blocked", "Mailbox Unavailable", "4.2.2", "452 4.2.2 The email account is over quota"), QE),
    (("blocked", None, "", "452 mailbox full"), QE),
    (("expired", None, "4.2.2", "452 4.2.2 over quota"), QE),
    (("bounce", "Technical", "5.0.0", "550 something"), CI),
    (("bounce", None, "4.4.1", "421 4.4.1 connection timed out"), CI),
    (("blocked", "Technical", "", "unable to get mx info: failed to get IPs from PTR record"), CI),
    (("blocked", "Unclassified", "4.4.7", "550 4.4.7 message expired"), CI),
    (("expired", "Unclassified", "", ""), CI),
    (("blocked", None, "5.7.1", "554 5.7.1 client host blocked using dnsbl.example"), IG),
    (("bounce", None, "5.7.1", "550 5.7.1 rejected"), IG),
    (("bounce", "Invalid Address", "5.7.1", "550 5.7.1 refused"), IG),
    (("bounce", "Reputation", "5.1.1", "550 5.1.1 no"), IG),
    (("expired", None, "4.7.0", "421 4.7.0 [TSS04] deferred"), IG),
    (("blocked", "Technical", "", "421 too many connections"), IG),
    # Captured: no status, and a record of the sender's is not what is missing.
    (("blocked", "Unclassified", None, "unable to get mx info: failed to get IPs from PTR record"), CI),
    # The guide's samples of a bounce and of a block differ in nothing but the type.
    (("bounce", None, "5.0.0", "500 unknown recipient"), UU),
    (("blocked", None, "5.0.0", "500 unknown recipient"), IG),
    (("blocked", None, "5.1.1", "550 5.1.1 user unknown"), IG),
    ((None, None, "5.0.0", "500 unknown recipient"), UU),
    (("bounce", "Unclassified", "5.0.0", "554 no"), UU),
    (("bounce", None, "5.0.0", ""), UU),
    (("bounce", None, None, "554 relaying denied"), IG),
    (("bounce", None, "5.3.0", "550 5.3.0 local error"), CI),
    (("bounce", None, None, "450 4.1.1 unverified address"), CI),
]


@pytest.mark.parametrize(("told", "expected"), BOUNCES)
def test_a_bounce_has_the_status(told, expected):
    kind, classification, status, reason = told
    found = one(type=kind, bounce_classification=classification, status=status, reason=reason)
    assert found.status == expected, found.rule


STATUS_OF_DROP = {
    "bounced address": PB,
    "spam reporting address": SP,
    "unsubscribed address": US,
    "invalid": CO,
    "spam content": IG,
    "invalid smtpapi header": IG,
    "recipient list over package quota": IG,
}


@pytest.mark.parametrize("reason", DROPS)
def test_a_drop_has_the_status(reason):
    found = one(event="dropped", reason=reason.title(), status="5.0.0")
    assert (found.outcome, found.provider_code) == ("blocked", f"dropped/{reason}")
    assert found.status == STATUS_OF_DROP[reason]


@pytest.mark.parametrize("reason", ["Sender Identity Not Verified", "user unknown", "mailbox full", "", None, 7])
def test_a_drop_for_a_reason_that_is_new_is_ignored_whatever_its_words(reason):
    found = one(event="dropped", reason=reason, status="5.1.1")
    assert (found.status, found.provider_code, found.rule) == (None, "dropped", "sendgrid-dropped")


def test_a_dropped_recipient_that_is_no_address_is_rejected():
    assert rejected(event="dropped", reason="Invalid", email="not an address") == "bad-recipient"


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        ("5.1.1", (None, "5.1.1")),
        ("550", ("550", None)),
        (550, ("550", None)),
        ("", (None, None)),
        (None, (None, None)),
        ([], (None, None)),
    ],
)
def test_status_is_an_enhanced_code_or_a_reply_code_or_nothing(status, codes):
    found = one(status=status)
    assert (found.smtp_code, found.enhanced_code) == codes


def test_the_words_are_in_reason_or_in_response():
    assert one(reason="550 no").diagnostic == "550 no"
    assert one(event="delivered", response="250 OK").diagnostic == "250 OK"
    assert one(event="deferred", response="400 try again later", attempt="5").diagnostic == "400 try again later"
    assert one(event="deferred", reason="400 try again later").diagnostic == "400 try again later"
    assert one(reason={"a": 1}, response="550 no").diagnostic == "550 no"


def test_custom_arguments_beside_the_fields_change_nothing():
    assert one(userid="1123", tenant="other", permanent=True, status_="5.1.1") == one()
    # Of another kind of event they may even have the names of fields that a bounce has.
    assert one(event="open", type="bounce", reason="550 user unknown", status="5.1.1").effect == "ignore"


def test_the_body_may_be_an_array_one_event_or_empty():
    assert reports.one("sendgrid", EVENT) == one()
    assert reports.classified("sendgrid", []) == []


@pytest.mark.parametrize("payload", ["text", 5])
def test_another_body_is_rejected_as_a_whole(payload):
    [(element, found)] = classify(Report("sendgrid", "acme", payload))
    assert (element, found.reason) == (None, "wrong-type")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event": "parachute"}, "unknown-event"),
        ({"event": ""}, "missing-field"),
        ({"event": ["bounce"]}, "wrong-type"),
        ({"email": ""}, "missing-field"),
        ({"email": ["jane@example.com"]}, "wrong-type"),
        ({"email": "nobody"}, "bad-recipient"),
        ({"timestamp": None}, "missing-field"),
        ({"timestamp": "soon"}, "bad-time"),
        ({"sg_message_id": ["x"]}, "wrong-type"),
        ({"sg_message_id": "", "smtp-id": {}}, "wrong-type"),
    ],
)
def test_a_bad_event_is_rejected_as(fields, reason):
    assert rejected(**fields) == reason


def test_one_bad_event_does_not_spoil_its_neighbours():
    found = classify(Report("sendgrid", "acme", [EVENT, {**EVENT, "event": "parachute"}, 7, EVENT]))
    assert [place for place, _ in found] == [0, 1, 2, 3]
    assert [type(event) for _, event in found] == [DeliveryEvent, Rejected, Rejected, DeliveryEvent]


def test_the_worked_example_of_a_block_is_ignored():
    found = reports.one(
        "sendgrid",
        [
            {"email": "kai@example.org", "timestamp": 1760001000, "event": "bounce", "type": "blocked"}
            | {"status": "5.7.1", "reason": "554 5.7.1 client host blocked using dnsbl.example"}
            | {"sg_event_id": "Zm9vYmFy", "sg_message_id": "", "smtp-id": "<a@ismtpd>"}
        ],
    )
    assert (found.effect, found.rule, found.message_id) == ("ignore", "blocklist-refusal", "a")
    assert (found.event_id, found.occurred_at) == ("Zm9vYmFy", "2025-10-09T09:10:00.000Z")


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("classification", ["Technical", "Technical Failure"])
@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("550 5.1.1 user unknown", CI),
        ("550 user unknown", CI),
        ("550 5.4.1 Recipient address rejected: Access denied", CI),
        ("525 5.7.13 User account disabled", IG),
        ("550 5.1.1 blocked using zen.spamhaus.org", IG),
        ("550 not authorized", IG),
        ("552 5.2.2 mailbox full", QE),
    ],
)
def test_a_technical_failure_never_blocks_at_once_whatever_its_words(classification, kind, reason, status):
    assert one(type=kind, bounce_classification=classification, reason=reason).status == status
