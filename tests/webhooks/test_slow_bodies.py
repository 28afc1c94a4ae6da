"""Slow bodies, however many, keep nobody out: over real sockets that send headers and never what they announce."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from agents.ports import Outgoing
from streams.memory import MemoryPublisher
from streams.web.webhooks import reading
from streams.web.webhooks.configuration import Configuration
from streams.web.webhooks.reading import Reading
from tests.support.webhooks import (
    TOPIC,
    Client,
    basic,
    client_of,
    configuration,
    mailgun_body,
    sendgrid_headers,
    sendgrid_public,
    sns_message,
)

GOOD = basic("mailjet:one")
SENT = b'{"event": "sent", "email": "jane@example.com"}'


@pytest.fixture
def configured(tmp_path) -> Configuration:
    """Give a configuration in which two posts may wait for the broker."""
    text = f"""
    [limits]
    waiting = 2
    [tenants.acme]
    mailjet.credentials = ["mailjet:one"]
    mailgun.signing_keys = ["key"]
    sendgrid.public_keys = ["{sendgrid_public("acme")}"]
    ses.topics = ["{TOPIC}"]
    ses.certificates = ["aws.pem"]
    """
    return configuration(text, tmp_path)


@pytest.fixture
def taken() -> list[Outgoing]:
    return []


class Slow:
    """A socket that has sent the headers of a post, and some of its body."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def status(self) -> int:
        """Give the status it hears, without sending another byte."""
        async with asyncio.timeout(5.0):
            return int((await self.reader.readline()).split()[1])


@asynccontextmanager
async def slow(client: Client, path: str, count: int, headers: dict[str, str], begun: bytes = b"") -> AsyncIterator:
    url = urlsplit(client._address)
    lines = {"Host": "bounces.example", "Content-Length": "1000", **headers}
    head = f"POST /webhooks/{path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    opened = [Slow(*await asyncio.open_connection(url.hostname, url.port)) for _ in range(count)]
    try:
        for one in opened:
            one.writer.write(head.encode() + b"\r\n" + begun)
            await one.writer.drain()
        await asyncio.sleep(0.1)
        yield opened
    finally:
        for one in opened:
            one.writer.transport.abort()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("mailjet/acme", GOOD),
        ("mailgun/acme", {}),
        ("ses/acme", {}),
        ("sendgrid/acme", sendgrid_headers("somebody", b"{}")),
    ],
)
async def test_bodies_that_do_not_come_take_no_place_from_those_that_do(path, headers, configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client, slow(client, path, 20, headers, b"{"):
        assert (await client.post("mailjet/acme", SENT, GOOD)).status == 200
        signed = sendgrid_headers("acme", SENT)
        assert (await client.post("sendgrid/acme", SENT, signed)).status == 200
        assert (await client.post("ses/acme", sns_message())).status == 200
        # Without Redis here Mailgun's is not taken; what matters is that it was looked at.
        assert (await client.post("mailgun/acme", mailgun_body("key"))).answer == "unavailable"
    assert len(taken) == 3


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("mailjet/acme", basic("mailjet:wrong")),
        ("mailjet/nobody", GOOD),
        ("sendgrid/acme", {}),
        ("sendgrid/acme", {**sendgrid_headers("acme", b""), "X-Twilio-Email-Event-Webhook-Timestamp": "soon"}),
    ],
)
async def test_whom_the_headers_show_to_be_nobody_is_answered_before_his_body(path, headers, configured, taken):
    async with (
        client_of(MemoryPublisher(taken.append), configured) as client,
        slow(client, path, 1, headers) as [stranger],
    ):
        assert await stranger.status() == 401
    assert taken == []


async def test_where_too_many_bodies_come_slowly_the_one_longest_at_it_gives_way(configured, taken, monkeypatch):
    monkeypatch.setattr(reading, "MOST_POSTS", 3)
    async with (
        client_of(MemoryPublisher(taken.append), configured) as client,
        slow(client, "mailgun/acme", 1, {}) as first,
        slow(client, "ses/acme", 1, {}) as second,
        slow(client, "mailgun/acme", 1, {}) as third,
        slow(client, "mailjet/acme", 1, GOOD) as known,
        slow(client, "mailgun/acme", 2, {}),
    ):
        assert [await one.status() for one in first + second] == [408, 503]
        for one in third + known:
            one.writer.write(b" " * 1000)
        assert [await one.status() for one in third + known] == [401, 400]


async def test_bytes_that_have_come_are_bounded_too(configured, taken, monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 1_500)
    async with (
        client_of(MemoryPublisher(taken.append), configured) as client,
        slow(client, "mailgun/acme", 1, {}, b" " * 700) as first,
        slow(client, "mailgun/acme", 1, {}, b" " * 700) as second,
        slow(client, "mailgun/acme", 1, {}, b" " * 700),
    ):
        assert await first[0].status() == 408
        second[0].writer.write(b" " * 300)
        assert await second[0].status() == 401


async def test_a_place_is_given_back_whatever_becomes_of_the_post():
    room = Reading()
    for outcome in (None, ConnectionError):
        with suppress(ConnectionError):
            async with asyncio.timeout(1.0) as timeout:
                with room.place(timeout) as came:
                    came(10)
                    await asyncio.sleep(0)
                    if outcome:
                        raise outcome
        assert (room._bytes, len(room._under_way)) == (0, 0)
