"""A worker that was paused amid publishing wakes up when another has its partition: the owner has the last word."""

import asyncio
from collections.abc import Sequence

import pytest

from agents.ports import Agent, Batch, Fenced, Outgoing, Publisher
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys, contact_name, network_name
from schemas.codec import encode
from schemas.order import ORDERS
from schemas.policy import parse_policy
from streams.dev_stack import Endpoints
from streams.memory import InOrder, MemoryBatch, MemoryRecord, NoMeter, each
from streams.settings import Settings
from tests.support.histories import delivery_event
from tests.support.oracle import Event
from tests.support.owner import PARTITION, Owner, recipient_here
from tests.support.topics_io import Topics, topics_of

NOON = 1_763_633_730_000
KEYS = contact_keys(b"a secret")
JANE = recipient_here()


class Waiting:
    """A publisher that waits before it publishes, as if its process were stopped there."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.paused, self.goes_on = asyncio.Event(), asyncio.Event()

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self.paused.set()
        await self.goes_on.wait()
        await self._publisher.publish(outgoing)


def agent(owner: Owner, publisher: Publisher) -> Agent:
    return make_suppress_agent(owner.table, publisher, InOrder(), KEYS, parse_policy(""), NoMeter())


def batch(start: int, *events: Event) -> Batch:
    records = [
        MemoryRecord(
            "delivery-events", PARTITION, start + place, one.at, None, encode(delivery_event(one, "acme", JANE))
        )
        for place, one in enumerate(events)
    ]
    return MemoryBatch(records)


async def orders(topics: Topics) -> Batch:
    """Give the orders that wait to be carried out."""
    last = {record.key: record for record in await topics.read(ORDERS)}
    assert {record.partition for record in last.values()} == {PARTITION}
    return MemoryBatch([record for record in last.values() if record.value is not None], beside=True)


async def last_words(topics: Topics) -> list[str]:
    return [f"{one['action']} {one['status']}" for one in await topics.suppressions()]


@pytest.mark.parametrize(
    ("paused_with", "decided_since", "ends"),
    [
        # The unsubscribe is said by both; the consent that lifts it came when one was away.
        (
            [Event(NOON, "m1", "User")],
            [Event(NOON, "m1", "User"), Event(NOON + 1, "m1", "resubscribed")],
            "release User",
        ),
        # The paused one has seen five failures; the other one first learns of the delivery among them: it says nothing.
        (
            [Event(NOON + n, f"m{n}", "Connection issue") for n in range(5)],
            [Event(NOON + 2, "n", "delivered"), *[Event(NOON + n, f"m{n}", "Connection issue") for n in range(5)]],
            "release Connection issue",
        ),
        # Both say the same.
        ([Event(NOON, "m1", "User unknown")], [Event(NOON, "m1", "User unknown")], "suppress User unknown"),
    ],
    ids=["what was lifted meanwhile", "what never was a block", "what stands"],
)
async def test_what_a_paused_worker_says_late_is_corrected_by_the_owner(
    paused_with: list[Event],
    decided_since: list[Event],
    ends: str,
    owners: list[Owner],
    stack: Endpoints,
    settings: Settings,
) -> None:
    former, new, restored = owners
    publisher = former.changelog._publisher
    waiting = Waiting(publisher)
    async with topics_of(stack, settings.topic_prefix) as topics:
        late = asyncio.create_task(agent(former, waiting)(each([batch(0, *paused_with)])))
        await waiting.paused.wait()
        await agent(new, publisher)(each([batch(n, one) for n, one in enumerate(decided_since)]))
        waiting.goes_on.set()
        with pytest.raises(Fenced):
            await late
        asked = await orders(topics)
        await agent(new, publisher)(each([asked]))
        assert (await last_words(topics))[-1] == ends
        [*_, said] = await topics.suppressions()
        await agent(new, publisher)(each([asked]))
        assert (await topics.suppressions())[-1] == said, "what comes twice says the same twice"

        # Were the changelog compacted now, the owner's windows would be left, not those of the other.
        contact = contact_name(KEYS, "acme", JANE)
        last = {record.key: record for record in await topics.read("bounceline-contacts-changelog")}
        fences = {int(dict(one.headers)["fence"]) for key, one in last.items() if KEYS(JANE).encode() in key}
        assert len(fences) == 1
        after = await new.read(contact, network_name(KEYS(JANE)))
        assert await restored.read(contact, network_name(KEYS(JANE))) == after
        owned = new.partitions.owned(PARTITION)
        assert owned is not None
        assert fences == {owned.fence}
