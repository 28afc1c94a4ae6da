"""The agent that turns delivery events into suppressions: decode, decide, publish, remember, acknowledge.

Beside them it carries out orders (`schemas.order`): of one partition, events and orders come one after the other.
"""

from collections.abc import AsyncIterable, Callable

from msgspec.structs import replace

from agents.budget import Budget
from agents.dead_letters import reject
from agents.ports import Agent, Arrivals, Batch, ContactTable, Meter, Outgoing, Publisher
from agents.suppress.book import Book, remembered
from agents.suppress.brake import Before, Brake
from agents.suppress.cells import to_contact
from agents.suppress.coordinates import Place
from agents.suppress.decision import Timed, TimedOrder, decide
from agents.suppress.identity import ContactKeys
from agents.suppress.network import counting, told
from agents.suppress.watermark import Watermark
from schemas.codec import decode_delivery_event, decode_order
from schemas.delivery import origin_of
from schemas.order import ORDERS, Denial
from schemas.policy import Policy
from schemas.rejected import Rejected


def make_suppress_agent(
    contacts: ContactTable,
    out: Publisher,
    arrivals: Arrivals,
    contact_key: ContactKeys,
    policy: Policy,
    meter: Meter,
    new_brake: Callable[[], Brake] | None = None,
    budget: Budget | None = None,
) -> Agent:
    """Build the agent that keeps every contact's standing decision; `new_brake` gives each partition its brake.

    Where there is a budget and more than that is rejected, the agent raises `BudgetSpent` before it decides.

    It publishes before it remembers: state that says "already said" must never be ahead of what was said, or a crash
    between the two would lose a suppression. The other way round a crash repeats a batch, and the repeat says the same.
    """
    book = Book(contacts, out, contact_key, policy, meter)

    async def decide_events(batch: Batch, watermark: Watermark, brake: Brake | None) -> None:
        watermark.advance(arrivals.complete(batch.partition, batch.start))
        events, places, dead, arrived = _decode(batch, watermark, meter, budget)
        names = book.named((e.tenant, e.recipient) for e, _ in events)
        failing = {names[e.tenant, e.recipient] for e, _ in events if e.effect == "count"}
        network = told(events, contact_key, policy)
        found, partition = await book.read(batch, [*names.values(), *network], failing)
        known = {name: to_contact(*found[asked]) for name, asked in names.items()}
        counted = counting(events, known, partition.retracted)
        network = network if counted is events else told(counted, contact_key, policy)

        before = {name: Before(one.standing, one.unsaid) for name, one in known.items()} if brake else {}
        under_way = [one.retract for one in partition.under_way.values()]
        decision = decide(known, events, policy, watermark.newest, partition.retracted, under_way, places)
        held: list[Outgoing] = []
        usual = partition.usual
        if brake and decision.said:
            came = {(event.tenant, event.recipient): at for (event, _), at in zip(events, arrived, strict=True)}
            decision, held = brake.part(decision, known, before, came, usual)
            usual = brake.usual

        await out.publish([*dead, *book.records(decision), *held])
        changed = book.changed(decision, names, found, known)
        changed |= book.network(under_way, known, found, network, watermark.newest)
        if usual != partition.usual:
            changed |= remembered(found, partition._replace(usual=usual))
        await book.write(batch, decision, names, changed)
        # What is still to come is up to one lateness older, and joins what began one more before it.
        await contacts.forget(batch, watermark.newest - 2 * policy.longest_lateness)
        batch.done()
        meter.count("delivery_events", len(events))
        meter.count("suppressions", len(decision.said))
        meter.count("held", len(held))
        meter.count("late_reports", decision.late)
        meter.count("dropped_events", decision.dropped)

    async def carry_out_orders(batch: Batch) -> None:
        orders, dead = _decode_orders(batch, meter, budget)
        await out.publish(dead)
        await book.carry_out(batch, orders)
        # What has been carried out is not to be read again, nor to stand there: it names people.
        await out.publish(_carried_out(batch))
        batch.done()
        meter.count("orders", len(orders))

    async def suppress(batches: AsyncIterable[Batch]) -> None:
        watermark, brake = Watermark(), new_brake() if new_brake else None
        async for batch in batches:
            if batch.beside:
                await carry_out_orders(batch)
            else:
                await decide_events(batch, watermark, brake)

    return suppress


def _decode(
    batch: Batch, watermark: Watermark, meter: Meter, budget: Budget | None
) -> tuple[list[Timed], list[Place | None], list[Outgoing], list[int]]:
    """Decode a batch: the events that can matter, where they lie, a dead letter for what is none, and their arrival."""
    events: list[Timed] = []
    places: list[Place | None] = []
    dead: list[Outgoing] = []
    came: list[int] = []
    for record in batch.records:
        decoded = decode_delivery_event(record.value)
        if isinstance(decoded, Rejected):
            dead.append(reject(record, decoded, meter, budget))
            continue
        origin = origin_of(record.headers)
        arrived = origin.arrived if origin else record.timestamp or 0
        watermark.see(arrived, decoded[1])
        if decoded[0].effect != "ignore":
            events.append(decoded)
            came.append(min(arrived, record.timestamp or arrived))  # a producer's clock may be ahead; ours is not
            # Without a timestamp it was never on a broker.
            places.append(None if record.timestamp is None else (record.partition, record.offset, origin))
    return events, places, dead, came


def _decode_orders(batch: Batch, meter: Meter, budget: Budget | None) -> tuple[list[TimedOrder], list[Outgoing]]:
    """Decode a batch of orders, and pass over those that have been carried out; a dead letter for what is none."""
    orders: list[TimedOrder] = []
    dead: list[Outgoing] = []
    for record in batch.records:
        if record.value is None:
            continue
        decoded = decode_order(record.value)
        if isinstance(decoded, Rejected):
            dead.append(reject(record, decoded, meter, budget))
        else:
            order, at = decoded
            if isinstance(order, Denial) and record.timestamp is not None:
                order = replace(order, record=(record.partition, record.offset))
            orders.append((order, at))
    return orders, dead


def _carried_out(batch: Batch) -> list[Outgoing]:
    """Delete the orders of a batch by their keys, where they stand."""
    keys = {record.key: None for record in batch.records if record.value is not None and record.key}
    return [Outgoing(ORDERS, key, None, partition=batch.partition) for key in keys]
