"""Workers that disagree on the contact secret or the policy do not work side by side."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from streams.dev import run_workers
from streams.dev_stack import Endpoints, StackFailed
from streams.installation import Disagreement, Presence
from streams.settings import from_environment


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


async def test_a_worker_that_finds_another_policy_at_work_stops(stack: Endpoints, prefix: str, tmp_path: Path) -> None:
    """Story: Redis forgets who is at work, and before it is told again a worker with another policy joins."""
    policy = tmp_path / "policy.toml"
    policy.write_text("[soft_bounce]\nlimit = 3\n")
    environ = {
        "BOUNCELINE_KAFKA": stack.kafka,
        "BOUNCELINE_REDIS": stack.redis,
        "BOUNCELINE_TOPIC_PREFIX": prefix,
        "BOUNCELINE_CONTACT_SECRET": "a secret",
    }
    first = Presence(from_environment(environ))
    second = Presence(from_environment({**environ, "BOUNCELINE_POLICY": str(policy)}))
    await first.join()
    async with Redis.from_url(stack.redis) as redis:
        await redis.delete(f"{prefix}bounceline:workers")
    await second.join()
    with pytest.raises(Disagreement):
        async with asyncio.timeout(30):
            await first.stay()
    await first.leave()
    await second.leave()
