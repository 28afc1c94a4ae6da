"""After an outage, reports wait in partitions that are read at different paces; that is no disorder of their own."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

from streams.dev import run_workers
from streams.dev_stack import Endpoints
from tests.support.conformance import expected, lines, standing
from tests.support.topics_io import PARTITIONS, topics_of

HISTORY = "disorder-and-repeats"
AHEAD_SECONDS = 9.0
"""How long one worker is ahead: longer than it takes to believe that a partition is complete and forget by that."""


async def test_reports_spread_over_partitions_of_which_some_are_far_behind_are_decided_as_in_order(
    stack: Endpoints, prefix: str
) -> None:
    """Story: reports come without keys, in turn to all partitions; one of two workers is stuck for a while."""
    reports = lines(HISTORY)
    async with AsyncExitStack() as running, topics_of(stack, prefix) as topics:
        environ = {"BOUNCELINE_TOPIC_PREFIX": prefix, "BOUNCELINE_SESSION_TIMEOUT": "24s"}
        stuck, _ = [(await running.enter_async_context(run_workers(stack, 1, **environ)))[0].server for _ in range(2)]
        os.kill(stuck.pid, signal.SIGSTOP)
        try:
            half = len(reports) // 2
            for start in range(0, len(reports), half):
                for place, line in enumerate(reports[start : start + half]):
                    await topics.publish([line], [None], (start + place) % PARTITIONS)
                await asyncio.sleep(AHEAD_SECONDS)
        finally:
            os.kill(stuck.pid, signal.SIGCONT)
        await topics.decided()
        assert expected(HISTORY) == standing(await topics.suppressions())
