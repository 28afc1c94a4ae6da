"""Webhooks on a real broker and Redis: what was posted is decided, and without the broker nobody hears 2xx."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import aiohttp
import orjson
import pytest
from redis.asyncio import Redis

from agents.ports import Outgoing
from schemas.times import HOUR, SECOND
from streams import dev_stack
from streams.dev import run_workers
from streams.dev_stack import Endpoints
from streams.publisher import KafkaPublisher
from streams.topics import ensure_topics
from streams.web.webhooks.configuration import Configuration
from tests.support.conformance import standing
from tests.support.topics_io import topics_of
from tests.support.webhooks import (
    NOW,
    Client,
    basic,
    client_of,
    configuration,
    mailgun_body,
    mailgun_signature,
    sendgrid_headers,
    sendgrid_public,
    settings,
)

SPAM = {"event": "spam", "time": 1760000101, "MessageID": 19421777835146490, "email": "Jane@example.com"}


async def test_what_is_posted_to_a_worker_is_decided_and_what_is_forged_is_not(stack, prefix, tmp_path):
    """Story: Mailjet tells of Jane's complaint, SendGrid of something, and somebody makes up one of John's."""
    file = tmp_path / "webhooks.toml"
    file.write_text(
        f'[tenants.acme]\nmailjet.credentials = ["m:p"]\nsendgrid.public_keys = ["{sendgrid_public("acme")}"]\n'
    )
    body = b'[{"event": "processed", "sg_event_id": "x"}]\r\n'
    environ = {"BOUNCELINE_TOPIC_PREFIX": prefix, "BOUNCELINE_WEBHOOKS": str(file)}
    async with (
        run_workers(stack, 1, **environ) as workers,
        topics_of(stack, prefix) as topics,
        aiohttp.ClientSession() as session,
    ):
        client = Client(workers[0].http, session)
        signed = sendgrid_headers("acme", body, seconds=int(time.time()))
        assert (await client.post("mailjet/acme", SPAM, basic("m:p"))).status == 200
        assert (await client.post("mailjet/acme", {**SPAM, "email": "john@example.com"}, basic("m:x"))).status == 401
        assert (await client.post("sendgrid/acme", body, signed)).status == 200
        assert (await client.post("sendgrid/acme", body.replace(b"x", b"y"), signed)).status == 401
        await topics.decided()
        reports = [record for record in await topics.read("esp-reports") if b'"barrier"' not in record.value]
        assert sorted(record.key for record in reports if record.key) == [b"Jane@example.com"]
        assert [body in record.value for record in reports].count(True) == 1
        assert list(standing(await topics.suppressions())) == [("acme", "jane@example.com")]
        async with session.get(f"{workers[0].http}/metrics") as metrics:
            assert 'bounceline_webhooks_total{answer="accepted",provider="mailjet"} 1.0' in await metrics.text()


async def test_a_worker_without_a_webhooks_file_takes_posts_of_this_machine(stack, prefix):
    environ = {"BOUNCELINE_TOPIC_PREFIX": prefix}
    async with (
        run_workers(stack, 1, **environ) as workers,
        topics_of(stack, prefix) as topics,
        aiohttp.ClientSession() as session,
    ):
        client = Client(workers[0].http, session)
        assert (await client.post("mailjet/acme", [SPAM])).status == 200
        await topics.decided()
        assert list(standing(await topics.suppressions())) == [("acme", "jane@example.com")]


async def test_while_the_broker_is_away_nobody_hears_2xx_and_once_it_is_back_they_do(tmp_path):
    """Story: a broker of this test's own is killed, posts are answered, and another one comes up in its place."""
    server, port = await dev_stack.on_port("Broker", 0, dev_stack._start_kafka)
    made = settings(BOUNCELINE_KAFKA=f"127.0.0.1:{port}")
    configured = configuration('[tenants.acme]\nmailjet.credentials = ["m:p"]\nbrevo.credentials = ["m:p"]', tmp_path)
    publisher = KafkaPublisher(made)
    try:
        await ensure_topics(made)
        await publisher.start()
        async with client_of(publisher, configured, settings=made, broker_seconds=1.0) as client:
            assert (await client.post("mailjet/acme", SPAM, basic("m:p"))).status == 200
            server.stop()
            away = await asyncio.gather(
                *(client.post(f"{provider}/acme", SPAM, basic("m:p")) for provider in ["mailjet"] * 10 + ["brevo"] * 10)
            )
            assert [one.status for one in away] == [503] * 10 + [429] * 10
            server, _ = await dev_stack.on_port("Broker", port, dev_stack._start_kafka)
            await ensure_topics(made)
            async with asyncio.timeout(60):
                while (await client.post("mailjet/acme", SPAM, basic("m:p"))).status != 200:
                    pass
    finally:
        await publisher.stop()
        server.stop()


# --- Mailgun's tokens


class Recording:
    """A broker that can be away; writes down what it took."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.away = False

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        while self.away:
            await asyncio.sleep(0.01)
        self.taken += outgoing


MAILGUN = '[tenants.acme]\nmailgun.signing_keys = ["old", "new"]\n[tenants.globex]\nmailgun.signing_keys = ["new"]'


@pytest.fixture
def configured(tmp_path) -> Configuration:
    return configuration(MAILGUN, tmp_path)


@pytest.fixture
def broker() -> Recording:
    return Recording()


@pytest.fixture
async def mailgun(stack: Endpoints, prefix: str, configured, broker) -> AsyncIterator[Client]:
    made = settings(BOUNCELINE_REDIS=stack.redis, BOUNCELINE_TOPIC_PREFIX=prefix)
    async with client_of(broker, configured, settings=made, broker_seconds=0.2) as client:
        yield client


async def test_a_signature_counts_once_for_one_content(mailgun, broker):
    signed = mailgun_signature("new")
    first = {"signature": signed, "event-data": {"event": "complained", "recipient": "jane@example.com"}}
    forged = {"signature": signed, "event-data": {"event": "complained", "recipient": "john@example.com"}}
    assert (await mailgun.post("mailgun/acme", first)).answer == "accepted"
    assert (await mailgun.post("mailgun/acme", first)).answer == "duplicate"
    answered = await mailgun.post("mailgun/acme", forged)
    assert (answered.status, answered.answer) == (406, "replayed")
    assert (await mailgun.post("mailgun/globex", forged)).answer == "replayed"
    assert [orjson.loads(record.value)["payload"] for record in broker.taken] == [first]


async def test_the_same_post_again_and_again_is_answered_well_and_others_with_its_signature_never(mailgun, broker):
    body = mailgun_body("new")
    forged = body.replace(b"jane@", b"john@")
    assert (await mailgun.post("mailgun/acme", body)).status == 200
    answered = await asyncio.gather(*(mailgun.post("mailgun/acme", one) for one in [body, forged] * 50))
    assert [one.status for one in answered] == [200, 406] * 50
    assert len(broker.taken) == 1


async def test_a_post_that_did_not_reach_the_broker_may_come_again_and_nothing_else_in_its_place(mailgun, broker):
    """Story: the broker is away when Mailgun posts; somebody who saw it puts his own content under the signature."""
    body = mailgun_body("old")
    broker.away = True
    assert (await mailgun.post("mailgun/acme", body)).status == 503
    broker.away = False
    assert (await mailgun.post("mailgun/acme", body.replace(b"jane@", b"john@"))).answer == "replayed"
    assert (await mailgun.post("mailgun/acme", body)).answer == "accepted"


async def test_the_same_post_to_two_tenants_of_one_account_reaches_both(mailgun, broker):
    body = mailgun_body("new")
    assert [(await mailgun.post(f"mailgun/{name}", body)).answer for name in ("acme", "globex")] == ["accepted"] * 2
    assert [orjson.loads(record.value)["tenant"] for record in broker.taken] == ["acme", "globex"]


async def test_another_tenants_key_and_a_stale_signature_are_refused(mailgun, broker):
    assert (await mailgun.post("mailgun/globex", mailgun_body("old"))).status == 401
    old = mailgun_body("new", seconds=(NOW - 9 * HOUR) // SECOND - 1)
    assert (await mailgun.post("mailgun/acme", old)).status == 406
    assert broker.taken == []


async def test_all_workers_know_of_a_token_and_it_is_kept_for_as_long_as_its_signature_counts(
    stack, prefix, configured, broker
):
    made = settings(BOUNCELINE_REDIS=stack.redis, BOUNCELINE_TOPIC_PREFIX=prefix)
    seconds = int(time.time())
    body = mailgun_body("new", seconds=seconds)
    async with client_of(broker, configured, settings=made, now=lambda: time.time_ns() // 1_000_000) as one:
        assert (await one.post("mailgun/acme", body)).answer == "accepted"
    async with client_of(broker, configured, settings=made, now=lambda: time.time_ns() // 1_000_000) as other:
        assert (await other.post("mailgun/acme", body.replace(b"jane@", b"john@"))).answer == "replayed"
    async with Redis.from_url(stack.redis) as redis:
        [key] = [key async for key in redis.scan_iter(f"{prefix}*")]
        assert key.decode() == f"{prefix}bounceline:webhook-tokens:{seconds}"
        assert 9 * 3600 - 60 < await redis.ttl(key) <= 9 * 3600 + 1
        assert await redis.object("ENCODING", key) == b"listpack"


async def test_without_redis_mailgun_is_asked_to_come_again_and_others_get_in(configured, broker):
    made = settings(BOUNCELINE_REDIS="redis://127.0.0.1:1/0")
    async with client_of(broker, configured, settings=made) as client:
        answered = await client.post("mailgun/acme", mailgun_body("new"))
        assert (answered.status, answered.answer) == (503, "unavailable")
    assert broker.taken == []
