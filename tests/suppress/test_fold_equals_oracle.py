"""The fold keeps little and forgets early; the oracle keeps everything. They must always decide alike (SPEC 5, 6)."""

from collections.abc import Callable
from itertools import accumulate
from random import Random

import pytest

from agents.suppress.attempts import MAX_MARKS, Mark
from agents.suppress.cells import changes, to_cells, to_contact, to_deliveries
from agents.suppress.contact import MAX_EVENTS, Contact
from agents.suppress.coordinates import of_event
from agents.suppress.reasons import reasons
from schemas.policy import TenantPolicy, parse_policy
from tests.support.histories import START, arrival, delivery_event, history
from tests.support.oracle import DAY, HOUR, Event, Rule, decisions

SOFT_AND_DELIVERED = ["Quota exceeded", "Connection issue", "Connection issue", "delivered"]
EVERYTHING = [
    *SOFT_AND_DELIVERED,
    "Spam",
    "User",
    "User",
    "resubscribed",
    "User unknown",
    ":",
    "Typofix",
    "Preblock",
]

# story -> how the histories are drawn, and the policy they are decided by
STORIES = {
    "messages reported again and again within hours": (
        {"length": 40, "step": HOUR // 2, "messages": 12, "kinds": SOFT_AND_DELIVERED},
        "",
    ),
    "mostly failures, many within one lateness": (
        {
            "length": 40,
            "step": HOUR // 6,
            "messages": 9,
            "kinds": ["Quota exceeded", "Connection issue", "delivered"],
        },
        "",
    ),
    "bounces that follow their delivery": (
        {"length": 30, "step": HOUR, "messages": 6, "kinds": ["Quota exceeded", "delivered"]},
        "",
    ),
    "weeks of mail, one message each": (
        {"length": 60, "step": 3 * DAY, "messages": 1000, "kinds": SOFT_AND_DELIVERED},
        "",
    ),
    "a window as short as the run": (
        {"length": 60, "step": 3 * HOUR, "messages": 30, "kinds": [*SOFT_AND_DELIVERED, "Quota exceeded"]},
        '[soft_bounce]\nwindow = "9h"',
    ),
    "messages that fail again after the window": (
        {"length": 12, "step": 2 * HOUR, "messages": 4, "kinds": [*["Quota exceeded"] * 5, "delivered"]},
        '[soft_bounce]\nlimit = 3\nwindow = "2h"\nallowed_lateness = "30m"',
    ),
    "a limit of two": (
        {"length": 20, "step": HOUR, "messages": 5, "kinds": SOFT_AND_DELIVERED},
        "[soft_bounce]\nlimit = 2",
    ),
    "no lateness allowed": (
        {"length": 30, "step": HOUR, "messages": 6, "kinds": SOFT_AND_DELIVERED},
        '[soft_bounce]\nallowed_lateness = "0s"',
    ),
    "every reason at once": (
        {"length": 50, "step": HOUR, "messages": 40, "kinds": EVERYTHING},
        "",
    ),
    "every reason over months": (
        {"length": 50, "step": 14 * DAY, "messages": 40, "kinds": EVERYTHING},
        "",
    ),
    "pre-blocks whose chain may break": (
        {
            "length": 25,
            "step": 3 * HOUR,
            "messages": 20,
            "kinds": ["Preblock", "Preblock", "User", "resubscribed"],
        },
        '[preblock]\nwindow = "2h"',
    ),
}


def own_time(events: list[Event], _policy: TenantPolicy) -> list[int]:
    """Give, for each event, a watermark that nobody else's events move: the newest event so far."""
    return list(accumulate((event.at for event in events), max))


def time_of_others(events: list[Event], policy: TenantPolicy) -> list[int]:
    """Give, for each event, the latest watermark that other contacts' events could have brought about before it."""
    oldest_to_come = list(accumulate((event.at for event in reversed(events)), min))[::-1]
    return [at + policy.soft_bounce.allowed_lateness for at in oldest_to_come]


def backlog(events: list[Event], _policy: TenantPolicy) -> list[int]:
    """Give a watermark that stands still: some partition of reports is far behind."""
    return [0] * len(events)


CLOCKS = [own_time, time_of_others, backlog]


def folded(
    events: list[Event],
    policy: TenantPolicy,
    clock: Callable[[list[Event], TenantPolicy], list[int]] = own_time,
) -> Contact:
    """Fold events one at a time, each through what a table keeps, as a worker with batches of one would.

    Each has coordinates of its own, copies too; nothing may depend on them.
    """
    cells: dict[int, bytes] = {}
    delivered: set[Mark] = set()
    for offset, (event, watermark) in enumerate(zip(events, clock(events, policy), strict=True)):
        told = delivery_event(event)
        contact = to_contact(cells, sorted(delivered) if told.effect == "count" else ())
        first = of_event((0, offset, None), told.rule, "00" * 32) if offset % 3 else None
        contact.apply(told, event.at, policy, watermark, first=first)
        for day, cell in changes(cells, to_cells(contact)).items():
            if cell is None:
                del cells[day]
            else:
                cells[day] = cell
        delivered.update(to_deliveries(contact))
        # A table forgets by the hour, later than it might; this is the soonest.
        delivered = {mark for mark in delivered if mark[0] >= watermark - 2 * policy.soft_bounce.allowed_lateness}
    return to_contact(cells, sorted(delivered))


def decided(contact: Contact, policy: TenantPolicy) -> dict[str, tuple[str, tuple[str, ...], str | None]]:
    """Give the fold's standing reasons in the oracle's words."""
    return {r.status: (r.since, r.evidence, r.expires_at) for r in reasons(contact, policy)}


def rule_of(policy: TenantPolicy) -> Rule:
    """Give the oracle's numbers."""
    soft = policy.soft_bounce
    return Rule(soft.limit, soft.window, soft.allowed_lateness, policy.preblock.window)


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("story", STORIES)
def test_any_order_within_lateness_and_any_repetition_decides_as_the_oracle_does(story: str, seed: int) -> None:
    drawn, toml = STORIES[story]
    policy = parse_policy(toml).of("acme")
    rule = rule_of(policy)
    random = Random(f"{story}-{seed}")
    events = history(random, **drawn)
    want = decisions(set(events), rule)
    for clock in CLOCKS:
        contact = folded(arrival(random, events, rule.lateness), policy, clock)
        assert want == decided(contact, policy)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("story", STORIES)
def test_a_backlog_in_any_order_at_all_decides_as_the_oracle_does(story: str, seed: int) -> None:
    """As long as the watermark stands still, nothing is forgotten, so no order is too late."""
    drawn, toml = STORIES[story]
    policy = parse_policy(toml).of("acme")
    random = Random(f"{story}-{seed}")
    events = history(random, **drawn)
    shuffled = random.sample(events, len(events))
    assert decisions(set(events), rule_of(policy)) == decided(folded(shuffled, policy, backlog), policy)


@pytest.mark.parametrize("story", STORIES)
def test_every_story_blocks_and_frees(story: str) -> None:
    """A story whose histories all end alike would prove nothing."""
    drawn, toml = STORIES[story]
    rule = rule_of(parse_policy(toml).of("acme"))
    ends = {frozenset(decisions(set(history(Random(f"{story}-{seed}"), **drawn)), rule)) for seed in range(40)}
    assert len(ends) > 1


@pytest.mark.parametrize("seed", range(20))
def test_a_contact_that_only_gets_mail_is_forgotten_as_time_passes(seed: int) -> None:
    random = Random(seed)
    policy = parse_policy("").of("acme")
    events = history(random, length=300, step=HOUR // 2, messages=10_000, kinds=["delivered"])
    contact = folded(arrival(random, events, HOUR), policy)
    assert all(mark[0] >= contact.newest - 2 * HOUR for mark in contact.marks)


def _soft(at: int, message: str) -> Event:
    return Event(at, message, "Quota exceeded")


def test_what_is_dropped_beyond_the_cap_never_makes_a_run() -> None:
    """Story: 300 deliveries in less than an hour; then failures from among the first of them are reported late."""
    policy = parse_policy("").of("acme")
    deliveries = [Event(START + place * 10_000, f"s{place}", "delivered") for place in range(300)]
    failures = [_soft(START + 25_000 + place * 50_000, f"f{place}") for place in range(5)]
    assert decisions({*deliveries, *failures}, rule_of(policy)) == {}
    contact = folded([*deliveries, *failures], policy)
    assert decided(contact, policy) == {}
    assert len(contact.marks) <= MAX_MARKS


def test_thousands_of_reports_on_one_message_are_kept_as_one_story() -> None:
    policy = parse_policy("").of("acme")
    contact = folded([_soft(START + place * 500, "one") for place in range(3_000)], policy)
    assert len(contact.marks) <= MAX_MARKS
    assert decided(contact, policy) == {}


def test_of_thousands_of_unsubscribes_the_first_and_the_newest_are_kept() -> None:
    policy = parse_policy("").of("acme")
    events = [Event(START + place, f"u{place:05}", "User") for place in range(1_000)]
    contact = folded(events, policy)
    assert len(contact.at_once["User"]) <= MAX_EVENTS
    assert decided(contact, policy) == decisions(set(events), rule_of(policy))
    consent = Event(START + 999, "consent", "resubscribed")
    assert decided(folded([*events, consent], policy), policy) == decisions({*events, consent}, rule_of(policy))
