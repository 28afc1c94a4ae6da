"""The agent that turns delivery events into suppressions: decode, decide, publish, remember, acknowledge.

Beside them it carries out orders (`schemas.order`): of one partition, events and orders come one after the other.
"""

from collections.abc import AsyncIterable, Callable, Collection, Mapping, Sequence

from agents.dead_letters import dead_letter
from agents.ports import (
    Agent,
    Arrivals,
    Batch,
    Changed,
    Complete,
    ContactTable,
    Fenced,
    Known,
    Meter,
    Outgoing,
    Publisher,
)
from agents.suppress.cells import changes, to_cells, to_contact, to_deliveries
from agents.suppress.contact import Contact
from agents.suppress.decision import Decision, Name, Timed, TimedOrder, carry_out, decide
from agents.suppress.identity import ContactKeys, contact_name
from agents.suppress.network import learnt, told
from agents.suppress.restating import asked_of, restatements, with_asked
from agents.suppress.watermark import Watermark
from schemas.codec import decode_delivery_event, decode_order, encode
from schemas.command import Retract
from schemas.delivery import origin_of
from schemas.order import ORDERS
from schemas.policy import Policy
from schemas.rejected import Rejected
from schemas.suppression import suppression_key


def make_suppress_agent(
    contacts: ContactTable,
    out: Publisher,
    arrivals: Arrivals,
    contact_key: ContactKeys,
    policy: Policy,
    meter: Meter,
    retracted: Callable[[int], Sequence[Retract]] = lambda _: (),
) -> Agent:
    """Build the agent that keeps every contact's standing decision.

    It publishes before it remembers: state that says "already said" must never be ahead of what was said, or a crash
    between the two would lose a suppression. The other way round a crash repeats a batch, and the repeat says the same.

    `retracted` gives, for a partition, the incidents that never happened: reports from within them are passed over.
    """

    def named(names: Collection[Name]) -> dict[Name, str]:
        return {name: contact_name(contact_key, *name) for name in names}

    async def remember(
        batch: Batch, decision: Decision, names: Mapping[Name, str], changed: Mapping[str, Changed]
    ) -> None:
        try:
            await contacts.write(batch, changed)
        except Fenced:
            # What we have just said and written may stand behind what the partition's owner has.
            await out.publish(restatements(decision, names, changed))
            raise

    async def decide_events(batch: Batch, watermark: Watermark) -> None:
        complete = arrivals.complete(batch.partition, batch.start)
        watermark.advance(complete.until)
        events, dead = _decode(batch, complete, watermark, meter)
        names = named(dict.fromkeys((e.tenant, e.recipient) for e, _ in events))
        failing = {names[e.tenant, e.recipient] for e, _ in events if e.effect == "count"}
        network = told(events, contact_key, policy)
        asked = [*names.values(), *network]
        found = dict(zip(asked, await contacts.read(batch, asked, failing), strict=True))
        known = {name: to_contact(*found[asked]) for name, asked in names.items()}

        decision = decide(known, events, policy, watermark.newest, retracted(batch.partition))

        await out.publish([*dead, *_records(decision)])
        changed = _changed(decision, names, found, known) | learnt(found, network, watermark.newest, policy)
        await remember(batch, decision, names, changed)
        # What is still to come is up to one lateness older, and joins what began one more before it.
        await contacts.forget(batch, watermark.newest - 2 * policy.longest_lateness)
        batch.done()
        meter.count("delivery_events", len(events))
        meter.count("suppressions", len(decision.suppressions))
        meter.count("late_reports", decision.late)
        meter.count("dropped_events", decision.dropped)

    async def carry_out_orders(batch: Batch) -> None:
        orders, dead = _decode_orders(batch, meter)
        names = named(dict.fromkeys(order.name for order, _ in orders if order.name))
        asked = list(dict.fromkeys([*names.values(), *asked_of(orders)]))
        found = dict(zip(asked, await contacts.read(batch, asked, ()), strict=True))
        known = {name: to_contact(*found[asked]) for name, asked in names.items()}

        decision = carry_out(known, orders, policy)

        await out.publish([*dead, *_records(decision)])
        await remember(batch, decision, names, with_asked(_changed(decision, names, found, known), orders, found))
        # What has been carried out is not to be read again, nor to stand there: it names people.
        await out.publish(_carried_out(batch))
        batch.done()
        meter.count("orders", len(orders))
        meter.count("suppressions", len(decision.suppressions))

    async def suppress(batches: AsyncIterable[Batch]) -> None:
        watermark = Watermark()
        async for batch in batches:
            if batch.beside:
                await carry_out_orders(batch)
            else:
                await decide_events(batch, watermark)

    return suppress


def _changed(
    decision: Decision, names: Mapping[Name, str], found: Mapping[str, Known], known: Mapping[Name, Contact]
) -> dict[str, Changed]:
    """Give what is to be remembered of the contacts that a decision has changed."""
    return {
        names[name]: Changed(
            changes(found[names[name]].cells, to_cells(known[name])),
            [mark for mark in to_deliveries(known[name]) if mark not in found[names[name]].delivered],
        )
        for name in decision.changed
    }


def _decode(batch: Batch, complete: Complete, watermark: Watermark, meter: Meter) -> tuple[list[Timed], list[Outgoing]]:
    """Decode a batch: the events that can matter, and a dead letter for what is no delivery event."""
    events: list[Timed] = []
    dead: list[Outgoing] = []
    for record in batch.records:
        decoded = decode_delivery_event(record.value)
        if isinstance(decoded, Rejected):
            dead.append(dead_letter(record, decoded, None))
            meter.count("rejected", label=decoded.reason)
            continue
        origin = origin_of(record.headers)
        watermark.see(origin.arrived if origin else record.timestamp or 0, decoded[1])
        # A report that was read again after its first copy may have been forgotten would count a second time.
        again = origin and origin.offset < complete.reports.get(origin.partition, 0) and origin.arrived < complete.until
        if decoded[0].effect != "ignore" and not again:
            events.append(decoded)
    return events, dead


def _decode_orders(batch: Batch, meter: Meter) -> tuple[list[TimedOrder], list[Outgoing]]:
    """Decode a batch of orders, and pass over those that have been carried out; a dead letter for what is none."""
    orders: list[TimedOrder] = []
    dead: list[Outgoing] = []
    for record in batch.records:
        if record.value is None:
            continue
        decoded = decode_order(record.value)
        if isinstance(decoded, Rejected):
            dead.append(dead_letter(record, decoded, None))
            meter.count("rejected", label=decoded.reason)
        else:
            orders.append(decoded)
    return orders, dead


def _carried_out(batch: Batch) -> list[Outgoing]:
    """Delete the orders of a batch by their keys; where one has a key of another form, leave it."""
    keys = {record.key: None for record in batch.records if record.value is not None and record.key}
    return [Outgoing(ORDERS, key, None, place=key.partition(b"\x1f")[0]) for key in keys]


def _records(decision: Decision) -> Sequence[Outgoing]:
    return [
        Outgoing("suppressions", suppression_key(said.tenant, said.recipient), encode(said))
        for said in decision.suppressions
    ]
