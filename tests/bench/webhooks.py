"""How many webhooks a second one worker accepts, and how long each waits for its answer. Writes JSON.

    .venv/bin/python -m tests.bench.webhooks [SECONDS]

A client in a process of its own posts over 64 connections of loopback, as fast as answers come (`full`), then at half
that rate (`half`), each for SECONDS (5). The worker classifies and decides meanwhile, as it always does. Latencies
at half rate are counted from when a post was due, so that a pause counts for all that it holds up. Every answer must be
200, or it ends. Machines differ and are shared: compare figures of one run with each other, never across runs.
"""

import asyncio
import json
import os
import pickle
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from streams.dev import run_workers
from streams.dev_stack import dev_stack
from tests.support.webhooks import TOPIC, basic, mailgun_signature, sendgrid_headers, sendgrid_public, sns_message
from tests.support.webhooks import configuration as with_certificate

CONNECTIONS: Final = 64
MOST: Final = 24_000  # posts made beforehand, and the most that one measurement sends

CONFIGURATION: Final = f"""
[limits]
rate = 1_000_000
burst = 1_000_000

[tenants.acme]
mailjet.credentials = ["m:p"]
sendgrid.public_keys = ["{sendgrid_public("acme")}"]
mailgun.signing_keys = ["a key"]
ses.topics = ["{TOPIC}"]
ses.certificates = ["aws.pem"]
"""

Make = Callable[[int], tuple[str, dict[str, str], bytes]]
"""The number of a post -> provider, headers and body."""


def _event(number: int) -> dict[str, Any]:
    email, at = f"contact{number % 20_000}@example.com", int(time.time())
    return {"event": "sent", "time": at, "timestamp": at, "MessageID": 10**17 + number, "email": email}


def mailjet(number: int) -> tuple[str, dict[str, str], bytes]:
    """Make a post of one event, with basic credentials."""
    return "mailjet", basic("m:p"), orjson.dumps(_event(number))


def mailjet_grouped(number: int) -> tuple[str, dict[str, str], bytes]:
    """Make a post of 50 events, with basic credentials."""
    return "mailjet", basic("m:p"), orjson.dumps([_event(number * 50 + place) for place in range(50)])


def sendgrid(number: int) -> tuple[str, dict[str, str], bytes]:
    """Make a signed post of one event."""
    body = orjson.dumps([_event(number)])
    return "sendgrid", sendgrid_headers("acme", body, int(time.time())), body


def mailgun(number: int) -> tuple[str, dict[str, str], bytes]:
    """Make a signed post of one event; its token goes to Redis."""
    signature = mailgun_signature("a key", seconds=int(time.time()))
    return "mailgun", {}, orjson.dumps({"signature": signature, "event-data": _event(number)})


def ses(number: int) -> tuple[str, dict[str, str], bytes]:
    """Make an SNS message."""
    message = sns_message(at=int(time.time()) * 1000, Message=orjson.dumps(_event(number)).decode())
    return "ses", {}, orjson.dumps(message)


KINDS: Final[dict[str, Make]] = {
    "mailjet": mailjet,
    "sendgrid": sendgrid,
    "mailgun": mailgun,
    "ses": ses,
    "mailjet, 50 events each": mailjet_grouped,
}


def _request(make: Make, number: int) -> bytes:
    provider, headers, body = make(number)
    lines = {"Host": "x", "Content-Length": str(len(body)), **headers}
    head = f"POST /webhooks/{provider}/acme HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())
    return head.encode() + b"\r\n" + body


async def _post_all(port: int, requests: list[bytes], seconds: float, rate: float | None) -> dict[str, float]:
    """Post until the time is over; gives how many a second were accepted and the latencies, in ms."""
    taken: list[float] = []
    waiting = iter(requests)
    began = time.perf_counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            due = time.perf_counter()
            if rate:
                due = began + sent() / rate
                await asyncio.sleep(due - time.perf_counter())
            if time.perf_counter() - began > seconds:
                break
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"not accepted: {head!r}")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            taken.append(time.perf_counter() - due)
        writer.close()

    number = 0

    def sent() -> int:
        nonlocal number
        number += 1
        return number

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    took = time.perf_counter() - began
    taken.sort()
    return {
        "accepted": len(taken),
        "accepted_per_second": round(len(taken) / took),
        "p50_ms": round(taken[len(taken) // 2] * 1000, 1),
        "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 1),
    }


def client(port: int, file: Path, seconds: float) -> None:
    """Be the client's process: post what the file holds and print the figures."""
    requests = pickle.loads(file.read_bytes())
    full = asyncio.run(_post_all(port, requests[: MOST * 2 // 3], seconds, None))
    half = asyncio.run(_post_all(port, requests[MOST * 2 // 3 :], seconds, full["accepted_per_second"] / 2))
    accepted = full.pop("accepted") + half.pop("accepted")
    sys.stdout.write(json.dumps({"full": full, "half": half, "accepted": accepted}))


async def measure(seconds: float) -> dict[str, Any]:
    """Run stack, worker and clients; gives the figures of every kind."""
    figures: dict[str, Any] = {}
    accepted = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "webhooks.toml"
        file.write_text(CONFIGURATION)
        with_certificate(CONFIGURATION, Path(folder))
        async with dev_stack() as endpoints, run_workers(endpoints, 1, BOUNCELINE_WEBHOOKS=str(file)) as workers:
            port = workers[0].http.rpartition(":")[2]
            posts = Path(folder) / "posts"
            for kind, make in KINDS.items():
                posts.write_bytes(pickle.dumps([_request(make, number) for number in range(MOST)]))
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "tests.bench.webhooks", "--client", port, str(posts), str(seconds)),
                    stdout=asyncio.subprocess.PIPE,
                )
                out, _ = await process.communicate()
                figures[kind] = json.loads(out)
                accepted += figures[kind].pop("accepted")
                # The next kind shall not pay for this one's backlog.
                while await _decided(workers[0].http) < accepted:
                    await asyncio.sleep(0.1)
    return figures


async def _decided(address: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"{address}/metrics") as response:
        [line] = [one for one in (await response.text()).splitlines() if one.startswith("bounceline_reports_total ")]
    return float(line.split()[1])


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--client"]:
        client(int(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
        return
    figures = asyncio.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
    figures |= {"connections": CONNECTIONS, "python": platform.python_version(), "cores": os.cpu_count()}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
