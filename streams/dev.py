"""`bounceline dev`: the embedded stack with workers in processes of their own, as they run in production."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import orjson

from streams import log
from streams.dev_server import HOST, Server, free_port
from streams.dev_stack import Endpoints, StackFailed, dev_stack
from streams.settings import DEV_SECRET, from_environment
from streams.topics import ensure_topics

SESSION_TIMEOUT: Final = "4s"
"""The embedded broker holds a group's first join back for half the session timeout."""

READY_SECONDS: Final = 60.0  # a worker takes 2 s to come up; a join holds all back once more
STOP_SECONDS: Final = 25.0  # the time a worker promises to stop in


class Dev(NamedTuple):
    """A running stack: where broker and Redis are, and the HTTP address of every worker."""

    endpoints: Endpoints
    workers: Sequence[str]


@asynccontextmanager
async def running(
    workers: int, kafka_port: int = 0, redis_port: int = 0, http_port: int = 0, logs: Path | None = None
) -> AsyncIterator[Dev]:
    """Run the embedded stack with workers until the block ends; it starts when all workers take work.

    Args:
        workers: How many; 0 makes the topics all the same.
        kafka_port: Port of the broker, 0 for any.
        redis_port: Port of Redis, 0 for any.
        http_port: Port of the first worker's HTTP server, 0 for any; the others take any.
        logs: Where the workers' logs go; standard error if None.

    Raises:
        StackFailed: A server or a worker did not start.

    """
    async with dev_stack(kafka_port, redis_port) as endpoints:
        environ = {
            **os.environ,
            "BOUNCELINE_KAFKA": endpoints.kafka,
            "BOUNCELINE_REDIS": endpoints.redis,
            "BOUNCELINE_CONTACT_SECRET": DEV_SECRET.decode(),
            "BOUNCELINE_SESSION_TIMEOUT": SESSION_TIMEOUT,
        }
        await ensure_topics(from_environment(environ))
        with ExitStack() as started:
            addresses = []
            for number in range(workers):
                port = http_port if number == 0 and http_port else free_port()
                worker = _start_worker(number + 1, port, environ, logs)
                started.callback(worker.stop, signal.SIGTERM, STOP_SECONDS)
                addresses.append(f"http://{HOST}:{port}")
            await _ready(addresses)
            yield Dev(endpoints, addresses)


def _start_worker(number: int, port: int, environ: dict[str, str], logs: Path | None) -> Server:
    log_file = Path("/dev/stderr") if logs is None else logs / f"worker-{number}.log"
    command = [sys.executable, "-m", "streams", "worker", "--http-port", str(port)]
    return Server(f"Worker {number}", command, log_file, environ)


async def _ready(addresses: Sequence[str]) -> None:
    """Return once all workers take work at the same time."""
    async with aiohttp.ClientSession() as session:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not all([await _is_ready(session, address) for address in addresses]):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise StackFailed(f"The workers did not take work within {READY_SECONDS:g} s.") from None


async def _is_ready(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"{address}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def run_dev(workers: int, kafka_port: int, redis_port: int, http_port: int, ready_file: Path | None) -> None:
    """Run the stack until SIGINT or SIGTERM; tell the addresses on standard output and in `ready_file`."""
    log.set_up("INFO")
    stopped = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    async with running(workers, kafka_port, redis_port, http_port) as dev:
        ready = {"kafka": dev.endpoints.kafka, "redis": dev.endpoints.redis}
        if dev.workers:
            ready["http"] = dev.workers[0]
        for name, address in ready.items():
            print(f"{name:6} {address}", flush=True)
        print("Ctrl-C stops everything and forgets it.", flush=True)
        if ready_file:
            # Written beside and moved into place, so that a reader never sees half of it.
            beside = ready_file.with_name(ready_file.name + ".part")
            beside.write_bytes(orjson.dumps(ready))
            beside.replace(ready_file)
        await stopped.wait()
