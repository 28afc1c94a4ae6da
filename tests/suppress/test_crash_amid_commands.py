"""Crashes amid commands: what was said before one is taken back if it does not stand, whatever is decided next."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from random import Random

import orjson
import pytest

from agents.command.agent import orders_of
from agents.ports import Batch, Changed, Outgoing
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys
from schemas.codec import encode
from schemas.order import ORDERS
from schemas.policy import parse_policy
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, MemoryTable, NoMeter, each
from streams.partition_runs import Nothing
from tests.support.histories import PROVIDERS, arrival, command, delivery_event, history, orders
from tests.support.oracle import HOUR, Event, Order, Rule, decisions

KINDS = ["Quota exceeded", "Connection issue", "delivered", "User", "User", "resubscribed", "Preblock", "Spam"]
KEY = contact_keys(b"secret")


class Crash(Exception):
    """The process has ended."""


class CrashingTable(MemoryTable):
    """A table whose worker dies before it writes, now and then."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def write(self, batch: Batch, changes: Mapping[str, Changed]) -> None:
        if changes and self._random.random() < 0.5:
            raise Crash
        await super().write(batch, changes)


@pytest.mark.parametrize("seed", range(600))
async def test_events_and_commands_decide_the_same_wherever_the_worker_dies(seed: int) -> None:
    random = Random(seed)
    events = history(random, length=random.randrange(2, 9), step=HOUR, messages=1_000, kinds=KINDS, providers=PROVIDERS)
    told = orders(random, events, KINDS)
    records = [encode(delivery_event(event)) for event in arrival(random, events, HOUR)]
    commands = [order for one in told for order in orders_of(command(one), KEY, 1)]
    last: bytes | None = None
    decided = carried_out = attempted = 0

    def take(outgoing: Outgoing) -> None:
        nonlocal last
        if outgoing.topic == "suppressions":
            last = outgoing.value

    async def batches() -> AsyncIterator[Batch]:
        # Orders wait until the events that were in work at a crash have been decided again (`streams.partition_runs`).
        nonlocal decided, carried_out, attempted
        while decided < len(records) or carried_out < len(commands):
            size = random.randrange(1, 5)
            is_event = decided < attempted or carried_out == len(commands) or random.random() < 0.5
            if is_event and decided < len(records):
                chunk = records[decided : decided + size]
                attempted = max(attempted, decided + len(chunk))
                yield MemoryBatch([MemoryRecord("delivery-events", 0, decided, None, None, value) for value in chunk])
                decided += len(chunk)
            else:
                some = commands[carried_out : carried_out + size]
                yield MemoryBatch([MemoryRecord(ORDERS, 0, 0, None, o.key, o.value) for o in some], beside=True)
                carried_out += len(some)
        yield Nothing(0, decided)  # retractions are gone through with each batch
        done.append(True)

    done: list[bool] = []
    table = CrashingTable(random)
    while not done:
        agent = make_suppress_agent(table, MemoryPublisher(take), InOrder(), KEY, parse_policy(""), NoMeter())
        try:
            await agent(batches())
        except Crash:
            continue
    reasons = orjson.loads(last)["reasons"] if last else []
    got = {r["status"]: (r["since"], tuple(r["evidence"]), r["expires_at"]) for r in reasons}
    assert got == decisions(set(events), Rule(), told)


class DyingTable(MemoryTable):
    """A table whose worker dies once, when it comes to write a contact."""

    died = False

    async def write(self, batch: Batch, changes: Mapping[str, Changed]) -> None:
        if not self.died and any(name.startswith("acme") for name in changes):
            self.died = True
            raise Crash
        await super().write(batch, changes)


async def test_an_event_that_is_decided_between_a_crash_and_the_repeat_of_its_command_hides_nothing() -> None:
    """Story: a block is said, the worker dies; the consent comes before the command is read again."""
    told = command(Order("suppress", HOUR, "c", ("User",)))
    [order] = orders_of(told, KEY, 1)
    consent = encode(delivery_event(Event(2 * HOUR, "m1", "resubscribed")))
    said: list[Outgoing] = []
    table = DyingTable()
    for batch in (
        MemoryBatch([MemoryRecord(ORDERS, 0, 0, None, order.key, order.value)], beside=True),
        MemoryBatch([MemoryRecord("delivery-events", 0, 0, None, None, consent)]),
        MemoryBatch([MemoryRecord(ORDERS, 0, 0, None, order.key, order.value)], beside=True),
    ):
        agent = make_suppress_agent(table, MemoryPublisher(said.append), InOrder(), KEY, parse_policy(""), NoMeter())
        with suppress(Crash):
            await agent(each([batch]))
    records = [one.value for one in said if one.topic == "suppressions"]
    assert [orjson.loads(value)["action"] for value in records if value] == ["suppress", "suppress", "release"]
    assert records[0] == records[1]
