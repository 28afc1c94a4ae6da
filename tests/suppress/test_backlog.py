"""Reports of one contact lie in several partitions that are read at different paces: the decision is the same."""

from collections.abc import AsyncIterator, Mapping
from random import Random

import orjson
import pytest

from agents.ports import Outgoing
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys
from schemas.codec import encode
from schemas.delivery import Origin
from schemas.policy import parse_policy
from streams.memory import MemoryBatch, MemoryPublisher, MemoryRecord, MemoryTable, NoMeter
from tests.support.conformance import Standing, standing
from tests.support.histories import arrival, delivery_event, history
from tests.support.oracle import HOUR, Event, Rule, decisions

SOURCES = 4
STEP_MS = 2_000  # between arrivals


class Paces:
    """Partitions of reports, each read in order and at a pace of its own (`agents.ports.Arrivals`)."""

    def __init__(self, random: Random, events: list[Event]) -> None:
        self._queues: list[list[tuple[int, Event]]] = [[] for _ in range(SOURCES)]
        for place, event in enumerate(events):
            random.choice(self._queues).append((place * STEP_MS, event))
        self._paces = [random.choice((1, 1, 30)) for _ in range(SOURCES)]
        self._random = random

    def complete(self, partition: int, offset: int) -> int:
        return min((queue[0][0] for queue in self._queues if queue), default=2**62)

    async def batches(self) -> AsyncIterator[MemoryBatch]:
        """Give one event at a time, as the paces have it."""
        offset = 0
        while waiting := [number for number in range(SOURCES) if self._queues[number]]:
            weights = [self._paces[number] for number in waiting]
            [source] = self._random.choices(waiting, weights)
            arrived, event = self._queues[source][0]
            header = Origin(source, offset, arrived).header()
            yield MemoryBatch(
                [MemoryRecord("delivery-events", 0, offset, arrived, None, encode(delivery_event(event)), [header])]
            )
            self._queues[source].pop(0)
            offset += 1


class NoDay(MemoryTable):
    """A table that forgets as soon as it may."""

    async def forget(self, batch: object, before: int) -> None:
        for hour in self._delivered.values():
            for marks in hour.values():
                marks[:] = [mark for mark in marks if mark[0] >= before]


async def _decided(arrivals: Paces) -> Standing:
    said: list[Mapping[str, object]] = []

    def take(outgoing: Outgoing) -> None:
        assert outgoing.value is not None
        said.append(orjson.loads(outgoing.value))

    agent = make_suppress_agent(
        NoDay(), MemoryPublisher(take), arrivals, contact_keys(b"secret"), parse_policy(""), NoMeter()
    )
    await agent(arrivals.batches())
    return standing(said)


KINDS = ["Quota exceeded", "Connection issue", "Connection issue", "delivered"]


@pytest.mark.parametrize("seed", range(300))
async def test_partitions_that_are_hours_apart_decide_as_if_read_in_order(seed: int) -> None:
    random = Random(seed)
    events = history(random, length=40, step=seed % 3 * HOUR + HOUR // 2, messages=1_000, kinds=KINDS)
    found = await _decided(Paces(random, arrival(random, events, HOUR)))
    reasons = found.get(("acme", "jane@example.com"), {})
    want = decisions(set(events), Rule())
    assert {status: (r["since"], tuple(r["evidence"]), None) for status, r in reasons.items()} == want
