"""The OpenAPI document says what a running worker does: every path is asked well and badly, every status documented."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
import pytest
from redis.asyncio import Redis

from streams.dev import run_workers
from streams.dev_stack import Endpoints
from tests.support.json_schema import faults
from tests.support.topics_io import Topics, topics_of

TOKENS = 'acme = "acme has this token"\nglobex = "globex has this one"\n'
ACME = {"Authorization": "Bearer acme has this token"}
GLOBEX = {"Authorization": "Bearer globex has this one"}
CHECK = "/v1/check"
CONTACT = "/v1/contacts/{tenant}/{recipient}"
DOCUMENT = "/v1/openapi.json"
PEOPLE = ["spam@example.com", "full@example.com", "nobody@example.com", "typo@gamil.com", "no address"]


def closed(schema: Any) -> Any:
    """Give a schema in which an object has no fields but those that are named."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(one) for name, one in schema.items()}
    return {**inner, "additionalProperties": False} if isinstance(inner.get("properties"), dict) else inner


class Asker:
    """Asks a worker, and holds its answers against its own document."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self._address, self._session = address, session
        self.document: dict[str, Any] = {}
        self.seen: set[tuple[str, str, str]] = set()

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None, **parts: str
    ) -> tuple[int, Any]:
        url = self._address + path.format(**parts)
        async with self._session.request(
            method, url, data=io.BytesIO(body) if body is not None else None, headers=headers
        ) as got:
            status, answer = got.status, orjson.loads(await got.read())
            assert got.content_type == "application/json"
            assert ("WWW-Authenticate" in got.headers) == (status == 401)
        self.document = self.document or answer  # the document is asked for first
        told = self.document["paths"][path][method.lower()]["responses"][str(status)]
        if content := told.get("content"):
            assert faults(content["application/json"]["schema"], answer, closed(self.document)) == []
        self.seen.add((path, method.lower(), str(status)))
        return status, answer

    async def check(self, request: Any, headers: Mapping[str, str] = ACME) -> tuple[int, Any]:
        """Ask about recipients; what is answered must be a valid request, and what is refused as bad must not."""
        status, answer = await self.ask("POST", CHECK, headers, orjson.dumps(request))
        schema = self.document["paths"][CHECK]["post"]["requestBody"]["content"]["application/json"]["schema"]
        if status in {200, 400}:
            assert (faults(schema, request, self.document) == []) == (status == 200), request
        return status, answer

    async def contact(
        self, recipient: str, tenant: str = "acme", headers: Mapping[str, str] = ACME
    ) -> tuple[int, dict[str, Any]]:
        return await self.ask("GET", CONTACT, headers, tenant=tenant, recipient=recipient)


@pytest.fixture
async def topics(stack: Endpoints, prefix: str) -> AsyncIterator[Topics]:
    async with topics_of(stack, prefix) as made:
        yield made


@pytest.fixture
async def asker(stack: Endpoints, prefix: str, tmp_path) -> AsyncIterator[Asker]:
    file = tmp_path / "tokens.toml"
    file.write_text(TOKENS)
    environ = {"BOUNCELINE_TOPIC_PREFIX": prefix, "BOUNCELINE_TOKENS": str(file)}
    async with run_workers(stack, 1, **environ) as workers, aiohttp.ClientSession() as session:
        made = Asker(workers[0].http, session)
        await made.ask("GET", DOCUMENT, {})
        yield made


def report(recipient: str, number: int, **event: Any) -> bytes:
    at = (datetime.now(UTC) - timedelta(hours=30 - 3 * number)).isoformat(timespec="milliseconds")
    payload = {"recipient": recipient, "occurred_at": at, "message_id": f"m{number}", "event_id": "é", **event}
    return orjson.dumps({"provider": "normalized", "tenant": "acme", "payload": payload})


def command(kind: str, **fields: Any) -> bytes:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return orjson.dumps({"id": kind, "command": kind, "tenant": "acme", "at": at, "actor": "me", "note": "x", **fields})


async def test_every_answer_of_a_worker_is_as_its_document_says_and_every_status_there_is_given(
    asker: Asker, topics: Topics, stack: Endpoints, prefix: str
) -> None:
    """Story: one complains, one's mailbox is full six times, one is erased; then Redis loses everything."""
    told = [("spam@example.com", report("spam@example.com", 1, status="Spam"))]
    told += [("full@example.com", report("full@example.com", n, status="Quota exceeded")) for n in range(6)]
    told += [("run@example.com", report("run@example.com", n, status="Connection issue")) for n in range(2)]
    told += [("gone@example.com", report("gone@example.com", 1, status="User unknown"))]
    told += [("well@example.com", report("well@example.com", 1, outcome="delivered"))]
    await topics.publish([value for _, value in told], [name.encode() for name, _ in told])
    await topics.decided()
    incident = {"statuses": ["Connection issue"], "from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
    await topics.publish(
        [
            command("release", recipient="run@example.com"),
            command("erase", recipient="gone@example.com"),
            command("retract", **incident),
        ],
        [None] * 3,
        topic="contact-commands",
    )
    async with asyncio.timeout(60):
        while len((await asker.contact("run@example.com"))[1]["commands"]) < 2:
            await asyncio.sleep(0.1)
        while not (await asker.contact("gone@example.com"))[1].get("denied"):
            await asyncio.sleep(0.1)

    status, answer = await asker.check(
        {"tenant": "acme", "recipients": PEOPLE, "purpose": "transactional", "campaign_id": "c", "request_id": "r"}
    )
    denied = {one["recipient"]: one.get("status") for one in answer["results"]}
    assert (status, list(denied.values())) == (200, ["Spam", "Quota exceeded", None, "Typofix", ":"])
    for bad in (
        {},
        [],
        {"tenant": "acme"},
        {"tenant": "acme", "recipients": []},
        {"tenant": "acme", "recipients": [1]},
    ):
        assert (await asker.check(bad))[0] == 400
    assert (await asker.check({"tenant": "acme", "recipients": PEOPLE, "purpose": "fun"}))[0] == 400
    assert (await asker.check({"tenant": "acme", "recipients": PEOPLE}, {}))[0] == 401
    assert (await asker.check({"tenant": "acme", "recipients": PEOPLE}, GLOBEX))[0] == 403
    assert (await asker.check({"tenant": "acme", "recipients": ["x" * 5_000_000]}))[0] == 413
    for body in (b"", b"{", b"\xff", b"[" * 10_000, b'{"tenant": "acme", "recipients": ["\\ud800"]}'):
        assert (await asker.ask("POST", CHECK, ACME, body))[0] == 400

    shown = {name: (await asker.contact(f"{name}@example.com"))[1] for name in ("spam", "full", "run", "well", "new")}
    assert [one["blocked"] for one in shown.values()] == [True, True, False, False, False]
    assert [len(one["events"]) > 0 for one in shown.values()] == [True, True, True, False, False]
    assert (await asker.contact("no%20address"))[0] == 400
    assert (await asker.contact("spam@example.com", tenant="a%20b"))[0] in {400, 403}
    assert (await asker.contact("spam@example.com", headers={}))[0] == 401
    assert (await asker.contact("spam@example.com", headers=GLOBEX))[0] == 403

    async with Redis.from_url(stack.redis) as redis:
        await redis.delete(*[key async for key in redis.scan_iter(f"{prefix}*")])
    assert (await asker.check({"tenant": "acme", "recipients": PEOPLE}))[0] == 503
    assert (await asker.contact("spam@example.com"))[0] == 503
    # The next batch of the partition notices and repairs what was lost.
    await topics.publish([report("spam@example.com", 2, status="Spam")], [b"spam@example.com"])
    async with asyncio.timeout(60):
        while (await asker.contact("spam@example.com"))[0] != 200:
            await asyncio.sleep(0.1)
    assert (await asker.contact("spam@example.com"))[1]["blocked"]

    documented = {
        (path, method, status)
        for path, methods in asker.document["paths"].items()
        for method, said in methods.items()
        for status in said["responses"]
    }
    assert asker.seen == documented
