"""Commands from end to end: release, suppress, erase and retract on `contact-commands`, with real broker and Redis."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import aiohttp
import orjson
import pytest
from redis.asyncio import Redis

from streams.dev import run_workers
from streams.dev_stack import Endpoints
from tests.support.topics_io import Topics, eventually, topics_of

YESTERDAY = datetime.now(UTC) - timedelta(days=1)  # the check goes by the clock
AT = YESTERDAY.strftime("%Y-%m-%dT10:{:02}:00.000Z")


class Operator:
    """Reports, commands and asks, and reads what stands."""

    def __init__(self, topics: Topics, session: aiohttp.ClientSession, url: str) -> None:
        self.topics, self.session, self.url = topics, session, url
        self._ids = count()

    async def report(
        self, recipient: str, status: str, minute: int, message: str = "m", tenant: str = "acme", **more: str
    ) -> None:
        payload = {"recipient": recipient, "occurred_at": AT.format(minute), "message_id": message, "status": status}
        payload |= more
        value = orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload})
        await self.topics.publish([value], [recipient.encode()])

    async def command(self, name: str, minute: int = 30, **more: Any) -> str:
        told = {"id": f"c{next(self._ids)}", "command": name, "at": AT.format(minute), "actor": "test", **more}
        if name != "retract":
            told = {"tenant": "acme", **told}
        await self.topics.publish([orjson.dumps(told)], [None], topic="contact-commands")
        return str(told["id"])

    async def check(self, recipient: str, tenant: str = "acme") -> dict[str, Any]:
        async with self.session.post(
            f"{self.url}/v1/check", json={"tenant": tenant, "recipients": [recipient]}
        ) as answer:
            assert answer.status == 200
            found: dict[str, Any] = (await answer.json())["results"][0]
            return found

    async def said(self, recipient: str, tenant: str = "acme") -> list[dict[str, Any] | None]:
        key = f"{tenant}\x1f{recipient}".encode()
        return [
            orjson.loads(record.value) if record.value else None
            for record in await self.topics.read("suppressions")
            if record.key == key
        ]

    async def until(self, recipient: str, cause: str, tenant: str = "acme") -> dict[str, Any]:
        async def last() -> Any:
            said = await self.said(recipient, tenant)
            return said[-1] if said and said[-1] and said[-1]["cause"] == cause else None

        found: dict[str, Any] = await eventually(last)
        return found


@pytest.fixture
async def operator(stack: Endpoints, prefix: str) -> AsyncIterator[Operator]:
    async with (
        run_workers(stack, 2, BOUNCELINE_TOPIC_PREFIX=prefix) as workers,
        topics_of(stack, prefix) as topics,
        aiohttp.ClientSession() as session,
    ):
        yield Operator(topics, session, workers[0].http)


async def test_a_release_lifts_a_block_and_what_came_before_it_stays_void(operator: Operator) -> None:
    await operator.report("a@example.com", "User unknown", 0)
    await operator.topics.decided()
    command = await operator.command("release", recipient="A@Example.com", note="called us")
    released = await operator.until("a@example.com", f"command:{command}")
    assert (released["action"], released["status"], released["reasons"]) == ("release", "User unknown", [])
    await operator.report("a@example.com", "User unknown", 5, "other")
    await operator.topics.decided()
    assert len(await operator.said("a@example.com")) == 2
    assert (await operator.check("a@example.com"))["send"] is True


async def test_a_released_typo_is_mailed_and_a_released_preblock_too(operator: Operator) -> None:
    denied = await operator.check("jane@gamil.com")
    assert (denied["send"], denied["status"]) == (False, "Typofix")
    await operator.until("jane@gamil.com", "check")
    command = await operator.command("release", recipient="jane@gamil.com", at="2030-01-01T00:00:00Z")
    await operator.until("jane@gamil.com", f"command:{command}")
    assert (await operator.check("jane@gamil.com"))["send"] is True


async def test_a_suppress_blocks_and_a_repeat_of_its_id_changes_nothing(operator: Operator) -> None:
    told = {"recipient": "b@example.com", "status": ":", "rule": "import-unverified"}
    command = await operator.command("suppress", **told)
    said = await operator.until("b@example.com", f"command:{command}")
    assert (said["reasons"][0]["rule"], said["reasons"][0]["evidence"]) == ("import-unverified", [command])
    second = await operator.command("release", recipient="b@example.com", rules=["import-unverified"])
    await operator.until("b@example.com", f"command:{second}")
    await operator.command("suppress", id=command, **told)
    third = await operator.command("suppress", minute=40, recipient="b@example.com", status="Spam")
    await operator.until("b@example.com", f"command:{third}")
    causes = [one["cause"] for one in await operator.said("b@example.com") if one]
    assert causes == [f"command:{command}", f"command:{second}", f"command:{third}"]


async def test_a_bad_command_is_a_dead_letter_and_its_neighbours_are_obeyed(operator: Operator) -> None:
    bad = b'{"id": "x", "command": "release", "tenant": "acme"}'
    [(partition, offset)] = await operator.topics.publish([bad], [b"k"], topic="contact-commands")
    command = await operator.command("suppress", recipient="c@example.com", status="User")
    await operator.until("c@example.com", f"command:{command}")
    [letter] = await eventually(lambda: operator.topics.read("dead-letters"))
    headers = {name: value.decode() for name, value in letter.headers}
    assert (letter.key, letter.value, headers["reason"]) == (b"k", bad, "missing-field")
    assert headers["source-topic"].endswith("contact-commands")
    assert (headers["source-partition"], headers["source-offset"]) == (str(partition), str(offset))


async def test_an_erased_contact_is_null_and_what_it_wanted_still_denies(operator: Operator) -> None:
    await operator.report("d@example.com", "User", 0)
    await operator.topics.decided()
    await operator.command("erase", recipient="d@example.com")

    async def erased() -> bool:
        return (await operator.said("d@example.com"))[-1] is None

    await eventually(erased)
    await operator.report("d@example.com", "User", 0)  # it comes again
    await operator.command("suppress", minute=10, recipient="d@example.com", status="Spam")  # and is imported again
    await operator.topics.decided()
    denied = await operator.check("d@example.com")
    assert (denied["send"], denied["status"]) == (False, "Spam")
    assert (await operator.said("d@example.com"))[-1] is None
    records = await operator.topics.read("bounceline-contacts-changelog")
    last = {(record.partition, record.key): record.value for record in records}
    assert not any(b"d@example.com" in (value or b"") for value in last.values())


async def test_an_incident_is_retracted_for_everybody_and_stays_so_after_redis_is_lost(
    operator: Operator, stack: Endpoints
) -> None:
    people = [f"p{number}@example.com" for number in range(40)]
    for person in people:
        await operator.report(person, "User unknown", 5)
    await operator.report("other@example.org", "User unknown", 5)
    await operator.report("kept@example.com", "User unknown", 4)
    await operator.report("kept@example.com", "Spam", 5)
    await operator.topics.decided()
    assert (await operator.check("p1@example.com", "globex"))["status"] == "Preblock"
    await operator.until("p1@example.com", "check", "globex")
    incident = {"statuses": ["User unknown"], "domain": "example.com", "from": AT.format(5), "to": AT.format(6)}
    command = await operator.command("retract", **incident)
    await operator.command("retract", id=command, **incident)
    for person in people:
        said = await operator.until(person, f"retract:{command}")
        assert (said["action"], said["status"]) == ("release", "User unknown")
    await operator.until("p1@example.com", f"retract:{command}", "globex")
    assert (await operator.check("p2@example.com", "globex"))["send"] is True

    async with Redis.from_url(stack.redis) as redis:
        await redis.flushall()
    for person in people[:8]:
        await operator.report(person, "User unknown", 5, "late one")
    await operator.topics.decided()
    for person in people[:8]:
        assert len(await operator.said(person)) == 2
    assert len(await operator.said("other@example.org")) == 1
    assert len(await operator.said("kept@example.com")) == 2
    assert (await operator.check("p3@example.com"))["send"] is True


async def test_behind_a_retracted_bounce_is_that_of_another_tenant_or_the_one_before_and_other_domains_are_let_be(
    operator: Operator,
) -> None:
    people = ("others@example.com", "twice@example.com", "once@example.com", "far@example.org")
    for person in people:
        await operator.report(person, "User unknown", 5)
    await operator.report("others@example.com", "User unknown", 3, "m3", "globex")
    await operator.report("twice@example.com", "User unknown", 3, "m3")
    await operator.topics.decided()
    for person in people:
        denied = await operator.check(person, "initech")
        assert (denied["status"], denied["since"]) == ("Preblock", AT.format(5))
        await operator.until(person, "check", "initech")
    incident = {"statuses": ["User unknown"], "domain": "example.com", "from": AT.format(5), "to": AT.format(6)}
    command = await operator.command("retract", **incident)
    moved = await operator.until("others@example.com", f"retract:{command}", "initech")
    assert (moved["since"], moved["expires_at"]) == (AT.format(3), _in_30_days(AT.format(3)))
    for person in ("twice@example.com", "once@example.com"):
        assert (await operator.until(person, f"retract:{command}", "initech"))["action"] == "release"

    denied = await operator.check("twice@example.com", "initech")
    assert (denied["status"], denied["since"]) == ("Preblock", AT.format(3))
    said = await operator.until("twice@example.com", "check", "initech")
    assert (said["since"], said["expires_at"]) == (AT.format(3), _in_30_days(AT.format(3)))
    assert (await operator.check("once@example.com", "initech"))["send"] is True
    assert (await operator.check("far@example.org", "initech"))["since"] == AT.format(5)
    assert len(await operator.said("far@example.org", "initech")) == 1


async def test_a_retraction_that_names_a_provider_or_a_tenant_frees_whom_its_bounces_have_pre_blocked(
    operator: Operator,
) -> None:
    people = {"ses": "s@example.com", "normalized": "n@example.com", "both": "b@example.com"}
    await operator.report(people["ses"], "User unknown", 5, provider="ses")
    await operator.report(people["ses"], "User unknown", 4, tenant="globex", provider="ses")
    await operator.report(people["normalized"], "User unknown", 5)
    await operator.report(people["both"], "User unknown", 5, provider="ses")
    await operator.report(people["both"], "User unknown", 4, tenant="globex", provider="mailgun")
    await operator.topics.decided()
    for person in people.values():
        assert (await operator.check(person, "initech"))["status"] == "Preblock"
        await operator.until(person, "check", "initech")

    incident = {"statuses": ["User unknown"], "from": AT.format(0), "to": AT.format(9)}
    command = await operator.command("retract", provider="ses", **incident)
    released = await operator.until(people["ses"], f"retract:{command}", "initech")
    assert (released["action"], released["status"]) == ("release", "Preblock")
    moved = await operator.until(people["both"], f"retract:{command}", "initech")
    assert (moved["action"], moved["since"]) == ("suppress", AT.format(4))
    assert (await operator.check(people["ses"], "initech"))["send"] is True
    assert (await operator.check(people["normalized"], "initech"))["since"] == AT.format(5)

    second = await operator.command("retract", tenant="globex", **incident)
    assert (await operator.until(people["both"], f"retract:{second}", "initech"))["action"] == "release"
    third = await operator.command("retract", provider="normalized", **incident)
    assert (await operator.until(people["normalized"], f"retract:{third}", "initech"))["action"] == "release"

    told = [record.value or b"" for record in await operator.topics.read("suppressions")]
    of_initech = [value for value in told if orjson.loads(value)["tenant"] == "initech"]
    assert of_initech
    for secret in (b"acme", b"globex", b"mailgun", b"rests_on"):
        assert not any(secret in value for value in of_initech)


def _in_30_days(at: str) -> str:
    return (datetime.fromisoformat(at) + timedelta(days=30)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
