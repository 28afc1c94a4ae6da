"""Passes on what the brake holds back, once its time has come: reads `bounceline-held-suppressions` by itself.

Not as an agent: Faust waits at every rebalance for what agents have in work, and this waits for minutes. Nor does it
commit anything: what has been passed on is deleted, what is still there is read again by who has the partition next.
For a moment two may pass on the same, which says nothing twice (`agents.suppress.held`).
"""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from agents.ports import Publisher
from agents.suppress.brake import HELD, is_on
from agents.suppress.held import HeldQueue, Wave, passed_on
from schemas.times import format_time
from streams.metrics import PrometheusMeter
from streams.patience import patiently
from streams.settings import Settings

_log = structlog.get_logger()

LOOK_MS: Final = 500

MOST_WAITING: Final = 100_000
"""Orders kept in memory, some 500 bytes each; of more, the later ones are read when these have gone."""


class HeldBack:
    """The part of the queue whose partitions are ours."""

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        meter: PrometheusMeter,
        on_crash: Callable[[BaseException], None],
    ) -> None:
        """Take where the topic is, where orders go, who counts, and what to call when the unexpected happens."""
        self._settings = settings
        self._publisher = publisher
        self._meter = meter
        self._on_crash = on_crash
        self._partitions: frozenset[int] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def assigned(self, partitions: Collection[int]) -> None:
        """Take note of which partitions are ours now."""
        if self._partitions == frozenset(partitions):
            return
        self._partitions = frozenset(partitions)
        if self._task:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(patiently(partial(self._pass_on, sorted(partitions))))
        self._task.add_done_callback(self._on_end)

    async def stop(self) -> None:
        """Let go of all partitions; what waits is still on the topic."""
        self._partitions = frozenset()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._on_crash(error)

    async def _pass_on(self, partitions: Collection[int]) -> None:
        """Read and pass on; without a brake only what is left of the time when there was one."""
        places = [TopicPartition(self._settings.topic(HELD), number) for number in partitions]
        if not places:
            return
        queue = HeldQueue(self._settings.policy)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=LOOK_MS,
        )
        try:
            await consumer.start()
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            behind = set(places)
            while behind or not queue.is_over or is_on(self._settings.policy):
                if len(queue) < MOST_WAITING:
                    await self._read(consumer, queue, behind)
                else:
                    await asyncio.sleep(LOOK_MS / 1_000)
                # Not before the end has been seen: what comes there deletes what others have passed on.
                if behind and len(queue) < MOST_WAITING:
                    continue
                while orders := queue.due(_now()):
                    await self._publisher.publish(orders)
                    await self._publisher.publish(passed_on(orders))
                self._meter.waits(queue.contacts)
                for wave in queue.news(_now()):
                    _tell(wave)
        finally:
            self._meter.waits(0)  # the next owner counts them
            with suppress(asyncio.CancelledError):
                await asyncio.shield(consumer.stop())

    async def _read(self, consumer: AIOKafkaConsumer, queue: HeldQueue, behind: set[TopicPartition]) -> None:
        for records in (await consumer.getmany(timeout_ms=LOOK_MS)).values():
            for record in records:
                queue.take(record, _now())
        for place in tuple(behind):
            end = consumer.highwater(place)
            if end is not None and await consumer.position(place) >= end:
                behind.discard(place)


def _tell(wave: Wave) -> None:
    if not wave.held:
        _log.warning("brake let go", domain=wave.domain, let_go=wave.let_go)
        return
    _log.warning(
        "brake",
        domain=wave.domain,
        held=wave.held,
        tenants=dict(wave.tenants),
        usual_per_minute=wave.usual,
        until=format_time(wave.first),
        last_until=format_time(wave.last),
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
