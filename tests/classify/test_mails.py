"""Every mail in mails/ means what is written here, whatever its line ends."""

from pathlib import Path

import pytest

from agents.classify.classification import classify
from schemas.rejected import Rejected
from schemas.report import Report

HERE = Path(__file__).parent / "mails"
UU, CO, QE, CI, US, SP = "User unknown", ":", "Quota exceeded", "Connection issue", "User", "Spam"
GONE = ("gone@example.com", "bounced", UU)

# (recipient, outcome, status) of each happening, or the reason of its rejection; and the id of the message, which is
# m1@shop.example for m1.
EXPECTED = {
    "postfix-user-unknown": ("m1", [GONE]),
    "postfix-mailbox-full": ("m2", [("full@example.com", "bounced", QE)]),
    "postfix-expired": ("m3", [("away@example.com", "bounced", CI)]),
    "postfix-greylisted-until-it-expired": ("m4", [("slow@example.com", "bounced", None)]),
    "postfix-delayed": ("m5", [("full@example.com", "deferred", None)]),
    "postfix-delivered": ("m6", [("jane@example.com", "delivered", None)]),
    "postfix-relayed": ("m7", [("jane@example.com", "other", None)]),
    "postfix-several-recipients": (
        "m8",
        [
            GONE,
            ("strict@example.net", "bounced", None),
            ("full@example.org", "deferred", None),
            ("jane@example.org", "delivered", None),
        ],
    ),
    "postfix-no-such-domain": ("m9", [("jane@nowhere.invalid", "bounced", CO)]),
    "postfix-internationalized": ("m10", [("jürgen@xn--bcher-kva.example", "bounced", UU)]),
    "postfix-internationalized-downgraded": ("m11", [("jürgen+news@example.com", "bounced", UU)]),
    "postfix-forwarded-to-a-stranger": ("m12", [("jane+news@example.com", "bounced", UU)]),
    "exim-user-unknown": ("m13", [GONE]),
    "exim-plain-unrouteable": ("m14", [("jane@nowhere.invalid", "bounced", CO)]),
    "exim-plain-several-recipients": (
        "m15",
        [
            ("full@example.com", "bounced", QE),
            ("gone@example.org", "bounced", UU),
            ("strict@example.net", "bounced", None),
        ],
    ),
    "exim-plain-warning": ("m16", [("away@example.com", "deferred", None)]),
    "sendmail-user-unknown": ("m17", [GONE]),
    "sendmail-plain-several-recipients": ("m18", [GONE, ("full@example.com", "bounced", QE)]),
    "office365-recipient-not-found": ("m19", [GONE]),
    "office365-edge-blocking": ("m20", [GONE]),
    "office365-not-authorized": ("m21", [("group@example.com", "bounced", None)]),
    "exchange-mailbox-full": ("m22", [("full@example.com", "bounced", QE)]),
    "exchange-only-in-words": ("m23", [GONE]),
    "exchange-2000-plain": ("m24", [GONE]),
    "gmail-user-unknown": ("m25", [GONE]),
    "gmail-delayed": ("m26", [("away@example.com", "deferred", None)]),
    "gmail-unauthenticated": ("m27", [("strict@example.com", "bounced", None)]),
    "qmail-user-unknown": ("m28", [GONE]),
    "qmail-several-recipients": (
        "m29",
        [GONE, ("full@example.org", "bounced", QE), ("away@example.net", "bounced", CI)],
    ),
    "qmail-in-french": ("m30", [("parti@example.org", "bounced", UU)]),
    "yahoo-disabled": ("m31", [("idle@example.com", "bounced", UU)]),
    "ovh-orange-user-unknown": ("m32", [("parti@orange.example", "bounced", UU)]),
    "ovh-orange-mailbox-full": ("m33", [("pleine@orange.example", "bounced", QE)]),
    "ovh-orange-refused": ("m34", [("jane@orange.example", "bounced", None)]),
    "orange-encoded": ("m35", [("pleine@orange.example", "bounced", QE)]),
    "opensmtpd-error": ("m36", [GONE]),
    "wrapped-by-a-gateway": ("m37", [GONE]),
    "expanded-and-no-address": (
        None,
        [
            ("list@example.com", "other", None),
            "bad-recipient",
            "bad-recipient",
            ("jane@example.com", "bounced", UU),
            "unknown-event",
        ],
    ),
    "vacation-outlook": (None, ["not-a-report"]),
    "vacation-sieve": (None, ["not-a-report"]),
    "vacation-in-french": (None, ["not-a-report"]),
    "vacation-from-a-daemon": (None, ["not-a-report"]),
    "challenge": (None, ["not-a-report"]),
    "letter": (None, ["not-a-report"]),
    "letter-about-a-bounce": (None, ["not-a-report"]),
    "delivery-of-parcels": (None, ["not-a-report"]),
    "daemon-without-address": (None, ["bad-recipient"]),
    "read-receipt": (None, ["not-a-report"]),
    "arf-abuse": ("m50", [("annoyed@example.com", "complained", SP)]),
    "arf-fraud-several-recipients": (
        "m51",
        [("one@example.com", "complained", SP), ("two@example.com", "complained", SP)],
    ),
    "arf-not-spam": ("m52", [("happy@example.com", "complained", None)]),
    "arf-auth-failure": ("m53", [("jane@example.com", "complained", None)]),
    "arf-opt-out": ("m54", [("leaving@example.com", "unsubscribed", US)]),
    "arf-recipient-of-the-message": ("m55", [("annoyed@example.com", "complained", SP)]),
    "arf-redacted": (None, ["bad-recipient"]),
    "arf-to-several": (None, ["bad-recipient"]),
    "arf-jmrp": ("m58", [("annoyed@example.com", "complained", SP)]),
    "arf-of-a-new-type": (None, ["unknown-event"]),
    "arf-without-type": (None, ["missing-field"]),
}


def provider_of(name: str) -> str:
    return "arf" if name.startswith("arf-") else "dsn"


def read(name: str, text: str):
    return classify(Report(provider_of(name), "acme", text))


def text_of(name: str) -> str:
    return (HERE / f"{name}.eml").read_text("utf-8")


def test_every_mail_has_an_expectation_and_every_expectation_a_mail():
    assert {file.stem for file in HERE.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mail_means(name):
    message, expected = EXPECTED[name]
    found = read(name, text_of(name))
    assert {place for place, _ in found} == {0}
    told = [
        event.reason if isinstance(event, Rejected) else (event.recipient, event.outcome, event.status)
        for _, event in found
    ]
    assert told == expected
    events = [event for _, event in found if not isinstance(event, Rejected)]
    assert {event.message_id for event in events} <= {message and f"{message}@shop.example"}
    assert {event.provider for event in events} <= {provider_of(name)}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("end", ["\r\n", "\r"], ids=["crlf", "cr"])
def test_line_ends_do_not_matter(name, end):
    assert read(name, text_of(name).replace("\n", end)) == read(name, text_of(name))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_line_of_an_mbox_and_a_byte_order_mark_do_not_matter(name):
    text = f"\ufeff\nFrom MAILER-DAEMON Thu Nov 20 10:15:31 2025\n{text_of(name)}"
    assert read(name, text) == read(name, text_of(name))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mail_that_was_cut_off_names_nobody_else(name):
    text = text_of(name)
    named = {event.recipient for _, event in read(name, text) if not isinstance(event, Rejected)}
    for length in range(0, len(text), 61):
        found = [event for _, event in read(name, text[:length]) if not isinstance(event, Rejected)]
        # An address may be cut off as well, and is then one of a shorter name or domain.
        assert all(any(whole.startswith(event.recipient) for whole in named) for event in found), length


def test_a_daemon_without_an_address_is_one_too():
    text = text_of("sendmail-plain-several-recipients")
    nameless = text.replace(
        "From: Mail Delivery Subsystem <MAILER-DAEMON@out.shop.example>", "From: Mail Delivery Subsystem"
    )
    assert text != nameless
    assert read("sendmail", nameless) == read("sendmail", text)


NEVER = [name for name, (_, expected) in EXPECTED.items() if all(isinstance(told, str) for told in expected)]


@pytest.mark.parametrize("name", NEVER)
@pytest.mark.parametrize("provider", ["dsn", "arf"])
def test_what_is_no_report_never_counts_for_either_provider(name, provider):
    events = [event for _, event in classify(Report(provider, "acme", text_of(name)))]
    assert {event.effect for event in events if not isinstance(event, Rejected)} <= {"ignore"}


def test_a_feedback_report_is_no_bounce_and_a_bounce_no_feedback_report():
    [(_, wrong)] = classify(Report("dsn", "acme", text_of("arf-abuse")))
    assert (wrong.reason, "arf" in wrong.detail) == ("not-a-report", True)
    [(_, wrong)] = classify(Report("arf", "acme", text_of("postfix-user-unknown")))
    assert wrong.reason == "not-a-report"
