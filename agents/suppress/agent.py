"""The agent that turns delivery events into suppressions: decode, decide, publish, remember, acknowledge."""

from collections.abc import AsyncIterable, Callable, Sequence

from agents.dead_letters import dead_letter
from agents.ports import Agent, Arrivals, Batch, Changed, Complete, ContactTable, Meter, Outgoing, Publisher
from agents.suppress.cells import changes, to_cells, to_contact, to_deliveries
from agents.suppress.decision import Decision, Timed, decide
from agents.suppress.identity import ContactKeys, contact_name
from agents.suppress.watermark import Watermark
from schemas.codec import decode_delivery_event, encode
from schemas.command import Retract
from schemas.delivery import origin_of
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

    async def suppress(batches: AsyncIterable[Batch]) -> None:
        watermark = Watermark()
        async for batch in batches:
            complete = arrivals.complete(batch.partition, batch.start)
            watermark.advance(complete.until)
            events, dead = _decode(batch, complete, watermark, meter)
            names = {(e.tenant, e.recipient): contact_name(contact_key, e.tenant, e.recipient) for e, _ in events}
            failing = {names[e.tenant, e.recipient] for e, _ in events if e.effect == "count"}
            found = dict(zip(names, await contacts.read(batch, list(names.values()), failing), strict=True))
            known = {name: to_contact(*table_knows) for name, table_knows in found.items()}

            decision = decide(known, events, policy, watermark.newest, retracted(batch.partition))

            await out.publish([*dead, *_records(decision)])
            changed = {
                names[name]: Changed(
                    changes(found[name].cells, to_cells(known[name])),
                    [mark for mark in to_deliveries(known[name]) if mark not in found[name].delivered],
                )
                for name in decision.changed
            }
            await contacts.write(batch, changed)
            # What is still to come is up to one lateness older, and joins what began one more before it.
            await contacts.forget(batch, watermark.newest - 2 * policy.longest_lateness)
            batch.done()
            meter.count("delivery_events", len(events))
            meter.count("suppressions", len(decision.suppressions))
            meter.count("late_reports", decision.late)
            meter.count("dropped_events", decision.dropped)

    return suppress


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


def _records(decision: Decision) -> Sequence[Outgoing]:
    return [
        Outgoing("suppressions", suppression_key(said.tenant, said.recipient), encode(said))
        for said in decision.suppressions
    ]
