"""`bounceline dev`: the embedded stack with workers in processes of their own, as they run in production."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from http import HTTPStatus
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


class RunningWorker(NamedTuple):
    """A worker in a process of its own: its HTTP address, and the process."""

    http: str
    server: Server


class Dev(NamedTuple):
    """A running stack: where broker and Redis are, and the workers."""

    endpoints: Endpoints
    workers: Sequence[RunningWorker]


@asynccontextmanager
async def running(
    workers: int, kafka_port: int = 0, redis_port: int = 0, http_port: int = 0, *, echo: bool = False
) -> AsyncIterator[Dev]:
    """Run the embedded stack with workers until the block ends; it starts when all workers take work.

    Args:
        workers: How many; 0 makes the topics all the same.
        kafka_port: Port of the broker, 0 for any.
        redis_port: Port of Redis, 0 for any.
        http_port: Port of the first worker's HTTP server, 0 for any; the others take any.
        echo: Whether the workers' logs go to our standard error; else they are kept for `StackFailed`.

    Raises:
        StackFailed: A server or a worker did not start.

    """
    async with dev_stack(kafka_port, redis_port) as endpoints:
        await ensure_topics(from_environment(_environ(endpoints)))
        async with run_workers(endpoints, workers, http_port, echo=echo) as taken:
            yield Dev(endpoints, taken)


@asynccontextmanager
async def run_workers(
    endpoints: Endpoints, count: int, http_port: int = 0, *, echo: bool = False, **environ: str
) -> AsyncIterator[Sequence[RunningWorker]]:
    """Run workers in processes of their own against any broker and Redis until the block ends.

    Args:
        endpoints: Broker and Redis.
        count: How many; the block begins when all take work.
        http_port: Port of the first one's HTTP server, 0 for any; the others take any.
        echo: Whether their logs go to our standard error; else they are kept for `StackFailed`.
        environ: Environment variables beside those that name the endpoints.

    Raises:
        StackFailed: A worker did not start.

    """
    with ExitStack() as started:
        taken = []
        for number in range(count):
            port = http_port if number == 0 and http_port else free_port()
            command = [sys.executable, "-m", "streams", "worker", "--http-port", str(port)]
            server = Server(f"Worker {number + 1}", command, environ=_environ(endpoints, **environ), echo=echo)
            started.callback(server.stop, signal.SIGTERM, STOP_SECONDS)
            taken.append(RunningWorker(f"http://{HOST}:{port}", server))
        await _ready(taken)
        yield taken


def check(workers: Sequence[RunningWorker]) -> None:
    """Raise StackFailed, with the end of its log, if a worker has ended."""
    for worker in workers:
        if worker.server.ended is not None:
            raise worker.server.failure(f"ended with code {worker.server.ended}")


def _environ(endpoints: Endpoints, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "BOUNCELINE_KAFKA": endpoints.kafka,
        "BOUNCELINE_REDIS": endpoints.redis,
        "BOUNCELINE_CONTACT_SECRET": DEV_SECRET.decode(),
        "BOUNCELINE_SESSION_TIMEOUT": SESSION_TIMEOUT,
        **more,
    }


async def _ready(workers: Sequence[RunningWorker]) -> None:
    """Return once all workers take work at the same time."""
    async with aiohttp.ClientSession() as session:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not all([await _is_ready(session, worker.http) for worker in workers]):
                    check(workers)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            failed = StackFailed(f"The workers did not take work within {READY_SECONDS:g} s.")
            for worker in workers:
                failed.add_note(f"{worker.server.name}: {worker.server.log()}")
            raise failed from None


async def _is_ready(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"{address}/readyz") as response:
            return response.status == HTTPStatus.OK
    except aiohttp.ClientError:
        return False


async def run_dev(workers: int, kafka_port: int, redis_port: int, http_port: int, ready_file: Path | None) -> None:
    """Run the stack until SIGINT or SIGTERM; tell the addresses on standard output and in `ready_file`."""
    log.set_up("INFO")
    stopped = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    async with running(workers, kafka_port, redis_port, http_port, echo=True) as dev:
        ready = {"kafka": dev.endpoints.kafka, "redis": dev.endpoints.redis}
        if dev.workers:
            ready["http"] = dev.workers[0].http
        for name, address in ready.items():
            sys.stdout.write(f"{name:6} {address}\n")
        sys.stdout.write("Ctrl-C stops everything and forgets it.\n")
        sys.stdout.flush()
        if ready_file:
            # Written beside and moved into place, so that a reader never sees half of it.
            beside = ready_file.with_name(ready_file.name + ".part")
            beside.write_bytes(orjson.dumps(ready))
            beside.replace(ready_file)
        while not stopped.is_set():
            check(dev.workers)
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stopped.wait()
