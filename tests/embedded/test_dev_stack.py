"""The embedded stack comes up, works, and leaves nothing behind."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from streams import dev_server
from streams.dev_server import HOST, Server, ServerEnded, StackFailed, free_port, on_port, port_free
from streams.dev_stack import Endpoints, dev_stack

RECORD_BYTES = 4 * 2**20  # the largest record that esp-reports takes (SPEC 2)
TOPIC_BYTES = 5 * 2**20  # the same with key, headers and framing

# Starts a stack, says where it is, and ends it when it reads a line.
DRIVER = """
import asyncio, sys
from streams.dev_stack import dev_stack

async def main():
    async with dev_stack() as stack:
        print(stack.kafka, stack.redis, flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""


def port_of(endpoint: str) -> int:
    return int(endpoint.removesuffix("/0").rpartition(":")[2])


def runs(pid: int) -> bool:
    """Whether the process is there and more than a zombie, which an orphan stays until init looks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: list[int], ports: list[int]) -> bool:
    return all(map(port_free, ports)) and not any(map(runs, pids))


@pytest.fixture
def driver():
    """A process with a stack of its own, the pids of its servers and their ports."""
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            ports = [port_of(endpoint) for endpoint in process.stdout.readline().split()]
            pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert len(ports) == len(pids) == 2
            yield process, [int(pid) for pid in pids], ports
        finally:
            process.kill()


async def test_a_record_goes_round_as_it_was_sent(stack: Endpoints, prefix: str) -> None:
    topic = f"{prefix}round"
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    configs = {"cleanup.policy": "compact", "max.message.bytes": str(TOPIC_BYTES)}
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=configs)])
    await admin.close()

    large = b"\x00\xff" * (RECORD_BYTES // 2)
    sent = [
        (b"large", large, 1_700_000_000_123, [("reason", b"x"), ("element", b"")]),
        (b"erased", None, 1_700_000_000_000, []),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, max_request_size=TOPIC_BYTES, acks="all")
    await producer.start()
    for key, value, at, headers in sent:
        await producer.send_and_wait(topic, value, key, timestamp_ms=at, headers=headers)
    await producer.stop()

    consumer = AIOKafkaConsumer(topic, bootstrap_servers=stack.kafka, auto_offset_reset="earliest")
    await consumer.start()
    got = [await consumer.getone() for _ in sent]
    await consumer.stop()
    assert [(r.key, r.value, r.timestamp, list(r.headers)) for r in got] == sent


async def test_redis_refuses_to_evict(stack: Endpoints) -> None:
    async with Redis.from_url(stack.redis) as redis:
        assert await redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


async def test_two_stacks_stand_side_by_side() -> None:
    async with dev_stack() as one, dev_stack() as other:
        assert len({one.kafka, one.redis, other.kafka, other.redis}) == 4


async def test_it_takes_the_ports_it_is_given_and_frees_them() -> None:
    kafka, redis = free_port(), free_port()
    for _ in range(2):
        async with dev_stack(kafka, redis) as stack:
            assert stack == Endpoints(f"{HOST}:{kafka}", f"redis://{HOST}:{redis}/0")
        assert port_free(kafka)
        assert port_free(redis)


@pytest.mark.parametrize("which", ["kafka_port", "redis_port"])
async def test_a_taken_port_is_told_in_one_sentence(which: str) -> None:
    with closing(socket.create_server((HOST, 0))) as other:
        port = other.getsockname()[1]
        sentence = rf"^The embedded \w+ can't have port {port} of {HOST}: [^.]+\.$"
        with pytest.raises(StackFailed, match=sentence):
            async with dev_stack(**{which: port}):
                pass


async def test_a_free_port_lost_to_somebody_else_is_chosen_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server((HOST, 0))) as other:
        choices = iter([other.getsockname()[1], *(free_port() for _ in range(3)), other.getsockname()[1]])
        monkeypatch.setattr(dev_server, "free_port", lambda: next(choices))
        async with dev_stack():
            pass


async def never() -> bool:
    return False


async def test_a_server_that_fails_shows_its_log() -> None:
    async def start(_port: int) -> Server:
        server = Server("The test", [sys.executable, "-c", "print('why'); exit(3)"])
        await server.ready(never, seconds=30)
        return server

    with pytest.raises(ServerEnded, match=r"^The test ended with code 3 before it answered\.") as failed:
        await on_port("The test", free_port(), start)
    assert failed.value.__notes__ == ["why\n"]


async def test_a_server_that_never_answers_is_stopped() -> None:
    server = Server("The test", [sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(StackFailed, match=r"^The test did not answer within 0\.1 s\."):
        await server.ready(never, seconds=0.1)
    assert not runs(server.pid)


def test_nothing_is_left_after_the_end(driver) -> None:
    process, pids, ports = driver
    assert not any(map(port_free, ports))
    process.communicate("\n")
    assert process.returncode == 0
    assert gone(pids, ports)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_after_the_parent_was_killed(driver, how: signal.Signals) -> None:
    process, pids, ports = driver
    process.send_signal(how)
    process.wait()
    deadline = time.monotonic() + 10
    while not gone(pids, ports):
        assert time.monotonic() < deadline, "a server outlived its parent"
        time.sleep(0.02)


async def test_it_writes_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    async with dev_stack():
        assert not list(tmp_path.iterdir())
