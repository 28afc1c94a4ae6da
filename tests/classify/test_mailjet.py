"""Mailjet's Event API, quirk by quirk."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.mailjet import ERRORS, EVENTS
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support.mailjet import EVENT, classified, one, rejected

KINDS = {
    "sent": ("delivered", None, "reset", "delivered"),
    "open": ("opened", None, "ignore", "reader-activity"),
    "click": ("clicked", None, "ignore", "reader-activity"),
    "bounce": ("bounced", "Connection issue", "count", "bounced-unexplained"),
    "blocked": ("blocked", "Preblock", "block", "mailjet-blocked-unnamed"),
    "spam": ("complained", "Spam", "block", "complained"),
    "unsub": ("unsubscribed", "User", "block", "unsubscribed"),
    "typofix": ("blocked", "Typofix", "block", "mailjet-typofix"),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_a_kind_of_event_means(kind):
    found = one(event=kind)
    assert (found.outcome, found.status, found.effect, found.rule) == KINDS[kind]


UU, CO, QE, CI, US, SP, TY, PB = (
    "User unknown", ":", "Quota exceeded", "Connection issue", "User", "Spam", "Typofix", "Preblock"
)  # fmt: skip
# error: status with hard_bounce true, false, and not known.
STATUS_OF_ERROR = {
    "user unknown": (UU, CI, UU),
    "mailbox inactive": (UU, CI, CI),
    "quota exceeded": (QE, QE, QE),
    "blacklisted": (US, US, US),
    "spam reporter": (SP, SP, SP),
    "invalid domain": (CO, CI, CO),
    "no mail host": (CO, CI, CI),
    "relay/access denied": (CO, CI, CI),
    "greylisted": (None, None, None),
    "typofix": (TY, TY, TY),
    "bad or empty template": (None, None, None),
    "error in template language": (None, None, None),
    "sender blocked": (None, None, None),
    "content blocked": (None, None, None),
    "policy issue": (None, None, None),
    "system issue": (None, None, None),
    "protocol issue": (None, None, None),
    "connection issue": (CI, CI, CI),
    "preblocked": (PB, PB, PB),
    "duplicate in campaign": (None, None, None),
    "spam preblocked": (PB, PB, PB),
}


@pytest.mark.parametrize("hard", [True, False, None], ids=["hard", "soft", "unflagged"])
@pytest.mark.parametrize(
    ("comment", "status"),
    [
        ("550 5.1.1 no", CI),
        ("550 5.4.4 host not found", CI),
        ("501 5.1.3 bad address", CI),
        ("556 no mail here", CI),
        ("525 5.7.13 User account disabled", None),
        ("550 5.7.1 spam", None),
        ("552 5.2.2 mailbox full", QE),
    ],
)
def test_a_connection_issue_blocks_nobody_at_once_by_a_code(comment, status, hard):
    found = one(error="connection issue", error_related_to="system", hard_bounce=hard, comment=comment)
    assert (found.status, found.permanent) == (status, hard)


@pytest.mark.parametrize(("hard", "status"), [(True, "User unknown"), (False, CI), (None, "User unknown")])
def test_plain_words_of_the_server_decide_over_a_connection_issue_that_is_not_called_soft(hard, status):
    comment = "550 5.1.1 user unknown"
    found = one(error="connection issue", error_related_to="system", hard_bounce=hard, comment=comment)
    assert (found.status, found.permanent) == (status, hard)


@pytest.mark.parametrize(("hard", "status"), [(True, UU), (False, CI), (None, UU)])
def test_the_flag_counts_for_what_mailjet_did_not_attempt_too(hard, status):
    told = {"event": "blocked", "error": "user unknown", "error_related_to": "recipient"}
    assert one(**told, hard_bounce=hard).status == status


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_in_the_wrong_field_is_the_same_error(error):
    right = one(error=error, error_related_to=ERRORS[error])
    assert one(error="", error_related_to=error) == right
    assert one(error=ERRORS[error], error_related_to=error) == right
    assert one(error=f" {error.upper()} ", error_related_to=ERRORS[error].title()) == right


def test_a_captured_policy_issue_in_the_wrong_field_is_ignored():
    found = one(
        error_related_to="policy issue",
        error="",
        hard_bounce=False,
        comment="421 4.7.0 [TSS04] Messages deferred",
    )
    assert (found.provider_code, found.effect) == ("spam/policy issue", "ignore")


@pytest.mark.parametrize(
    ("related_to", "error", "status", "rule"),
    [
        ("spam", "something new", None, "mailjet-spam-family"),
        ("spam", "", None, "mailjet-spam-family"),
        ("content", "something new", None, "mailjet-content"),
        ("system", "something new", None, "mailjet-own-family"),
        ("mailjet", "", None, "mailjet-not-sent"),
        ("recipient", "something new", CO, "permanent-unexplained"),
        ("", "something new", CO, "permanent-unexplained"),
    ],
)
def test_an_error_that_is_new_is_judged_by_its_family(related_to, error, status, rule):
    found = one(error_related_to=related_to, error=error, hard_bounce=True)
    assert (found.status, found.rule) == (status, rule)


def test_related_to_spam_is_no_complaint():
    assert one(error_related_to="spam", error="content blocked", hard_bounce=True).status is None
    assert one(event="spam", source="JMRPP").status == SP


@pytest.mark.parametrize(
    ("hard_bounce", "permanent"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        ("True", True),
        (" FALSE ", False),
        (1, True),
        (0, False),
        ("1", True),
        ("0", False),
        ("", None),
        (None, None),
        ("maybe", None),
        (2, None),
        ([], None),
        ({}, None),
        (1.0, None),
    ],
)
def test_hard_bounce_is_read_in_all_its_types(hard_bounce, permanent):
    assert one(hard_bounce=hard_bounce).permanent is permanent


def test_hard_bounce_may_be_absent():
    assert one().permanent is None


SOFT_COMMENTS = {
    "": CI,
    "452 4.2.2 mailbox is over its limit": QE,
    "552 5.2.2 mailbox full": QE,
    "The mailbox is full": QE,
    "421 4.4.1 connection timed out": CI,
    "550 5.1.1 user unknown": CI,
    "550 5.1.2 host not found": CI,
    "550 no such user": CI,
    "550 something": CI,
    "5.0.0": CI,
    "450 4.2.0 greylisted": None,
    "550 5.7.1 blocked using dnsbl.example": None,
}


@pytest.mark.parametrize("comment", SOFT_COMMENTS)
@pytest.mark.parametrize("soft", [False, "false"])
def test_a_soft_bounce_with_empty_errors_is_told_by_its_comment_and_never_a_bad_address(comment, soft):
    found = one(hard_bounce=soft, error="", error_related_to="", comment=comment)
    assert found.status == SOFT_COMMENTS[comment]


HARD_COMMENTS = {
    "": (CO, "permanent-unexplained"),
    "550 5.1.1 unknown": (UU, "iana-5.1.1"),
    "550 no such user": (UU, "text-user-unknown"),
    "550 5.1.2 unknown host": (CO, "iana-5.1.2"),
    "550 nothing we know": (CO, "reply-5xx-hard"),
    "552 5.2.2 mailbox full": (QE, "iana-x.2.2"),
    "connection timed out": (CI, "text-connection"),
    "554 5.7.1 policy": (None, "iana-x.7.x"),
}


@pytest.mark.parametrize("comment", HARD_COMMENTS)
@pytest.mark.parametrize("hard", [True, "true"])
def test_a_hard_bounce_with_empty_errors_is_told_by_its_comment(comment, hard):
    found = one(hard_bounce=hard, error="", error_related_to="", comment=comment)
    assert (found.status, found.rule) == HARD_COMMENTS[comment]


def test_refused_relaying_is_ignored_where_the_comment_shows_policy():
    told = {"error_related_to": "domain", "error": "relay/access denied", "hard_bounce": True}
    assert one(**told).status == CO
    assert one(**told, comment="554 5.7.1 Relay access denied").effect == "ignore"
    assert one(**told, comment="550 Client host blocked using dnsbl.example").effect == "ignore"


def test_greylisting_comes_as_a_bounce_that_blocked():
    told = {"error_related_to": "domain", "error": "greylisted", "hard_bounce": False, "blocked": True}
    assert one(**told).effect == "ignore"


def test_the_body_may_be_an_object_an_array_of_mixed_kinds_or_empty():
    sent, bounce = {**EVENT, "event": "sent"}, EVENT
    assert [found.outcome for found in classified(sent)] == ["delivered"]
    assert [found.outcome for found in classified([sent, bounce])] == ["delivered", "bounced"]
    assert classified([]) == []


@pytest.mark.parametrize("payload", ["text", 5])
def test_another_body_is_rejected_as_a_whole(payload):
    [(element, found)] = classify(Report("mailjet", "acme", payload))
    assert (element, found.reason) == (None, "wrong-type")


def test_the_worked_example_of_two_events():
    payload = [
        {"event": "sent", "time": 1760000101, "MessageID": 93449692684977441, "email": "lea@example.org"}
        | {
            "Message_GUID": "0f3b7e62-1c6a-4b7e-9a51-2f0c7d6a1b11",
            "mj_campaign_id": 811204,
            "mj_contact_id": 5519,
        }
        | {
            "customcampaign": "spring",
            "mj_message_id": "93449692684977441",
            "smtp_reply": "sent (250 2.0.0 OK)",
        }
        | {"CustomID": "c1", "Payload": '{"tenant":"t7"}'},
        {"event": "bounce", "time": 1760000102, "MessageID": 93449692684977442, "email": "gone@example.net"}
        | {"Message_GUID": "5a0e0d3c-52b1-4e07-8f0f-6a9b2e3d4c55", "mj_campaign_id": 0, "mj_contact_id": 0}
        | {"customcampaign": "", "blocked": False, "hard_bounce": False, "error_related_to": "", "error": ""}
        | {"comment": "452 4.2.2 mailbox is over its limit", "CustomID": "", "Payload": ""},
    ]
    sent, bounce = classified(payload)
    assert (sent.tenant, sent.provider, sent.message_id) == ("acme", "mailjet", "93449692684977441")
    assert (sent.effect, sent.campaign_id, sent.diagnostic) == ("reset", "811204", "sent (250 2.0.0 OK)")
    assert sent.occurred_at == "2025-10-09T08:55:01.000Z"
    assert (bounce.status, bounce.effect, bounce.rule) == (QE, "count", "iana-x.2.2")
    assert (bounce.campaign_id, bounce.provider_code, bounce.permanent) == (None, None, False)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event": "parachute"}, "unknown-event"),
        ({"event": "Bounce"}, "unknown-event"),
        ({"event": ""}, "missing-field"),
        ({"event": None}, "missing-field"),
        ({"event": 1}, "wrong-type"),
        ({"event": ["bounce"]}, "wrong-type"),
        ({"email": ""}, "missing-field"),
        ({"email": None}, "missing-field"),
        ({"email": 1}, "wrong-type"),
        ({"email": "nobody"}, "bad-recipient"),
        ({"time": ""}, "missing-field"),
        ({"time": None}, "missing-field"),
        ({"time": "soon"}, "bad-time"),
        ({"time": True}, "bad-time"),
    ],
)
def test_a_bad_event_is_rejected_as(fields, reason):
    assert rejected(**fields) == reason


def test_one_bad_event_does_not_spoil_its_neighbours():
    found = classify(Report("mailjet", "acme", [EVENT, {**EVENT, "event": "parachute"}, 7, EVENT]))
    assert [place for place, _ in found] == [0, 1, 2, 3]
    assert [type(event) for _, event in found] == [DeliveryEvent, Rejected, Rejected, DeliveryEvent]
    assert [found[1][1].reason, found[2][1].reason] == ["unknown-event", "wrong-type"]


def test_fields_of_the_wrong_type_that_decide_nothing_are_dropped():
    found = one(comment={"a": 1}, error=7, error_related_to=[], mj_contact_id="", CustomID=5)
    assert (found.diagnostic, found.provider_code) == (None, None)


def test_opening_a_mail_tells_nothing_about_hardness():
    assert one(event="open", hard_bounce=True, error="user unknown").status is None
