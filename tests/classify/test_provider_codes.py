"""A row that asks for a code of its provider's can decide something: there is a report that has that code."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from agents.classify.evidence import Happening
from agents.classify.providers import CODES, MAPPINGS, can_give
from agents.classify.providers.postmark import BOUNCES, SUPPRESSIONS
from agents.classify.providers.sendgrid import HARDNESS
from agents.classify.rule_check import check_rules, never_given
from agents.classify.rules import builtin_rules
from schemas.report import Report
from tests.support.mails import report

NAMED_IN_ROWS: Final = [
    (row.verdict.rule, tuple(sorted(row.providers)), code)
    for row in builtin_rules().rows
    if row.providers
    for code in sorted(row.codes or ())
    if code
]


def _arf(code: str) -> object:
    return report("feedback-report", f"Feedback-Type: {code}\nOriginal-Rcpt-To: jane@example.com\n")


def _mailgun(code: str) -> object:
    event = {"recipient": "jane@example.com", "timestamp": 1760000000}
    if code == "rejected":
        return {**event, "event": "rejected", "reject": {"reason": "no"}}
    return {**event, "event": "failed", "severity": "permanent", "reason": code}


def _mailjet(code: str) -> object:
    family, _, error = code.partition("/")
    event = {"event": "bounce", "time": 1760000000, "email": "jane@example.com"}
    return {**event, "error_related_to": family, "error": error}


def _postmark(code: str) -> object:
    names = {name.lower(): name for name in (*BOUNCES, *SUPPRESSIONS)}
    if code == "reactivation" or code.startswith("suppression/"):
        suppressed = names.get(code.partition("/")[2])
        change = {"SuppressSending": suppressed is not None, "SuppressionReason": suppressed}
        told = {"RecordType": "SubscriptionChange", "Recipient": "jane@example.com", **change}
        return {**told, "ChangedAt": "2025-10-09T08:53:20Z"}
    event = {"RecordType": "Bounce", "Email": "jane@example.com", "BouncedAt": "2025-10-09T08:53:20Z"}
    return {**event, "Type": names.get(code, code)}


def _sendgrid(code: str) -> object:
    event = {"email": "jane@example.com", "timestamp": 1760000000}
    first, _, second = code.partition("/")
    if first == "dropped":
        return [{**event, "event": "dropped", "reason": second}]
    kind, named = (first, second) if first in HARDNESS else ("", first)
    return [{**event, "event": "bounce", "type": kind, "bounce_classification": named}]


def _ses(code: str) -> object:
    first, _, second = code.partition("/")
    mail = {"destination": ["jane@example.com"], "timestamp": "2025-10-09T08:53:20Z"}
    if first == "reject":
        return {"eventType": "Reject", "reject": {"reason": second}, "mail": mail}
    if code == "rendering failure":
        return {"eventType": "Rendering Failure", "failure": {}, "mail": mail}
    if first == "one-of-several":
        named = [{"emailAddress": f"{name}@example.com"} for name in ("jane", "john")]
        complaint = {"complaintFeedbackType": second, "complainedRecipients": named}
        return {"notificationType": "Complaint", "complaint": complaint, "mail": mail}
    bounce = {"bounceType": first, "bounceSubType": second, "bouncedRecipients": [{"emailAddress": "jane@example.com"}]}
    return {"notificationType": "Bounce", "bounce": bounce, "mail": mail}


def _sparkpost(code: str) -> object:
    kind = {"type": "bounce", "bounce_class": code} if code.isdecimal() else {"type": code}
    return {"msys": {"message_event": {**kind, "rcpt_to": "jane@example.com", "timestamp": "1760003000"}}}


# A report that ought to have a code, written as rows write codes: in lower case.
REPORT_OF: Final[Mapping[str, Callable[[str], Any]]] = {
    "arf": _arf,
    "brevo": lambda code: {"event": code, "email": "jane@example.com", "ts_epoch": 1760004000123},
    "mailgun": _mailgun,
    "mailjet": _mailjet,
    "postmark": _postmark,
    "sendgrid": _sendgrid,
    "ses": _ses,
    "sparkpost": _sparkpost,
}


def codes_of_a_report(provider: str, code: str) -> set[str]:
    assert provider in REPORT_OF, f"say in REPORT_OF how a report of {provider} says {code}"
    told = MAPPINGS[provider](Report(provider, "acme", REPORT_OF[provider](code)))
    return {one.provider_code.lower() for _, one in told if isinstance(one, Happening) and one.provider_code}


def is_given(provider: str, pattern: str) -> bool:
    family = pattern.removesuffix("*")
    if family == pattern:
        return codes_of_a_report(provider, pattern) == {pattern}
    members = [code for code in CODES.get(provider, ()) if code.startswith(family)] or [f"{family}something new"]
    return any(codes_of_a_report(provider, code) == {code} for code in members)


@pytest.mark.parametrize(("rule", "providers", "pattern"), NAMED_IN_ROWS)
def test_a_code_that_a_built_in_row_names_is_that_of_some_report_of_its_provider(rule, providers, pattern):
    # Of a row for several providers, each code is one of theirs.
    assert any(is_given(provider, pattern) for provider in providers), (
        f"{rule} never fires for {pattern}: no report of {' or '.join(providers)} gives it; its module has to"
    )


@pytest.mark.parametrize(("provider", "code"), [(name, code) for name in sorted(CODES) for code in sorted(CODES[name])])
def test_every_code_a_module_declares_is_that_of_some_report(provider, code):
    assert codes_of_a_report(provider, code) == {code}


@pytest.mark.parametrize(
    ("provider", "pattern", "given"),
    [
        ("sendgrid", "dropped/invalid", True),
        ("sendgrid", "dropped", True),
        ("sendgrid", "dropped/*", True),
        ("sendgrid", "dropped/never heard of", False),
        ("sendgrid", "never/*", False),
        ("sendgrid", "Dropped", False),
        ("postmark", "suppression/*", True),
        ("postmark", "softbounces", False),
        ("brevo", "delivered", False),
        ("dsn", "5.1.1", False),
        ("dsn", "", True),
        ("mailgun", "something new", True),  # passed on as Mailgun names it
        ("pigeon", "lost", True),  # of normalized reports
    ],
)
def test_what_codes_a_provider_can_give(provider, pattern, given):
    assert can_give(provider, pattern) is given


def test_no_built_in_row_names_a_code_that_is_never_given():
    assert [doubt for row in builtin_rules().rows for doubt in never_given(row)] == []


def test_a_row_that_asks_for_a_code_no_report_gives_is_doubted_and_can_be_used():
    text = """
[[rule]]
id = "acme-drop"
provider = "sendgrid"
provider_code = ["dropped/never heard of", "dropped/invalid"]
status = "Connection issue"
source = "test"
example = { provider = "sendgrid", outcome = "blocked", provider_code = "dropped/never heard of" }
"""
    found = check_rules(text)
    assert found.faults == []
    assert found.doubts == [("acme-drop", 2, "no report of sendgrid gives the code dropped/never heard of")]
    several = check_rules(text.replace('= "sendgrid"\nprovider_code', '= ["mailgun", "sendgrid"]\nprovider_code'))
    assert several.doubts == []
