"""One run of an agent per partition: its batches one after the other, while other partitions wait for nobody.

A partition whose state is being restored, or whose broker round trips take long, holds up itself alone. How many of its
batches may wait is bounded by the transport (`streams.transport`).
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from typing import Final

import structlog

from agents.ports import Agent, Batch, Fenced, Record
from streams.state.partitions import FENCED_SECONDS

IDLE_SECONDS: Final = 1.0
"""After which a partition is told, by a batch without records, that nothing came: time goes on all the same."""

HELD_RECORDS: Final = 50_000
"""For how many records at most batches of a topic beside are held back after a start. A worker that died may have said
what follows from a batch it had not finished; that batch comes again first, and must be decided again before a command
takes away what it rests on. It has been where nothing comes, or what was written after the start; and after as many
records, since between commits of a second no more than that is decided."""

_log = structlog.get_logger()


class Nothing:
    """A batch without records (`agents.ports.Batch`)."""

    def __init__(self, partition: int, start: int) -> None:
        """Take where the partition stands."""
        self.partition = partition
        self.start = start
        self.records: tuple[Record, ...] = ()
        self.beside = False

    def done(self) -> None:
        """Let it go by."""

    def drop(self) -> None:
        """Let it go by."""


class PartitionRuns:
    """Runs an agent once for every partition that batches come of, be it of one topic or of several."""

    def __init__(
        self,
        agent: Agent,
        on_crash: Callable[[BaseException], None],
        fenced: Callable[[int], bool] = lambda _: False,
    ) -> None:
        """Take the agent and what to do when it raises.

        Args:
            agent: The agent.
            on_crash: Called with whatever is unexpected.
            fenced: Called with a partition that another worker has taken; says whether it is ours all the same, so that
                its batch is to be decided again. Else the batch is dropped: it is the other worker's.

        """
        self._agent = agent
        self._on_crash = on_crash
        self._fenced = fenced
        self._runs: dict[int, _Run] = {}
        self._crashed = False

    def begin(self, partition: int) -> None:
        """Begin the run of a partition that is assigned: time goes on where nothing comes at all.

        Of a topic beside nothing is taken for a while: another may have had the partition in between, and died.
        """
        if not self._crashed:
            self._run_of(partition).begin()

    def _run_of(self, partition: int) -> "_Run":
        run = self._runs.get(partition)
        if run is None or run.ended:
            run = self._runs[partition] = _Run(partition, self._agent, self._crash, self._fenced)
        return run

    async def take(self, batches: AsyncIterable[Batch]) -> None:
        """Hand batches to the runs of their partitions, until there are no more. After a crash none is worked on."""
        try:
            async for batch in batches:
                if self._crashed:
                    continue
                self._run_of(batch.partition).waiting.put_nowait(batch)
        finally:
            self._cancel()

    def _crash(self, error: BaseException) -> None:
        self._crashed = True
        self._cancel()
        self._on_crash(error)

    def _cancel(self) -> None:
        for run in self._runs.values():
            run.task.cancel()


class _Run:
    """An agent at work on one partition."""

    def __init__(
        self,
        partition: int,
        agent: Agent,
        on_crash: Callable[[BaseException], None],
        fenced: Callable[[int], bool],
    ) -> None:
        self.waiting: asyncio.Queue[Batch] = asyncio.Queue()
        self._partition = partition
        self._stands_at = 0  # the end of the last batch that was not of a topic beside
        self._current: Batch | None = None
        self._held: deque[Batch] = deque()
        self._began = 0  # when the agent did, in ms
        self._decided = 0  # records since then, those of a topic beside not counted
        self._agent = agent
        self._on_crash = on_crash
        self._fenced = fenced
        self.task = asyncio.get_running_loop().create_task(self._work())

    @property
    def ended(self) -> bool:
        return self.task.done()

    def begin(self) -> None:
        """Take note that the partition may have been another's until now."""
        self._began, self._decided = time.time_ns() // 1_000_000, 0

    async def _work(self) -> None:
        try:
            while not await self._is_over():
                pass
        except Exception as error:  # noqa: BLE001 - not to go on, but to stop: Faust would acknowledge the batch
            self._on_crash(error)

    async def _is_over(self) -> bool:
        """Let the agent work; say whether the partition is no longer ours."""
        self.begin()
        async with aclosing(self._batches()) as batches:
            try:
                await self._agent(batches)
            except Fenced as error:
                ours = self._fenced(self._partition)
                if ours:
                    # Whoever was away for longer than a session learns meanwhile that the partition has gone.
                    await asyncio.sleep(FENCED_SECONDS)
                    ours = self._fenced(self._partition)
                _log.warning("fenced", partition=self._partition, ours=ours, error=str(error))
                if not ours:
                    self._drop()
                return not ours
        return True

    def _drop(self) -> None:
        """Drop all batches."""
        while not self.waiting.empty():
            self._held.append(self.waiting.get_nowait())
        for batch in (self._current, *self._held):
            if batch is not None:
                batch.drop()
        self._current = None
        self._held.clear()

    async def _batches(self) -> AsyncGenerator[Batch, None]:
        """Give the batch that was not finished, if there is one, and then what comes."""
        while True:
            if self._current is None:
                self._current = await self._next()
            yield self._current
            # The agent asks for the next one: it is done with this.
            last, self._current = self._current, None
            if not last.beside:
                is_new = not last.records or (last.records[-1].timestamp or 0) > self._began
                self._decided += HELD_RECORDS if is_new else len(last.records)
            if last.records and not last.beside:
                self._stands_at = last.records[-1].offset + 1

    async def _next(self) -> Batch:
        """Give what comes next; nothing of a topic beside before what was unfinished at a crash has been decided."""
        while True:
            if self._held and self._decided >= HELD_RECORDS:
                return self._held.popleft()
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    batch = await self.waiting.get()
            except TimeoutError:
                return Nothing(self._partition, self._stands_at)
            if not batch.beside or self._decided >= HELD_RECORDS:
                return batch
            self._held.append(batch)
