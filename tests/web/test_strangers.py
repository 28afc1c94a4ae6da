"""What strangers send to the server as bytes: answered with 4xx, before their bodies, and with nothing in the log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from agents.gate.desk import make_desk
from schemas.policy import parse_policy
from streams.dev_server import free_port
from streams.memory import MemoryPublisher, NoMeter
from streams.metrics import PrometheusMeter
from streams.tokens import Tokens
from streams.web.gate import Gate
from streams.web.server import Web
from streams.web.webhooks.configuration import NOBODY
from streams.web.webhooks.routes import Webhooks
from tests.support.webhooks import settings

Send = Callable[..., Awaitable[tuple[int, bytes]]]


@pytest.fixture
async def send() -> AsyncIterator[Send]:
    """Give what sends bytes to a whole server and hears its first line; nobody but acme may ask there."""
    port, policy, out = free_port(), parse_policy(""), MemoryPublisher(lambda _: None)
    desk = make_desk(None, out, str, policy)
    gate = Gate(desk, None, Tokens({"acme": ["a" * 16]}), policy, NoMeter())
    webhooks = Webhooks(NOBODY, settings(), out, PrometheusMeter())
    web = Web(PrometheusMeter(), lambda: True, port, webhooks, gate.routes())
    await web.start()

    async def hear(content: bytes, seconds: float = 5.0) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(content)
            async with asyncio.timeout(seconds):
                head = await reader.readuntil(b"\r\n\r\n")
            return int(head.split()[1]), head
        finally:
            writer.transport.abort()

    yield hear
    await web.stop()


TARGETS = ["GET /nowhere", "GET /healthz", "POST /v1/check", "POST /webhooks/mailjet/acme", "OPTIONS *", "PUT /metrics"]


@pytest.mark.parametrize("target", TARGETS)
async def test_whatever_is_expected_of_whatever_path_is_refused_and_not_quoted(target, send, caplog):
    head = f"{target} HTTP/1.1\r\nHost: x\r\nExpect: ".encode()
    for expected in (b"\xff\xfe", b"something<script>"):
        status, answer = await send(head + expected + b"\r\nContent-Length: 0\r\n\r\n")
        assert (status, b"application/json" in answer) == (417, True)
    assert caplog.records == []


@pytest.mark.parametrize("authorization", [b"", b"Authorization: Bearer x\r\n", b"Authorization: Bearer \xff\r\n"])
async def test_who_has_no_token_is_answered_before_the_four_mebibytes_that_he_announces(authorization, send):
    head = b"POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n"
    assert (await send(head + authorization + b"\r\n"))[0] == 401


async def test_a_body_that_breaks_off_is_refused_and_leaves_no_traceback(send, caplog):
    head = b"POST /v1/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"a" * 16 + b"\r\n"
    for framing in (b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"):
        assert (await send(head + framing))[0] == 400
    with pytest.raises(TimeoutError):
        await send(head + b"Content-Length: 10\r\n\r\n{", 0.2)  # and hangs up
    await asyncio.sleep(0.1)
    assert caplog.records == []


POST = b"POST /webhooks/mailjet/acme HTTP/1.1\r\nHost: x\r\n"
HARDLY = [
    b"GET /a%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET //healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/../healthz/x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 5_000 + b"\r\n",
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /webhooks/mailjet/acme%2Fx HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)) + b"\r\n\r\n",
]


@pytest.mark.parametrize("content", HARDLY)
async def test_odd_paths_headers_and_lengths_are_refused_and_leave_no_traceback(content, send, caplog):
    status, head = await send(content)
    assert 400 <= status < 500
    assert b"set-cookie" not in head.lower()
    assert [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"] == []
