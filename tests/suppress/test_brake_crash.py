"""A brake, crashes, and orders that come when they like: the standing decision ends as if there had been no brake."""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from itertools import count
from random import Random

import orjson
import pytest

from agents.command.agent import orders_of
from agents.ports import Agent, Batch, Changed, Outgoing
from agents.suppress.agent import make_suppress_agent
from agents.suppress.brake import HELD, Brake
from agents.suppress.cells import UNSAID
from agents.suppress.held import HeldQueue, passed_on
from agents.suppress.identity import contact_keys
from schemas.codec import encode
from schemas.delivery import Origin
from schemas.order import ORDERS, Held
from schemas.policy import parse_policy
from schemas.suppression import suppression_key
from schemas.times import DAY, MINUTE
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, MemoryTable, NoMeter, each
from streams.partition_runs import Nothing
from streams.replay import classify_lines
from tests.support.conformance import NAMES, expected, lines, standing
from tests.support.histories import PROVIDERS, arrival, command, delivery_event, history, orders
from tests.support.oracle import HOUR, Event, Order, Rule, decisions

KINDS = ["Quota exceeded", "Connection issue", "delivered", "User", "resubscribed", "Preblock", "Spam", "User unknown"]
KEY = contact_keys(b"secret")
ALL_OF_IT = parse_policy('[brake]\nenabled = true\nfloor = 1\nfactor = 1\nhold = "1s"')
NAME = ("acme", "jane@example.com")


class Crash(Exception):
    """The process has ended."""


class Partition:
    """A partition with a brake that holds everything back, or, by chance, nothing: agents on a table that stays."""

    def __init__(self, table: MemoryTable, coin: Callable[[], bool] = lambda: True) -> None:
        self.said: list[Outgoing] = []
        self.waiting: list[Outgoing] = []
        """Held, and not yet passed on to the owner."""
        self._table = table
        self._coin = coin
        self._ids = count()
        self.begin()

    def begin(self) -> None:
        """Begin anew, as after a crash."""
        holding = self._coin()
        self.agent = make_suppress_agent(
            self._table, MemoryPublisher(self._take), InOrder(), KEY, ALL_OF_IT, NoMeter(), self._brake(holding=holding)
        )

    def _brake(self, *, holding: bool) -> Callable[[], Brake] | None:
        # Of a thousand partitions, with a floor of one in all: the very first block is beyond what one may see.
        return (lambda: Brake(ALL_OF_IT, 1_000, KEY, lambda: str(next(self._ids)))) if holding else None

    def _take(self, outgoing: Outgoing) -> None:
        {"suppressions": self.said, HELD: self.waiting}.get(outgoing.topic, []).append(outgoing)

    async def events(self, *events: Event) -> None:
        records = [MemoryRecord("delivery-events", 0, 0, 0, None, encode(delivery_event(one))) for one in events]
        await self.agent(each([MemoryBatch(records)]))

    async def command(self, told: Order) -> None:
        found = [MemoryRecord(ORDERS, 0, 0, None, o.key, o.value) for o in orders_of(command(told), KEY, 1)]
        await self.agent(each([MemoryBatch(found, beside=True)]))
        await self.agent(each([Nothing(0, 0)]))

    async def let_go(self) -> None:
        """Pass on what waits."""
        found = [MemoryRecord(ORDERS, 0, 0, None, o.key, o.value) for o in self.waiting]
        self.waiting.clear()
        if found:
            await self.agent(each([MemoryBatch(found, beside=True)]))

    @property
    def words(self) -> list[str]:
        told = [orjson.loads(one.value) if one.value else {"action": "erase", "status": ""} for one in self.said]
        return [f"{one['action']} {one['status']}".strip() for one in told]


BLOCK = Event(HOUR, "m1", "User unknown")


async def test_a_held_block_stands_at_once_and_is_said_later_and_once():
    table = MemoryTable()
    partition = Partition(table)
    await partition.events(BLOCK)
    assert partition.words == []
    [name] = table.names()
    assert b"User unknown" in b"".join((await table.read(Nothing(0, 0), [name], ()))[0].cells.values())
    copies = list(partition.waiting)
    await partition.let_go()
    assert partition.words == ["suppress User unknown"]
    partition.waiting = copies
    await partition.let_go()
    await partition.events(BLOCK)
    await partition.let_go()
    assert partition.words == ["suppress User unknown"]


@pytest.mark.parametrize(
    ("meanwhile", "words"),
    [
        (Event(2 * HOUR, "m2", "Spam"), ["suppress Spam"]),
        (Order("release", 2 * HOUR, "c", ("User unknown",)), ["release User unknown"]),
        (Order("retract", HOUR, "c", ("User unknown",), (), 0, 2 * HOUR), ["release User unknown"]),
        (Order("suppress", 2 * HOUR, "c", ("Typofix",)), ["suppress User unknown"]),
        (Order("erase", 2 * HOUR, "c"), ["erase"]),
    ],
    ids=["a complaint", "a release", "a retraction", "a suppress", "an erasure"],
)
async def test_what_comes_while_a_block_is_held_is_said_at_once_and_nothing_after_it(meanwhile, words):
    table = MemoryTable()
    partition = Partition(table)
    await partition.events(BLOCK)
    await (partition.events(meanwhile) if isinstance(meanwhile, Event) else partition.command(meanwhile))
    assert partition.words == words
    await partition.let_go()
    assert partition.words == words


async def test_nothing_of_a_person_forgotten_while_held_is_left_but_a_hash():
    table = MemoryTable()
    partition = Partition(table)
    await partition.events(BLOCK)
    await partition.command(Order("erase", 2 * HOUR, "c"))
    left = (await table.read(Nothing(0, 0), table.names(), ()))[0].cells
    await partition.let_go()
    assert (await table.read(Nothing(0, 0), table.names(), ()))[0].cells == left
    assert b"jane" not in b"".join(left.values())


async def test_what_changes_a_held_block_waits_with_it_and_is_said_with_the_first_order():
    partition = Partition(MemoryTable())
    await partition.events(BLOCK)
    copies = list(partition.waiting)
    await partition.events(Event(HOUR - 1, "m0", "User unknown"))
    assert (partition.words, len(partition.waiting)) == ([], 2)
    later, partition.waiting = partition.waiting, copies
    await partition.let_go()
    assert partition.words == ["suppress User unknown"]
    assert orjson.loads(partition.said[0].value or b"")["reasons"][0]["evidence"] == ["m0"]
    partition.waiting = later
    await partition.let_go()
    assert partition.words == ["suppress User unknown"]


async def test_what_changes_a_block_that_has_been_said_is_said_at_once():
    partition = Partition(MemoryTable())
    await partition.events(BLOCK)
    await partition.let_go()
    await partition.events(Event(HOUR - 1, "m0", "User unknown"))
    assert (partition.words, partition.waiting) == (["suppress User unknown"] * 2, [])


async def test_a_held_block_waits_on_when_another_worker_goes_on_without_a_brake():
    partition = Partition(MemoryTable(), iter([True, False]).__next__)
    await partition.events(BLOCK)
    partition.begin()
    await partition.events(BLOCK)
    assert partition.words == []
    await partition.let_go()
    assert partition.words == ["suppress User unknown"]


class CrashingTable(MemoryTable):
    """A table whose worker dies before it writes, now and then."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def write(self, batch: Batch, changes: Mapping[str, Changed]) -> None:
        if changes and self._random.random() < 0.4:
            raise Crash
        await super().write(batch, changes)


@pytest.mark.parametrize("seed", range(800))
async def test_events_commands_and_held_blocks_end_the_same_wherever_the_worker_dies(seed: int) -> None:
    """Orders of what is held come before and after a crash, some twice, some before the batch they speak of."""
    random = Random(seed)
    events = history(random, length=random.randrange(2, 9), step=HOUR, messages=1_000, kinds=KINDS, providers=PROVIDERS)
    told = orders(random, events, KINDS)
    records = [encode(delivery_event(event)) for event in arrival(random, events, HOUR)]
    commands = [order for one in told for order in orders_of(command(one), KEY, 1)]
    decided = carried_out = attempted = 0
    table = CrashingTable(random)
    partition = Partition(table, lambda: random.random() < 0.7)

    def order_batch(some: list[Outgoing]) -> MemoryBatch:
        return MemoryBatch([MemoryRecord(ORDERS, 0, 0, None, o.key, o.value) for o in some], beside=True)

    async def batches() -> AsyncIterator[Batch]:
        nonlocal decided, carried_out, attempted
        while decided < len(records) or carried_out < len(commands) or partition.waiting:
            size = random.randrange(1, 5)
            if partition.waiting and random.random() < 0.4:
                some = partition.waiting[:size]
                yield order_batch(some)
                # Sooner or later it is deleted; until then it may come again.
                partition.waiting = [one for one in partition.waiting if one not in some or random.random() < 0.2]
                continue
            is_event = decided < attempted or carried_out == len(commands) or random.random() < 0.5
            if is_event and decided < len(records):
                chunk = records[decided : decided + size]
                attempted = max(attempted, decided + len(chunk))
                yield MemoryBatch([MemoryRecord("delivery-events", 0, decided, 0, None, value) for value in chunk])
                decided += len(chunk)
            elif carried_out < len(commands):
                some = commands[carried_out : carried_out + size]
                yield order_batch(some)
                carried_out += len(some)
        yield Nothing(0, decided)  # retractions are gone through with each batch
        done.append(True)

    done: list[bool] = []
    while not done:
        try:
            await partition.agent(batches())
        except Crash:
            partition.begin()
    assert not partition.waiting
    found = await table.read(Nothing(0, 0), table.names(), ())
    assert not any(UNSAID in known.cells for known in found)
    last = partition.said[-1].value if partition.said else None
    reasons = orjson.loads(last)["reasons"] if last else []
    got = {r["status"]: (r["since"], tuple(r["evidence"]), r["expires_at"]) for r in reasons}
    assert got == decisions(set(events), Rule(), told)


async def test_a_producer_whose_clock_is_ahead_does_not_let_the_brake_go():
    partition = Partition(MemoryTable())
    now, ahead = 100 * DAY, Origin(0, 0, 9_999 * DAY).header()
    for number, headers in enumerate([(ahead,), ()]):
        value = encode(delivery_event(BLOCK, recipient=f"r{number}@example.com"))
        await partition.agent(each([MemoryBatch([MemoryRecord("delivery-events", 0, 0, now, None, value, headers)])]))
    assert (partition.words, len(partition.waiting)) == ([], 2)


async def test_what_is_usual_lies_with_the_state_so_that_another_worker_knows_it():
    policy = parse_policy("[brake]\nenabled = true\nfactor = 100")
    held: list[Outgoing] = []
    numbers = count()

    def batch(size: int, minute: int) -> MemoryBatch:
        events = [encode(delivery_event(BLOCK, recipient=f"r{next(numbers)}@example.com")) for _ in range(size)]
        return MemoryBatch([MemoryRecord("delivery-events", 0, 0, minute * MINUTE, None, value) for value in events])

    def agent(table: MemoryTable) -> Agent:
        out = MemoryPublisher(lambda one: held.append(one) if one.topic == HELD else None)
        brake = partial(Brake, policy, 1, KEY, lambda: str(next(numbers)))
        return make_suppress_agent(table, out, InOrder(), KEY, policy, NoMeter(), brake)

    table = MemoryTable()
    await agent(table)(each([batch(90, minute) for minute in range(1, 6)]))
    await agent(table)(each([batch(300, 6)]))
    assert held == []
    await agent(MemoryTable())(each([batch(300, 6)]))
    assert len(held) == 200


async def test_a_queue_that_is_read_again_after_a_crash_says_nothing_twice():
    partition = Partition(MemoryTable())
    await partition.events(BLOCK)
    [order] = partition.waiting
    for _ in range(2):  # the first owner dies between passing on and deleting
        queue = HeldQueue(ALL_OF_IT)
        queue.take(MemoryRecord(HELD, 0, 0, 0, order.key, order.value), 0)
        [passed] = queue.due(1_000)
        assert passed_on([passed])[0].value is None
        partition.waiting = [passed]
        await partition.let_go()
    assert partition.words == ["suppress User unknown"]
    assert order.value == encode(Held(*NAME))
    assert partition.said[0].key == suppression_key(*NAME)


@pytest.mark.parametrize("name", NAMES)
async def test_a_history_of_which_everything_is_held_ends_in_the_expected_decisions(name: str) -> None:
    partition = Partition(MemoryTable())
    random, held = Random(name), 0
    events = list(classify_lines(lines(name)))
    for start in range(0, len(events), 50):
        chunk = events[start : start + 50]
        records = [MemoryRecord("delivery-events", 0, start, 0, None, value) for value in chunk]
        await partition.agent(each([MemoryBatch(records)]))
        held += len(partition.waiting)
        if random.random() < 0.2:
            await partition.let_go()
    await partition.let_go()
    assert held
    assert expected(name) == standing(orjson.loads(one.value) for one in partition.said if one.value)
