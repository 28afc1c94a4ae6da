"""Thousands of requests by chance, most of them forged somehow: no answer is 5xx, and no forgery gets in.

`--storm=10000` runs the full number; by itself it is 2,000, which take some ten seconds. Every request goes over a
socket of its own to a real server, Mailgun's tokens lie in a real Redis; only the broker is a list, to see what got in.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.ports import Outgoing
from schemas.times import SECOND
from streams.dev_stack import Endpoints
from streams.memory import MemoryPublisher
from streams.metrics import PrometheusMeter
from streams.web.webhooks import routes
from streams.web.webhooks.post import PROVIDERS
from streams.web.webhooks.routes import Webhooks
from tests.support import webhooks as made
from tests.support.webhooks import NOW, TOPIC

TENANTS: Final = ("acme", "globex")
FOREIGN_TOPIC: Final = "arn:aws:sns:eu-west-1:999999999999:his"
BASIC: Final = ("mailjet", "postmark", "sparkpost", "brevo", "dsn", "arf", "normalized")
STALE_SECONDS: Final = 30 * 24 * 3600

STATUS: Final = re.compile(rb"^HTTP/1\.1 ([0-9]{3})", re.MULTILINE)
ANSWER: Final = re.compile(rb"^HTTP/1\.1 (?!100)[0-9]{3}.*\r\n\r\n", re.MULTILINE | re.DOTALL)
BODY_SECONDS: Final = 0.03  # what the server waits for a body that does not come
PATIENCE_SECONDS: Final = 30.0
HARDLY_SECONDS: Final = 0.05  # what is hardly HTTP may get no answer at all: the server waits for the rest of it


def _section(tenant: str) -> str:
    lines = [f'{provider}.credentials = ["{provider}:{tenant} password"]' for provider in BASIC]
    lines += [
        f'sendgrid.public_keys = ["{made.sendgrid_public(tenant)}"]',
        f'mailgun.signing_keys = ["{tenant} key"]',
        f'ses.topics = ["{TOPIC if tenant == "acme" else TOPIC + "-globex"}"]',
        'ses.certificates = ["aws.pem"]',
    ]
    return f"[tenants.{tenant}]\n" + "\n".join(lines) + "\n"


class Request(NamedTuple):
    """A request before it is bytes."""

    provider: str
    tenant: str
    headers: dict[str, str]
    body: bytes


class Server:
    """A server, what got in, and what providers have signed: the bodies that may get in, by provider and tenant."""

    def __init__(self, stack: Endpoints, prefix: str, folder: Any) -> None:
        self._runner = asyncio.Runner()
        self.taken: list[Outgoing] = []
        self.signed: set[tuple[str, str, bytes]] = set()
        configured = made.configuration(
            "[limits]\nrate = 1_000_000\nburst = 1_000_000\n" + "".join(map(_section, TENANTS)), folder
        )
        redis = made.settings(BOUNCELINE_REDIS=stack.redis, BOUNCELINE_TOPIC_PREFIX=prefix)
        publisher = MemoryPublisher(self.taken.append)
        webhooks = Webhooks(configured, redis, publisher, PrometheusMeter(), now=lambda: NOW)
        self._serving = made.serving(webhooks)
        self._port = int(self._runner.run(self._serving.__aenter__()).rpartition(":")[2])

    def close(self) -> None:
        self._runner.run(self._serving.__aexit__(None, None, None))
        self._runner.close()

    def send(self, request: Request) -> int:
        lines = {
            "Host": "bounces.example",
            "Content-Length": str(len(request.body)),
            "Connection": "close",
            **request.headers,
        }
        head = f"POST /webhooks/{request.provider}/{request.tenant} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        content = head.encode("utf-8", "surrogateescape") + b"\r\n" + request.body
        return self._runner.run(self._exchange(content, PATIENCE_SECONDS))

    def send_raw(self, content: bytes) -> int:
        return self._runner.run(self._exchange(content, HARDLY_SECONDS))

    async def _exchange(self, content: bytes, seconds: float) -> int:
        """Send bytes; gives the status of the last answer, 0 where there is none."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        answered = b""
        try:
            async with asyncio.timeout(seconds):
                writer.write(content)
                while not ANSWER.search(answered) and (more := await reader.read(65_536)):
                    answered += more
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            writer.close()
        statuses = [int(status) for status in STATUS.findall(answered)]
        return statuses[-1] if statuses else 0


@pytest.fixture(scope="module")
def server(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "BODY_SECONDS", BODY_SECONDS)
        running = Server(stack, f"storm{uuid4().hex[:6]}-", tmp_path_factory.mktemp("storm"))
        yield running
        running.close()


# --- what providers post


def _signed(provider: str, tenant: str, payload: Any, seconds_ago: int) -> Request:
    """Make a genuine post of a provider for a tenant."""
    seconds = NOW // 1000 - seconds_ago
    body = orjson.dumps(payload)
    match provider:
        case "sendgrid":
            return Request(provider, tenant, made.sendgrid_headers(tenant, body, seconds), body)
        case "mailgun":
            content = {"signature": made.mailgun_signature(f"{tenant} key", seconds=seconds), "event-data": payload}
            return Request(provider, tenant, {"Content-Type": "application/json"}, orjson.dumps(content))
        case "ses":
            topic = TOPIC if tenant == "acme" else TOPIC + "-globex"
            version = "12"[len(body) % 2]
            message = made.sns_message(at=seconds * SECOND, Message=body.decode(), TopicArn=topic, version=version)
            return Request(provider, tenant, {"Content-Type": "text/plain"}, orjson.dumps(message))
        case _:
            return Request(provider, tenant, made.basic(f"{provider}:{tenant} password"), body)


payloads = st.fixed_dictionaries(
    {"event": st.sampled_from(["bounce", "spam", "sent"]), "email": st.emails(domains=st.just("example.com"))}
) | st.lists(st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=5), max_size=3), max_size=3)

# --- what is done to them on the way

Change = Callable[[Request], Request]


def _flip(place: float, bit: int) -> Change:
    def change(request: Request) -> Request:
        if not request.body:
            return request
        body = bytearray(request.body)
        body[int(place * (len(body) - 1))] ^= 1 << bit
        return request._replace(body=bytes(body))

    return change


def _put_in(place: float, piece: bytes) -> Change:
    def change(request: Request) -> Request:
        at = int(place * len(request.body))
        return request._replace(body=request.body[:at] + piece + request.body[at:])

    return change


def _cut(place: float) -> Change:
    return lambda request: request._replace(body=request.body[: int(place * len(request.body))])


def _drop_header(number: int) -> Change:
    def change(request: Request) -> Request:
        names = list(request.headers) or [""]
        return request._replace(headers={n: v for n, v in request.headers.items() if n != names[number % len(names)]})

    return change


def _header(name: str, value: str) -> Change:
    return lambda request: request._replace(headers={**request.headers, name: value})


def _spoil_header(number: int, place: float, character: str) -> Change:
    def change(request: Request) -> Request:
        if not request.headers:
            return request
        name = list(request.headers)[number % len(request.headers)]
        value = request.headers[name]
        at = int(place * len(value))
        return request._replace(headers={**request.headers, name: value[:at] + character + value[at + 1 :]})

    return change


def _as_form(request: Request) -> Request:
    try:
        content = orjson.loads(request.body)
        fields = {**content["signature"], "recipient": "jane@example.com"}
    except (ValueError, TypeError, KeyError):
        return request
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return request._replace(headers=form, body=urlencode(fields).encode())


def _field(name: str, value: Any) -> Change:
    def change(request: Request) -> Request:
        try:
            content = orjson.loads(request.body)
            return request._replace(body=orjson.dumps({**content, name: value}))
        except (ValueError, TypeError):
            return request

    return change


def _tenant(name: str) -> Change:
    return lambda request: request._replace(tenant=name)


def _provider(name: str) -> Change:
    return lambda request: request._replace(provider=name)


PIECES = [b'"', b"{", b"\\u0000", b",", b"}"]
NAMES = ["Authorization", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Content-Length", "Expect"]
VALUES = [
    *("", "gzip", "chunked", "0", "5", "-1", "99999999999", "Basic", "Bearer x", "100-continue"),
    *("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain; charset=utf-7"),
    *(made.basic(credential)["Authorization"] for credential in ("mailjet:x", "mailjet:globex password")),
]
FIELDS = ["signature", "event-data", "Type", "TopicArn", "Message", "Subject", "Token", "SignatureVersion", "email"]
CONTENTS = ["SubscriptionConfirmation", FOREIGN_TOPIC, TOPIC, "1"]

places = st.floats(0, 1)
anything = st.none() | st.integers(-9, 9) | st.text(max_size=9) | st.just([]) | st.just({})
changes = st.one_of(
    # The body more often than the rest: it is what a forger is after.
    *[st.builds(_flip, places, st.integers(0, 7))] * 3,
    st.builds(_put_in, places, st.binary(min_size=1, max_size=8) | st.sampled_from(PIECES)),
    st.builds(_cut, places),
    st.builds(_drop_header, st.integers(0, 3)),
    st.builds(_spoil_header, st.integers(0, 3), places, st.sampled_from("aA0+/= .:\t\udcffé")),
    st.builds(_header, st.sampled_from(NAMES), st.sampled_from(VALUES)),
    st.builds(_field, st.sampled_from(FIELDS), anything | st.sampled_from(CONTENTS)),
    st.just(_as_form),
    st.builds(_tenant, st.sampled_from([*TENANTS, "nobody", "a%20b", "%00"])),
    st.builds(_provider, st.sampled_from([*PROVIDERS, "pigeon"])),
)


def _content(provider: str, request: Request) -> bytes:
    """Give what a signature stands for: fields in any order and form where it is the fields that are signed."""
    if provider not in {"mailgun", "ses"}:
        return request.body
    content = orjson.loads(request.body.removeprefix(b"\xef\xbb\xbf"))
    if provider == "ses":
        signed = {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
        content = {name: value for name, value in content.items() if name in signed and value is not None}
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _may_get_in(server: Server, request: Request) -> bool:
    if request.provider in BASIC:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # Base64 has several ways to write the end of the same.
        said = base64.b64decode(given.encode(errors="replace") + b"===")
        return scheme.lower() == "basic" and said == f"{request.provider}:{request.tenant} password".encode()
    return (request.provider, request.tenant, _content(request.provider, request)) in server.signed


STORM = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_forgery_gets_in_and_nothing_is_answered_with_5xx(provider: str, server: Server, storm: int) -> None:
    @settings(
        max_examples=storm // len(PROVIDERS), deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(
        st.sampled_from(TENANTS),
        payloads,
        st.sampled_from([0, 0, 0, 0, -200, 60, STALE_SECONDS, -STALE_SECONDS]),
        st.lists(changes, max_size=4),
    )
    def throw(tenant: str, payload: Any, seconds_ago: int, done: list[Change]) -> None:
        genuine = request = _signed(provider, tenant, payload, seconds_ago)
        fresh = abs(seconds_ago) < STALE_SECONDS
        if fresh:
            server.signed.add((provider, tenant, _content(provider, genuine)))
        if provider == "mailgun" and fresh:
            # Its signature leaves the content open until it has been used: the forger comes second.
            assert server.send(genuine) == 200
        for change in done:
            request = change(request)
        before = len(server.taken)
        status = server.send(request)
        assert status < 500
        if request == genuine and (fresh or provider in BASIC) and isinstance(payload, dict | list):
            assert status == 200
        got_in = server.taken[before:]
        assert bool(got_in) <= (status == 200)
        if status == 200:
            assert _may_get_in(server, request), request
        for record in got_in:
            envelope = orjson.loads(record.value)
            assert (envelope["provider"], envelope["tenant"]) == (request.provider, request.tenant)

    began = len(server.taken)
    throw()
    assert len(server.taken) - began > storm / len(PROVIDERS) / 20, "genuine ones must get in, or nothing is tested"


HARDLY = [
    *(b"POST /webhooks/mailjet/acme HTTP/1.1\r\n", b"POST ", b"/webhooks/", b"mailjet/acme", b" HTTP/1.1\r\n"),
    *(b"Host: x\r\n", b"Content-Length: 5\r\n", b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"\r\n", b"5\r\nhello\r\n", b"zz\r\n", b"0\r\n\r\n", b"{}", b"\x00", b"Content-Encoding: gzip\r\n"),
    f"Authorization: {made.basic('mailjet:acme password')['Authorization']}\r\n".encode(),
]


def test_bytes_that_are_hardly_http_are_answered_with_no_5xx_either(server: Server, storm: int) -> None:
    @settings(STORM, max_examples=storm // len(PROVIDERS))
    @given(st.lists(st.sampled_from(HARDLY) | st.binary(max_size=6), max_size=12).map(b"".join))
    def throw(content: bytes) -> None:
        assert server.send_raw(b"POST /webhooks/mailjet/acme HTTP/1.1\r\n" + content) < 500

    throw()
