"""`POST /v1/check` and `GET /v1/contacts/{tenant}/{recipient}` (SPEC 8), and what describes them."""

import time
from collections.abc import Callable
from importlib.resources import files
from typing import Final

import msgspec
from aiohttp import web

from agents.classify.address import canonical_recipient
from agents.classify.rules import builtin_rules
from agents.classify.table import RuleTable
from agents.gate.desk import Desk
from agents.ports import Meter
from agents.suppress.why import Teller
from schemas.codec import decode_send_request, encode
from schemas.decision import NOT_READY
from schemas.policy import Policy
from schemas.rejected import Rejected
from schemas.report import check_tenant
from streams.state.reader import ContactReader
from streams.tokens import Tokens
from streams.web.bodies import read_body
from streams.web.local import is_local
from streams.web.refusals import refusal

MAX_BODY_BYTES: Final = 4_194_304
"""Ten thousand recipients of 400 bytes: what `send-requests` takes too."""

_STATUS: Final = {"who": 401, "no": 403}
_DETAIL: Final = {
    "who": "send a token of this tenant as Authorization: Bearer",
    "no": "this token is another tenant's",
}


_ONLY_HERE: Final = (
    "without BOUNCELINE_TOKENS only programs on this machine may ask, no proxy and no page of another site"
)


class Gate:
    """Answers over HTTP who may be mailed, and what is known of a contact."""

    def __init__(
        self,
        desk: Desk,
        reader: ContactReader,
        tokens: Tokens | None,
        policy: Policy,
        meter: Meter,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        rules: RuleTable | None = None,
        topic: Callable[[str], str] = str,
    ) -> None:
        """Take what answers and what reads; without tokens everybody may ask: for loopback alone.

        `rules` is the table that reports are classified by, the built-in one by default; `topic` gives a topic's name
        on the broker.
        """
        self._desk = desk
        self._reader = reader
        self._tokens = tokens
        self._teller = Teller(policy, (rules or builtin_rules()).texts, topic)
        self._meter = meter
        self._clock = clock
        self._document = files("streams.web").joinpath("openapi.json").read_bytes()

    def routes(self) -> list[web.RouteDef]:
        """Give what is to be served."""
        return [
            web.post("/v1/check", self._check),
            web.get("/v1/contacts/{tenant}/{recipient:.+}", self._contact),
            web.get("/v1/openapi.json", self._openapi),
        ]

    async def _check(self, request: web.Request) -> web.Response:
        # Before the body, and before the tenant is known: only that a token is good for anything.
        if refused := self._refused(request, ""):
            return refused
        body = await read_body(request, MAX_BODY_BYTES)
        if body == "too-large":
            return _error(413, "too-large", f"a request may have {MAX_BODY_BYTES} bytes")
        if body == "broken-off":
            return _error(400, "not-json", "the body broke off")
        asked = decode_send_request(body)
        if isinstance(asked, Rejected):
            return _error(400, *asked)
        if refused := self._refused(request, asked.tenant):
            return refused
        decision = await self._desk(asked, self._clock())
        if decision is None:
            return _error(503, *NOT_READY)
        self._meter.count("checks", len(decision.results))
        return _json(encode(decision))

    async def _contact(self, request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        if refused := self._refused(request, tenant):
            return refused
        if isinstance(bad := check_tenant(tenant), Rejected):
            return _error(400, *bad)
        recipient = canonical_recipient(request.match_info["recipient"])
        if isinstance(recipient, Rejected):
            return _error(400, *recipient)
        found = await self._reader.why(tenant, recipient)
        if found is None:
            return _error(503, *NOT_READY)
        contact, incidents = found
        return _json(msgspec.json.encode(self._teller.state(tenant, recipient, contact, self._clock(), incidents)))

    async def _openapi(self, _request: web.Request) -> web.Response:
        return _json(self._document)

    def _refused(self, request: web.Request, tenant: str) -> web.Response | None:
        """Refuse who may not ask about a tenant; about none, who has no token at all."""
        if self._tokens is None:
            return None if is_local(request.headers) else _error(403, "forbidden", _ONLY_HERE)
        verdict = self._tokens.verdict(request.headers.get("Authorization"), tenant)
        if verdict == "yes" or (verdict == "no" and not tenant):
            return None
        return _error(_STATUS[verdict], "unauthorized" if verdict == "who" else "forbidden", _DETAIL[verdict])


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _error(status: int, error: str, detail: str) -> web.Response:
    return refusal(status, error, detail, {"WWW-Authenticate": "Bearer"} if status == _STATUS["who"] else None)
