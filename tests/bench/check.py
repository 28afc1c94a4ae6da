"""How many recipients a second are checked, over HTTP on loopback and in one process; prints JSON.

python -m tests.bench.check
"""

import asyncio
import json
import statistics
import sys
import time

import aiohttp

from agents.gate.check import check
from schemas.decision import SendRequest
from schemas.policy import parse_policy
from streams.dev import running

SECONDS = 5.0
"""How long each size is measured."""


def recipients(number: int) -> list[str]:
    """Make recipients of whom nothing is known."""
    return [f"r{place}@example.com" for place in range(number)]


def in_process() -> int:
    """Give recipients a second of the decision alone."""
    request, policy = SendRequest("acme", tuple(recipients(10_000))), parse_policy("")
    began = time.perf_counter()
    check(request, {}, policy, 1_795_000_000_000)
    return round(10_000 / (time.perf_counter() - began))


async def over_http(session: aiohttp.ClientSession, url: str, number: int) -> dict[str, float]:
    """Ask again and again, one call after the other."""
    asked = {"tenant": "acme", "recipients": recipients(number)}
    took: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(took) < 2:
        began = time.perf_counter()
        async with session.post(f"{url}/v1/check", json=asked) as response:
            response.raise_for_status()
            await response.read()
        took.append(time.perf_counter() - began)
    cuts = statistics.quantiles(took, n=100)
    return {
        "recipients_per_second": round(number * len(took) / sum(took)),
        "p50_ms": round(cuts[49] * 1000, 2),
        "p99_ms": round(cuts[98] * 1000, 2),
    }


async def main() -> None:
    """Measure and print."""
    async with running(1) as dev, aiohttp.ClientSession() as session:
        found = {str(number): await over_http(session, dev.workers[0].http, number) for number in (1, 100, 10_000)}
    figures = {"in_process_recipients_per_second": in_process(), "over_http_by_recipients_a_call": found}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
