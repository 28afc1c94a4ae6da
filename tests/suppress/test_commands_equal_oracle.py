"""Commands amid events and denials, in any order: the fold decides as the oracle, which has all at hand (SPEC 7)."""

from collections.abc import Sequence
from random import Random

import pytest

from agents.suppress.attempts import Mark
from agents.suppress.cells import to_cells, to_contact, to_deliveries
from agents.suppress.contact import Contact
from agents.suppress.decision import carry_out, retract
from agents.suppress.reasons import reasons
from schemas.command import Retract
from schemas.order import Denial, HardBounce
from schemas.policy import Policy, parse_policy
from schemas.times import format_time
from tests.support.histories import PROVIDERS, arrival, command, delivery_event, denials, history, incidents, orders
from tests.support.oracle import DAY, HOUR, Bounce, Event, Order, Rule, decisions, network

SOFT_AND_DELIVERED = ["Quota exceeded", "Connection issue", "Connection issue", "delivered"]
EVERYTHING = [*SOFT_AND_DELIVERED, "Spam", "User", "User", "resubscribed", "User unknown", ":", "Typofix", "Preblock"]

STORIES = {
    "hours of failures": {"length": 30, "step": HOUR // 2, "messages": 12, "kinds": SOFT_AND_DELIVERED},
    "failures, hardly ever a delivery": {
        "length": 30,
        "step": HOUR,
        "messages": 20,
        "kinds": ["Quota exceeded", "Connection issue", "Connection issue", "Quota exceeded", "delivered"],
    },
    "weeks of failures": {"length": 40, "step": 3 * DAY, "messages": 1000, "kinds": SOFT_AND_DELIVERED},
    "every reason": {"length": 40, "step": HOUR, "messages": 40, "kinds": EVERYTHING},
    "every reason over months": {"length": 40, "step": 9 * DAY, "messages": 40, "kinds": EVERYTHING},
}

RULES = [Rule(min_tenants=tenants) for tenants in (1, 2)]
POLICIES = [parse_policy(f"[preblock]\nmin_tenants = {rule.min_tenants}\n") for rule in RULES]
NAME = ("acme", "jane@example.com")


Happening = Event | Order | tuple[Bounce, ...]
"""An event, a command, or what a check has found that denied a send: hard bounces of other tenants."""


def folded(happenings: list[Happening], policies: Policy) -> Contact:
    """Fold events, commands and denials one at a time, each through what a table keeps."""
    policy = policies.of("acme")
    cells: dict[int, bytes] = {}
    delivered: set[Mark] = set()
    retracted: list[Retract] = []
    newest = 0
    for happening in happenings:
        contact = to_contact(cells, sorted(delivered))
        if isinstance(happening, Order):
            told = command(happening)
            if isinstance(told, Retract):
                retracted.append(told)
                retract({NAME: contact}, told, policies)
            else:
                carry_out({NAME: contact}, [(told, told.at)], policies)
        elif isinstance(happening, tuple):
            latest = happening[-1].at
            found = tuple(HardBounce(one.at, one.tenant, one.what, one.provider) for one in happening)
            denial = Denial(*NAME, "Preblock", format_time(latest), rests_on=found)
            carry_out({NAME: contact}, [(denial, latest)], policies, retracted)
        else:
            newest = max(newest, happening.at)
            contact.apply(delivery_event(happening), happening.at, policy, newest, retracted)
        cells = to_cells(contact)
        delivered.update(to_deliveries(contact))
        delivered = {mark for mark in delivered if mark[0] >= newest - 2 * HOUR}
    return to_contact(cells, sorted(delivered))


def amid(random: Random, events: list[Event], others: Sequence[Happening]) -> list[Happening]:
    """Put commands and denials, some of them twice, anywhere into an order of events."""
    found: list[Happening] = list(events)
    for one in [*others, *(o for o in others if random.random() < 0.3)]:
        found.insert(random.randrange(len(found) + 1), one)
    return found


def decided(contact: Contact, policy: Policy) -> dict[str, tuple[str, tuple[str, ...], str | None]]:
    return {r.status: (r.since, r.evidence, r.expires_at) for r in reasons(contact, policy.of("acme"))}


@pytest.mark.parametrize("seed", range(150))
@pytest.mark.parametrize("story", STORIES)
def test_commands_anywhere_amid_events_and_denials_in_any_order_decide_as_the_oracle_does(
    story: str, seed: int
) -> None:
    drawn = STORIES[story]
    rule, policy = RULES[seed % 2], POLICIES[seed % 2]
    random = Random(f"{story}-{seed}")
    events = history(random, **drawn, providers=PROVIDERS)
    denied = denials(random, events, rule.preblock)
    commands = orders(random, events, drawn["kinds"]) + incidents(random, denied)
    want = decisions(set(events), rule, commands, [bounce for one in denied for bounce in one])
    for _ in range(3):
        happenings = amid(random, arrival(random, events, HOUR), [*commands, *denied])
        contact = folded(happenings, policy)
        assert want == decided(contact, policy), (commands, denied)


@pytest.mark.parametrize("story", STORIES)
def test_every_story_has_commands_that_matter(story: str) -> None:
    """A story whose commands change nothing would prove nothing."""
    drawn = STORIES[story]
    changed = 0
    for seed in range(40):
        random = Random(f"{story}-{seed}")
        events = history(random, **drawn, providers=PROVIDERS)
        commands = orders(random, events, drawn["kinds"])
        changed += decisions(set(events), RULES[0], commands) != decisions(set(events), RULES[0])
    assert changed > 10


@pytest.mark.parametrize("rule", RULES)
def test_retractions_lift_some_blocks_of_the_network_and_move_others(rule: Rule) -> None:
    ends = {"stays": 0, "moves": 0, "falls": 0}
    for seed in range(400):
        random = Random(seed)
        denied = denials(random, history(random, **STORIES["every reason"]), rule.preblock)
        told = [bounce for one in denied for bounce in one]
        before, after = network(told, rule, ()), network(told, rule, incidents(random, denied))
        if before is not None:
            ends["stays" if after == before else "falls" if after is None else "moves"] += 1
    assert min(ends.values()) > 10, ends


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("story", STORIES)
def test_after_a_retraction_all_is_as_if_the_incident_had_never_been(story: str, seed: int) -> None:
    drawn = STORIES[story]
    policy = POLICIES[seed % 2]
    random = Random(f"{story}-{seed}")
    events = history(random, **drawn, providers=PROVIDERS)
    denied = denials(random, events, DAY)
    start, end = sorted(random.choice(events).at for _ in range(2))
    statuses = tuple(kind for kind in dict.fromkeys(drawn["kinds"]) if kind not in ("delivered", "resubscribed"))
    incident = Order("retract", end, "r", statuses, (), start, end)

    def happened(one: Event | Bounce) -> bool:
        return one.what not in statuses or not start <= one.at < end

    contact = folded(amid(random, arrival(random, events, HOUR), [*denied, incident]), policy)
    others = [e for e in events if happened(e)]
    found = [left for one in denied if (left := tuple(bounce for bounce in one if happened(bounce)))]
    assert decided(contact, policy) == decided(folded([*others, *found], policy), policy)
