"""Why a contact is blocked, from end to end: the coordinates told are those where the records really lie."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from redis.asyncio import Redis

from streams.dev import run_workers
from streams.dev_stack import Endpoints
from streams.records import fetch
from streams.settings import Settings
from tests.support.topics_io import Topics, eventually, topics_of

ROOT = Path(__file__).parents[2]
WHO = "jane@example.com"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)  # the check goes by the clock
AT = YESTERDAY.strftime("%Y-%m-%dT1{}:00:00.000Z")


class Asker:
    """Reports, commands, and asks why: over HTTP and by the command line."""

    def __init__(self, topics: Topics, session: aiohttp.ClientSession, url: str, environ: dict[str, str]) -> None:
        self.topics, self._session, self._url, self._environ = topics, session, url, environ

    async def report(self, status: str, hour: int, message: str, recipient: str = WHO, tenant: str = "acme") -> None:
        payload = {"recipient": recipient, "occurred_at": AT.format(hour), "message_id": message, "status": status}
        value = orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload})
        await self.topics.publish([value], [recipient.encode()])

    async def command(self, name: str, **more: Any) -> tuple[int, int]:
        told = {"id": f"c-{name}", "command": name, "tenant": "acme", "recipient": WHO, "at": AT.format(9), **more}
        [place] = await self.topics.publish([orjson.dumps(told)], [None], topic="contact-commands")
        return place

    async def check(self, recipient: str, tenant: str = "acme") -> dict[str, Any]:
        asked = {"tenant": tenant, "recipients": [recipient]}
        async with self._session.post(f"{self._url}/v1/check", json=asked) as answer:
            found: dict[str, Any] = (await answer.json())["results"][0]
            return found

    async def state(self, recipient: str = WHO, tenant: str = "acme") -> dict[str, Any]:
        async with self._session.get(f"{self._url}/v1/contacts/{tenant}/{recipient}") as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def until(self, is_so: Callable[[dict[str, Any]], object], *whom: str) -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            state = await self.state(*whom)
            return state if "error" not in state and is_so(state) else None

        return await eventually(found)

    async def why(self, *more: str, code: int = 0, url: str = "") -> str:
        command = [sys.executable, "-m", "streams", "why", "acme", WHO, "--url", url or self._url, *more]
        pipe = asyncio.subprocess.PIPE
        ran = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=self._environ, stdout=pipe, stderr=pipe)
        out, errors = await ran.communicate()
        assert ran.returncode == code, errors.decode()
        return (errors if code else out).decode()


@pytest.fixture
async def asker(stack: Endpoints, prefix: str) -> AsyncIterator[Asker]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCELINE_")}
    own = {"BOUNCELINE_KAFKA": stack.kafka, "BOUNCELINE_REDIS": stack.redis, "BOUNCELINE_TOPIC_PREFIX": prefix}
    async with (
        run_workers(stack, 2, BOUNCELINE_TOPIC_PREFIX=prefix) as workers,
        topics_of(stack, prefix) as topics,
        aiohttp.ClientSession() as session,
    ):
        yield Asker(topics, session, workers[0].http, kept | own)


async def test_of_five_soft_bounces_each_is_named_where_its_first_report_lies_and_a_flush_changes_nothing(
    asker: Asker, stack: Endpoints, prefix: str
) -> None:
    for _ in range(2):  # the second of each is a copy
        for number in range(5):
            await asker.report("Quota exceeded", number, f"m{number}")
    await asker.report("Quota exceeded", 1, "other", "other@example.com")
    await asker.topics.decided()

    state = await asker.state()
    assert (state["blocked"], [one["evidence"] for one in state["reasons"]]) == (True, [[f"m{n}" for n in range(5)]])
    lie: dict[str, tuple[str, int, int]] = {}
    for record in await asker.topics.read("delivery-events"):
        event = orjson.loads(record.value)
        if event["recipient"] == WHO:
            lie.setdefault(event["message_id"], (record.topic, record.partition, record.offset))
    told = {one["attempt_id"]: tuple(one["record"].values()) for one in state["events"]}
    assert told == lie
    reports = {}
    for record in await asker.topics.read("esp-reports"):
        payload = orjson.loads(record.value)["payload"]
        if payload["recipient"] == WHO:
            reports.setdefault(payload["message_id"], [record.topic, record.partition, record.offset])
    assert {one["attempt_id"]: list(one["report"].values()) for one in state["events"]} == reports
    assert {one["counts_for"] for one in state["events"]} == {"Quota exceeded"}
    assert {one["policy"] for one in state["events"]} == {state["policy"]}
    assert state["events"][0]["rule_text"].startswith("Quota exceeded when given Quota exceeded")

    async with Redis.from_url(stack.redis) as redis:
        async for key in redis.scan_iter(f"{prefix}bounceline:{{contacts*"):
            await redis.delete(key)
    assert await asker.until(lambda _: True) == state


async def test_the_command_line_shows_each_event_and_fetches_the_records_by_their_offsets(asker: Asker) -> None:
    for number in range(3):
        await asker.report("Connection issue", number, f"m{number}")
    await asker.topics.decided()
    shown = await asker.why()
    assert shown.startswith(f"{WHO} of acme is not blocked.\nFailed attempts in a row: 3 of 5. ")
    state = orjson.loads(await asker.why("--json", "--records"))
    for event in state["events"]:
        assert event["record"].pop("value")["message_id"] == event["attempt_id"]
        assert event["report"].pop("value")["payload"]["message_id"] == event["attempt_id"]
        assert event["record"].pop("timestamp") >= event["report"].pop("timestamp") > 0
        at = event["record"]
        assert f"record  {at['topic']}, partition {at['partition']}, offset {at['offset']}\n" in shown
    assert state == await asker.state()
    assert '"message_id":"m2"' in await asker.why("--records")
    refused = await asker.why(url="http://127.0.0.1:9", code=1)
    assert refused.startswith("bounceline: no worker answers at http://127.0.0.1:9")
    assert refused.count("\n") == 1


async def test_a_record_that_is_not_there_any_more_is_gone_and_the_others_are_read(
    stack: Endpoints, settings: Settings, prefix: str
) -> None:
    async with topics_of(stack, prefix) as topics:
        large = b"x" * 900_000  # far more than a read asks for
        places = await topics.publish([b"1", large, b"3"], [None] * 3, partition=2, topic="delivery-events")
    topic = settings.topic("delivery-events")
    there = [(topic, *place) for place in places]
    gone = [(topic, 2, 99), (topic, 3, 0), (f"{topic}-of-old", 0, 0)]
    found = await fetch(settings, [*there, *gone])
    assert [record.value for place in there if (record := found[place])] == [b"1", large, b"3"]
    assert [found[place] for place in gone] == [None] * 3


async def test_commands_are_told_of_with_where_they_stand_and_an_erasure_leaves_nothing(asker: Asker) -> None:
    partition, offset = await asker.command("suppress", status="Spam")
    [event] = (await asker.until(lambda state: state["blocked"]))["events"]
    assert (event["command_id"], event["counts_for"], event["rule"]) == ("c-suppress", "Spam", "by-hand")
    assert list(event["record"].values())[1:] == [partition, offset]
    assert event["record"]["topic"].endswith("contact-commands")

    for number in range(5):
        await asker.report("Quota exceeded", number, f"m{number}")
    await asker.topics.decided()
    partition, offset = await asker.command("release", statuses=["Spam", "Quota exceeded"], consent="a form")
    state = await asker.until(lambda state: not state["blocked"])
    assert [one["released"] for one in state["events"]] == [True] * 5
    [released] = state["commands"]
    assert list(released["record"].values())[1:] == [partition, offset]
    assert "release of Spam, Quota exceeded up to then" in await asker.why()

    incident = {"tenant": "acme", "from": AT.format(0), "to": AT.format(2), "statuses": ["Quota exceeded"]}
    value = orjson.dumps({"id": "i", "command": "retract", "at": AT.format(9), **incident})
    await asker.topics.publish([value], [None], topic="contact-commands")
    state = await asker.until(lambda state: len(state["commands"]) == 2 and len(state["events"]) == 3)
    assert [one["attempt_id"] for one in state["events"]] == ["m2", "m3", "m4"]
    assert {one["command"] for one in state["commands"]} == {"release", "retract"}
    assert "retract i: Quota exceeded from" in await asker.why()

    await asker.command("erase")
    state = await asker.until(lambda state: not state["events"])
    assert [one["command"] for one in state["commands"]] == ["retract"]  # it names nobody


async def test_what_a_check_has_found_is_told_with_the_denial_that_wrote_it(asker: Asker) -> None:
    await asker.report("User unknown", 0, "gone", tenant="globex")
    await asker.topics.decided()
    assert (await asker.check(WHO))["status"] == "Preblock"
    [event] = (await asker.until(lambda state: state["events"]))["events"]
    assert (event["status"], event["rule"], event["counts_for"]) == ("Preblock", "check-network", "Preblock")
    assert event["record"]["topic"].endswith("bounceline-contact-orders")
    shown = await asker.why("--records", "--json")
    assert '"kind":"denial"' in shown
    assert "globex" not in shown  # whose bounce it was is told to nobody
    incident = {"statuses": ["User unknown"], "from": AT.format(0), "to": AT.format(1)}
    for number, whose in enumerate(("globex", "acme")):
        value = orjson.dumps(
            {"id": f"i{number}", "command": "retract", "at": AT.format(9), "tenant": whose, **incident}
        )
        await asker.topics.publish([value], [b"i"], topic="contact-commands")
    state = await asker.until(lambda state: state["commands"] and not state["events"])
    assert (state["blocked"], [one["id"] for one in state["commands"]]) == (False, ["i1"])

    await asker.report("User unknown", 1, "gone", tenant="globex")
    await asker.topics.decided()
    [hard] = (await asker.state(WHO, "globex"))["events"]
    assert (hard["status"], hard["effect"], hard["record"]["topic"][-15:]) == (
        "User unknown",
        "block",
        "delivery-events",
    )

    assert (await asker.check("jane@gamil.com"))["status"] == "Typofix"
    [typo] = (await asker.until(lambda state: state["events"], "jane@gamil.com"))["events"]
    assert (typo["rule"], typo["counts_for"]) == ("check-typo", "Typofix")
    assert "known typos" in typo["rule_text"]
