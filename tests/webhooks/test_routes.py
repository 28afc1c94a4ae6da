"""Over HTTP: 2xx only with the broker's word, limits that hold, and answers that tell a stranger nothing."""

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from agents.ports import Outgoing
from schemas.report import MAX_REPORT_BYTES
from streams.memory import MemoryPublisher
from streams.metrics import PrometheusMeter
from streams.web.webhooks import routes
from streams.web.webhooks.configuration import Configuration
from streams.web.webhooks.post import PROVIDERS
from tests.support.webhooks import (
    TOPIC,
    Client,
    basic,
    client_of,
    configuration,
    sendgrid_headers,
    sendgrid_public,
    sns_message,
)

SENT = {"event": "sent", "time": 1760000101, "MessageID": 19421777835146490, "email": "jane@example.com"}
GOOD = basic("mailjet:one")


@pytest.fixture
def configured(tmp_path: Path) -> Configuration:
    """Give a configuration of two tenants with generous limits."""
    text = f"""
    [tenants.acme]
    mailjet.credentials = ["mailjet:one"]
    brevo.tokens = ["acme's"]
    dsn.tokens = ["acme's"]
    sendgrid.public_keys = ["{sendgrid_public("acme")}"]
    ses.topics = ["{TOPIC}"]
    ses.certificates = ["aws.pem"]
    [tenants.globex]
    mailjet.credentials = ["mailjet:two"]
    sendgrid.public_keys = ["{sendgrid_public("globex")}"]
    """
    return configuration(text, tmp_path)


@pytest.fixture
def taken() -> list[Outgoing]:
    return []


class Away:
    """A broker that answers when it is told to, or never."""

    def __init__(self) -> None:
        self.back = asyncio.Event()

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        await self.back.wait()


async def test_a_post_ends_on_esp_reports_keyed_and_stamped(configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        answered = await client.post("mailjet/acme", SENT, GOOD)
    assert (answered.status, answered.answer) == (200, "accepted")
    [record] = taken
    assert (record.topic, record.key) == ("esp-reports", b"jane@example.com")
    assert orjson.loads(record.value) == {
        "provider": "mailjet",
        "tenant": "acme",
        "payload": SENT,
        "received_at": "2026-11-23T10:15:30.000Z",
    }


async def test_a_raw_mail_is_taken_under_any_content_type(configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        for content_type in ("message/rfc822", "text/plain", "application/x-www-form-urlencoded"):
            headers = {"Authorization": "Bearer acme's", "Content-Type": content_type}
            assert (await client.post("dsn/acme", b"Return-Path: <>\r\n\r\nsorry", headers)).status == 200
    assert {orjson.loads(record.value)["payload"] for record in taken} == {"Return-Path: <>\r\n\r\nsorry"}


async def test_signatures_are_checked_over_http_as_they_were_sent(configured, taken):
    body = orjson.dumps([SENT]) + b"\n"
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        assert (await client.post("sendgrid/acme", body, sendgrid_headers("acme", body))).status == 200
        assert (await client.post("sendgrid/acme", body.strip(), sendgrid_headers("acme", body))).status == 401
        assert (await client.post("ses/acme", sns_message())).status == 200
        assert (await client.post("ses/acme", sns_message("somebody"))).status == 401
    assert len(taken) == 2


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("mailjet/acme", basic("mailjet:wrong")),
        ("mailjet/acme", {}),
        ("mailjet/globex", GOOD),
        ("mailjet/nobody", GOOD),
        ("mailjet/a%20b", GOOD),
        ("mailjet/acme%0d%0a", GOOD),
        ("postmark/acme", GOOD),
        ("ses/globex", GOOD),
        ("sendgrid/globex", sendgrid_headers("acme", orjson.dumps(SENT))),
    ],
)
async def test_a_stranger_hears_the_same_whoever_he_claims_to_be(path, headers, configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        # Of the same provider, as only some are asked for credentials.
        wrong = await client.post(f"{path.partition('/')[0]}/acme", SENT)
        this = await client.post(path, SENT, headers)
    assert (this.status, this.answer) == (401, "unauthorized") == (wrong.status, wrong.answer)
    assert this.detail == wrong.detail != ""
    assert {**wrong.headers, "Date": ""} == {**this.headers, "Date": ""}
    assert taken == []


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("pigeon/acme", "POST", 404),
        ("mailjet", "POST", 404),
        ("mailjet/acme/x", "POST", 404),
        ("mailjet/acme", "GET", 405),
    ],
)
async def test_what_is_no_webhook_is_not_found(path, method, status, configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        assert (await client.post(path, SENT, GOOD, method)).status == status
    assert taken == []


@pytest.mark.parametrize(("provider", "asked"), [("mailjet", True), ("sendgrid", False), ("ses", False)])
async def test_credentials_are_asked_for_only_of_who_has_some(provider, asked, configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        answered = await client.post(f"{provider}/acme", SENT)
    assert (answered.status, "WWW-Authenticate" in answered.headers) == (401, asked)


async def test_a_path_that_ends_with_a_slash_is_the_path_without_it(configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        assert (await client.post("mailjet/acme/", SENT, GOOD)).status == 200
        assert (await client.post("mailjet/acme/", SENT)).status == 401
        assert (await client.post("mailjet/", SENT, GOOD)).status == 404
        assert (await client.post("mailjet/acme//", SENT, GOOD)).status == 404
    assert [orjson.loads(record.value)["tenant"] for record in taken] == ["acme"]


async def test_who_looks_whether_an_address_is_there_hears_the_same_of_every_tenant(configured, taken):
    meter = PrometheusMeter()
    async with client_of(MemoryPublisher(taken.append), configured, meter) as client:
        paths = ("mailjet/acme", "mailjet/acme/", "mailjet/nobody", "postmark/acme", "ses/a%20b")
        heard = [await client.post(path, method="HEAD") for path in paths]
        assert {one.status for one in heard} == {200}
        assert all({**one.headers, "Date": ""} == {**heard[0].headers, "Date": ""} for one in heard)
        assert (await client.post("pigeon/acme", method="HEAD")).status == 404
        refused = await client.post("mailjet/acme", method="GET")
        assert (refused.status, refused.headers["Allow"]) == (405, "HEAD,POST")
    assert b"bounceline_webhooks_total{" not in meter.exposition()
    assert taken == []


# --- nothing configured


async def test_where_nothing_is_configured_every_tenant_may_post_from_this_machine(taken):
    bodies = {"dsn": b"Return-Path: <>\n\n", "arf": b"Return-Path: <>\n\n"}
    async with client_of(MemoryPublisher(taken.append)) as client:
        for provider in PROVIDERS:
            assert (await client.post(f"{provider}/acme", bodies.get(provider, b"{}"))).status == 200
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await client.post("mailgun/acme", b"event=bounced&recipient=jane%40example.com", form)).status == 200
        assert (await client.post("mailgun/acme", b"x", form | {"Content-Type": "text/plain"})).status == 406
        assert (await client.post("mailjet/acme", b"x")).status == 400
        assert (await client.post("mailjet/a%20b", b"{}")).status == 401
    assert [orjson.loads(record.value)["provider"] for record in taken] == [*PROVIDERS, "mailgun"]
    assert orjson.loads(taken[-1].value)["payload"] == {"event": "bounced", "recipient": "jane@example.com"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "bounces.example.com"},
        {"Host": "127.0.0.1.example.com"},
        {"Host": ""},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_open_is_open_to_this_machine_alone_and_to_no_proxy_or_page_of_others(headers, taken):
    async with client_of(MemoryPublisher(taken.append)) as client:
        assert (await client.post("mailjet/acme", SENT, headers)).status in {400, 401}
    assert taken == []


async def test_in_the_open_nothing_is_asked_of_sns():
    asked = []

    async def fetch(url: str) -> None:
        asked.append(url)

    confirmation = sns_message(Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://sns.example/")
    async with client_of(MemoryPublisher(lambda _: None), fetch=fetch) as client:
        assert (await client.post("ses/acme", confirmation)).answer == "accepted"
    assert asked == []


# --- limits


async def test_a_body_may_be_as_large_as_a_report_and_no_larger(configured, taken):
    frame = len(b'{"provider":"mailjet","tenant":"acme","payload":,"received_at":"2026-11-23T10:15:30.000Z"}')
    most = MAX_REPORT_BYTES - frame - len(b'{"x":""}')
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        assert (await client.post("mailjet/acme", {"x": "y" * most}, GOOD)).status == 200
        assert (await client.post("mailjet/acme", {"x": "y" * (most + 1)}, GOOD)).status == 413
        assert (await client.post("mailjet/acme", b"[" + b" " * MAX_REPORT_BYTES + b"]", GOOD)).status == 413
        assert (await client.post("mailjet/acme", b" " * 20_000_000, GOOD)).status == 413
    assert [len(record.value) for record in taken] == [MAX_REPORT_BYTES]


async def test_a_body_that_does_not_say_how_long_it_is_is_cut_off_all_the_same(configured, taken):
    async def endless():
        for _ in range(3_000):
            yield b" " * 1_000

    async with (
        client_of(MemoryPublisher(taken.append), configured) as client,
        client._session.post(f"{client._address}/webhooks/mailjet/acme", data=endless(), headers=GOOD) as got,
    ):
        assert got.status == 413
    assert taken == []


async def test_a_compressed_body_is_refused_and_never_inflated(configured, taken):
    bomb = gzip.compress(b'{"x":"' + b"y" * 50_000_000 + b'"}')
    assert len(bomb) < MAX_REPORT_BYTES
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        for encoding in ("gzip", "deflate", "br", "zstd", "identity, gzip"):
            answered = await client.post("mailjet/acme", bomb, {**GOOD, "Content-Encoding": encoding})
            assert (answered.status, answered.answer) == (415, "encoded")
        assert (await client.post("mailjet/acme", SENT, {**GOOD, "Content-Encoding": "identity"})).status == 200


async def test_a_body_that_does_not_come_is_not_waited_for(configured, taken, monkeypatch):
    monkeypatch.setattr(routes, "BODY_SECONDS", 0.05)

    async def slow():
        yield b"{"
        await asyncio.sleep(1.0)
        yield b"}"

    async with client_of(MemoryPublisher(taken.append), configured) as client:
        assert (await client.post("mailjet/acme", slow(), GOOD)).status == 408
    assert taken == []


async def test_who_hangs_up_in_the_middle_of_a_body_leaves_no_traceback(configured, taken, caplog):
    meter = PrometheusMeter()
    async with client_of(MemoryPublisher(taken.append), configured, meter) as client:
        url = urlsplit(client._address)
        for _ in range(3):
            _, writer = await asyncio.open_connection(url.hostname, url.port)
            head = f"POST /webhooks/mailjet/acme HTTP/1.1\r\nHost: x\r\nAuthorization: {GOOD['Authorization']}\r\n"
            writer.write(head.encode() + b'Content-Length: 100\r\n\r\n{"event":')
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.transport.abort()
        async with asyncio.timeout(2.0):
            while b'answer="unreadable",provider="mailjet"} 3.0' not in meter.exposition():
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    assert [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"] == []
    assert taken == []


def limited(tmp_path: Path, limits: str) -> Configuration:
    tenants = "".join(
        f'[tenants.{name}]\nmailjet.credentials = ["mailjet:one"]\nbrevo.credentials = ["mailjet:one"]\n'
        for name in ("acme", "globex")
    )
    return configuration(f"[limits]\n{limits}\n{tenants}", tmp_path)


async def test_a_tenant_that_posts_too_much_waits_and_nobody_else_does(tmp_path, taken):
    async with client_of(MemoryPublisher(taken.append), limited(tmp_path, "rate = 1\nburst = 5")) as client:
        answered = [await client.post("mailjet/acme", SENT, GOOD) for _ in range(10)]
        assert [one.status for one in answered] == [200] * 5 + [429] * 5
        assert {one.headers["Retry-After"] for one in answered[5:]} == {"1"}
        assert (await client.post("mailjet/globex", SENT, GOOD)).status == 200
        assert (await client.post("brevo/acme", SENT, GOOD)).status == 200


async def test_strangers_use_up_nothing_of_what_a_provider_may_post(tmp_path, taken):
    async with client_of(MemoryPublisher(taken.append), limited(tmp_path, "rate = 1\nburst = 5")) as client:
        for _ in range(20):
            assert (await client.post("mailjet/acme", SENT, basic("mailjet:wrong"))).status == 401
        assert (await client.post("mailjet/acme", SENT, GOOD)).status == 200


async def _post(client: Client, provider: str, count: int) -> list[asyncio.Task]:
    tasks = [asyncio.create_task(client.post(f"{provider}/acme", SENT, GOOD)) for _ in range(count)]
    await asyncio.sleep(0.2)
    return tasks


@pytest.mark.parametrize(("provider", "status"), [("mailjet", 503), ("brevo", 429)])
async def test_beyond_what_may_wait_for_the_broker_posts_are_asked_to_come_again(provider, status, tmp_path):
    broker = Away()
    async with client_of(broker, limited(tmp_path, "waiting = 4")) as client:
        waiting = await _post(client, provider, 4)
        assert not any(task.done() for task in waiting)
        answered = await client.post(f"{provider}/acme", SENT, GOOD)
        assert (answered.status, answered.answer) == (status, "overloaded")
        assert answered.headers["Retry-After"] == "5"
        broker.back.set()
        assert {(await task).status for task in waiting} == {200}
        assert (await client.post(f"{provider}/acme", SENT, GOOD)).status == 200


@pytest.mark.parametrize(("provider", "status"), [("mailjet", 503), ("brevo", 429)])
async def test_without_the_brokers_word_there_is_no_2xx(provider, status, configured):
    headers = {**GOOD, "Authorization": "Bearer acme's"} if provider == "brevo" else GOOD
    async with client_of(Away(), configured, broker_seconds=0.1) as client:
        answered = await client.post(f"{provider}/acme", SENT, headers)
    assert (answered.status, answered.answer) == (status, "unavailable")


# --- metrics


async def test_posts_are_counted_by_provider_and_answer_and_by_nothing_unbounded(configured, taken):
    meter = PrometheusMeter()
    async with client_of(MemoryPublisher(taken.append), configured, meter) as client:
        await client.post("mailjet/acme", SENT, GOOD)
        await client.post("mailjet/nobody-1", SENT)
        await client.post("mailjet/nobody-2", SENT)
        await client.post("pigeon-1/acme", SENT)
        await client.post("pigeon-2/acme", SENT)
    told = [line for line in meter.exposition().decode().splitlines() if line.startswith("bounceline_webhooks_total")]
    assert sorted(told) == [
        'bounceline_webhooks_total{answer="accepted",provider="mailjet"} 1.0',
        'bounceline_webhooks_total{answer="not-found",provider="unknown"} 2.0',
        'bounceline_webhooks_total{answer="unauthorized",provider="mailjet"} 2.0',
    ]
