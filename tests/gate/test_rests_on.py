"""What a pre-block rests on: what is kept of it, what a retraction leaves, and whether it still stands (SPEC 7, 8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gate.preblock import MAX_RESTS_ON, bounded, preblocked, standing_since, without
from schemas.command import Retract
from schemas.order import HardBounce
from schemas.policy import parse_policy
from schemas.times import DAY
from tests.support.network import bounced

NOW = 1_795_000_000_000
POLICY = parse_policy("""
[tenants.two.preblock]
min_tenants = 2
[tenants.many.preblock]
min_tenants = 20
""")
ONE, TWO = POLICY.of("one").preblock, POLICY.of("two").preblock
A, B = HardBounce(NOW, "acme", "User unknown", "ses"), HardBounce(NOW - DAY, "beta", ":", "")


def incident(*statuses, start=0, end=NOW + 1, **narrowed):
    return Retract(id="r", at=NOW, statuses=statuses or ("User unknown", ":"), start=start, end=end, **narrowed)


def rests_on(told, tenant="one", exempt_until=None):
    found = preblocked(told, tenant, POLICY, NOW, exempt_until)
    assert found
    return found.rests_on


def test_a_denial_names_the_bounces_that_count_and_no_others():
    told = bounced(acme=NOW - 2, beta=NOW - 1, gamma=NOW - 31 * DAY, one=NOW)
    assert rests_on(told) == (told["acme"], told["beta"])
    assert rests_on(told, exempt_until=NOW - 2) == (told["beta"],)


@pytest.mark.parametrize(("tenant", "number"), [("one", MAX_RESTS_ON), ("many", 20)])
def test_of_many_the_newest_are_named_and_as_many_as_it_takes(tenant, number):
    told = bounced({f"t{place}": NOW - place for place in range(40)})
    assert rests_on(told, tenant) == tuple(sorted(told.values())[-number:])


@pytest.mark.parametrize(
    ("narrowed", "left"),
    [
        ({}, []),
        ({"tenant": "acme"}, [B]),
        ({"tenant": "beta"}, [A]),
        ({"tenant": "gamma"}, [B, A]),
        ({"provider": "ses"}, [B]),
        ({"provider": "normalized"}, [A]),
        ({"provider": "mailgun"}, [B, A]),
        ({"end": NOW}, [A]),
        ({"start": NOW}, [B]),
        ({"tenant": "acme", "provider": "normalized"}, [B, A]),
    ],
)
def test_an_incident_takes_the_bounces_of_its_tenant_provider_and_time(narrowed, left):
    assert without([B, A], [incident(**narrowed)]) == left


def test_an_incident_takes_the_bounces_of_its_statuses_and_several_take_together():
    assert without([B, A], [incident(":")]) == [A]
    assert without([B, A], [incident("Preblock", "Spam")]) == [B, A]
    assert without([B, A], [incident(":"), incident("User unknown")]) == []


@pytest.mark.parametrize(
    ("narrowed", "taken"),
    [({}, True), ({"statuses": (":",)}, True), ({"tenant": "acme"}, False)]
    + [({"provider": provider}, False) for provider in ("ses", "normalized", "")],
)
def test_where_only_the_time_is_known_who_names_a_tenant_or_a_provider_may_mean_another(narrowed, taken):
    told = Retract(**{"id": "r", "at": NOW, "statuses": ("User unknown",), "start": 0, "end": NOW + 1, **narrowed})
    assert (without([HardBounce(NOW)], [told]) == []) is taken


def test_a_block_stands_with_the_latest_with_which_enough_tenants_are_near():
    assert standing_since([], ONE) is None
    assert (standing_since([B, A], ONE), standing_since([B], ONE)) == (A.at, B.at)
    assert (standing_since([B, A], TWO), standing_since([B], TWO)) == (A.at, None)
    again = A._replace(at=A.at - 1)
    assert standing_since([again, A], TWO) is None
    late = HardBounce(B.at + 30 * DAY, "gamma", ":", "")
    assert standing_since([B, A._replace(at=B.at), late], TWO) == B.at
    assert standing_since([B, late._replace(at=late.at - 1)], TWO) == late.at - 1
    assert standing_since([HardBounce(NOW)], TWO) == NOW  # a check has counted


TENANTS = st.sampled_from([f"t{number}" for number in range(9)])
TOLD = st.lists(st.builds(HardBounce, st.integers(0, 30), TENANTS, st.just(":"), st.just("ses")), max_size=40)


@given(TOLD, TOLD, TOLD)
def test_what_is_kept_does_not_depend_on_the_order_of_denials_nor_on_repeats(one, two, three):
    together = bounded([*one, *two, *three], ONE)
    assert bounded([*bounded([*three, *two], ONE), *one], ONE) == together == bounded([*together, *two], ONE)
    assert len(together) <= MAX_RESTS_ON
    newest = {tenant: max(b for b in (*one, *two, *three) if b.tenant == tenant) for tenant in {b.tenant for b in one}}
    assert set(newest.values()) <= set(together)  # 9 tenants: none is crowded out by another's earlier ones
