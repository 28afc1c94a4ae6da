"""The agent that turns reports into delivery events: decode, classify, publish, acknowledge."""

from collections.abc import AsyncIterable

from agents.budget import Budget
from agents.classify.classification import classify
from agents.classify.table import RuleTable
from agents.dead_letters import dead_letter, reject
from agents.ports import Agent, Batch, Meter, Outgoing, Publisher, Record
from agents.suppress.identity import ContactKeys
from schemas.codec import decode_report, encode
from schemas.delivery import Origin
from schemas.rejected import Rejected


def make_classify_agent(
    out: Publisher,
    contact_key: ContactKeys,
    meter: Meter,
    rules: RuleTable | None = None,
    budget: Budget | None = None,
) -> Agent:
    """Build the agent that reads `esp-reports`. It keeps nothing: a batch that is read again says the same again.

    `rules` is the table to classify by; the built-in one by default. Where there is a budget and more than that is
    rejected, the agent raises `BudgetSpent` before it publishes.
    """

    def happenings(record: Record) -> list[Outgoing]:
        report = decode_report(record.value)
        if isinstance(report, Rejected):
            return [reject(record, report, meter, budget)]
        found = []
        origin = (Origin(record.partition, record.offset, record.timestamp or 0).header(),)
        dead: set[int | None] = set()
        for element, event in classify(report, record.timestamp, rules):
            if isinstance(event, Rejected):
                # One dead letter for an element, however many of its recipients can't be read.
                if element not in dead:
                    meter.count("rejected", label=event.reason)
                    found.append(dead_letter(record, event, element))
                dead.add(element)
            else:
                key = contact_key(event.recipient).encode()
                found.append(Outgoing("delivery-events", key, encode(event), origin))
        if budget and dead:
            budget.spend(record, report.tenant, len(dead))
        return found

    async def classify_reports(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            await out.publish([outgoing for record in batch.records for outgoing in happenings(record)])
            batch.done()
            meter.count("reports", len(batch.records))

    return classify_reports
