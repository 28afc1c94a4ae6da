"""When two suppression records say the same, and under which key they stand."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.suppression import Reason, Suppression, suppression_key
from schemas.typology import TYPOLOGY, Status

SINCE = "2026-11-20T10:15:30.123Z"


def reason(status: Status = "Spam", **changes: Any) -> Reason:
    meaning = TYPOLOGY[status]
    fields = {"since": SINCE, "expires_at": None, "rule": "r", "evidence": ("m1",), **changes}
    return Reason(status=status, category=meaning.category, severity=meaning.severity, **fields)


SPAM = Suppression(
    schema=1,
    tenant="acme",
    recipient="jane@example.com",
    action="suppress",
    status="Spam",
    category="complaint",
    severity="critical",
    since=SINCE,
    expires_at=None,
    reasons=(reason(),),
    suppression_id="id",
    policy="p",
    cause="report",
)


def test_policy_and_cause_make_no_other_decision():
    assert SPAM.same_decision(replace(SPAM, policy="another", cause="retract:42"))
    assert replace(SPAM, policy="another", cause="check").same_decision(SPAM)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"tenant": "umbrella"},
        {"recipient": "john@example.com"},
        {"action": "release"},
        {"status": "User"},
        {"category": "unsubscribe"},
        {"severity": "none"},
        {"since": "2026-11-20T10:15:30.124Z"},
        {"expires_at": SINCE},
        {"reasons": ()},
        {"reasons": (reason(evidence=("m2",)),)},
        {"reasons": (reason(rule="s"),)},
        {"reasons": (reason(), reason("User"))},
        {"suppression_id": "another"},
    ],
)
def test_everything_else_does(change):
    assert not SPAM.same_decision(replace(SPAM, **change))


def test_every_field_is_covered():
    assert {"policy", "cause"} | {
        *("schema", "tenant", "recipient", "action", "status", "category", "severity"),
        *("since", "expires_at", "reasons", "suppression_id"),
    } == set(Suppression.__struct_fields__)


def test_the_key_is_tenant_unit_separator_and_recipient_in_utf_8():
    assert suppression_key("acme", "jane@example.com") == b"acme\x1fjane@example.com"
    assert suppression_key("acme", "jörg@example.com") == b"acme\x1fj\xc3\xb6rg@example.com"


NAMES = st.tuples(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True), st.text(st.characters(codec="utf-8")))


@settings(max_examples=200, deadline=None)
@given(NAMES, NAMES)
def test_two_contacts_never_share_a_key(one, other):
    assert (one == other) == (suppression_key(*one) == suppression_key(*other))
