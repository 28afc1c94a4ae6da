"""Reply codes and enhanced status codes out of what servers write."""

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.classify.status_codes import Codes, codes_in, read_codes

REPLIES = {
    "550 5.1.1 unknown": ("550", "5.1.1"),
    "550-5.1.1 The account does not exist.\r\n550-5.1.1 Try again\r\n550 5.1.1 bye": ("550", "5.1.1"),
    "550-5.1.1 The account 550 5.1.1 does not exist": ("550", "5.1.1"),
    "550 #5.1.0 Address rejected.": ("550", "5.1.0"),
    "550.5.4.1 [x]: Recipient address rejected": ("550", "5.4.1"),
    "550 sorry, no mailbox here by that name (#5.7.1)": ("550", "5.7.1"),
    "smtp; 552 5.2.2 over quota": ("552", "5.2.2"),
    "SMTP;421 4.4.2 timeout": ("421", "4.4.2"),
    "5.1.1": (None, "5.1.1"),
    "5.2.2 (mailbox full)": (None, "5.2.2"),
    "Status: 5.1.2, no such host": (None, "5.1.2"),
    "421": ("421", None),
    "host mx.example.com[192.0.2.1] said: 450 4.2.0 try again": ("450", "4.2.0"),
    "host mx.example.com[192.0.2.1] said: 450 try again": ("450", None),
    "delivery failed (550)": ("550", None),
    "SMTP error code 554": ("554", None),
    "550 5.7.509 Access denied": ("550", "5.7.509"),
    # A specific code before a generic one, and the code whose class agrees with the reply.
    "550 5.0.0 host said: 550 5.1.1 unknown": ("550", "5.1.1"),
    "451 4.4.7 expired; last answer: 452 4.2.2 full": ("451", "4.2.2"),
    "554 5.4.7 expired, last answer 5.2.2": ("554", "5.2.2"),
    "550 5.3.0 or 5.3.2": ("550", "5.3.2"),
    "550 see 4.2.2, which is 5.1.1": ("550", "5.1.1"),
    "250 2.1.0 sender ok, then 550 5.1.1 unknown": ("550", "5.1.1"),
    "550 4.4.7 QUEUE.Expired": ("550", "4.4.7"),
    # What is no code.
    "rejected 5.1.1.1": (None, None),
    "blocked 192.5.1.1": (None, None),
    "blocked 5.1.1.0/24": (None, None),
    "[203.0.113.5] 4.55.1.1": (None, None),
    "running Exim 4.7.1": (None, None),
    "version 5.1.2 of the filter": (None, None),
    "milter v5.1.2": (None, None),
    "(Postfix 4.2.1)": (None, None),
    "since 4.5.25": (None, None),
    "on 4.5.2025": (None, None),
    "4.5.2025": (None, None),
    "5.12.25": (None, None),
    "5.1.1-beta": (None, None),
    "file-5.1.1": (None, None),
    "x5.1.1": (None, None),
    "jane@5.1.1": (None, None),
    "2.1.5": (None, None),
    "limit of 500 messages": (None, None),
    "port 587 closed": (None, None),
    "550kB": (None, None),
    "ticket 4501234": (None, None),
    "": (None, None),
}


@pytest.mark.parametrize(("text", "codes"), REPLIES.items(), ids=REPLIES.keys())
def test_the_codes_of_a_reply_are(text, codes):
    assert codes_in(text) == Codes(*codes)


@pytest.mark.parametrize(
    ("named", "codes"),
    [
        (("550", "5.1.1", None), ("550", "5.1.1")),
        (("550", "5.1.1", "450 4.2.2 full"), ("550", "5.1.1")),
        (("550", "5.0.0", "550 5.1.1 unknown"), ("550", "5.1.1")),
        (("550", "5.0.0", "words"), ("550", "5.0.0")),
        (("550", None, "5.1.1 unknown"), ("550", "5.1.1")),
        (("550", None, "the code 4.4.1 is not it, 5.1.1 is"), ("550", "5.1.1")),
        ((None, "#5.1.1", None), (None, "5.1.1")),
        (("550 5.1.1 whole reply", None, None), ("550", "5.1.1")),
        (("nonsense", "x.y.z", None), (None, None)),
        (("605", None, None), (None, None)),
        ((None, None, "550 5.1.1"), ("550", "5.1.1")),
        ((None, None, None), (None, None)),
    ],
)
def test_named_codes_come_first_unless_they_say_nothing(named, codes):
    assert read_codes(*named) == Codes(*codes)


@given(st.text(), st.text(), st.text())
def test_any_text_has_codes_or_none(smtp_code, enhanced_code, diagnostic):
    reply, enhanced = read_codes(smtp_code, enhanced_code, diagnostic)
    assert reply is None or (len(reply) == 3 and reply[0] in "45")
    assert enhanced is None or enhanced[0] in "45"


@pytest.mark.parametrize("piece", ["5.1.1 ", "550 ", "550-", "5.1.", "on ", "\n550", "5", ".", "smtp;", " "])
def test_a_long_text_costs_no_time(piece):
    text = piece * (4096 // len(piece))
    began = perf_counter()
    codes_in(text)
    assert perf_counter() - began < 0.25
