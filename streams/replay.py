"""Replaying a file of reports without a broker: the same agents as the workers', one change, one record."""

from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import islice

import orjson

from agents.classify.agent import make_classify_agent
from agents.classify.classification import classify
from agents.classify.table import RuleTable
from agents.ports import Outgoing
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys
from schemas.codec import decode_report, encode
from schemas.policy import Policy
from schemas.rejected import Rejected
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, MemoryTable, NoMeter, each
from streams.settings import DEV_SECRET

CHUNK_LINES = 1_000


def classify_lines(lines: Iterable[bytes], rules: RuleTable | None = None) -> Iterator[bytes]:
    """Classify envelopes, one a line: gives delivery events and rejects as JSON, in order. Passes over blank lines.

    `rules` is the table to classify by; the built-in one by default.
    """
    for number, line in _numbered(lines):
        report = decode_report(line)
        found = [(None, report)] if isinstance(report, Rejected) else classify(report, rules=rules)
        for _, event in found:
            yield _rejected(number, event) if isinstance(event, Rejected) else encode(event)


async def replay(
    lines: Iterable[bytes],
    policy: Policy,
    on_suppression: Callable[[bytes], None],
    on_rejected: Callable[[bytes], None],
    rules: RuleTable | None = None,
) -> None:
    """Replay envelopes, one a line, in order.

    Args:
        lines: The file; blank lines are passed over.
        policy: The policy to decide by.
        on_suppression: Takes every suppression record, one per change, as JSON.
        on_rejected: Takes every reject as JSON: `rejected`, `detail` and `line`.
        rules: The rule table to classify by; the built-in one by default.

    """
    waiting: list[Outgoing] = []
    contact_key = contact_keys(DEV_SECRET)
    classify_agent = make_classify_agent(MemoryPublisher(waiting.append), contact_key, NoMeter(), rules)

    def take(outgoing: Outgoing) -> None:
        if outgoing.topic == "suppressions" and outgoing.value is not None:
            on_suppression(outgoing.value)

    suppress_agent = make_suppress_agent(
        MemoryTable(), MemoryPublisher(take), InOrder(), contact_key, policy, NoMeter()
    )

    async def delivery_events() -> AsyncIterator[MemoryBatch]:
        # A batch each: a worker folds the changes of a batch into one record, replay shows every change.
        numbered = _numbered(lines)
        while chunk := list(islice(numbered, CHUNK_LINES)):
            reports = MemoryBatch([MemoryRecord("esp-reports", 0, n, None, None, line) for n, line in chunk])
            await classify_agent(each([reports]))
            for outgoing in waiting:
                if outgoing.topic == "dead-letters":
                    on_rejected(_rejected_of(outgoing))
                else:
                    record = MemoryRecord(outgoing.topic, 0, 0, None, outgoing.key, outgoing.value)
                    yield MemoryBatch([record])
            waiting.clear()

    await suppress_agent(delivery_events())


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Give lines with their numbers, from 1 on, without the blank ones and the byte order mark of some exports."""
    for number, line in enumerate(lines, start=1):
        told = line.removeprefix(BOM_UTF8) if number == 1 else line
        if told.strip():
            yield number, told


def _rejected(line: int, rejected: Rejected) -> bytes:
    return orjson.dumps({"rejected": rejected.reason, "detail": rejected.detail, "line": line})


def _rejected_of(dead_letter: Outgoing) -> bytes:
    headers = {name: value.decode() for name, value in dead_letter.headers}
    return orjson.dumps(
        {"rejected": headers["reason"], "detail": headers["detail"], "line": int(headers["source-offset"])}
    )
