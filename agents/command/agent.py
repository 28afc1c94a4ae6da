"""The agent that reads `contact-commands` and tells the owners of contacts: decode, publish, acknowledge (SPEC 7).

A command about a contact goes to the partition of that contact, a retraction to every partition. Passed on twice, it is
still one: the owner knows it by its id.
"""

import hashlib
from collections.abc import AsyncIterable

import msgspec

from agents.budget import Budget
from agents.classify.address import canonical_recipient
from agents.dead_letters import reject
from agents.ports import Agent, Batch, Meter, Outgoing, Publisher
from agents.suppress.identity import ContactKeys
from schemas.codec import decode_command, encode
from schemas.command import Command, Release, Retract
from schemas.order import ORDERS, order_key
from schemas.rejected import Rejected

EVERYBODY = "*"
"""What stands in place of the contact key in the key of a retraction."""


def make_command_agent(
    out: Publisher, contact_key: ContactKeys, partitions: int, meter: Meter, budget: Budget | None = None
) -> Agent:
    """Build the agent; `partitions` is how many the orders' topic has.

    Where there is a budget and more than that is rejected, the agent raises `BudgetSpent` before it publishes.
    """

    async def commands(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            outgoing: list[Outgoing] = []
            taken = 0
            for record in batch.records:
                command = decode_command(record.value, canonical_recipient)
                if isinstance(command, Rejected):
                    outgoing.append(reject(record, command, meter, budget))
                else:
                    outgoing += orders_of(command, contact_key, partitions, (record.partition, record.offset))
                    taken += 1
            await out.publish(outgoing)
            batch.done()
            meter.count("commands", taken)

    return commands


def orders_of(
    command: Command, contact_key: ContactKeys, partitions: int, record: tuple[int, int] | None = None
) -> list[Outgoing]:
    """Give the orders that a command leads to. Who ordered it and why stays on `contact-commands`.

    `record` is where it stands there: partition and offset.
    """
    bare = msgspec.structs.replace(command, actor=None, note=None, record=record)
    if isinstance(bare, Release):
        bare = msgspec.structs.replace(bare, consent=None)
    value, named = encode(bare), hashlib.sha256(command.id.encode()).hexdigest()
    if isinstance(command, Retract):
        key = order_key(EVERYBODY, named)
        return [Outgoing(ORDERS, key, value, partition=number) for number in range(partitions)]
    own = contact_key(command.recipient)
    return [Outgoing(ORDERS, order_key(own, named), value, place=own.encode())]
