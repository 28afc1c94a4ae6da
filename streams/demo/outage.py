"""`bounceline demo --outage`: a mailbox provider's directory is down for a night, and one command undoes it.

8,000 good addresses answer "user unknown" for four hours and are blocked. In the same night others really bounce, and
some recipients complain. The incident is retracted; exactly those are back, and nobody else.
"""

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer
from rich.console import Console

from schemas.codec import decode_suppression
from schemas.rejected import Rejected
from schemas.times import DAY, HOUR, MINUTE, format_time
from streams.demo import screen
from streams.dev import Dev, running
from streams.dev_stack import StackFailed
from streams.reading import read_to_end
from streams.settings import DEV_SECRET, Settings, from_environment

DOMAIN: Final = "poste.example"
TENANTS: Final = ("papeterie", "librairie", "velo")
HIT: Final = 8_000
"""Good addresses that the provider did not know that night."""

DEAD: Final = 300
"""Addresses of the same provider that had bounced a week before, and did so again in the night."""

ELSEWHERE: Final = 500
"""Addresses of other providers that really bounced in the night."""

COMPLAINED: Final = 40
"""Recipients of the same provider who complained that night."""

DECIDED_SECONDS: Final = 120.0


async def run_outage() -> None:
    """Run the story and print it.

    Raises:
        StackFailed: The stack did not start, or it did not end as told.

    """
    console = screen.make_console()
    night = (time.time_ns() // 1_000_000 - 2 * DAY) // HOUR * HOUR
    async with running(workers=1) as dev:
        settings = from_environment(
            {"BOUNCELINE_KAFKA": dev.endpoints.kafka, "BOUNCELINE_REDIS": dev.endpoints.redis},
            default_secret=DEV_SECRET,
        )
        everybody = HIT + DEAD + ELSEWHERE + COMPLAINED
        screen.say(console, f"A night's reports: {everybody + DEAD:,}. {DOMAIN} answers 550 5.1.1 for four hours.\n")
        await _publish(settings, night)
        before = await _blocked(settings, everybody)
        screen.say(console, f"{len(before):,} contacts are blocked by the morning.\n")
        await _undo(dev, console, night)
        after = await _blocked(settings, everybody - HIT)
        back, others = before - after, {one for one in after if one not in before}
        if others or any(not who.startswith("hit") for _, who in back):
            raise StackFailed("The retraction freed others than those the outage had blocked.")
        screen.say(console, f"\n{len(back):,} contacts are back: those of the outage, and nobody else.")
        screen.say(
            console,
            f"{len(after):,} stay blocked: {DEAD} at {DOMAIN} that had bounced a week before, {COMPLAINED} who "
            f"complained that night, {ELSEWHERE} that bounced elsewhere.",
        )


async def _undo(dev: Dev, console: Console, night: int) -> None:
    words = ["--from", format_time(night), "--to", format_time(night + 4 * HOUR)]
    words += ["--status", "User unknown", "--domain", DOMAIN]
    for command in (["retract", *words, "--dry-run"], ["retract", *words]):
        screen.say(console, f"$ bounceline {shlex.join(command)}")
        await _run(dev, command)


async def _run(dev: Dev, command: Sequence[str]) -> None:
    """Run a command as a user does; its output is shown."""
    environ = {"BOUNCELINE_KAFKA": dev.endpoints.kafka, "BOUNCELINE_REDIS": dev.endpoints.redis}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams", *command, env={**os.environ, **environ}, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    sys.stdout.write(told.decode())
    sys.stdout.flush()
    if process.returncode:
        raise StackFailed(f"bounceline {command[0]} ended with code {process.returncode}.")


def _reports(night: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give tenant and payload, in order of time."""
    for number in range(DEAD):
        yield _bounced(f"dead{number}@{DOMAIN}", number, night - 7 * DAY)
    for number in range(HIT):
        yield _bounced(f"hit{number}@{DOMAIN}", number, night + number * 4 * HOUR // HIT)
    for number in range(DEAD):
        yield _bounced(f"dead{number}@{DOMAIN}", number, night + HOUR)
    for number in range(ELSEWHERE):
        yield _bounced(f"gone{number}@elsewhere{number % 7}.example", number, night + 2 * HOUR)
    for number in range(COMPLAINED):
        tenant, payload = _bounced(f"angry{number}@{DOMAIN}", number, night + 3 * HOUR)
        yield tenant, {"event": "spam", "source": "JMRPP", "time": payload["time"], "email": payload["email"]}


def _bounced(email: str, number: int, at: int) -> tuple[str, dict[str, Any]]:
    payload = {"event": "bounce", "time": at // 1_000, "MessageID": at * 10_000 + number, "email": email}
    payload |= {"hard_bounce": True, "error_related_to": "recipient", "error": "user unknown"}
    return TENANTS[number % len(TENANTS)], payload | {"comment": f"550 5.1.1 <{email}>: user unknown"}


async def _publish(settings: Settings, night: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    try:
        await producer.start()
        sent = []
        for tenant, payload in _reports(night):
            report = orjson.dumps({"provider": "mailjet", "tenant": tenant, "payload": payload})
            at = payload["time"] * 1_000 + MINUTE
            sent.append(await producer.send("esp-reports", report, payload["email"].encode(), timestamp_ms=at))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def _blocked(settings: Settings, expected: int) -> set[tuple[str, str]]:
    """Give who is blocked, once as many are as should be.

    Raises:
        StackFailed: That does not come to be.

    """
    found: set[tuple[str, str]] = set()
    try:
        async with asyncio.timeout(DECIDED_SECONDS):
            while True:
                standing: dict[tuple[str, str], bool] = {}
                async for record in read_to_end(settings, {"suppressions": {}}):
                    said = decode_suppression(record.value)
                    if not isinstance(said, Rejected):
                        standing[said.tenant, said.recipient] = said.action == "suppress"
                found = {name for name, blocked in standing.items() if blocked}
                if len(found) == expected:
                    return found
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise StackFailed(f"{len(found):,} contacts are blocked, and not {expected:,}.") from None
