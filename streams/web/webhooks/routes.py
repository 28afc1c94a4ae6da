"""`POST /webhooks/{provider}/{tenant}`: read, let in, count, publish, answer. 2xx only once the broker has it."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from agents.ports import Publisher
from schemas.report import MAX_REPORT_BYTES
from streams.metrics import PrometheusMeter
from streams.settings import Settings
from streams.web.bodies import read_body
from streams.web.refusals import expect
from streams.web.webhooks.answers import RETRY_AFTER_SECONDS, asks_to_come_again, status_of
from streams.web.webhooks.certificates import Fetch
from streams.web.webhooks.configuration import Configuration, Limits
from streams.web.webhooks.gates import Gates, configured_gates, open_gates
from streams.web.webhooks.limits import Buckets, Rate
from streams.web.webhooks.outbound import fetch as fetch_outside
from streams.web.webhooks.outbox import SECONDS, Outbox
from streams.web.webhooks.payload import report
from streams.web.webhooks.post import PROVIDERS, Answer, Gate, Payload, Post
from streams.web.webhooks.reading import Reading
from streams.web.webhooks.tokens import Tokens

BODY_SECONDS: Final = 10.0
"""How long a body may take to come."""

TOLD: Final = Rate(each_second=0.1, burst=3)
"""How often the log tells of refusals of one provider and tenant: a stranger must not fill it."""

_log = structlog.get_logger()


def _now() -> int:
    return time.time_ns() // 1_000_000


class Webhooks:
    """Takes posts of all providers and tenants."""

    def __init__(
        self,
        configuration: Configuration | None,
        settings: Settings,
        publisher: Publisher,
        meter: PrometheusMeter,
        fetch: Fetch = fetch_outside,
        now: Callable[[], int] = _now,
        broker_seconds: float = SECONDS,
    ) -> None:
        """Take who may post and where reports go.

        Args:
            configuration: Who may post; None for everybody on this machine.
            settings: Where Redis is.
            publisher: Takes the reports.
            meter: Counts.
            fetch: Gets a URL of SNS.
            now: The clock, in ms since 1970.
            broker_seconds: How long a post waits for the broker.

        """
        limits = configuration.limits if configuration else Limits()
        self._gates: Gates = open_gates
        self._tokens: Tokens | None = None
        if configuration:
            self._gates, self._tokens = configured_gates(configuration, settings, fetch)
        self._outbox = Outbox(publisher, broker_seconds)
        self._meter = meter
        self._now = now
        self._room = limits.waiting
        # Apart, so that strangers push nobody out whom the headers show to be none.
        self._known, self._open = Reading(), Reading()
        self._rate = Buckets(Rate(limits.rate, limits.burst))
        self._told = Buckets(TOLD)

    @property
    def are_open(self) -> bool:
        """Whether everybody on this machine may post, since nothing is configured."""
        return self._gates is open_gates

    def routes(self) -> list[web.RouteDef]:
        """Give the routes to serve."""
        return [web.post("/webhooks/{provider}/{tenant}", self._post, expect_handler=expect)]

    async def close(self) -> None:
        """Give up on what is under way."""
        await self._outbox.close()
        if self._tokens:
            await self._tokens.close()

    async def _post(self, request: web.Request) -> web.Response:
        provider, tenant = request.match_info["provider"], request.match_info["tenant"]
        answer: Answer = "not-found"
        wait = 0.0
        if provider in PROVIDERS:
            answer, wait = await self._answer(request, provider, tenant)
        else:
            provider = "unknown"
        self._meter.webhook(provider, answer)
        headers = {}
        if answer == "unauthorized":
            headers["WWW-Authenticate"] = 'Basic realm="bounceline"'
        if asks_to_come_again(answer):
            headers["Retry-After"] = str(math.ceil(wait) or RETRY_AFTER_SECONDS)
        return web.json_response({"answer": answer}, status=status_of(provider, answer), headers=headers)

    async def _answer(self, request: web.Request, provider: str, tenant: str) -> tuple[Answer, float]:
        gate = self._gates(provider, tenant)
        if gate is None:
            return "unauthorized", 0.0
        admitted = await self._admitted(gate, request, provider, tenant)
        if isinstance(admitted, str):
            self._tell(provider, tenant, admitted)
            return admitted, 0.0
        post, payload = admitted
        # After the gate: before it, a stranger could use up what a provider may post.
        if wait := self._rate.wait((provider, tenant), time.monotonic()):
            return "rate-limited", wait
        record = report(post, payload)
        if len(record.value or b"") > MAX_REPORT_BYTES:
            return "too-large", 0.0
        if not self._room:
            return "overloaded", 0.0
        self._room -= 1
        try:
            if not await self._outbox.put(record):
                return "unavailable", 0.0
            await gate.settled(post, payload)
        finally:
            self._room += 1
        return "accepted", 0.0

    async def _admitted(
        self, gate: Gate, request: web.Request, provider: str, tenant: str
    ) -> tuple[Post, Payload] | Answer:
        """Read a post and let it in, or say why not."""
        look = gate.look(request.headers)
        if look == "unauthorized":
            return look
        reading = self._known if look == "known" else self._open
        try:
            async with asyncio.timeout(BODY_SECONDS) as timeout:
                with reading.place(timeout) as came:
                    body = await _read(request, came)
                    if not isinstance(body, bytes):
                        return body
                    if not timeout.expired():
                        timeout.reschedule(None)
                    post = Post(provider, tenant, request.headers, body, self._now())
                    payload = await gate.admit(post)
        except TimeoutError:
            return "slow"
        return (post, payload) if isinstance(payload, Payload) else payload

    def _tell(self, provider: str, tenant: str, answer: Answer) -> None:
        wrong = answer not in {"duplicate", "confirmed"}
        if wrong and not self._told.wait((provider, tenant), time.monotonic()):
            _log.warning("webhook-refused", provider=provider, tenant=tenant, answer=answer)


async def _read(request: web.Request, came: Callable[[int], None]) -> bytes | Answer:
    """Read a body, or say why not; never holds more than a report may have."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return "encoded"
    if (request.content_length or 0) > MAX_REPORT_BYTES:
        return "too-large"
    body = await read_body(request, MAX_REPORT_BYTES, came)
    return "unreadable" if body == "broken-off" else body
