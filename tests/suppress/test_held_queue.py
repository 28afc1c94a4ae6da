"""The queue of what is held back: each order is passed on when its tenant's time has come, and deleted then."""

import pytest

from agents.suppress.brake import HELD
from agents.suppress.held import PIECE, HeldQueue, Wave, passed_on
from schemas.codec import encode
from schemas.order import ORDERS, Held
from schemas.policy import parse_policy
from streams.memory import MemoryRecord

POLICY = parse_policy('[brake]\nhold = "10m"\n[tenants.slow.brake]\nhold = "1d"\n[tenants.quick.brake]\nhold = "5s"')
NOW = 1_763_633_700_000
MINUTES = 60_000


def record(name: str, at: int = NOW, tenant: str = "acme", value: bytes | None = b"") -> MemoryRecord:
    value = encode(Held(tenant, f"{name}@example.com")) if value == b"" else value
    return MemoryRecord(HELD, 0, 0, at, f"key\x1f{name}".encode(), value)


def names(queue: HeldQueue, now: int) -> list[str]:
    return [(order.key or b"").decode().partition("\x1f")[2] for order in queue.due(now)]


@pytest.fixture
def queue() -> HeldQueue:
    return HeldQueue(POLICY)


def test_an_order_is_passed_on_after_its_hold_and_once(queue):
    queue.take(record("a"), NOW)
    assert names(queue, NOW + 10 * MINUTES - 1) == []
    [order] = queue.due(NOW + 10 * MINUTES)
    assert (order.topic, order.key, order.place) == (ORDERS, b"key\x1fa", b"key")
    assert passed_on([order]) == [order._replace(topic=HELD, value=None)]
    assert names(queue, NOW + 99 * MINUTES) == []
    assert len(queue) == 0


def test_a_tenant_that_is_held_back_for_long_holds_up_no_other(queue):
    queue.take(record("a", tenant="slow"), NOW)
    queue.take(record("b"), NOW)
    queue.take(record("c", tenant="quick"), NOW)
    assert names(queue, NOW + 5_000) == ["c"]
    assert names(queue, NOW + 10 * MINUTES) == ["b"]
    assert names(queue, NOW + 1_440 * MINUTES) == ["a"]


def test_what_another_has_passed_on_is_not_passed_on_again(queue):
    queue.take(record("a"), NOW)
    queue.take(record("b"), NOW)
    queue.take(record("a", value=None), NOW)
    assert names(queue, NOW + 10 * MINUTES) == ["b"]


def test_a_clock_that_is_ahead_does_not_prolong_the_wait(queue):
    queue.take(record("a", NOW + 9_999 * MINUTES), NOW)
    assert names(queue, NOW + 10 * MINUTES) == ["a"]


def test_what_has_waited_long_enough_somewhere_else_goes_at_once(queue):
    queue.take(record("a", NOW - 10 * MINUTES), NOW)
    assert names(queue, NOW) == ["a"]


def test_what_is_no_held_order_goes_to_who_makes_a_dead_letter_of_it(queue):
    queue.take(record("a", value=b"nonsense"), NOW)
    queue.take(record("b", value=b"nonsense")._replace(key=None), NOW)
    [order] = queue.due(NOW)
    assert order.value == b"nonsense"


def test_orders_are_passed_on_a_piece_at_a_time(queue):
    for number in range(PIECE + 1):
        queue.take(record(f"r{number}"), NOW)
    assert [len(queue.due(NOW + 10 * MINUTES)) for _ in range(3)] == [PIECE, 1, 0]


def held(number: int, tenant: str = "acme", contact: int | None = None, at: int = NOW) -> MemoryRecord:
    order = Held(tenant, f"r{number if contact is None else contact}@example.com", 2.5)
    return record(f"{tenant}-{number}", at, value=encode(order))


def test_a_wave_is_told_when_it_begins_while_it_grows_and_when_it_is_over(queue):
    for number in range(120):
        queue.take(held(number), NOW + number)
    queue.take(held(0, "slow"), NOW)
    assert queue.news(NOW + 4_999) == []
    last = NOW + 1_440 * MINUTES
    [begins] = queue.news(NOW + 5_000)
    assert begins == Wave("example.com", 121, {"acme": 120, "slow": 1}, 2.5, NOW + 10 * MINUTES, last, 0)
    assert queue.news(NOW + 3 * MINUTES) == [], "nothing new"
    queue.take(held(120, at=NOW + 3 * MINUTES), NOW + 3 * MINUTES)
    [grows] = queue.news(NOW + 3 * MINUTES)
    assert (grows.held, grows.tenants) == (122, {"acme": 121, "slow": 1})
    queue.take(held(121, at=NOW + 3 * MINUTES), NOW + 3 * MINUTES)
    assert queue.news(NOW + 4 * MINUTES - 1) == [], "at most once a minute"
    assert [wave.held for wave in queue.news(NOW + 4 * MINUTES)] == [123]
    assert len(queue.due(NOW + 13 * MINUTES)) == 122
    assert queue.news(NOW + 13 * MINUTES) == [], "one still waits"
    assert len(queue.due(last)) == 1
    assert not queue.is_over
    [over] = queue.news(last)
    assert (over.held, over.tenants, over.let_go) == (0, {}, 123)
    assert queue.news(last + MINUTES) == []
    assert queue.is_over


def test_only_the_five_tenants_with_the_most_are_told(queue):
    for tenant in range(8):
        for number in range(tenant + 1):
            queue.take(held(number, f"t{tenant}"), NOW)
    [wave] = queue.news(NOW + 5_000)
    assert wave.held == 36
    assert wave.tenants == {"t7": 8, "t6": 7, "t5": 6, "t4": 5, "t3": 4}


def test_a_contact_with_several_orders_is_held_once(queue):
    for number in range(4):
        queue.take(held(number, contact=1), NOW)
    assert (len(queue), queue.contacts) == (4, 1)
    assert [wave.held for wave in queue.news(NOW + 5_000)] == [1]


def test_what_others_have_passed_on_before_is_not_told(queue):
    queue.take(held(1), NOW)
    queue.take(record("acme-1", value=None), NOW)
    assert queue.is_over
    assert queue.news(NOW + 10 * MINUTES) == []


def test_waves_that_wait_for_seconds_only_are_told_once_a_minute_too(queue):
    told = []
    for second in range(180):
        now = NOW + second * 1_000
        queue.take(held(second, "quick", at=now), now)
        queue.due(now)
        told += queue.news(now)
    assert len(told) <= 4
