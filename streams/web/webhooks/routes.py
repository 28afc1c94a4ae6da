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
from streams.web.refusals import expect, refusal
from streams.web.webhooks.answers import (
    BODY_SECONDS,
    RETRY_AFTER_SECONDS,
    answer_of,
    asks_for_credentials,
    asks_to_come_again,
    detail_of,
    status_of,
)
from streams.web.webhooks.certificates import Fetch
from streams.web.webhooks.configuration import Configuration, Limits
from streams.web.webhooks.gates import Gates, configured_gates, open_gates
from streams.web.webhooks.limits import Buckets, Rate
from streams.web.webhooks.outbound import fetch as fetch_outside
from streams.web.webhooks.outbox import SECONDS, Outbox
from streams.web.webhooks.payload import report
from streams.web.webhooks.post import PROVIDERS, Answer, Gate, Payload, Post, Refused, Unauthorized, Why
from streams.web.webhooks.reading import Reading
from streams.web.webhooks.tokens import Tokens

SUCCESS: Final = 200

TOLD: Final = Rate(each_second=0.1, burst=3)
"""How often the log tells of one answer and reason to one provider and tenant: a stranger must not fill it.

Each has its own, so that a trickle of one kind hides no other.
"""

NAMELESS: Final[frozenset[Why]] = frozenset({"no-such-tenant", "not-local"})
"""Reasons that are told without the tenant, and of all tenants together: a stranger may make up any number of names."""

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
        path = "/webhooks/{provider}/{tenant}"
        return [
            route
            for form in (path, path + "/")
            for route in (
                web.post(form, self._post, expect_handler=expect),
                web.head(form, self._head, expect_handler=expect),
            )
        ]

    async def close(self) -> None:
        """Give up on what is under way."""
        await self._outbox.close()
        if self._tokens:
            await self._tokens.close()

    async def _head(self, request: web.Request) -> web.Response:
        """Answer a console that looks whether the address is there; whoever asks hears the same of every tenant."""
        answer: Answer = "accepted" if request.match_info["provider"] in PROVIDERS else "not-found"
        return web.Response(status=status_of("", answer))

    async def _post(self, request: web.Request) -> web.Response:
        provider, tenant = request.match_info["provider"], request.match_info["tenant"]
        refused: Refused = "not-found"
        wait = 0.0
        if provider in PROVIDERS:
            refused, wait = await self._answer(request, provider, tenant)
        else:
            provider = "unknown"
        answer = answer_of(refused)
        self._meter.webhook(provider, answer)
        status = status_of(provider, answer)
        if status == SUCCESS:
            return web.json_response({"answer": answer})
        self._tell(provider, tenant, refused)
        headers = {}
        if asks_for_credentials(provider, answer):
            headers["WWW-Authenticate"] = 'Basic realm="bounceline"'
        if asks_to_come_again(answer):
            headers["Retry-After"] = str(math.ceil(wait) or RETRY_AFTER_SECONDS)
        return refusal(status, answer, detail_of(provider, answer), headers)

    async def _answer(self, request: web.Request, provider: str, tenant: str) -> tuple[Refused, float]:
        gate = self._gates(provider, tenant)
        if isinstance(gate, Unauthorized):
            return gate, 0.0
        admitted = await self._admitted(gate, request, provider, tenant)
        if isinstance(admitted, str | Unauthorized):
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
    ) -> tuple[Post, Payload] | Refused:
        """Read a post and let it in, or say why not."""
        look = gate.look(request.headers)
        if isinstance(look, Unauthorized):
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

    def _tell(self, provider: str, tenant: str, refused: Refused) -> None:
        told = {"provider": provider, "tenant": tenant, "answer": answer_of(refused)}
        if isinstance(refused, Unauthorized):
            told["reason"] = refused.why
        if refused == "not-found" or told.get("reason") in NAMELESS:
            del told["tenant"]
        if not self._told.wait(tuple(told.values()), time.monotonic()):
            _log.warning("webhook-refused", **told)


async def _read(request: web.Request, came: Callable[[int], None]) -> bytes | Answer:
    """Read a body, or say why not; never holds more than a report may have."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return "encoded"
    if (request.content_length or 0) > MAX_REPORT_BYTES:
        return "too-large"
    body = await read_body(request, MAX_REPORT_BYTES, came)
    return "unreadable" if body == "broken-off" else body
