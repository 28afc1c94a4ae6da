"""`bounceline demo`: runs the stack and one worker, publishes the made-up day, and shows what was decided and why."""

import asyncio
import os
import signal
import sys
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.console import Console

from streams.demo import screen
from streams.demo.day import SEED, Arrival, Day, make_day
from streams.demo.mailings import clock
from streams.demo.outage import run_outage
from streams.demo.telling import ends_as_told, known_of
from streams.demo.watch import MAX_FETCH_BYTES, Seen, Watch, watching
from streams.dev import Dev, running
from streams.dev_stack import StackFailed

PAUSE: Final = clock("16:30")
"""When the demo waits until all is decided: one report after it takes back a block from before it. Published at once,
both might be folded into one decision, and there would be nothing to see."""


async def run_demo(seed: int = SEED, *, outage: bool = False) -> None:
    """Run the demo and print it; Ctrl-C ends it cleanly, with exit code 130.

    Raises:
        StackFailed: The stack did not start, the worker ended, or a decision is not the one the day leads to.

    """
    # What a shell has set for real workers is not for the demo: it has a stack and a policy of its own.
    for name in [name for name in os.environ if name.startswith("BOUNCELINE_")]:
        del os.environ[name]
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    stopped_by: list[signal.Signals] = []

    def stop(sign: signal.Signals) -> None:
        stopped_by.append(sign)
        if task:
            task.cancel()

    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop, sign)
    try:
        await (run_outage() if outage else _demo(make_day(seed)))
    except asyncio.CancelledError:
        if not stopped_by:
            raise
        print("\nStopped; nothing is left behind.", file=sys.stderr)  # noqa: T201 - the demo is a command
        sys.exit(128 + stopped_by[0])


async def _demo(day: Day) -> None:
    console = screen.make_console()
    began = monotonic()
    screen.show_plan(console, day)
    async with running(workers=1) as dev:
        async with watching(dev, [(story.tenant.name, story.recipient) for story in day.stories]) as watch:
            screen.say(console, f"They are up after {monotonic() - began:.1f} s. The day begins.\n")
            published = monotonic()
            await _live_through(day, dev, watch, console)
            deciding = monotonic() - published
        screen.show_blocked(console, watch.seen)
        _check_endings(day, watch.seen)
        screen.show_stories(console, day, watch.seen)
        screen.show_dead_letters(console, watch.seen)
        screen.show_end(console, day, watch.seen, deciding, monotonic() - began)


async def _live_through(day: Day, dev: Dev, watch: Watch, console: Console) -> None:
    """Publish the day in two parts, and return once all of it is decided."""
    producer = AIOKafkaProducer(bootstrap_servers=dev.endpoints.kafka, acks="all", max_request_size=MAX_FETCH_BYTES)
    pause = bisect_left(day.arrivals, PAUSE, key=lambda arrival: arrival.received_at)
    try:
        await producer.start()
        with screen.progress(console, day) as show:
            for first, reports in ((0, pause), (pause, len(day.arrivals))):
                await _publish(producer, day.arrivals[first:reports])
                elements = sum(len(arrival.intended) for arrival in day.arrivals[:reports])
                await watch.until_decided(reports, elements, partial(show, reports))
    except KafkaError as error:
        raise StackFailed(f"The embedded broker did not take the reports: {error}") from error
    finally:
        await producer.stop()


async def _publish(producer: AIOKafkaProducer, arrivals: Sequence[Arrival]) -> None:
    sent = [
        await producer.send("esp-reports", arrival.value, arrival.key, timestamp_ms=arrival.received_at)
        for arrival in arrivals
    ]
    await asyncio.gather(*sent)


def _check_endings(day: Day, seen: Seen) -> None:
    wrong = [story.name for story in day.stories if not ends_as_told(story, known_of(story, seen))]
    if wrong:
        raise StackFailed(f"The worker decided otherwise than the day leads to: {', '.join(wrong)}.")
