"""What is said of a post that is refused: to who sent it, and, with the reason, in the log."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agents.ports import Outgoing
from schemas.report import MAX_REPORT_BYTES
from streams.memory import MemoryPublisher
from streams.web.webhooks.answers import detail_of
from streams.web.webhooks.configuration import Configuration
from streams.web.webhooks.routes import TOLD
from tests.support.webhooks import basic, client_of, configuration, sendgrid_headers, sendgrid_public

SENT = {"event": "sent", "time": 1760000101, "MessageID": 19421777835146490, "email": "jane@example.com"}
GOOD = basic("mailjet:one")


@pytest.fixture
def configured(tmp_path: Path) -> Configuration:
    text = f"""
    [tenants.acme]
    mailjet.credentials = ["mailjet:one"]
    sendgrid.public_keys = ["{sendgrid_public("acme")}"]
    """
    return configuration(text, tmp_path)


@pytest.fixture
def taken() -> list[Outgoing]:
    return []


async def test_a_refusal_says_in_json_what_it_is_and_what_helps(configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        unreadable = await client.post("mailjet/acme", b"x", GOOD)
        large = await client.post("mailjet/acme", b" " * 2_000_000, GOOD)
        unknown = await client.post("pigeon/acme", SENT)
    assert (unreadable.answer, unreadable.detail) == ("unreadable", detail_of("mailjet", "unreadable"))
    assert (large.answer, large.detail) == ("too-large", detail_of("mailjet", "too-large"))
    assert (unknown.answer, unknown.detail) == ("not-found", detail_of("unknown", "not-found"))


def refusals(told: list) -> list[tuple]:
    names = ("provider", "tenant", "answer", "reason")
    return [tuple(one.get(name) for name in names) for one in told if one["event"] == "webhook-refused"]


async def test_a_trickle_of_forged_posts_hides_no_other_refusal_from_the_log(configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        with capture_logs() as told:
            for _ in range(20):
                await client.post("mailjet/acme", SENT, basic("mailjet:forged"))
            for _ in range(20):
                await client.post("mailjet/acme", SENT)
            await client.post("mailjet/acme", b"x", GOOD)
            await client.post("mailjet/acme", b" " * 2_000_000, GOOD)
            await client.post("mailjet/acme", {"x": "y" * (MAX_REPORT_BYTES - 10)}, GOOD)
            await client.post("mailjet/acme", SENT, {**GOOD, "Content-Encoding": "gzip"})
            await client.post("sendgrid/acme", b"[]", sendgrid_headers("acme", b"[]", seconds=1_600_000_000))
    assert refusals(told) == [
        *[("mailjet", "acme", "unauthorized", "wrong-credentials")] * TOLD.burst,
        *[("mailjet", "acme", "unauthorized", "no-credentials")] * TOLD.burst,
        ("mailjet", "acme", "unreadable", None),
        *[("mailjet", "acme", "too-large", None)] * 2,
        ("mailjet", "acme", "encoded", None),
        ("sendgrid", "acme", "stale", None),
    ]
    assert "forged" not in str(told)


async def test_the_log_says_that_a_tenant_or_provider_is_not_configured_and_names_no_tenant_of_a_strangers_making(
    configured, taken
):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        with capture_logs() as told:
            await client.post("postmark/acme", SENT, GOOD)
            for number in range(50):
                await client.post(f"mailjet/made-up-{number}", SENT, GOOD)
                await client.post(f"made-up-{number}/made-up", SENT, GOOD)
    assert sorted(refusals(told), key=str) == [
        *[("mailjet", None, "unauthorized", "no-such-tenant")] * TOLD.burst,
        ("postmark", "acme", "unauthorized", "provider-not-configured"),
        *[("unknown", None, "not-found", None)] * TOLD.burst,
    ]
    assert "made-up" not in str(told)


async def test_in_the_open_the_log_says_what_comes_from_elsewhere_and_of_which_page_it_does_not_matter(taken):
    async with client_of(MemoryPublisher(taken.append)) as client:
        with capture_logs() as told:
            for number in range(50):
                await client.post(f"mailjet/made-up-{number}", SENT, {"Origin": "https://evil.example"})
    assert refusals(told) == [("mailjet", None, "unauthorized", "not-local")] * TOLD.burst


async def test_what_is_taken_or_came_before_is_not_told_as_refused(configured, taken):
    async with client_of(MemoryPublisher(taken.append), configured) as client:
        with capture_logs() as told:
            assert (await client.post("mailjet/acme", SENT, GOOD)).status == 200
    assert refusals(told) == []
