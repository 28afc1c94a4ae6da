"""Whatever becomes of a mail on its way, reading it gives events or rejections, in bounded time."""

from pathlib import Path
from time import perf_counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.classify.classification import classify
from schemas.codec import encode
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import MAX_REPORT_BYTES, Report

MAILS = [file.read_text("utf-8") for file in sorted(Path(__file__).parent.glob("mails/*.eml"))]


def check(provider: str, mail: str) -> None:
    found = classify(Report(provider, "acme", mail))
    assert classify(Report(provider, "acme", mail), 10**15) == found
    assert {place for place, _ in found} == {0}
    for _, event in found:
        if isinstance(event, Rejected):
            assert event.detail
        else:
            assert (event.status is None) == (event.effect in ("reset", "lift", "ignore"))
            assert msgspec.json.decode(encode(event), type=DeliveryEvent) == event


PIECES = [
    *(
        "\n",
        "\r\n",
        "\n\n",
        "--",
        "--b",
        ":",
        ";",
        ",",
        "<",
        ">",
        "@",
        '"',
        "(",
        ")",
        "=?utf-8?q?",
        "?=",
        "=\n",
        "\x00",
    ),
    *("\ud800", "\ufffd", "é", "boundary=", "Content-Type: multipart/report; boundary=", "message/delivery-status"),
    *("charset=unicode_escape", "charset=idna", "Content-Transfer-Encoding: base64\n", "rfc822;", "utf-8; \\x{110000}"),
    *(
        "Final-Recipient: ",
        "Action: failed\n",
        "boundary*0*=",
        "boundary*1*=utf-8'x'%zz",
        "From: MAILER-DAEMON@x.example\n",
    ),
    *("X-Failed-Recipients: ", "X-Mailer: <SMTP32 v1>\n", "Date: 99 Foo 99999 99:99:99 +9999\n", "Original-Rcpt-To: "),
]


@st.composite
def changed_mail(draw: st.DrawFn) -> str:
    """A mail of which up to six stretches are cut out, doubled, or replaced by something that has a meaning."""
    mail = draw(st.sampled_from(MAILS))
    for _ in range(draw(st.integers(1, 6))):
        begin = draw(st.integers(0, len(mail)))
        end = begin + draw(st.one_of(st.just(0), st.integers(0, 12), st.integers(0, 800)))
        middle = draw(
            st.one_of(st.sampled_from(PIECES), st.just(mail[begin:end] * 2), st.text(max_size=6), st.just(""))
        )
        mail = mail[:begin] + middle + mail[end:]
    return mail


@pytest.mark.parametrize("provider", ["dsn", "arf"])
@settings(max_examples=2000)
@given(mail=changed_mail())
def test_changed_mails_are_survived(provider, mail):
    check(provider, mail)


@pytest.mark.parametrize("provider", ["dsn", "arf"])
@settings(max_examples=500)
@given(pieces=st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=30))
def test_any_text_is_survived(provider, pieces):
    check(provider, "".join(pieces))


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
