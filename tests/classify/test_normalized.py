"""Delivery events in Bounceline's own words: every field is checked, nothing else is believed."""

import pytest

from agents.classify.classification import classify
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import OUTCOMES, STATUSES, TYPOLOGY

EVENT = {"recipient": "Jane@Example.com", "occurred_at": "2026-11-20T10:15:30.123Z", "outcome": "bounced"}


def one(**fields) -> DeliveryEvent:
    [(element, found)] = classify(Report("normalized", "acme", {**EVENT, **fields}))
    assert element == 0
    assert isinstance(found, DeliveryEvent), found
    return found


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_alone_decides(outcome):
    expected = {
        "delivered": (None, "reset", "delivered"),
        "bounced": ("Connection issue", "count", "bounced-unexplained"),
        "blocked": (None, "ignore", "blocked-unexplained"),
        "complained": ("Spam", "block", "complained"),
        "unsubscribed": ("User", "block", "unsubscribed"),
        "resubscribed": (None, "lift", "resubscribed"),
        "deferred": (None, "ignore", "not-final"),
        "opened": (None, "ignore", "reader-activity"),
        "clicked": (None, "ignore", "reader-activity"),
        "other": (None, "ignore", "other"),
    }
    found = one(outcome=outcome)
    assert (found.status, found.effect, found.rule) == expected[outcome]
    assert found.outcome == outcome


@pytest.mark.parametrize("outcome", [None, *OUTCOMES])
@pytest.mark.parametrize("status", STATUSES)
def test_an_explicit_status_wins_over_all_other_fields(status, outcome):
    found = one(
        status=status,
        outcome=outcome,
        permanent=True,
        enhanced_code="5.7.1",
        diagnostic="550 5.1.1 user unknown",
    )
    assert (found.status, found.effect) == (status, TYPOLOGY[status].effect)
    assert found.rule.startswith("status-given-")


@pytest.mark.parametrize(
    ("status", "outcome", "shown"),
    [
        ("Quota exceeded", None, "bounced"),
        ("Quota exceeded", "delivered", "bounced"),
        ("Quota exceeded", "deferred", "bounced"),
        ("Quota exceeded", "blocked", "blocked"),
        ("Spam", "bounced", "complained"),
        ("Spam", "blocked", "blocked"),
        ("User", "resubscribed", "unsubscribed"),
        ("User", "opened", "unsubscribed"),
        ("Typofix", None, "blocked"),
        ("Typofix", "bounced", "bounced"),
        ("Preblock", "delivered", "blocked"),
        (":", "delivered", "bounced"),
    ],
)
def test_an_outcome_that_contradicts_the_status_gives_way(status, outcome, shown):
    assert one(status=status, outcome=outcome).outcome == shown


def test_a_bare_bad_address_from_an_import_can_be_told_apart():
    found = one(status=":", outcome=None)
    assert (found.status, found.effect, found.rule) == (":", "block", "import-unverified")
    assert (
        one(status=":", provider="mautic", message_id="m1", campaign_id="c", event_id="e").rule == "import-unverified"
    )


@pytest.mark.parametrize(
    "evidence",
    [
        {"permanent": False},
        {"smtp_code": "550"},
        {"enhanced_code": "5.1.2"},
        {"diagnostic": "x"},
        {"provider_code": "x"},
    ],
)
def test_a_bad_address_with_evidence_is_not_bare(evidence):
    assert one(status=":", **evidence).rule == "status-given-nonexistent-address"


@pytest.mark.parametrize(
    ("evidence", "status"),
    [
        ({"enhanced_code": "5.1.1"}, "User unknown"),
        ({"enhanced_code": "5.1.1", "permanent": False}, "User unknown"),
        ({"enhanced_code": "4.1.1", "permanent": True}, "Connection issue"),
        ({"enhanced_code": "5.1.2"}, ":"),
        ({"enhanced_code": "5.2.2", "permanent": True}, "Quota exceeded"),
        ({"enhanced_code": "4.2.2"}, "Quota exceeded"),
        ({"enhanced_code": "5.7.1", "permanent": True}, None),
        ({"smtp_code": 550, "permanent": True}, ":"),
        ({"smtp_code": 550, "permanent": False}, "Connection issue"),
        ({"smtp_code": 421, "permanent": True}, "Connection issue"),
        ({"smtp_code": 552}, "Quota exceeded"),
        ({"permanent": True}, ":"),
        ({"permanent": False}, "Connection issue"),
        ({"diagnostic": "550 5.1.1 <jane@example.com>: user unknown"}, "User unknown"),
        ({"diagnostic": "mailbox full", "permanent": True}, "Quota exceeded"),
        ({"diagnostic": "connection timed out", "permanent": True}, "Connection issue"),
        ({"diagnostic": "nonsense", "permanent": False}, "Connection issue"),
        ({"diagnostic": "nonsense", "permanent": True}, ":"),
        ({"provider": "mailjet", "provider_code": "recipient/user unknown"}, "User unknown"),
        ({"provider": "ses", "provider_code": "recipient/user unknown"}, "Connection issue"),
    ],
)
def test_evidence_decides(evidence, status):
    assert one(**evidence).status == status


@pytest.mark.parametrize("feedback", ["not-spam", "auth-failure", "Not-Spam"])
def test_a_complaint_that_is_none_is_ignored(feedback):
    assert one(outcome="complained", provider_code=feedback).effect == "ignore"
    assert one(outcome="complained", provider_code="abuse").status == "Spam"


def test_all_fields_come_out_in_canonical_form():
    found = one(
        provider="ses",
        event_id="e1",
        message_id="m1",
        campaign_id="c1",
        permanent=True,
        smtp_code="550",
        enhanced_code="5.1.1",
        diagnostic="unknown",
        provider_code="Permanent/NoEmail",
    )
    assert (found.tenant, found.recipient, found.occurred_at) == (
        "acme",
        "jane@example.com",
        "2026-11-20T10:15:30.123Z",
    )
    assert (found.provider, found.event_id, found.message_id, found.campaign_id) == ("ses", "e1", "m1", "c1")
    assert (found.permanent, found.smtp_code, found.enhanced_code) == (True, "550", "5.1.1")
    assert (found.diagnostic, found.provider_code) == ("unknown", "Permanent/NoEmail")


@pytest.mark.parametrize("name", ["provider", "event_id", "message_id", "campaign_id", "smtp_code", "provider_code"])
@pytest.mark.parametrize(
    ("given", "text"),
    [
        (7, "7"),
        (19421777835146490, "19421777835146490"),
        (7.0, "7"),
        (1.5, "1.5"),
        ("", None),
        (None, None),
        (" ", " "),
    ],
)
def test_ids_become_text_and_empty_ones_are_absent(name, given, text):
    assert getattr(one(**{name: given}), name) == text


@pytest.mark.parametrize("name", ["provider", "event_id", "message_id", "campaign_id", "diagnostic", "enhanced_code"])
@pytest.mark.parametrize("given", [True, [], {}, ["m"], 1.9e16, 2**70, float("nan"), float("inf")])
def test_what_is_no_text_is_rejected(name, given):
    assert rejected(**{name: given}) == "wrong-type"


def rejected(**fields) -> str:
    [(element, found)] = classify(Report("normalized", "acme", {**EVENT, **fields}))
    assert element == 0
    assert isinstance(found, Rejected), found
    return found.reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"recipient": None}, "missing-field"),
        ({"recipient": ""}, "missing-field"),
        ({"recipient": 5}, "wrong-type"),
        ({"recipient": ["jane@example.com"]}, "wrong-type"),
        ({"recipient": "jane"}, "bad-recipient"),
        ({"occurred_at": None}, "missing-field"),
        ({"occurred_at": ""}, "missing-field"),
        ({"occurred_at": "yesterday"}, "bad-time"),
        ({"occurred_at": True}, "bad-time"),
        ({"occurred_at": []}, "bad-time"),
        ({"occurred_at": 1e300}, "bad-time"),
        ({"outcome": None}, "missing-field"),
        ({"outcome": ""}, "missing-field"),
        ({"outcome": "Bounced"}, "unknown-outcome"),
        ({"outcome": "exploded"}, "unknown-outcome"),
        ({"outcome": False}, "wrong-type"),
        ({"outcome": []}, "wrong-type"),
        ({"status": "Full"}, "unknown-status"),
        ({"status": "user unknown"}, "unknown-status"),
        ({"status": 0}, "wrong-type"),
        ({"status": {}}, "wrong-type"),
        ({"permanent": "true"}, "wrong-type"),
        ({"permanent": 1}, "wrong-type"),
        ({"permanent": ""}, "wrong-type"),
        ({"tenant": "other"}, "tenant-mismatch"),
        ({"tenant": "Acme"}, "tenant-mismatch"),
        ({"tenant": "a b"}, "bad-tenant"),
        ({"tenant": 7}, "wrong-type"),
        ({"tenant": False}, "wrong-type"),
    ],
)
def test_a_bad_field_is_rejected_as(fields, reason):
    assert rejected(**fields) == reason


@pytest.mark.parametrize("tenant", ["acme", "", None])
def test_a_tenant_that_is_absent_is_that_of_the_report(tenant):
    assert one(tenant=tenant).tenant == "acme"
    assert one().tenant == "acme"


def test_what_only_the_output_has_is_not_believed():
    found = one(event_uid="forged", effect="block", rule="mine", category="x", colour="red")
    assert found == one()
    assert found.event_uid != "forged"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-11-20T11:15:30.123456+01:00", "2026-11-20T10:15:30.123Z"),
        (1795169730, "2026-11-20T10:15:30.000Z"),
        (1795169730.123, "2026-11-20T10:15:30.123Z"),
        ("1795169730123", "2026-11-20T10:15:30.123Z"),
    ],
)
def test_times_are_read_in_all_their_forms(given, shown):
    assert one(occurred_at=given).occurred_at == shown


def test_an_array_holds_many_events_each_decided_on_its_own():
    found = classify(Report("normalized", "acme", [EVENT, {}, None, {**EVENT, "recipient": "joe@example.com"}]))
    assert [element for element, _ in found] == [0, 1, 2, 3]
    assert [type(event) for _, event in found] == [DeliveryEvent, Rejected, Rejected, DeliveryEvent]


def test_the_output_classified_again_says_the_same():
    first = one(enhanced_code="5.1.1", provider="ses", event_id="e")
    [(_, second)] = classify(
        Report("normalized", "acme", {name: getattr(first, name) for name in first.__struct_fields__})
    )
    assert (second.status, second.effect, second.recipient) == (first.status, first.effect, first.recipient)


@pytest.mark.parametrize("field", ["event_id", "message_id", "campaign_id"])
def test_an_id_has_at_most_a_thousand_characters(field):
    """An id is kept with the contact: 256 of any length would not fit into one record."""
    assert getattr(one(**{field: "m" * 1_000}), field) == "m" * 1_000
    [(_, found)] = classify(Report("normalized", "acme", {**EVENT, field: "m" * 1_001}))
    assert found == Rejected("wrong-type", "an id is longer than 1000 characters")
