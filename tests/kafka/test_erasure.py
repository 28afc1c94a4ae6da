"""Nothing names a forgotten person once retention and compaction have run: no segment, no Redis, no worker's log."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from redis.asyncio import Redis

from agents.suppress.identity import contact_keys
from schemas.topics import catalogue
from streams.dev import run_workers
from streams.dev_stack import Endpoints
from streams.publisher import partition_of
from streams.settings import DEV_SECRET
from tests.support.apache import ApacheKafka, DebianRedis
from tests.support.topics_io import PARTITIONS, Topics, topics_of

WHO = "forget-me-please@example.com"
AT = "2026-11-20T10:{:02}:00Z"
GONE_SECONDS = 180.0

SOON = {"segment.ms": "1000", "file.delete.delay.ms": "100", "delete.retention.ms": "100", "retention.ms": "1000"}
"""What an operator's cluster does in days, in seconds."""
COMPACTED = {"min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0", "max.compaction.lag.ms": "1000"}


async def configure(kafka: str, *, hurry: bool) -> None:
    """Let retention and compaction run at once, or as the catalogue has it."""
    resources = []
    for topic in catalogue().values():
        configs = {**topic.configs(), **(SOON | COMPACTED if hurry else {})}
        if hurry and topic.cleanup == "compact":
            del configs["retention.ms"]
        resources.append(ConfigResource(ConfigResourceType.TOPIC, topic.name, configs))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.alter_configs(resources)
    await admin.close()


def holding(folder: Path) -> set[str]:
    """Give the partitions whose files hold the address."""
    found = set()
    for file in folder.rglob("*"):
        try:
            if file.is_file() and WHO.encode() in file.read_bytes():
                found.add(file.parent.name)
        except FileNotFoundError:  # deleted meanwhile
            continue
    return found


async def everything(url: str) -> AsyncIterator[bytes]:
    async with Redis.from_url(url) as redis:
        async for key in redis.scan_iter():
            yield key
            match await redis.type(key):
                case b"hash":
                    for field, value in (await redis.hgetall(key)).items():
                        yield field + b" " + value
                case b"string":
                    yield await redis.get(key)
                case _:
                    for member in await redis.zrange(key, 0, -1):
                        yield member


def neighbours() -> Iterator[str]:
    """Give addresses whose contacts are in the same partition."""
    key = contact_keys(DEV_SECRET)
    names = (f"n{number}@example.com" for number in count())
    here = partition_of(key(WHO).encode(), PARTITIONS)
    return (name for name in names if partition_of(key(name).encode(), PARTITIONS) == here)


async def _report(topics: Topics, recipient: str, status: str, minute: int, message: str, tenant: str = "acme") -> None:
    payload = {"recipient": recipient, "occurred_at": AT.format(minute), "status": status, "message_id": message}
    value = orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload})
    await topics.publish([value], [recipient.encode()])


async def _command(topics: Topics, name: str, id_: str, minute: int, **more: Any) -> None:
    told = {"id": id_, "command": name, "at": AT.format(minute), **more}
    await topics.publish([orjson.dumps(told)], [id_.encode()], topic="contact-commands")


async def test_a_forgotten_person_is_in_no_log_segment_no_redis_and_no_log_and_still_not_mailed(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[tenants.braked.brake]\nenabled = true\nfloor = 1\nfactor = 1\nhold = "20s"')
    async with ApacheKafka() as kafka, DebianRedis() as redis:
        stack = Endpoints(kafka.address, redis.url)
        async with (
            run_workers(stack, 1, BOUNCELINE_LOG_LEVEL="debug", BOUNCELINE_POLICY=str(policy)) as [worker],
            topics_of(stack, "") as topics,
            aiohttp.ClientSession() as session,
        ):

            async def denied() -> dict[str, Any]:
                asked = {"tenant": "acme", "recipients": [WHO]}
                async with session.post(f"{worker.http}/v1/check", json=asked) as answer:
                    found: dict[str, Any] = (await answer.json())["results"][0]
                    return found

            for number in range(6):
                await _report(topics, WHO, "Quota exceeded", number, f"m{number}")
            await _report(topics, WHO, "User", 7, "m7")
            # The first block of a minute is let through.
            await _report(topics, next(neighbours()), "User unknown", 7, "m", "braked")
            await _report(topics, WHO, "User unknown", 7, "m8", "braked")
            await topics.decided()
            assert (await denied())["status"] == "User"
            log = kafka.data / "log"
            there = {"suppressions", "bounceline-contacts-changelog", "bounceline-held-suppressions"}
            assert {one.rpartition("-")[0] for one in holding(log)} >= there

            await _command(topics, "erase", "forget", 30, tenant="acme", recipient=WHO)
            await _command(topics, "erase", "forget", 30, tenant="braked", recipient=WHO)
            async with asyncio.timeout(60):
                while (await topics.read_last(f"acme\x1f{WHO}".encode())) is not None:
                    await asyncio.sleep(0.2)
            await configure(kafka.address, hurry=True)
            async with asyncio.timeout(GONE_SECONDS):
                number, others = 0, neighbours()
                while left := holding(log):
                    # Segments roll when something comes: complaints of others, blocks that are held, and incidents that
                    # reach nobody.
                    number += 1
                    incident = {"statuses": ["Spam"], "tenant": "nobody", "from": AT.format(0), "to": AT.format(1)}
                    await _command(topics, "retract", f"roll-{number}", 30, **incident)
                    await _report(topics, next(others), "User unknown", 7, "m", "braked")
                    # What a slow machine reads too late is gone, and is never decided.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(10):
                            await topics.decided()
                    await asyncio.sleep(1.5)
            assert left == set()
            await configure(kafka.address, hurry=False)

            assert [one async for one in everything(redis.url) if WHO.encode() in one] == []
            assert WHO not in worker.server.log()
            assert (await denied())["status"] == "User"
            # The list that the person stood on comes back.
            await _command(topics, "suppress", "import", 8, tenant="acme", recipient=WHO, status="Spam")
            await topics.decided()
            assert (await denied())["send"] is False
