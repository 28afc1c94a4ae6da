"""Whatever becomes of a mail on its way, reading it gives events or rejections, in bounded time."""

from time import perf_counter

import pytest
from hypothesis import given, settings

from agents.classify.classification import classify
from schemas.report import MAX_REPORT_BYTES, Report
from tests.support.mutation import changed_mail, drawn, pieces
from tests.support.parsers import MAILS, TEXTS, check


@pytest.mark.parametrize("provider", TEXTS)
@settings(max_examples=2000, deadline=None)
@given(mail=drawn(changed_mail(MAILS)))
def test_changed_mails_are_survived(provider, mail):
    assert {place for place, _ in check(provider, mail)} == {0}


@pytest.mark.parametrize("provider", TEXTS)
@settings(max_examples=500, deadline=None)
@given(text=drawn(pieces))
def test_any_text_is_survived(provider, text):
    assert {place for place, _ in check(provider, text)} == {0}


DAEMON = "From: MAILER-DAEMON@mx.example\nTo: b@shop.example\nDate: Thu, 20 Nov 2025 10:15:31 +0000\n"
STATUS = f"{DAEMON}Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
MIXED = f"{DAEMON}Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"
FEEDBACK = STATUS.replace("delivery-status", "feedback-report") + "Feedback-Type: abuse\n"

# A beginning, and what is repeated after it until the report is as large as it may be.
LARGE = {
    "parts within parts": (DAEMON, "Content-Type: multipart/mixed; boundary=b\n\n--b\n"),
    "parts": (MIXED, "--b\n\nx\n"),
    "groups": (STATUS, "Final-Recipient: rfc822;j@example.com\nAction: failed\nStatus: 5.1.1\n\n"),
    "groups of nothing": (STATUS, "Final-Recipient:\n\n"),
    "blank lines": (STATUS, "\n"),
    "blank lines with spaces": (STATUS, "\n "),
    "fields of nothing": (STATUS, "a\n\n"),
    "folded lines": (f"{STATUS}Final-Recipient: rfc822;j@example.com\nAction: failed\n", " x\n"),
    "header fields": ("", "a:\n"),
    "parameters": ("Content-Type: multipart/mixed", ';"'),
    "a long header": (f"{DAEMON}Subject: ", "=?utf-8?q?=41?= "),
    "comments within comments": (f"{DAEMON}X-Failed-Recipients: ", "("),
    "failed recipients": (f"{DAEMON}X-Failed-Recipients: ", "a@b.example,"),
    "a long line": (f"{DAEMON}\n", "a"),
    "at signs": (f"{DAEMON}\n", "@"),
    "commas": (f"{DAEMON}\n", "," + "@" * 990 + "\n"),
    "open brackets": (f"{MIXED}This Message was undeliverable due to the following reason:\n", "<" * 990 + "\n"),
    "brackets": (
        f"{MIXED}This Message was undeliverable due to the following reason:\n",
        "please reply to <>" * 50 + "\n",
    ),
    "long lines after an opening": (f"{DAEMON}\nA message that you sent could not be delivered\n", "a" * 990 + "\n"),
    "stars": (f"{DAEMON}\nDelivery to the following recipients failed\n", "*" * 990 + "@\n"),
    "tags": (f"{DAEMON}Content-Type: text/html\n\n", "<a"),
    "quoted-printable": (f"{DAEMON}Content-Transfer-Encoding: quoted-printable\n\n", "=4"),
    "base64": (f"{DAEMON}Content-Transfer-Encoding: base64\n\n", "QUFB"),
    "a sender": ("From: ", "a@"),
    "complainants": (FEEDBACK, "Original-Rcpt-To: j@example.com\n"),
}


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_report_takes_no_more_than_seconds_whatever_it_is_full_of(name):
    beginning, piece = LARGE[name]
    text = (beginning + piece * (MAX_REPORT_BYTES // len(piece)))[:MAX_REPORT_BYTES]
    began = perf_counter()
    for provider in ("dsn", "arf"):
        classify(Report(provider, "acme", text))
    # Measured 0.9 s for the worst of them; without its bounds, most of these take minutes.
    assert perf_counter() - began < 10
