"""The network pre-block: who else had a hard bounce for this address, and how long that counts (SPEC 8)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gate import preblock
from agents.gate.preblock import NOTHING, merged, pruned, to_bounces, to_cell, told_by
from schemas.delivery import DeliveryEvent
from schemas.order import HardBounce
from schemas.policy import parse_policy
from schemas.times import DAY, HOUR, format_time, parse_time
from schemas.typology import STATUSES, TYPOLOGY
from tests.support.network import bounced

NOW = parse_time("2026-11-20T10:15:30.123Z")
POLICY = parse_policy("")
CAREFUL = parse_policy("""
[tenants.three.preblock]
min_tenants = 3
[tenants.week.preblock]
window = "7d"
[tenants.alone.preblock]
enabled = false
[tenants.silent.preblock]
share = false
""")


def preblocked(bounces, *asked):
    """Leave out what it rests on."""
    found = preblock.preblocked(bounces, *asked)
    return found and found[:2]


def event(status, tenant="acme", effect=None):
    meaning = TYPOLOGY[status] if status else None
    return DeliveryEvent(
        event_uid="u1",
        tenant=tenant,
        recipient="jane@example.com",
        occurred_at=format_time(NOW),
        outcome=meaning.outcome if meaning else "delivered",
        status=status,
        effect=effect or (meaning.effect if meaning else "reset"),
        rule="a-rule",
    )


# --- what is told


@pytest.mark.parametrize("status", [*STATUSES, None])
def test_hard_bounces_are_told_and_nothing_else(status):
    told = told_by(event(status), NOW, POLICY)
    assert told == ({"acme": HardBounce(NOW, "acme", status, "")} if status in {"User unknown", ":"} else {})


def test_who_does_not_share_tells_nothing():
    assert told_by(event("User unknown", "silent"), NOW, CAREFUL) == {}
    assert list(told_by(event("User unknown", "other"), NOW, CAREFUL)) == ["other"]


# --- the rule


def test_one_other_tenants_hard_bounce_preblocks_for_the_rest_of_the_window():
    bounces = bounced(umbrella=NOW - 29 * DAY)
    assert preblocked(bounces, "acme", POLICY, NOW, None) == (NOW - 29 * DAY, NOW + DAY)


def test_ones_own_hard_bounce_does_not():
    assert preblocked(bounced(acme=NOW - DAY), "acme", POLICY, NOW, None) is None
    assert preblocked(NOTHING, "acme", POLICY, NOW, None) is None


def test_less_than_the_window_ago_is_less():
    assert preblocked(bounced(umbrella=NOW - 30 * DAY), "acme", POLICY, NOW, None) is None
    assert preblocked(bounced(umbrella=NOW - 30 * DAY + 1), "acme", POLICY, NOW, None) == (NOW - 30 * DAY + 1, NOW + 1)


def test_the_latest_bounce_of_the_others_is_told_but_not_whose():
    bounces = bounced(umbrella=NOW - 9 * DAY, initech=NOW - 2 * DAY, acme=NOW - DAY)
    assert preblocked(bounces, "acme", POLICY, NOW, None) == (NOW - 2 * DAY, NOW + 28 * DAY)


def test_a_bounce_a_little_ahead_of_the_clock_counts():
    assert preblocked(bounced(umbrella=NOW + HOUR // 6), "acme", POLICY, NOW, None) is not None


def test_the_policy_of_who_asks_sets_window_and_number_and_may_turn_it_off():
    bounces = bounced(umbrella=NOW - 8 * DAY, initech=NOW - 10 * DAY)
    assert preblocked(bounces, "other", CAREFUL, NOW, None) == (NOW - 8 * DAY, NOW + 22 * DAY)
    assert preblocked(bounces, "week", CAREFUL, NOW, None) is None
    assert preblocked(bounces, "alone", CAREFUL, NOW, None) is None
    assert preblocked(bounces, "three", CAREFUL, NOW, None) is None
    assert preblocked({**bounces, **bounced(three=NOW)}, "three", CAREFUL, NOW, None) is None
    assert preblocked({**bounces, **bounced(other=NOW - 40 * DAY)}, "three", CAREFUL, NOW, None) is None
    assert preblocked({**bounces, **bounced(other=NOW)}, "three", CAREFUL, NOW, None) == (NOW, NOW + 30 * DAY)


def test_who_stops_to_share_takes_back_what_was_told_before():
    assert preblocked(bounced(silent=NOW - DAY), "acme", CAREFUL, NOW, None) is None


def test_a_release_exempts_from_bounces_up_to_its_time():
    bounces = bounced(umbrella=NOW - DAY)
    assert preblocked(bounces, "acme", POLICY, NOW, NOW - DAY - 1) is not None
    assert preblocked(bounces, "acme", POLICY, NOW, NOW - DAY) is None
    assert preblocked({**bounces, **bounced(initech=NOW)}, "acme", POLICY, NOW, NOW - DAY) == (NOW, NOW + 30 * DAY)


# --- what is kept of an address

TENANTS = st.sampled_from(["acme", "umbrella", "initech", "week", "three", "silent"])
TIMES = st.integers(NOW - 90 * DAY, NOW)
BOUNCE = st.builds(HardBounce, TIMES, TENANTS, st.sampled_from(["User unknown", ":"]), st.sampled_from(["", "ses"]))
BOUNCES = st.lists(BOUNCE, max_size=6).map(lambda told: {bounce.tenant: bounce for bounce in told})


@given(BOUNCES, BOUNCES, BOUNCES)
def test_order_and_repetition_do_not_matter(one, two, three):
    assert merged(one, two) == merged(two, one)
    assert merged(merged(one, two), three) == merged(one, merged(two, three))
    assert merged(one, one) == one == merged(one, NOTHING)


@given(st.lists(BOUNCE, max_size=12), st.randoms())
def test_events_in_any_order_leave_the_same_bytes(told, random):
    def kept(events):
        bounces, newest = NOTHING, 0
        for bounce in events:
            newest = max(newest, bounce.at)
            bounces = pruned(merged(bounces, {bounce.tenant: bounce}), newest, POLICY)
        return to_cell(pruned(bounces, newest, POLICY))

    shuffled = [*told, *told[:3]]
    random.shuffle(shuffled)
    assert kept(told) == kept(shuffled)


@given(BOUNCES, TENANTS, st.integers(0, 40 * DAY), st.integers(-HOUR, 40 * DAY), st.sampled_from([POLICY, CAREFUL]))
def test_what_is_forgotten_changes_no_answer_to_a_question_within_lateness(bounces, tenant, ago, later, policy):
    newest = max((bounce.at for bounce in bounces.values()), default=NOW) + ago
    now = newest + later
    kept = pruned(bounces, newest, policy)
    assert preblocked(kept, tenant, policy, now, None) == preblocked(bounces, tenant, policy, now, None)


def test_memory_is_freed_as_event_time_passes():
    bounces = bounced(umbrella=NOW - 10 * DAY, initech=NOW)
    assert pruned(bounces, NOW, POLICY) == bounces
    assert pruned(bounces, NOW + 20 * DAY + HOUR, POLICY) == bounced(initech=NOW)
    assert pruned(bounces, NOW + 30 * DAY + HOUR, POLICY) == {}


def test_the_longest_window_of_any_tenant_keeps_it():
    longer = parse_policy('[tenants.acme.preblock]\nwindow = "60d"')
    assert pruned(bounced(umbrella=NOW - 59 * DAY), NOW, longer) == bounced(umbrella=NOW - 59 * DAY)
    assert pruned(bounced(umbrella=NOW - 59 * DAY), NOW, POLICY) == {}


@given(BOUNCES)
def test_a_cell_is_read_back_as_it_was_written(bounces):
    assert to_bounces(to_cell(bounces)) == bounces
    assert to_cell(dict(reversed(bounces.items()))) == to_cell(bounces)


def test_no_cell_is_nothing_and_a_strange_one_is_not_ours():
    assert to_bounces(None) == {}
    assert to_cell(bounced(b=2, a=1)) == b'[[1,"a","User unknown","ses"],[2,"b","User unknown","ses"]]'
    for strange in (b"", b"7", b"[[]]", b'{"acme":"x"}', b'{"acme":1.5}'):
        with pytest.raises(msgspec.DecodeError):
            to_bounces(strange)


def test_a_cell_from_when_there_were_times_alone_is_read_and_gives_way_to_whoever_knows_more():
    known = to_bounces(b'{"acme":7,"umbrella":5}')
    assert known == {"acme": HardBounce(7, "acme"), "umbrella": HardBounce(5, "umbrella")}
    assert merged(known, bounced(acme=7, umbrella=4)) == {**known, **bounced(acme=7)}
