"""A crash between what was said and what was to be remembered of it; the batch that is decided again is another."""

from collections.abc import AsyncIterator, Mapping
from random import Random

import orjson
import pytest

from agents.ports import Changed, Outgoing
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys
from schemas.codec import encode
from schemas.policy import parse_policy
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, MemoryTable, NoMeter
from tests.support.conformance import standing
from tests.support.histories import arrival, delivery_event, history
from tests.support.oracle import HOUR, Rule, decisions

KINDS = ["Quota exceeded", "Connection issue", "delivered", "User", "resubscribed", "Preblock"]


class Crash(Exception):
    """The process has ended."""


class CrashingTable(MemoryTable):
    """A table whose worker dies before it writes, now and then."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def write(self, batch: MemoryBatch, changes: Mapping[str, Changed]) -> None:
        if changes and self._random.random() < 0.5:
            raise Crash
        await super().write(batch, changes)


@pytest.mark.parametrize("seed", range(400))
async def test_what_was_said_before_a_crash_is_taken_back_if_it_does_not_stand(seed: int) -> None:
    random = Random(seed)
    events = history(random, length=random.randrange(2, 9), step=HOUR, messages=1_000, kinds=KINDS)
    records = [encode(delivery_event(event)) for event in arrival(random, events, HOUR)]
    said: list[Mapping[str, object]] = []
    decided = 0

    def take(outgoing: Outgoing) -> None:
        assert outgoing.value is not None
        said.append(orjson.loads(outgoing.value))

    async def batches() -> AsyncIterator[MemoryBatch]:
        nonlocal decided
        while decided < len(records):
            size = random.randrange(1, 9)
            chunk = records[decided : decided + size]
            yield MemoryBatch([MemoryRecord("delivery-events", 0, decided, None, None, value) for value in chunk])
            decided += len(chunk)

    table = CrashingTable(random)
    while decided < len(records):
        agent = make_suppress_agent(
            table, MemoryPublisher(take), InOrder(), contact_keys(b"secret"), parse_policy(""), NoMeter()
        )
        try:
            await agent(batches())
        except Crash:
            continue
    found = standing(said).get(("acme", "jane@example.com"), {})
    got = {status: (r["since"], tuple(r["evidence"]), r.get("expires_at")) for status, r in found.items()}
    assert got == decisions(set(events), Rule())
