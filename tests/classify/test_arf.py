"""Feedback reports, field by field. Whole mails are in test_mails.py."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.arf import FEEDBACK_TYPES
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support.mails import DATE, RETURNED, classified, lines, one, rejected, report

SP, US = "Spam", "User"
FEEDBACK = {
    "Feedback-Type": "abuse",
    "User-Agent": "ExampleFBL/0.1",
    "Version": "1",
    "Original-Rcpt-To": "jane@example.com",
    "Arrival-Date": "Thu, 20 Nov 2025 10:00:00 +0000",
}


def complaint(returned: str | None = RETURNED, date: str | None = DATE, more: str = "", **fields: str | None) -> str:
    written = lines(FEEDBACK | {name.replace("_", "-"): value for name, value in fields.items()})
    return report("feedback-report", written + more, returned=returned, date=date)


def to(recipients: str, name: str = "To") -> str:
    return f"From: news@shop.example\n{name}: {recipients}\nMessage-ID: <m1@shop.example>\n\nDear reader"


MEANINGS = {
    "abuse": ("complained", SP),
    "fraud": ("complained", SP),
    "virus": ("complained", SP),
    "other": ("complained", SP),
    "not-spam": ("complained", None),
    "auth-failure": ("complained", None),
    "opt-out": ("unsubscribed", US),
    "opt-out-list": ("unsubscribed", US),
}


@pytest.mark.parametrize("kind", FEEDBACK_TYPES)
def test_a_feedback_type_means(kind):
    for written in (kind, kind.upper(), f" {kind} (a comment)", f"{kind}; x"):
        found = one(complaint(Feedback_Type=written), "arf")
        assert (found.outcome, found.status, found.provider_code) == (*MEANINGS[kind], kind)


@pytest.mark.parametrize(
    ("kind", "reason"), [(None, "missing-field"), ("", "missing-field"), ("boredom", "unknown-event")]
)
def test_without_a_known_type_a_report_is_rejected(kind, reason):
    assert rejected(complaint(Feedback_Type=kind), "arf") == reason


@pytest.mark.parametrize(
    "written", ["jane@example.com", "<Jane@Example.com>", "Jane <jane@example.com>", "rfc822; jane@example.com"]
)
def test_the_recipient_is_who_the_report_names(written):
    assert one(complaint(to("other@example.com"), Original_Rcpt_To=written), "arf").recipient == "jane@example.com"


def test_several_recipients_are_several_complaints():
    more = "Original-Rcpt-To: joe@example.com\nOriginal-Rcpt-To: JANE@example.com\n"
    found = classify(Report("arf", "acme", complaint(more=more)))
    assert [(place, event.recipient) for place, event in found] == [(0, "jane@example.com"), (0, "joe@example.com")]


@pytest.mark.parametrize("redacted", [None, "", "[redacted]", "redacted@example.com", "<>", "j**e@example.com"])
def test_a_recipient_that_was_left_out_is_the_only_one_of_the_message(redacted):
    assert one(complaint(to("joe@example.com"), Original_Rcpt_To=redacted), "arf").recipient == "joe@example.com"
    for nobody in ("joe@example.com, jane@example.com", "undisclosed-recipients:;", "redacted@example.com", ""):
        assert rejected(complaint(to(nobody), Original_Rcpt_To=redacted), "arf") == "bad-recipient"
    assert rejected(complaint(None, Original_Rcpt_To=redacted), "arf") == "bad-recipient"


def test_two_recipient_lines_of_the_message_are_two_recipients():
    two = to("joe@example.com").replace("Message-ID", "To: jane@example.com\nMessage-ID")
    assert rejected(complaint(two, Original_Rcpt_To=None), "arf") == "bad-recipient"


def test_microsofts_own_field_names_the_recipient():
    returned = to("<jane@example.com>", "X-HmXmrOriginalRecipient").replace(
        "Message-ID", "To: a@example.com\nMessage-ID"
    )
    assert one(complaint(returned, Original_Rcpt_To=None), "arf").recipient == "jane@example.com"


def test_who_wants_off_the_list_may_stand_in_a_field_of_the_drafts():
    found = one(complaint(Feedback_Type="opt-out", Original_Rcpt_To=None, Removal_Recipient="joe@example.com"), "arf")
    assert (found.recipient, found.effect) == ("joe@example.com", "block")


def test_the_message_is_named_by_what_came_back_of_it():
    assert one(complaint(), "arf").message_id == "m1@shop.example"
    assert one(complaint(None), "arf").message_id is None
    assert one(complaint("Subject: no id\n\n"), "arf").message_id is None


def test_the_time_is_when_the_report_was_made_not_when_the_message_arrived():
    assert one(complaint(), "arf").occurred_at == "2025-11-20T10:15:31.000Z"
    assert one(complaint(date=None), "arf").occurred_at == "2025-11-20T10:00:00.000Z"
    received = "Thu, 20 Nov 2025 10:01:00 +0000"
    without = complaint(date="soon", Arrival_Date=None, Received_Date=received)
    assert one(without, "arf").occurred_at == "2025-11-20T10:01:00.000Z"
    assert rejected(complaint(date=None, Arrival_Date=None), "arf") == "missing-field"
    assert rejected(complaint(date="soon", Arrival_Date="soon"), "arf") == "bad-time"


def test_a_correction_never_counts_and_is_told_from_a_complaint_by_its_uid():
    withdrawn, complained = one(complaint(Feedback_Type="not-spam"), "arf"), one(complaint(), "arf")
    assert (withdrawn.rule, withdrawn.effect) == ("complaint-withdrawn", "ignore")
    assert withdrawn.event_uid != complained.event_uid


@pytest.mark.parametrize("text", ["", "no mail", "Subject: hello\n\nStop sending me this spam!"])
def test_a_mail_without_a_feedback_report_is_rejected(text):
    assert rejected(text, "arf") == "not-a-report"


@pytest.mark.parametrize("payload", [[], {}, ["mail"]])
def test_a_payload_that_is_no_text_is_rejected_as_a_whole(payload):
    [(place, found)] = classify(Report("arf", "acme", payload))
    assert (place, found.reason) == (None, "wrong-type")


def test_a_rejection_never_tells_what_stood_in_the_mail():
    for text in (complaint(Feedback_Type="secret"), complaint(to("secret"), Original_Rcpt_To="secret"), "secret"):
        [found] = classified(text, "arf")
        assert isinstance(found, Rejected)
        assert "secret" not in found.detail
