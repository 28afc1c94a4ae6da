"""The typology is SPEC 1's table, row by row."""

import pytest

from schemas.typology import OUTCOMES, SOFT, STATUSES, STRENGTH, TYPOLOGY

# status, category, severity, and the rule: block at once, or count towards the fifth failed attempt.
TABLE = [
    ("User unknown", "hard_bounce", "high", "block"),
    (":", "hard_bounce", "high", "block"),
    ("Spam", "complaint", "critical", "block"),
    ("Typofix", "system_protection", "moderate", "block"),
    ("Quota exceeded", "soft_bounce", "low", "count"),
    ("Connection issue", "soft_bounce", "very_low", "count"),
    ("Preblock", "network_protection", "none", "block"),
    ("User", "unsubscribe", "none", "block"),
]


@pytest.mark.parametrize(("status", "category", "severity", "effect"), TABLE)
def test_a_status_means_what_the_guide_says(status, category, severity, effect):
    meaning = TYPOLOGY[status]
    assert (category, severity, effect) == (meaning.category, meaning.severity, meaning.effect)


def test_the_list_is_closed():
    assert {row[0] for row in TABLE} == set(TYPOLOGY) == set(STATUSES)
    assert len(STATUSES) == 8


def test_reasons_stand_in_order_of_strength():
    expected = ["Spam", "User", "User unknown", ":", "Typofix", "Quota exceeded", "Connection issue", "Preblock"]
    assert expected == sorted(STRENGTH, key=STRENGTH.__getitem__)


def test_two_statuses_share_the_soft_bounce_counter():
    assert {"Quota exceeded", "Connection issue"} == SOFT


def test_a_status_implies_one_of_the_ten_outcomes():
    assert len(OUTCOMES) == 10
    assert {meaning.outcome for meaning in TYPOLOGY.values()} <= set(OUTCOMES)
