"""The brake: which blocks it holds back, and what it takes for usual."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest

from agents.suppress.brake import MAX_DOMAINS, MAX_REMEMBERED, Before, Brake
from agents.suppress.contact import Contact
from agents.suppress.decision import Decision
from agents.suppress.identity import contact_keys
from agents.suppress.partition import Partition, Usual, to_cells, to_partition
from agents.suppress.reasons import suppression
from schemas.codec import decode_order
from schemas.order import Held
from schemas.policy import Policy, parse_policy
from schemas.suppression import Reason, Suppression
from schemas.times import DAY, MINUTE, format_time
from schemas.typology import TYPOLOGY, Status

ON = "[brake]\nenabled = true\nfloor = 100\nfactor = 10"
NOW = 1_763_633_700_000 // MINUTE * MINUTE
KEY = contact_keys(b"secret")


def block(number: int, domain: str = "example.com", *statuses: Status, **more: Any) -> Suppression:
    """Write the record of a block."""
    reasons = tuple(
        Reason(
            status=status,
            category=TYPOLOGY[status].category,
            severity=TYPOLOGY[status].severity,
            since="2026-11-20T10:15:30.123Z",
            expires_at=more.get("expires_at"),
            rule="r",
            evidence=("m",),
        )
        for status in statuses or ("User unknown",)
    )
    told = {"tenant": "acme", "cause": "report", **more}
    action = told.pop("action", "suppress")
    before, after = ((), reasons) if action == "suppress" else (reasons, ())
    record = suppression(
        told["tenant"], f"{told.get('name', 'r')}{number}@{domain}", before, after, "hash", told["cause"]
    )
    assert record is not None
    return record


class Driver:
    """A brake, and the contacts that it was given."""

    def __init__(self, policy: str | Policy = ON, partitions: int = 1, usual: Usual = {}) -> None:  # noqa: B006
        ids = count()
        policy = parse_policy(policy) if isinstance(policy, str) else policy
        self.brake = Brake(policy, partitions, KEY, lambda: str(next(ids)))
        self.usual = usual
        self.contacts: dict[tuple[str, str], Contact] = {}
        self._numbers = count()

    def part(self, said: Sequence[Suppression], at: int = NOW) -> tuple[list[Any], list[Held]]:
        names = [(one.tenant, one.recipient) for one in said]
        before = {}
        for one, name in zip(said, names, strict=True):
            contact = self.contacts.setdefault(name, Contact())
            before.setdefault(name, Before(contact.standing, contact.unsaid))
            contact.standing, contact.unsaid = one.reasons, False  # as `decide` leaves it
        arrived = dict.fromkeys(names, at)
        decision, orders = self.brake.part(Decision(said, names), self.contacts, before, arrived, self.usual)
        held = []
        for one in orders:
            assert one.topic == "bounceline-held-suppressions"
            order = decode_order(one.value)
            assert isinstance(order, tuple)
            assert isinstance(order[0], Held)
            assert (one.place or b"").decode() == KEY(order[0].recipient)
            assert (one.key or b"").startswith(one.place or b"?")
            held.append(order[0])
        return list(decision.said), held

    def wave(self, size: int, at: int = NOW, domain: str = "example.com", **more: Any) -> int:
        """Let so many blocks come; give how many are held back."""
        said = [block(next(self._numbers), domain, **more) for _ in range(size)]
        aloud, held = self.part(said, at)
        assert len(aloud) + len(held) == size
        return len(held)


def test_up_to_the_floor_nothing_is_held_and_all_beyond_it_is():
    driver = Driver()
    assert driver.wave(100) == 0
    assert driver.wave(50) == 50
    assert driver.wave(100, NOW + MINUTE) == 0


def test_a_domain_that_has_many_blocks_every_minute_is_held_to_its_own_measure():
    driver = Driver()
    for minute in range(240):
        assert driver.wave(80, NOW + minute * MINUTE) == 0
    assert driver.wave(500, NOW + 240 * MINUTE) == 0
    assert driver.wave(1_000, NOW + 241 * MINUTE) > 100


def test_what_is_held_does_not_become_usual():
    driver = Driver()
    held = [driver.wave(2_000, NOW + minute * MINUTE) for minute in range(30)]
    assert all(one > 1_000 for one in held[:20])


def test_after_a_quiet_night_the_floor_holds_again():
    driver = Driver(usual={"example.com": (NOW // MINUTE, 1_000.0)})
    assert driver.wave(9_000) == 0
    assert driver.wave(150, NOW + 10 * 60 * MINUTE) == 50


def test_domains_do_not_count_for_each_other():
    driver = Driver()
    assert [driver.wave(100, domain=f"d{number}.example") for number in range(5)] == [0] * 5


@pytest.mark.parametrize(
    "never",
    [
        block(0, "example.com", "Spam"),
        block(0, "example.com", "User"),
        block(0, "example.com", "User", "User unknown"),
        block(0, cause="command:c1"),
        block(0, cause="retract:c1"),
        block(0, cause="check"),
        block(0, cause="resubscribed"),
        block(0, action="release"),
        block(0, action="release", cause="late-report"),
    ],
    ids=lambda record: f"{record.action}-{record.status}-{record.cause}",
)
def test_what_somebody_asked_for_is_neither_counted_nor_held(never):
    driver = Driver(EVERYTHING)
    for _ in range(5):
        assert driver.part([never]) == ([never], [])
    assert driver.part([block(1)])[1] == []
    assert len(driver.part([block(2)])[1]) == 1
    assert driver.part([never]) == ([never], [])


EVERYTHING = "[brake]\nenabled = true\nfloor = 1\nfactor = 1"
"""All but the first block of a domain in a minute."""


def test_the_last_word_of_a_batch_says_whether_a_contact_waits():
    driver = Driver(EVERYTHING)
    driver.wave(1)
    name = ("acme", "r1@example.com")
    both = [block(1), block(1, "example.com", "Spam", "User unknown")]
    assert driver.part(both) == ([both[1]], [])
    assert driver.contacts[name].unsaid is False
    release = block(1, action="release")
    assert driver.part([release, block(1)]) == ([release], [Held(*name)])
    assert driver.contacts[name].unsaid is True
    assert driver.part([release, block(1), release]) == ([release, release], [])
    assert driver.contacts[name].unsaid is False


def test_a_contact_whose_decision_changes_is_one_block():
    driver = Driver()
    changes = [block(1, "example.com", *s, name="x") for s in ((), (":",), ("User unknown", "Typofix"), ())]
    assert driver.part(changes) == (changes, [])
    for change in changes:
        assert driver.part([change]) == ([change], [])
    assert driver.wave(99) == 0
    assert driver.wave(1) == 1
    assert driver.part(changes) == (changes, []), "blocked since before the wave"


def test_a_contact_that_waits_and_changes_waits_on_and_is_no_other_block():
    driver = Driver()
    assert driver.wave(100) == 0
    name = ("acme", "x1@example.com")
    first, other = (block(1, "example.com", status, name="x") for status in ("User unknown", ":"))
    assert driver.part([first]) == ([], [Held(*name)])
    assert driver.part([other, first, other]) == ([], [Held(*name)])
    assert driver.contacts[name].unsaid is True
    assert driver.part([other], NOW + MINUTE) == ([], [Held(*name)]), "once held, until its time has come"
    assert driver.wave(100, NOW + MINUTE) == 0


def test_a_preblock_that_is_renewed_is_said_and_one_that_comes_after_the_last_has_expired_is_a_block():
    driver = Driver(EVERYTHING)
    driver.wave(1)
    until = [format_time(NOW + days * DAY) for days in (30, 40, 90)]
    first, renewed, anew = (block(7, "example.com", "Preblock", expires_at=one) for one in until)
    contact = driver.contacts.setdefault(("acme", first.recipient), Contact())
    contact.standing = first.reasons
    assert driver.part([renewed], NOW + 10 * DAY) == ([renewed], [])
    driver.wave(1, NOW + 60 * DAY)
    assert driver.part([anew], NOW + 60 * DAY) == ([], [Held("acme", first.recipient)])


def test_a_block_that_has_expired_when_it_comes_is_none():
    driver = Driver(EVERYTHING)
    expired = [block(n, "example.com", "Preblock", expires_at=format_time(NOW - DAY)) for n in range(5)]
    assert driver.part(expired) == (expired, [])
    assert driver.wave(2) == 1


def test_a_tenant_without_a_brake_is_not_held_and_what_it_brings_is_usual():
    driver = Driver(f"{ON}\n[tenants.free.brake]\nenabled = false\n[tenants.strict.brake]\nfloor = 1\nfactor = 1")
    assert driver.wave(500, tenant="free") == 0
    assert driver.wave(1, tenant="acme") == 1
    assert driver.wave(100, NOW + MINUTE, tenant="acme") == 0
    assert driver.wave(9, NOW + MINUTE, tenant="strict") == 9


def test_what_straggles_counts_with_the_others_and_a_backlog_is_let_through():
    driver = Driver()
    assert driver.wave(100) == 0
    assert driver.wave(10, NOW - 10 * MINUTE) == 10
    assert driver.wave(1_000, NOW - 11 * MINUTE) == 0


def test_what_is_usual_is_remembered_by_the_partition_and_taken_up_by_its_next_owner():
    driver = Driver()
    for minute in range(60):
        driver.wave(80, NOW + minute * MINUTE)
    driver.wave(1, NOW + 60 * MINUTE, domain="quiet.example")
    driver.wave(1, NOW + 60 * MINUTE)
    cells = to_cells(Partition(usual=driver.brake.usual))
    remembered = to_partition(cells)
    assert remembered.usual == driver.brake.usual
    assert to_cells(remembered) == cells
    assert list(remembered.usual) == ["example.com"]
    usual = remembered.usual["example.com"][1]
    assert 40 < usual < 60
    assert Driver(usual=remembered.usual).wave(399, NOW + 61 * MINUTE) == 0


def test_what_is_remembered_changes_once_a_minute_at_most():
    driver = Driver(usual={"example.com": (NOW // MINUTE - 1, 50.0)})
    driver.wave(5)
    before = driver.brake.usual
    driver.wave(50)
    assert driver.brake.usual is before
    driver.wave(5, NOW + MINUTE)
    assert driver.brake.usual != before


def test_memory_is_bounded_however_many_domains_there_are():
    driver = Driver()
    said = [block(0, f"d{number}.example") for number in range(MAX_DOMAINS + 500)]
    for start in range(0, len(said), 1_000):
        driver.part(said[start : start + 1_000])
    assert len(driver.brake._domains) == MAX_DOMAINS
    busy = {f"d{number}.example": (NOW // MINUTE, 10.0 + number) for number in range(2 * MAX_REMEMBERED)}
    driver = Driver(usual=busy)
    driver.wave(1, NOW + MINUTE)
    assert len(driver.brake.usual) == MAX_REMEMBERED
    assert f"d{2 * MAX_REMEMBERED - 1}.example" in driver.brake.usual
