"""The agent that answers `send-requests` on `send-decisions`: decode, decide, publish, acknowledge."""

from collections.abc import AsyncIterable

from agents.budget import Budget
from agents.dead_letters import reject
from agents.gate.desk import Desk
from agents.ports import Agent, Batch, Meter, Outgoing, Publisher, Record
from schemas.codec import decode_json, encode
from schemas.decision import NOT_READY, SendError, request_id_of, to_send_request
from schemas.rejected import Rejected


def make_check_agent(desk: Desk, out: Publisher, meter: Meter, budget: Budget | None = None) -> Agent:
    """Build the agent. A request is answered as of its record's timestamp, so that a repeat says the same.

    Where there is a budget and more than that is rejected, the agent raises `BudgetSpent` before it answers.
    """

    async def answers(record: Record) -> list[Outgoing]:
        decoded = decode_json(record.value)
        request = decoded if isinstance(decoded, Rejected) else to_send_request(decoded)
        if isinstance(request, Rejected):
            dead = reject(record, request, meter, budget)
            error = SendError(request_id_of(decoded), request.reason, request.detail)
            return [_answer(record, encode(error)), dead]
        decision = await desk(request, record.timestamp or 0)
        if decision is None:
            return [_answer(record, encode(SendError(request_id_of(decoded), *NOT_READY)))]
        meter.count("checks", len(decision.results))
        return [_answer(record, encode(decision))]

    async def check_requests(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            for record in batch.records:
                # One by one: each may be large, and answers to one key stay in order.
                await out.publish(await answers(record))
            batch.done()

    return check_requests


def _answer(record: Record, value: bytes) -> Outgoing:
    return Outgoing("send-decisions", record.key, value)
