"""Reports in at one end, suppressions out at the other: real broker, real Redis, workers in processes of their own."""

from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise

import orjson
import pytest

from streams.dev import run_workers
from streams.dev_stack import Endpoints
from tests.support.conformance import NAMES, expected, lines, standing
from tests.support.topics_io import Topics, topics_of

WORKERS = 2


@pytest.fixture
async def topics(stack: Endpoints, prefix: str) -> AsyncIterator[Topics]:
    """Give this test's topics, with two workers at work on them."""
    async with run_workers(stack, WORKERS, BOUNCELINE_TOPIC_PREFIX=prefix), topics_of(stack, prefix) as found:
        yield found


def _renamed(name: str, line: bytes) -> tuple[bytes, bytes]:
    """Put the history's name before the tenant, so that all histories run at once; give key and value."""
    envelope = orjson.loads(line)
    payload = envelope["payload"]
    envelope["tenant"] = payload["tenant"] = f"{name}-{envelope['tenant']}"
    return payload["recipient"].encode(), orjson.dumps(envelope)


async def test_two_workers_reach_the_expected_decisions_and_repeats_add_nothing(topics: Topics) -> None:
    """Story: all conformance histories go through two workers; then the last hour of each comes a second time."""
    histories = {name: [_renamed(name, line) for line in lines(name)] for name in NAMES}
    for history in histories.values():
        await topics.publish([value for _, value in history], [key for key, _ in history])
    await topics.decided()
    first = await topics.suppressions()
    want = {
        (f"{name}-{tenant}", recipient): reasons
        for name in NAMES
        for (tenant, recipient), reasons in expected(name).items()
    }
    assert want == standing(first)

    for history in histories.values():
        await topics.publish([value for _, value in history[-20:]], [key for key, _ in history[-20:]])
    await topics.decided()
    assert len(first) == len(await topics.suppressions())


async def test_every_record_of_a_contact_lies_in_one_partition_and_differs_from_the_one_before(
    topics: Topics,
) -> None:
    history = [_renamed("dense", line) for line in lines("dense")]
    await topics.publish([value for _, value in history], [key for key, _ in history])
    await topics.decided()
    by_key = defaultdict(list)
    for record in await topics.read("suppressions"):
        value = orjson.loads(record.value)
        assert record.key.decode() == f"{value['tenant']}\x1f{value['recipient']}"
        by_key[record.key].append((record.partition, value))
    for records in by_key.values():
        assert len({partition for partition, _ in records}) == 1
        told = [{k: v for k, v in value.items() if k not in {"policy", "cause"}} for _, value in records]
        assert all(before != after for before, after in pairwise(told))


def _event(recipient: str) -> dict:
    return {"recipient": recipient, "occurred_at": "2026-03-01T10:00:00Z", "status": "User unknown"}


def _report(**fields: object) -> bytes:
    envelope = {"provider": "normalized", "tenant": "acme", "payload": _event("someone@example.com")}
    return orjson.dumps({**envelope, **fields})


POISON = {
    "broken JSON": (b'{"provider": "mailjet", ', "not-json", ""),
    "an empty value": (b"", "not-json", ""),
    "bytes that are not UTF-8": (b'{"provider": "mailjet", "tenant": "\xff\xfe"}', "not-json", ""),
    "two megabytes": (_report(payload="x" * 2_000_000), "too-large", ""),
    "an array in place of an envelope": (b"[1, 2]", "wrong-type", ""),
    "a tenant that is a number": (_report(tenant=7), "wrong-type", ""),
    "a tenant with a space": (_report(tenant="a b"), "bad-tenant", ""),
    "a provider nobody knows": (_report(provider="pigeon"), "unknown-provider", ""),
    "no recipient": (
        _report(payload={"occurred_at": 1_760_000_000, "outcome": "bounced"}),
        "missing-field",
        "0",
    ),
    "a recipient without an address": (_report(payload=_event("nobody at all")), "bad-recipient", "0"),
    "a time next week": (
        _report(received_at="2026-02-22T10:00:00Z"),
        "implausible-time",
        "0",
    ),
    "another tenant inside": (
        _report(payload={**_event("a@example.com"), "tenant": "globex"}),
        "tenant-mismatch",
        "0",
    ),
    "a good element, a bad one, a good one": (
        _report(payload=[_event("first@example.com"), {"outcome": "bounced"}, _event("third@example.com")]),
        "missing-field",
        "1",
    ),
}


async def test_bad_input_becomes_a_dead_letter_and_its_neighbours_are_decided(topics: Topics) -> None:
    """Story: poison of every kind between good reports: the one ends on dead-letters, the other is decided."""
    values, keys = [], []
    for number, (value, _, _) in enumerate(POISON.values()):
        values += [_report(payload=_event(f"neighbour{number}@example.com")), value]
        keys += [b"one-key", b"one-key"]  # all in one partition, so that poison and neighbours share batches
    places = await topics.publish(values, keys)
    await topics.decided()

    dead = {}
    for record in await topics.read("dead-letters"):
        headers = {name: text.decode() for name, text in record.headers}
        assert list(headers) == [
            "reason", "detail", "source-topic", "source-partition", "source-offset", "element",
        ]  # fmt: skip
        assert headers["source-topic"].endswith("esp-reports")
        assert record.key == b"one-key"
        dead[int(headers["source-partition"]), int(headers["source-offset"])] = (record.value, headers)

    poisoned = places[1::2]
    assert set(poisoned) == set(dead)
    for place, (story, (value, reason, element)) in zip(poisoned, POISON.items(), strict=True):
        assert value == dead[place][0], story
        assert (reason, element) == (dead[place][1]["reason"], dead[place][1]["element"]), story
        assert "@" not in dead[place][1]["detail"], story

    blocked = {recipient for _, recipient in standing(await topics.suppressions())}
    neighbours = {f"neighbour{number}@example.com" for number in range(len(POISON))}
    assert blocked == neighbours | {"first@example.com", "third@example.com"}


async def test_a_report_that_only_compression_got_through_becomes_a_dead_letter_all_the_same(topics: Topics) -> None:
    """Story: 8 MB of blanks make a small record when compressed; its dead letter has to fit as well."""
    bomb = _report(payload=" " * 8_000_000)
    [place] = await topics.publish_compressed([bomb], [b"a key"])
    await topics.decided()
    [letter] = await topics.read("dead-letters")
    headers = dict(letter.headers)
    assert letter.value == bomb
    assert headers["reason"] == b"too-large"
    assert place == (int(headers["source-partition"]), int(headers["source-offset"]))


async def test_a_worker_that_is_killed_leaves_no_wrong_decision(stack: Endpoints, prefix: str) -> None:
    """Story: half of a history is decided, then the only worker is killed amid the rest; another one goes on."""
    history = [_renamed("every-reason", line) for line in lines("every-reason")]
    half = len(history) // 2
    async with (
        run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix) as workers,
        topics_of(stack, prefix) as topics,
    ):
        await topics.publish([value for _, value in history[:half]], [key for key, _ in history[:half]])
        await topics.decided()
        await topics.publish([value for _, value in history[half:]], [key for key, _ in history[half:]])
        workers[0].server.stop()  # SIGKILL
    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix), topics_of(stack, prefix) as topics:
        await topics.decided()
        want = {
            (f"every-reason-{tenant}", recipient): reasons
            for (tenant, recipient), reasons in expected("every-reason").items()
        }
        assert want == standing(await topics.suppressions())
