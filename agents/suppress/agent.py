"""The agent that turns delivery events into suppressions: decode, decide, publish, remember, acknowledge."""

from collections.abc import AsyncIterable, Sequence

from agents.dead_letters import dead_letter
from agents.ports import Agent, Batch, ContactTable, Meter, Outgoing, Publisher
from agents.suppress.cells import changes, to_cells, to_contact
from agents.suppress.decision import Decision, Timed, decide
from agents.suppress.identity import ContactKeys
from schemas.codec import decode_delivery_event, encode
from schemas.policy import Policy
from schemas.rejected import Rejected
from schemas.suppression import suppression_key


def make_suppress_agent(
    contacts: ContactTable, out: Publisher, contact_key: ContactKeys, policy: Policy, meter: Meter
) -> Agent:
    """Build the agent that keeps every contact's standing decision.

    It publishes before it remembers: state that says "already said" must never be ahead of what was said, or a crash
    between the two would lose a suppression. The other way round a crash repeats a batch, and the repeat says the same.
    """

    async def suppress(batches: AsyncIterable[Batch]) -> None:
        newest: dict[int, int] = {}  # partition -> newest event time seen, in ms
        async for batch in batches:
            events, dead = _decode(batch, meter)
            names = {(e.tenant, e.recipient): f"{e.tenant}\x1f{contact_key(e.recipient)}" for e, _ in events}
            cells = dict(zip(names, await contacts.read(batch.partition, list(names.values())), strict=True))
            known = {name: to_contact(found) for name, found in cells.items()}

            decision = decide(known, events, policy, newest.get(batch.partition, 0))
            newest[batch.partition] = decision.newest

            await out.publish([*dead, *_records(decision)])
            await contacts.write(
                batch.partition,
                {names[name]: changes(cells[name], to_cells(known[name])) for name in decision.changed},
            )
            batch.done()
            meter.count("delivery_events", len(events))
            meter.count("suppressions", len(decision.suppressions))
            meter.count("late_reports", decision.late)

    return suppress


def _decode(batch: Batch, meter: Meter) -> tuple[list[Timed], list[Outgoing]]:
    """Decode a batch: the events that can matter, and a dead letter for what is no delivery event."""
    events: list[Timed] = []
    dead: list[Outgoing] = []
    for record in batch.records:
        decoded = decode_delivery_event(record.value)
        if isinstance(decoded, Rejected):
            dead.append(dead_letter(record, decoded, None))
            meter.count("rejected", label=decoded.reason)
        elif decoded[0].effect != "ignore":
            events.append(decoded)
    return events, dead


def _records(decision: Decision) -> Sequence[Outgoing]:
    return [
        Outgoing("suppressions", suppression_key(said.tenant, said.recipient), encode(said))
        for said in decision.suppressions
    ]
