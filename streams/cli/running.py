"""Commands that run something: the demo, the embedded stack, a worker, the topics.

Each imports what it runs: Faust, aiokafka and Redis take a second that `replay` and `--help` need not wait for.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import structlog
from cyclopts import Parameter
from cyclopts.types import NonNegativeInt
from cyclopts.validators import Number

from schemas.topics import catalogue
from streams import log
from streams.errors import Failed, WrongUse
from streams.packages import check_packages
from streams.settings import from_environment

Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))]


def worker(*, http_port: Port | None = None, http_host: str | None = None) -> None:
    """Run one worker against BOUNCELINE_KAFKA and BOUNCELINE_REDIS until SIGTERM or Ctrl-C.

    As many workers as topics have partitions may share the load. Missing topics are made.

    Parameters
    ----------
    http_port
        Serve HTTP on this port: the API (/v1/check, /v1/contacts, /v1/openapi.json), what providers post (/webhooks),
        /healthz, /readyz and /metrics. Nothing is served if left out; 0 takes a free port.
    http_host
        The address to serve on; 127.0.0.1 if left out, which only this machine can reach. Any other needs
        BOUNCELINE_TOKENS, as /v1 then asks for a token, and lets in the webhooks of BOUNCELINE_WEBHOOKS alone;
        /healthz, /readyz and /metrics stay open.

    """
    import uvloop

    from streams.web.local import LOOPBACK
    from streams.worker import Worker, WorkerFailed

    check_packages()
    if http_host is not None and http_port is None:
        raise WrongUse("--http-host says where to serve HTTP, which takes --http-port too")
    settings = from_environment(os.environ)
    log.set_up(settings.log_level)

    async def run() -> None:
        try:
            with reaching():
                await Worker(settings, http_port, http_host or LOOPBACK).run()
        except WorkerFailed:
            # The batch that failed is not committed and can't be finished: leave without waiting for it. From inside
            # the loop, since `asyncio.run` would wait for all tasks to end.
            structlog.get_logger().critical("worker-failed", exc_info=True)
            sys.stderr.flush()
            os._exit(1)

    # A batch is thousands of objects that live as long as it does, none of them in a cycle: with Python's thresholds a
    # quarter of a worker's time goes into looking for cycles among them.
    gc.set_threshold(100_000, 50, 100)
    # For Faust's consumer thread too, which makes a loop of its own: the loops are half of a worker's work.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(run())


def topics(*, json: bool = False) -> None:
    """Create the topics that are missing, and check those that are there.

    Parameters
    ----------
    json
        Show the outcome as one JSON object: the topics that are there now, and whether each was created.

    """
    from streams.topics import ensure_topics

    settings = from_environment(os.environ, default_secret=b"unused")
    log.set_up(settings.log_level)
    with reaching():
        created = asyncio.run(ensure_topics(settings))
    found = {settings.topic(name): settings.topic(name) in created for name in catalogue()}
    if json:
        print(orjson.dumps({"topics": [{"name": name, "created": new} for name, new in found.items()]}).decode())
        return
    for name, new in found.items():
        print(f"{'created' if new else 'as it should be'}  {name}")


def dev(
    *,
    workers: NonNegativeInt = 1,
    kafka_port: Port = 0,
    redis_port: Port = 0,
    http_port: Port = 0,
    ready_file: Path | None = None,
) -> None:
    """Run broker, Redis and workers on this machine until Ctrl-C, which forgets everything.

    Parameters
    ----------
    workers
        How many workers; 0 for broker and Redis alone, with the topics made.
    kafka_port
        Port of the broker on 127.0.0.1; 0 takes a free one.
    redis_port
        Port of Redis on 127.0.0.1; 0 takes a free one.
    http_port
        Port of the first worker's HTTP server on 127.0.0.1; 0 takes a free one.
    ready_file
        Where to write the addresses as JSON once work is taken.

    """
    from streams.dev import run_dev

    asyncio.run(run_dev(workers, kafka_port, redis_port, http_port, ready_file))


def demo(*, outage: bool = False) -> None:
    """Show a realistic day of events on an embedded broker and Redis, and what was blocked and why.

    Parameters
    ----------
    outage
        Show a night's outage at a mailbox provider instead: 8,000 contacts blocked, and one command that undoes it.

    """
    from streams.demo.show import run_demo

    asyncio.run(run_demo(outage=outage))


@contextmanager
def reaching() -> Iterator[None]:
    """Tell in a sentence that broker or Redis can't be reached, or refuse."""
    from aiokafka.errors import KafkaError
    from redis.exceptions import RedisError

    try:
        yield
    except KafkaError as error:
        raise Failed(f"the broker can't be used: {error}") from error
    except RedisError as error:
        raise Failed(f"Redis can't be used: {error}") from error
