"""Where each event was first told is kept with a contact, costs healthy ones nothing, and goes when the event goes."""

from collections.abc import Sequence
from random import Random

import msgspec
import pytest

from agents.suppress.cells import ORDERS, STANDING, to_cells, to_contact
from agents.suppress.contact import Contact
from agents.suppress.coordinates import Place
from agents.suppress.decision import carry_out, decide
from agents.suppress.orders import MAX_LIFTS
from agents.suppress.partition import Partition, to_partition
from agents.suppress.partition import to_cells as partition_cells
from schemas.command import Erase, Release, Suppress
from schemas.delivery import Origin
from schemas.order import Denial
from schemas.policy import parse_policy
from schemas.times import format_time
from tests.support.histories import START, arrival, delivery_event, history
from tests.support.oracle import HOUR, Event

NAME = ("acme", "jane@example.com")
POLICY = parse_policy("")
SOFT = [Event(START + n * HOUR, f"m{n}", "Quota exceeded") for n in range(5)]


def taken(
    events: Sequence[Event], first_offset: int = 100, cells: dict[int, bytes] | None = None, *, placed: bool = True
) -> Contact:
    """Take events in, the way a batch is, and read back what the table would hold."""
    contact = to_contact(cells or {})
    places: list[Place | None] = [(3, first_offset + n, Origin(7, n, START)) for n in range(len(events))]
    timed = [(delivery_event(event), event.at) for event in events]
    decide({NAME: contact}, timed, POLICY, START, places=places if placed else ())
    return to_contact(to_cells(contact))


def offsets(contact: Contact) -> dict[str, int]:
    """Give the offset kept of each event, by attempt id."""
    return {told[1] if len(told) > 1 else told[0]: first.offset for told, first in contact.coordinates.items()}


def test_every_failed_attempt_has_where_its_first_report_lies_and_what_it_was_judged_by():
    contact = taken(SOFT)
    assert offsets(contact) == {"m0": 100, "m1": 101, "m2": 102, "m3": 103, "m4": 104}
    first = contact.coordinates[contact.marks[2]]
    assert (first.partition, first.report, first.rule) == (3, (7, 2), "a-rule")
    assert first.policy.hex() == POLICY.hash_of("acme")


@pytest.mark.parametrize("seed", range(50))
def test_of_copies_the_one_that_was_decided_first_stays(seed):
    random = Random(seed)
    events = history(random, length=12, step=HOUR, messages=100, kinds=["Quota exceeded", "Spam", "User unknown"])
    came = arrival(random, events, HOUR)
    contact = taken(came)
    again = taken(came, 500, to_cells(contact))
    assert again.coordinates == contact.coordinates
    assert set(contact.coordinates) == {*contact.marks, *(e for known in contact.at_once.values() for e in known)}
    for told, first in contact.coordinates.items():
        copies = [n for n, event in enumerate(came) if (event.at, event.message) == (told[0], told[1])]
        assert first.offset - 100 in copies
        assert first.offset - 100 == min(n for n in copies if came[n].what == came[first.offset - 100].what)


def test_a_healthy_contact_keeps_none_and_a_success_between_failures_does():
    delivered = Event(START, "ok", "delivered")
    assert to_cells(taken([delivered])) == {}
    between = Event(START + HOUR // 2, "between", "delivered")
    assert offsets(taken([SOFT[0], between, SOFT[1]])) == {"m0": 100, "between": 101, "m1": 102}


def test_without_a_broker_there_are_none_and_cells_are_as_small_as_without_them():
    contact = taken(SOFT, placed=False)
    assert contact.coordinates == {}
    assert all(cell.endswith(b",[]]") for day, cell in to_cells(contact).items() if day > 0)


def test_a_cell_from_before_there_were_coordinates_is_read():
    cells = to_cells(taken(SOFT))
    [day] = [number for number in cells if number > 0]
    shorter = {day: msgspec.json.encode(msgspec.json.decode(cells[day])[:5]), STANDING: cells[STANDING]}
    contact = to_contact(shorter)
    assert (len(contact.marks), contact.coordinates) == (5, {})


def test_a_blocked_contact_costs_little():
    """A day's cell: five failures and where they lie; 64 bytes of each are the policy and the name of the rule."""
    with_them, without = (sum(map(len, to_cells(taken(SOFT, placed=placed)).values())) for placed in (True, False))
    assert (with_them - without) / len(SOFT) < 100


def test_coordinates_go_with_what_they_belong_to():
    events = [
        *SOFT,
        Event(START, "spam", "Spam"),
        Event(START, "left", "User"),
        Event(START + 1, "back", "resubscribed"),
    ]
    contact = taken(events)
    assert offsets(contact) == {"m0": 100, "m1": 101, "m2": 102, "m3": 103, "m4": 104, "spam": 105, "consent": 107}
    lift = Release(id="r", at=START + HOUR, tenant=NAME[0], recipient=NAME[1], statuses=("Spam",), record=(2, 9))
    carry_out({NAME: contact}, [(lift, lift.at)], POLICY)
    contact = to_contact(to_cells(contact))
    assert "spam" not in offsets(contact)
    assert [one.record for one in contact.orders.lifts] == [(2, 9)]


def test_after_an_erasure_nothing_says_where_anything_was_told():
    contact = taken([*SOFT, Event(START, "hard", "User unknown"), Event(START + 1, "back", "resubscribed")])
    lift = Release(id="r", at=START, tenant=NAME[0], recipient=NAME[1], statuses=("Spam",), record=(2, 9))
    erase = Erase(id="e", at=START + 9 * HOUR, tenant=NAME[0], recipient=NAME[1], record=(2, 10))
    carry_out({NAME: contact}, [(lift, lift.at), (erase, erase.at)], POLICY)
    contact = to_contact(to_cells(contact))
    assert (contact.coordinates, contact.orders.lifts) == ({}, [])


def test_reasons_by_hand_and_checks_have_theirs_and_a_crash_between_does_not_lose_them():
    by_hand = Suppress(id="s", at=START, tenant=NAME[0], recipient=NAME[1], status="Spam", record=(2, 4))
    typo = Denial(*NAME, "Typofix", format_time(START), record=(3, 5))
    network = Denial(*NAME, "Preblock", format_time(START), record=(3, 6))
    written_down = to_partition(partition_cells(Partition([by_hand, typo, network]))).pending
    contact = Contact()
    carry_out({NAME: contact}, [(order, START) for order in written_down], POLICY)
    contact = to_contact(to_cells(contact))
    assert {(one.topic, one.partition, one.offset) for one in contact.coordinates.values()} == {
        (1, 2, 4),
        (2, 3, 5),
        (2, 3, 6),
    }
    assert offsets(contact)["network"] == 6


def test_of_very_many_releases_the_newest_are_told_of():
    contact = Contact()
    for n in range(100):
        lift = Release(id=f"r{n}", at=START + n, tenant=NAME[0], recipient=NAME[1], statuses=("Spam",), record=(0, n))
        carry_out({NAME: contact}, [(lift, lift.at)], POLICY)
    assert [one.record for one in to_contact(to_cells(contact)).orders.lifts] == [
        (0, n) for n in range(100 - MAX_LIFTS, 100)
    ]
    assert ORDERS in to_cells(contact)
