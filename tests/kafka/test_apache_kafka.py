"""Apache Kafka and Debian's Redis come up, survive restarts with what they hold, and leave nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from streams.dev_server import StackFailed, port_free
from tests.support.apache import ApacheKafka, DebianRedis

# Starts both, says their ports, and waits to be killed.
DRIVER = """
import asyncio
from tests.support.apache import apache_stack

async def main():
    async with apache_stack() as stack:
        print(stack.kafka, stack.redis.removesuffix("/0"), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def create(kafka: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()


async def send(kafka: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(topic, value)
    await producer.stop()


async def read(kafka: str, topic: str) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([partition])
    end = (await consumer.end_offsets([partition]))[partition]
    values = []
    while await consumer.position(partition) < end:
        values.append((await consumer.getone()).value)
    await consumer.stop()
    return values


async def put(url: str) -> None:
    async with Redis.from_url(url) as redis:
        await redis.set("k", "v")


async def get(url: str) -> bytes | None:
    async with Redis.from_url(url) as redis:
        return await redis.get("k")


async def test_kafka_keeps_its_records_and_its_port_through_a_stop_and_a_kill() -> None:
    async with ApacheKafka() as kafka:
        address = kafka.address
        await create(address, "kept")
        await send(address, "kept", b"one")
        await kafka.restart()
        await send(address, "kept", b"two")
        await kafka.restart(kill=True)
        assert kafka.address == address
        assert await read(address, "kept") == [b"one", b"two"]


async def test_kafka_does_not_make_up_topics() -> None:
    async with ApacheKafka() as kafka:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
        await admin.start()
        await admin.describe_topics(["nobody-made-this"])
        assert await admin.list_topics() == []
        await admin.close()


@pytest.mark.parametrize("kill", [False, True])
async def test_redis_comes_back_with_what_it_wrote_to_its_file(*, kill: bool) -> None:
    async with DebianRedis(append_only=True) as server:
        await put(server.url)
        await server.restart(kill=kill)
        assert await get(server.url) == b"v"


async def test_redis_without_a_file_comes_back_empty() -> None:
    async with DebianRedis() as server:
        await put(server.url)
        await server.restart()
        assert await get(server.url) is None


async def test_a_missing_program_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackFailed, match=r"^redis-server is not on the PATH; install it, [^.]+\.$"):
        async with DebianRedis():
            pass


async def test_nothing_is_left_after_the_end() -> None:
    async with ApacheKafka() as kafka, DebianRedis() as redis:
        pids, folders = [kafka.pid, redis.pid], [kafka.data, redis.data]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_after_the_parent_was_killed(how: signal.Signals, tmp_path: Path) -> None:
    command, env = [sys.executable, "-c", DRIVER], os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as driver:
        ports = [int(endpoint.rpartition(":")[2]) for endpoint in driver.stdout.readline().split()]
        assert len(ports) == 2
        driver.send_signal(how)
        driver.wait()
    deadline = time.monotonic() + 10
    while not all(map(port_free, ports)):
        assert time.monotonic() < deadline, "a server outlived its parent"
        time.sleep(0.02)


async def test_the_redis_that_operators_are_told_to_run_evicts_nothing() -> None:
    async with DebianRedis(append_only=True) as server, Redis.from_url(server.url) as redis:
        assert (await redis.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
