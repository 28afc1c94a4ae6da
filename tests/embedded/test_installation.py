"""Workers that disagree on the contact secret, the policy or the rules do not work side by side."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from streams.dev import run_workers
from streams.dev_stack import Endpoints, StackFailed
from streams.installation import Disagreement, Presence
from streams.settings import from_environment
from tests.support.redis_servers import start_redis
from tests.support.topics_io import topics_of

RULES = """
[[rule]]
id = "acme-gone"
text = ["mailbox was retired"]
status = "User unknown"
source = "the postmaster of acme.example"
example = { diagnostic = "550 this mailbox was retired" }
"""


async def test_a_worker_with_another_contact_secret_refuses_to_start(stack: Endpoints, prefix: str) -> None:
    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
        pass
    with pytest.raises(StackFailed) as refused:
        async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix, BOUNCELINE_CONTACT_SECRET="another"):
            pass
    assert "BOUNCELINE_CONTACT_SECRET is not the secret the state was made with" in refused.value.__notes__[0]


async def test_a_worker_with_another_policy_may_join_only_when_the_others_are_gone(
    stack: Endpoints, prefix: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[soft_bounce]\nlimit = 3\n")
    other = {"BOUNCELINE_TOPIC_PREFIX": prefix, "BOUNCELINE_POLICY": str(policy)}
    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
        with pytest.raises(StackFailed) as refused:
            async with run_workers(stack, 1, **other):
                pass
        assert "another policy" in refused.value.__notes__[0]
    async with run_workers(stack, 1, **other):
        pass


async def test_a_worker_classifies_by_the_rules_it_is_given(stack: Endpoints, prefix: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    told = {"recipient": "jane@example.com", "occurred_at": "2026-03-01T10:00:00Z", "outcome": "bounced"}
    told |= {"diagnostic": "550 this mailbox was retired", "permanent": False}
    report = orjson.dumps({"provider": "normalized", "tenant": "acme", "payload": told})
    given = {"BOUNCELINE_TOPIC_PREFIX": prefix, "BOUNCELINE_RULES": str(rules)}
    async with run_workers(stack, 1, **given), topics_of(stack, prefix) as topics:
        await topics.publish([report], [b"jane@example.com"])
        await topics.decided()
        [suppression] = await topics.suppressions()
    assert [reason["rule"] for reason in suppression["reasons"]] == ["acme-gone"]


@pytest.mark.parametrize(
    ("setting", "text"), [("BOUNCELINE_POLICY", "soft_bounce.limit = 3"), ("BOUNCELINE_RULES", RULES)]
)
async def test_a_worker_that_finds_another_policy_or_other_rules_at_work_stops(
    stack: Endpoints, prefix: str, tmp_path: Path, setting: str, text: str
) -> None:
    """Story: Redis forgets who is at work, and before it is told again a worker with another policy joins."""
    file = tmp_path / "other.toml"
    file.write_text(text)
    environ = {
        "BOUNCELINE_KAFKA": stack.kafka,
        "BOUNCELINE_REDIS": stack.redis,
        "BOUNCELINE_TOPIC_PREFIX": prefix,
        "BOUNCELINE_CONTACT_SECRET": "a secret",
    }
    first = Presence(from_environment(environ))
    second = Presence(from_environment({**environ, setting: str(file)}))
    await first.join()
    async with Redis.from_url(stack.redis) as redis:
        await redis.delete(f"{prefix}bounceline:workers")
    await second.join()
    with pytest.raises(Disagreement):
        async with asyncio.timeout(30):
            await first.stay()
    await first.leave()
    await second.leave()


async def test_a_redis_that_would_evict_state_is_refused_at_the_start_and_while_running(
    binary: str, stack: Endpoints, prefix: str
) -> None:
    async with AsyncExitStack() as running:
        _, port = await start_redis(binary, running, "--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru")
        endpoints = Endpoints(stack.kafka, f"redis://127.0.0.1:{port}/0")
        with pytest.raises(StackFailed) as refused:
            async with run_workers(endpoints, 1, BOUNCELINE_TOPIC_PREFIX=prefix):
                pass
        assert "maxmemory-policy volatile-lru" in refused.value.__notes__[0]

        async with Redis.from_url(endpoints.redis) as redis:
            await redis.config_set("maxmemory-policy", "noeviction")
            async with run_workers(endpoints, 1, BOUNCELINE_TOPIC_PREFIX=prefix) as workers:
                await redis.config_set("maxmemory-policy", "allkeys-lru")
                async with asyncio.timeout(30):
                    while workers[0].server.ended is None:
                        await asyncio.sleep(0.1)
                assert workers[0].server.ended == 1
                assert "maxmemory-policy allkeys-lru" in workers[0].server.log()
