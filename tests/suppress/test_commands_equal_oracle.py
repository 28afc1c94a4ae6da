"""Commands amid events, in any order: the fold decides as the oracle does, which has all of both at hand (SPEC 7)."""

from random import Random

import pytest

from agents.suppress.attempts import Mark
from agents.suppress.cells import to_cells, to_contact, to_deliveries
from agents.suppress.contact import Contact
from agents.suppress.decision import carry_out, retract
from agents.suppress.reasons import reasons
from schemas.command import Retract
from schemas.policy import TenantPolicy, parse_policy
from tests.support.histories import PROVIDERS, arrival, command, delivery_event, history, orders
from tests.support.oracle import DAY, HOUR, Event, Order, Rule, decisions

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

RULE = Rule()
POLICY = parse_policy("")
NAME = ("acme", "jane@example.com")


def folded(happenings: list[Event | Order], policy: TenantPolicy) -> Contact:
    """Fold events and commands one at a time, each through what a table keeps."""
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
                retract({NAME: contact}, told, POLICY)
            else:
                carry_out({NAME: contact}, [(told, told.at)], POLICY)
        else:
            newest = max(newest, happening.at)
            contact.apply(delivery_event(happening), happening.at, policy, newest, retracted)
        cells = to_cells(contact)
        delivered.update(to_deliveries(contact))
        delivered = {mark for mark in delivered if mark[0] >= newest - 2 * HOUR}
    return to_contact(cells, sorted(delivered))


def amid(random: Random, events: list[Event], commands: list[Order]) -> list[Event | Order]:
    """Put commands, some of them twice, anywhere into an order of events."""
    found: list[Event | Order] = list(events)
    for order in [*commands, *(o for o in commands if random.random() < 0.3)]:
        found.insert(random.randrange(len(found) + 1), order)
    return found


def decided(contact: Contact, policy: TenantPolicy) -> dict[str, tuple[str, tuple[str, ...], str | None]]:
    return {r.status: (r.since, r.evidence, r.expires_at) for r in reasons(contact, policy)}


@pytest.mark.parametrize("seed", range(150))
@pytest.mark.parametrize("story", STORIES)
def test_commands_anywhere_amid_events_in_any_order_decide_as_the_oracle_does(story: str, seed: int) -> None:
    drawn = STORIES[story]
    policy = POLICY.of("acme")
    random = Random(f"{story}-{seed}")
    events = history(random, **drawn, providers=PROVIDERS)
    commands = orders(random, events, drawn["kinds"])
    want = decisions(set(events), RULE, commands)
    for _ in range(3):
        happenings = amid(random, arrival(random, events, HOUR), commands)
        contact = folded(happenings, policy)
        assert want == decided(contact, policy), commands


@pytest.mark.parametrize("story", STORIES)
def test_every_story_has_commands_that_matter(story: str) -> None:
    """A story whose commands change nothing would prove nothing."""
    drawn = STORIES[story]
    changed = 0
    for seed in range(40):
        random = Random(f"{story}-{seed}")
        events = history(random, **drawn, providers=PROVIDERS)
        commands = orders(random, events, drawn["kinds"])
        changed += decisions(set(events), RULE, commands) != decisions(set(events), RULE)
    assert changed > 10


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("story", STORIES)
def test_after_a_retraction_all_is_as_if_the_incident_had_never_been(story: str, seed: int) -> None:
    drawn = STORIES[story]
    policy = POLICY.of("acme")
    random = Random(f"{story}-{seed}")
    events = history(random, **drawn, providers=PROVIDERS)
    start, end = sorted(random.choice(events).at for _ in range(2))
    statuses = tuple(kind for kind in dict.fromkeys(drawn["kinds"]) if kind not in ("delivered", "resubscribed"))
    incident = Order("retract", end, "r", statuses, (), start, end)
    others = [e for e in events if e.what not in statuses or not start <= e.at < end]
    contact = folded(amid(random, arrival(random, events, HOUR), [incident]), policy)
    assert decided(contact, policy) == decided(folded(others, policy), policy)
