"""What codes and common replies mean, written down apart from the rule table."""

import pytest

from agents.classify.classification import classify
from schemas.report import Report

UU, CO, QE, CI, IG = "User unknown", ":", "Quota exceeded", "Connection issue", None


def status(permanent=None, **fields):
    told = {"recipient": "jane@example.com", "occurred_at": 1760000000, "outcome": "bounced"}
    [(_, event)] = classify(Report("normalized", "acme", {**told, **fields, "permanent": permanent}))
    return event.status


# An enhanced code alone, whatever the flag: (of class 4, of class 5); "" where the class does not exist.
STATUS_OF_CODE = {
    "1.0": (CI, UU),
    "1.1": (CI, UU),
    "1.2": (CI, CO),
    "1.3": (CI, CO),
    "1.4": (CI, UU),
    "1.5": (IG, IG),
    "1.6": (CI, UU),
    "1.7": (IG, IG),
    "1.8": (IG, IG),
    "1.9": (IG, IG),
    "1.10": (CI, CO),
    "2.0": (IG, ""),
    "2.1": (CI, UU),
    "2.2": (QE, QE),
    "2.3": (IG, IG),
    "2.4": (CI, CI),
    "3.0": (CI, CI),
    "3.1": (CI, CI),
    "3.2": (CI, CI),
    "3.3": (IG, IG),
    "3.4": (IG, IG),
    "3.5": (CI, CI),
    "3.6": (IG, IG),
    "4.0": (CI, CI),
    "4.1": (CI, CI),
    "4.2": (CI, CI),
    "4.3": (CI, CI),
    "4.4": (CI, CO),
    "4.5": (CI, CI),
    "4.6": (CI, CI),
    "4.7": (CI, CI),
    "5.0": (IG, IG),
    "5.1": (IG, IG),
    "5.2": (IG, IG),
    "5.3": (IG, IG),
    "5.4": (IG, IG),
    "5.6": (IG, IG),
    "6.0": (IG, IG),
    "6.1": (IG, IG),
    "6.5": (IG, IG),
    "6.7": (IG, IG),
    "7.0": (IG, IG),
    "7.1": (IG, IG),
    "7.2": (IG, IG),
    "7.8": (IG, IG),
    "7.13": (IG, UU),
    "7.17": (IG, UU),
    "7.18": (IG, CO),
    "7.20": (IG, IG),
    "7.21": (IG, IG),
    "7.23": (IG, IG),
    "7.24": (IG, IG),
    "7.25": (IG, IG),
    "7.26": (IG, IG),
    "7.27": (IG, IG),
    "7.28": (IG, IG),
    "7.29": (IG, IG),
    "7.133": (IG, IG),
    "7.509": (IG, IG),
}


@pytest.mark.parametrize("permanent", [True, False, None], ids=["hard", "soft", "unflagged"])
@pytest.mark.parametrize("code", STATUS_OF_CODE)
def test_an_enhanced_code_means_the_same_under_every_flag(code, permanent):
    temporary, lasting = STATUS_OF_CODE[code]
    assert status(permanent, enhanced_code=f"4.{code}") == temporary
    if lasting != "":
        assert status(permanent, enhanced_code=f"5.{code}") == lasting
        assert status(permanent, diagnostic=f"550 5.{code} words") == lasting


def test_a_code_that_tells_only_its_class_leaves_it_to_the_flag():
    assert [status(flag, enhanced_code="5.0.0") for flag in (True, False, None)] == [CO, CI, CO]
    assert [status(flag, enhanced_code="5.2.0") for flag in (True, False, None)] == [CO, CI, CO]
    assert [status(flag, enhanced_code="4.0.0") for flag in (True, False, None)] == [CI, CI, CI]


def test_exchange_has_codes_of_its_own():
    assert status(enhanced_code="5.4.310") == CO
    assert status(enhanced_code="5.1.90") == IG


# A reply code alone: hard, soft, unflagged.
STATUS_OF_REPLY = {
    "421": (CI, CI, CI),
    "450": (CI, CI, CI),
    "451": (CI, CI, CI),
    "452": (CI, CI, CI),
    "500": (IG, IG, IG),
    "501": (CO, CI, CO),
    "503": (IG, IG, IG),
    "521": (CO, CO, CO),
    "523": (IG, IG, IG),
    "530": (IG, IG, IG),
    "550": (CO, CI, CO),
    "551": (CO, CI, CO),
    "552": (QE, QE, QE),
    "553": (CO, CI, CO),
    "554": (CO, CI, CI),
    "556": (CO, CO, CO),
    "571": (IG, IG, IG),
}


@pytest.mark.parametrize("code", STATUS_OF_REPLY)
def test_a_reply_code_alone_means(code):
    assert tuple(status(flag, smtp_code=code) for flag in (True, False, None)) == STATUS_OF_REPLY[code]


USER_UNKNOWN = r"""
550 5.1.1 <jane@example.com>: Recipient address rejected: User unknown in virtual mailbox table
550-5.1.1 The email account that you tried to reach does not exist. Please try 550 5.1.1 again
554 delivery error: dd This user doesn't have a yahoo.com account (jane@yahoo.com) [0]
550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).
550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient jane@contoso.com not found by SMTP address lookup
550 5.4.1 Recipient address rejected: Access denied. AS(201806281)
550 No such user here
550 #5.1.0 Address rejected.
511 5.1.1 unknown address
550 5.2.1 The email account that you tried to reach is disabled
550 5.7.1 <jane@example.com>: Recipient address rejected: user unknown
551 not our customer
550 sorry, no mailbox here by that name. (#5.1.1)
550 5.1.6 recipient no longer on server
550 <jane@example.com>... User unknown
550 Mailbox not found
550 Unknown local part jane in <jane@example.com>
550 5.1.1 <spamhaus.blocklist@example.com> recipient rejected
host mx.barracuda.example[192.0.2.9] said: 550 5.1.1 recipient rejected
550 Requested action not taken: mailbox unavailable
550 account is inactive
""".strip().splitlines()

QUOTA_EXCEEDED = """
452 4.2.2 The email account that you tried to reach is over quota
552 5.2.2 mailbox full
550 5.2.2 Over quota
554 delivery error: dd Sorry, this mailbox is over quota (554.30)
552 Requested mail action aborted: exceeded storage allocation
550 <full.mailbox@example.com> mailbox is full
4.2.2 (mailbox full)
550 mailbox for jane is full
550-Mailbox jane@example.com full
550 The user jane is over quota
5.2.2 smtp;550 User's mailbox exceeded its storage quota
554 5.2.2 STOREDRV.Deliver.Exception:QuotaExceededException; Failed to process message
550 5.7.1 mailbox is full
550 quota exceeded
""".strip().splitlines()

CONNECTION_ISSUE = """
421 4.4.1 connection timed out
connect to mx.example.com[192.0.2.5]:25: Connection refused
450 4.1.1 user unknown
450 user unknown
451 4.3.0 Temporary lookup failure
4.4.7 (delivery time expired)
550 4.4.7 QUEUE.Expired; message expired
421 Service not available, closing transmission channel
450 Requested mail action not taken: mailbox unavailable
452 4.3.1 Insufficient system storage
Host or domain name not found. Name service error for name=example.com: Host not found, try again
451 temporary local problem - please try later
lost connection with mx.example.com[192.0.2.5] while receiving the initial server greeting
5.4.6 routing loop
error: Retry timeout exceeded
""".strip().splitlines()

NO_SUCH_ADDRESS = """
550 5.1.2 Host unknown (Name server: example.invalid: host not found)
556 5.1.10 Domain has a null MX
5.4.4 Host or domain name not found. Name service error for name=example.invalid type=A: Host not found
550 Unrouteable address
553 5.1.3 Invalid address syntax
unable to get mx info: no MX or A record
no such domain
501 malformed address
""".strip().splitlines()


@pytest.mark.parametrize("permanent", [True, None], ids=["hard", "unflagged"])
@pytest.mark.parametrize("diagnostic", USER_UNKNOWN)
def test_the_user_is_unknown(diagnostic, permanent):
    assert status(permanent, diagnostic=diagnostic) == UU


@pytest.mark.parametrize("permanent", [True, False, None], ids=["hard", "soft", "unflagged"])
@pytest.mark.parametrize("diagnostic", QUOTA_EXCEEDED)
def test_the_mailbox_is_full_whatever_the_flag(diagnostic, permanent):
    assert status(permanent, diagnostic=diagnostic) == QE


@pytest.mark.parametrize("permanent", [True, False, None], ids=["hard", "soft", "unflagged"])
@pytest.mark.parametrize("diagnostic", CONNECTION_ISSUE)
def test_the_server_has_a_bad_day_whatever_the_flag(diagnostic, permanent):
    assert status(permanent, diagnostic=diagnostic) == CI


@pytest.mark.parametrize("permanent", [True, None], ids=["hard", "unflagged"])
@pytest.mark.parametrize("diagnostic", NO_SUCH_ADDRESS)
def test_the_address_does_not_exist(diagnostic, permanent):
    assert status(permanent, diagnostic=diagnostic) == CO


@pytest.mark.parametrize("words", ["no such user", "host not found", "account disabled", "invalid address"])
def test_words_alone_block_nobody_of_whom_the_provider_says_that_it_may_pass(words):
    assert status(None, diagnostic=words) in (UU, CO)
    assert status(False, diagnostic=words) == CI
    assert status(None, diagnostic=f"450 {words}") == CI
