"""Commands are read strictly, and what can't be read says why without naming anybody (SPEC 7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.classify.address import canonical_recipient
from schemas.codec import decode_command
from schemas.command import BY_DEFAULT, Erase, Release, Retract, Suppress
from schemas.command_reading import to_command
from schemas.rejected import Rejected
from schemas.times import parse_time

SAID = {"id": "c1", "at": "2026-11-20T10:00:00Z"}
WHOM = {"tenant": "acme", "recipient": "Jane <JANE@Example.com>"}
AT = parse_time(SAID["at"])


def read(**value):
    return to_command(value, canonical_recipient)


def test_a_release_that_names_nothing_lifts_all_but_a_complaint_and_an_unsubscribe():
    release = read(command="release", **SAID, **WHOM)
    assert release == Release(id="c1", at=AT, tenant="acme", recipient="jane@example.com", statuses=BY_DEFAULT)
    assert "Spam" not in BY_DEFAULT
    assert "User" not in BY_DEFAULT


def test_a_release_of_a_rule_lifts_that_rule_alone():
    release = read(command="release", **SAID, **WHOM, rules=["import-unverified"])
    assert (release.statuses, release.rules) == ((), ("import-unverified",))


@pytest.mark.parametrize("status", ["Spam", "User"])
def test_a_complaint_and_an_unsubscribe_are_lifted_with_a_proof_of_consent_alone(status):
    refused = read(command="release", **SAID, **WHOM, statuses=[status])
    assert isinstance(refused, Rejected)
    assert refused.reason == "missing-field"
    assert read(command="release", **SAID, **WHOM, statuses=[status], consent="form 7").statuses == (status,)
    for nothing in ("", "  ", "\t"):
        refused = read(command="release", **SAID, **WHOM, statuses=[status], consent=nothing)
        assert refused.reason == "missing-field"


def test_the_other_commands_are_read():
    suppress = read(command="suppress", **SAID, **WHOM, status="User", note="by phone", actor="op")
    assert suppress == Suppress(
        id="c1", at=AT, tenant="acme", recipient="jane@example.com", status="User", note="by phone", actor="op"
    )
    assert read(command="erase", **SAID, **WHOM) == Erase(id="c1", at=AT, tenant="acme", recipient="jane@example.com")
    incident = {"statuses": ["User unknown"], "from": AT - 10, "to": AT, "domain": "Example.COM", "provider": "ses"}
    assert read(command="retract", **SAID, **incident) == Retract(
        id="c1", at=AT, statuses=("User unknown",), start=AT - 10, end=AT, domain="example.com", provider="ses"
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "missing-field"),
        ({"command": "forget"}, "unknown-command"),
        ({"command": ["release"]}, "unknown-command"),
        ({"command": "release", **WHOM, "at": SAID["at"]}, "missing-field"),
        ({"command": "release", **WHOM, "id": "c1"}, "missing-field"),
        ({"command": "release", **SAID, "tenant": "acme"}, "missing-field"),
        ({"command": "release", **SAID, **WHOM, "recipient": "nobody"}, "bad-recipient"),
        ({"command": "release", **SAID, **WHOM, "tenant": "a b"}, "bad-tenant"),
        ({"command": "release", **SAID, **WHOM, "statuses": ["Bounce"]}, "unknown-status"),
        ({"command": "release", **SAID, **WHOM, "statuses": "User"}, "wrong-type"),
        ({"command": "suppress", **SAID, **WHOM}, "missing-field"),
        ({"command": "suppress", **SAID, **WHOM, "status": "\ud800"}, "wrong-type"),
        ({"command": "retract", **SAID, "from": AT, "to": AT + 1}, "missing-field"),
        ({"command": "retract", **SAID, "statuses": ["Spam"], "from": AT, "to": AT}, "bad-time"),
        (
            {"command": "retract", **SAID, "statuses": ["Spam"], "from": AT, "to": AT + 1, "domain": "-"},
            "bad-recipient",
        ),
    ],
)
def test_a_bad_command_says_what_is_wrong(value, reason):
    refused = to_command(value, canonical_recipient)
    assert isinstance(refused, Rejected)
    assert refused.reason == reason
    assert "example" not in refused.detail.lower()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)
FIELDS = ["id", "at", "tenant", "recipient", "statuses", "status", "rules", "consent", "from", "to", "domain", "note"]


@given(st.sampled_from(["release", "suppress", "erase", "retract"]), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_whatever_the_fields_hold_a_command_is_read_or_rejected(name, fields):
    told = to_command({**SAID, **WHOM, **fields, "command": name}, canonical_recipient)
    assert isinstance(told, Release | Suppress | Erase | Retract | Rejected)


@given(st.binary())
def test_whatever_the_bytes_are_no_exception_comes_of_them(value):
    assert isinstance(decode_command(value, canonical_recipient), Rejected)
