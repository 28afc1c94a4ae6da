"""What the table may let go of by itself: only what no event, check or order can still need (SPEC 5)."""

from itertools import accumulate
from random import Random

import pytest

from agents.gate.preblock import preblocked, to_cell
from agents.ports import Changed, Known, Needed
from agents.suppress.attempts import Mark
from agents.suppress.book import Book
from agents.suppress.cells import NO_DAY, STANDING, changes, to_cells, to_contact, to_deliveries
from agents.suppress.contact import Contact
from agents.suppress.decision import Decision, carry_out
from agents.suppress.identity import contact_keys, contact_name, network_name
from agents.suppress.needed import of_cells, of_contact, of_network
from agents.suppress.partition import PARTITION
from agents.suppress.reasons import reasons
from agents.suppress.restating import with_asked
from schemas.command import Erase
from schemas.order import HardBounce, Restatement
from schemas.policy import Policy, parse_policy
from streams.memory import MemoryPublisher, MemoryTable, NoMeter
from tests.support.histories import START, arrival, delivery_event, history
from tests.support.network import bounced
from tests.support.oracle import DAY, HOUR, Event, Rule, decisions

POLICY = parse_policy("")
YEAR = 365 * DAY
NAME = ("acme", "jane@example.com")
KEYS = contact_keys(b"secret")
KEY = contact_name(KEYS, *NAME)

# story -> how long between events at most, how many messages, and the policy
STORIES = {
    "a message an hour": (HOUR, 1_000, ""),
    "messages reported again and again": (HOUR // 2, 4, ""),
    "mail every few weeks": (30 * DAY, 1_000, ""),
    "a window as short as the run": (3 * HOUR, 30, '[soft_bounce]\nwindow = "9h"'),
    "a window shorter than a lateness": (HOUR, 5, '[soft_bounce]\nlimit = 2\nwindow = "30m"'),
    "another tenant's long window": (DAY, 6, '[soft_bounce]\nlimit = 3\n[tenants.other.soft_bounce]\nwindow = "900d"'),
}


def _shifted(events: list[Event], start: int) -> list[Event]:
    by = start - min(event.at for event in events)
    return [Event(event.at + by, event.message, event.what, event.provider) for event in events]


def _fold(cells: dict[int, bytes], events: list[Event], policy: Policy) -> list[dict[str, str]]:
    """Fold events into cells, in place; give what stands after each, by status and evidence."""
    found = []
    newest, delivered = accumulate((event.at for event in events), max), set[Mark]()
    for event, watermark in zip(events, newest, strict=True):
        contact = to_contact(cells, sorted(delivered))
        contact.apply(delivery_event(event), event.at, policy.of("acme"), watermark)
        cells.clear()
        cells.update(to_cells(contact))
        delivered.update(to_deliveries(contact))
        found.append({one.status: f"{one.since} {one.evidence}" for one in reasons(contact, policy.of("acme"))})
    return found


def _oracle(events: list[Event], policy: Policy) -> dict[str, str]:
    soft = policy.of("acme").soft_bounce
    found = decisions(set(events), Rule(soft.limit, soft.window, soft.allowed_lateness))
    return {status: f"{since} {evidence}" for status, (since, evidence, _) in found.items()}


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("story", STORIES)
def test_attempts_that_the_table_let_go_of_would_have_changed_no_decision(story: str, seed: int) -> None:
    step, messages, toml = STORIES[story]
    policy, random = parse_policy(toml), Random(f"{story}-{seed}")
    lateness = policy.of("acme").soft_bounce.allowed_lateness
    kinds = ["Quota exceeded", "Connection issue", "Connection issue", "delivered"]
    before = history(random, length=random.randrange(1, 9), step=step, messages=messages, kinds=kinds)
    kept: dict[int, bytes] = {}
    _fold(kept, arrival(random, before, lateness), policy)
    contact = to_contact(kept)
    contact.standing = reasons(contact, policy.of("acme"))
    needed = of_contact(contact, policy)
    assert (needed is None) == bool(contact.standing), "who is blocked is needed for good"
    if needed is None:
        return
    # The first that may come once the table has let go: by then its newest report, and a lateness, have passed.
    later = history(random, length=12, step=step, messages=messages, kinds=kinds)
    later = _shifted(later, needed.newest + needed.span - lateness + 1)
    arriving = arrival(random, later, lateness)
    gone: dict[int, bytes] = {}
    decided = _fold(gone, arriving, policy)
    assert decided == _fold(kept, arriving, policy)
    assert decided[-1] == _oracle([*before, *later], policy)


def test_just_before_then_they_do_matter() -> None:
    """Else the test above would prove nothing: a fifth failure blocks up to a window after the first."""
    failures = [Event(START + place, f"f{place}", "Connection issue") for place in range(4)]
    kept: dict[int, bytes] = {}
    _fold(kept, failures, POLICY)
    assert of_contact(to_contact(kept), POLICY) == Needed(START + 3, YEAR + 2 * HOUR)
    fifth = [Event(START + YEAR, "f5", "Connection issue")]
    assert _fold({}, fifth, POLICY) == [{}]
    [blocked] = _fold(kept, fifth, POLICY)
    assert "Connection issue" in blocked


BESIDE = {
    "a hard bounce": lambda contact: contact.at_once.update({":": [(START, "m", "a-rule", "")]}),
    "a reason by hand": lambda contact: contact.by_hand.update({"Spam": [(START, "c", "by-hand", "")]}),
    "a consent": lambda contact: setattr(contact, "consent", START),
    "a block by the network": lambda contact: setattr(contact, "network", [HardBounce(START)]),
    "a command": lambda contact: contact.orders.first("c1"),
    "an unsubscribe of a forgotten person": lambda contact: contact.orders.denied.update(User=START),
    "a record that the brake holds back": lambda contact: setattr(contact, "unsaid", True),
}


@pytest.mark.parametrize("beside", BESIDE)
def test_a_contact_of_whom_more_is_known_than_attempts_is_needed_for_good(beside: str) -> None:
    contact = Contact()
    contact.marks = [(START, "m", 0, "")]
    assert of_contact(contact, POLICY)
    BESIDE[beside](contact)
    assert of_contact(contact, POLICY) is None


@pytest.mark.parametrize("tenant", ["acme", "patient"])
def test_what_the_network_knows_is_needed_for_as_long_as_any_tenants_check_may_ask(tenant: str) -> None:
    policy = parse_policy('[tenants.patient.preblock]\nwindow = "90d"')
    told = bounced(one=START, two=START + DAY)
    needed = of_network(told, policy)
    assert needed == Needed(START + DAY, 90 * DAY + 2 * HOUR)
    assert preblocked(told, "patient", policy, START + 91 * DAY - 1, None)
    assert not preblocked(told, tenant, policy, needed.newest + needed.span, None)


def test_cells_that_are_written_again_are_needed_as_long_as_before() -> None:
    soft = Contact()
    soft.marks = [(START, "m", 0, "")]
    hard = Contact()
    hard.at_once = {":": [(START, "m", "a-rule", "")]}
    address = network_name(KEYS("jane@example.com"))
    lying = {"a\x1fsoft": to_cells(soft), "a\x1fhard": to_cells(hard), PARTITION: {0: b"[]"}}
    lying[address] = {NO_DAY: to_cell(bounced(acme=START))}
    want = {"a\x1fsoft": of_contact(soft, POLICY), "a\x1fhard": None, PARTITION: None}
    want[address] = of_network(bounced(acme=START), POLICY)
    orders = [(Restatement(name, (*cells, 7), None), 0) for name, cells in lying.items()]
    again = with_asked({}, orders, {name: Known(cells) for name, cells in lying.items()}, POLICY)
    assert again == {name: Changed({**lying[name], 7: None}, (), want[name]) for name in lying}
    assert {name: of_cells(name, cells, POLICY) for name, cells in lying.items()} == want
    changed = {"a\x1fsoft": Changed({5: b"[]"}, (), None)}
    assert with_asked(changed, orders[:1], {"a\x1fsoft": Known(lying["a\x1fsoft"])}, POLICY)["a\x1fsoft"].needed is None


def _erased(cells: dict[int, bytes]) -> tuple[Decision, Changed]:
    known = {NAME: to_contact(cells)}
    erase = Erase(id="e", at=START + HOUR, tenant=NAME[0], recipient=NAME[1])
    decision = carry_out(known, [(erase, erase.at)], POLICY)
    book = Book(MemoryTable(), MemoryPublisher(lambda _: None), KEYS, POLICY, NoMeter())
    return decision, book.changed(decision, {NAME: KEY}, {KEY: Known(cells)}, known)[KEY]


def test_an_erasure_deletes_the_name_also_where_the_table_has_let_go_of_the_contact() -> None:
    """Else the changelog would have it for good, and a restore bring it back."""
    _, changed = _erased({})
    assert changed.cells[STANDING] is None
    assert changed.needed is None, "what commands left behind is kept"


def test_days_of_a_forgotten_person_that_a_restore_brings_back_say_nothing() -> None:
    contact = Contact()
    contact.recipient, contact.marks = NAME[1], [(START, "m", 0, "")]
    before = to_cells(contact)
    days = {day: cell for day, cell in before.items() if day >= 0}
    _, changed = _erased({})
    after = {day: cell for day, cell in changed.cells.items() if cell is not None}
    brought_back = to_contact({**days, **after})
    assert brought_back.is_forgotten
    assert brought_back.marks == []
    assert changes({**days, **after}, to_cells(brought_back)) == dict.fromkeys(days)
