"""What all workers of an installation must agree on: the contact secret, the policy and the operator's own rules.

And what they need of their Redis: that it throws nothing away.
"""

import asyncio
import hmac
from contextlib import suppress
from typing import Final, cast
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from redis.asyncio import RedisCluster
from redis.exceptions import RedisClusterException, RedisError

from streams.errors import Failed
from streams.settings import Settings
from streams.state.clients import async_client

TOPIC: Final = "bounceline-installation"
SECRET: Final = b"contact-secret"

REFRESH_SECONDS: Final = 2.0
ABSENT_SECONDS: Final = 6.0  # three refreshes: a worker that missed them is gone, or busy with its own end

# One step, so that of two workers that differ and start at once only one gets in.
# KEYS: the group's workers, by when they were last seen. ARGV: our policy and rules, our name, seconds until absent.
_JOIN: Final = """
local seconds = redis.call('TIME')[1]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', seconds - ARGV[3])
for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(other, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
end
redis.call('ZADD', KEYS[1], seconds, ARGV[1] .. ' ' .. ARGV[2])
return 1
"""


_DIFFERS: Final = "a worker of this group runs with another policy or other rules: stop it first, or give both the same"


class Disagreement(Failed):
    """A worker may not join the others; the message says what differs and what to do."""


async def check_secret(settings: Settings) -> None:
    """Compare our contact secret with the one the state was made with; the first worker ever leaves its fingerprint.

    Raises:
        Disagreement: Another secret: every contact would get a new key, and all that is known would be lost.

    """
    topic, fingerprint = settings.topic(TOPIC), hmac.digest(settings.contact_secret, TOPIC.encode(), "sha256")
    if await _first(settings, topic) is None:
        await _write(settings, topic, fingerprint)
    # Read again: of two first workers the one that was written first is right.
    first = await _first(settings, topic)
    if first != fingerprint:
        if first is not None:
            # Ours may stand behind it, and compaction would keep the last one.
            await _write(settings, topic, first)
        raise Disagreement(
            "BOUNCELINE_CONTACT_SECRET is not the secret the state was made with: set that one again, or begin anew "
            "under another BOUNCELINE_TOPIC_PREFIX"
        )


async def has_other_secret(settings: Settings) -> bool:
    """Say whether the state was made with another contact secret than ours; nothing is written.

    Where no worker has been yet, there is no state.
    """
    fingerprint = hmac.digest(settings.contact_secret, TOPIC.encode(), "sha256")
    return await _first(settings, settings.topic(TOPIC)) not in (None, fingerprint)


async def _write(settings: Settings, topic: str, fingerprint: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, fingerprint, SECRET, partition=0)
    finally:
        await producer.stop()


async def _first(settings: Settings, topic: str) -> bytes | None:
    """Give the value of the topic's first record, None if it is empty."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        if (await consumer.end_offsets([place]))[place] == 0:
            return None
        await consumer.seek_to_beginning(place)
        return cast("bytes", (await consumer.getone()).value)
    finally:
        await consumer.stop()


class Evicts(Failed):
    """Redis would throw state away when its memory is full: a contact that was evicted looks like a healthy one."""


class Presence:
    """One worker among the workers of its group, so that none joins with another policy or other rules."""

    def __init__(self, settings: Settings) -> None:
        """Take where Redis is and what we decide by; nothing is opened before `join`."""
        self._redis = async_client(settings.redis)
        self._key = f"{settings.group}:workers"
        self._agreement = settings.agreement
        self._name = uuid4().hex
        self._script = self._redis.register_script(_JOIN)

    async def join(self) -> None:
        """Join the others.

        Raises:
            Disagreement: A worker with another policy or other rules is at work, and still is after it would have
                been found dead.
            Evicts: Redis throws keys away when its memory is full.

        """
        await self._check_memory()
        for _ in range(round(ABSENT_SECONDS / REFRESH_SECONDS) + 2):
            if await self._seen():
                return
            await asyncio.sleep(REFRESH_SECONDS)
        raise Disagreement(_DIFFERS)

    async def stay(self) -> None:
        """Be seen again and again, until cancelled. Redis may be away meanwhile: then nobody can join either.

        Raises:
            Disagreement: Such a worker got in while Redis did not know of us.
            Evicts: As of `join`: somebody has changed it, or a failover has.

        """
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with suppress(RedisError, RedisClusterException):
                await self._check_memory()
                if not await self._seen():
                    raise Disagreement(_DIFFERS)

    async def leave(self) -> None:
        """Be gone at once, so that a worker with a new policy need not wait."""
        with suppress(RedisError, RedisClusterException):
            await self._redis.zrem(self._key, f"{self._agreement} {self._name}")
        await self._redis.aclose()

    async def _check_memory(self) -> None:
        if isinstance(self._redis, RedisCluster):
            told = list((await self._redis.info("memory", target_nodes=RedisCluster.PRIMARIES)).values())
        else:
            told = [await self._redis.info("memory")]
        for memory in told:
            policy = memory.get("maxmemory_policy", "noeviction")  # a proxy may not say
            if policy != "noeviction" and memory.get("maxmemory"):
                raise Evicts(
                    f"Redis has maxmemory-policy {policy}, and would throw state away when it is full: "
                    "set noeviction (see deploy/redis.conf)"
                )

    async def _seen(self) -> bool:
        arguments: list[str | int] = [self._agreement, self._name, round(ABSENT_SECONDS)]
        return bool(await self._script(keys=[self._key], args=arguments))
