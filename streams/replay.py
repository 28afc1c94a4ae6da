"""Replaying a file of reports and commands without a broker: the same agents as workers run, one record per change."""

from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import groupby, islice

import orjson

from agents.classify.address import canonical_recipient
from agents.classify.agent import make_classify_agent
from agents.classify.classification import classify
from agents.classify.table import RuleTable
from agents.command.agent import orders_of
from agents.ports import Outgoing
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys
from schemas.codec import decode_command, decode_json, decode_report, encode
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
    """Replay envelopes and commands, one a line, in order.

    Args:
        lines: The file; blank lines are passed over.
        policy: The policy to decide by.
        on_suppression: Takes every suppression record, one per change, as JSON; and what an erasure prints.
        on_rejected: Takes every reject as JSON: `rejected`, `detail` and `line`.
        rules: The rule table to classify by; the built-in one by default.

    """
    waiting: list[Outgoing] = []
    contact_key = contact_keys(DEV_SECRET)
    classify_agent = make_classify_agent(MemoryPublisher(waiting.append), contact_key, NoMeter(), rules)

    def take(outgoing: Outgoing) -> None:
        if outgoing.topic == "suppressions":
            on_suppression(_erasure(outgoing.key or b"") if outgoing.value is None else outgoing.value)

    suppress_agent = make_suppress_agent(
        MemoryTable(), MemoryPublisher(take), InOrder(), contact_key, policy, NoMeter()
    )

    async def events_of(found: list[tuple[int, bytes]]) -> AsyncIterator[MemoryBatch]:
        reports = MemoryBatch([MemoryRecord("esp-reports", 0, n, None, None, line) for n, line in found])
        await classify_agent(each([reports]))
        for outgoing in waiting:
            if outgoing.topic == "dead-letters":
                on_rejected(_rejected_of(outgoing))
            else:
                # A batch each, so that what follows from a report is said before the next is read.
                yield MemoryBatch([MemoryRecord(outgoing.topic, 0, 0, None, outgoing.key, outgoing.value)])
        waiting.clear()

    def orders(number: int, line: bytes) -> Iterator[MemoryBatch]:
        command = decode_command(line, canonical_recipient)
        if isinstance(command, Rejected):
            on_rejected(_rejected(number, command))
            return
        for order in orders_of(command, contact_key, 1):
            yield MemoryBatch([MemoryRecord(order.topic, 0, 0, None, order.key, order.value)], beside=True)

    await suppress_agent(_in_file_order(lines, events_of, orders))


async def _in_file_order(
    lines: Iterable[bytes],
    events_of: Callable[[list[tuple[int, bytes]]], AsyncIterator[MemoryBatch]],
    orders: Callable[[int, bytes], Iterator[MemoryBatch]],
) -> AsyncIterator[MemoryBatch]:
    """Give the batches of a file's events, and each command at its place."""
    numbered = _numbered(lines)
    while chunk := list(islice(numbered, CHUNK_LINES)):
        for is_command, found in groupby(chunk, lambda line: _is_command(line[1])):
            if not is_command:
                async for batch in events_of(list(found)):
                    yield batch
                continue
            for number, line in found:
                for batch in orders(number, line):
                    yield batch


def _is_command(line: bytes) -> bool:
    """Say whether a line is a command and not an envelope: it has a field `command` (SPEC 10)."""
    if b'"command"' not in line:  # nearly every line; a name in JSON may be escaped, but nobody does
        return False
    decoded = decode_json(line)
    return isinstance(decoded, dict) and "command" in decoded


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Give lines with their numbers, from 1 on, without the blank ones and the byte order mark of some exports."""
    for number, line in enumerate(lines, start=1):
        told = line.removeprefix(BOM_UTF8) if number == 1 else line
        if told.strip():
            yield number, told


def _erasure(key: bytes) -> bytes:
    tenant, _, recipient = key.decode().partition("\x1f")
    return orjson.dumps({"tenant": tenant, "recipient": recipient, "action": "erase"})


def _rejected(line: int, rejected: Rejected) -> bytes:
    return orjson.dumps({"rejected": rejected.reason, "detail": rejected.detail, "line": line})


def _rejected_of(dead_letter: Outgoing) -> bytes:
    headers = {name: value.decode() for name, value in dead_letter.headers}
    return orjson.dumps(
        {"rejected": headers["reason"], "detail": headers["detail"], "line": int(headers["source-offset"])}
    )
