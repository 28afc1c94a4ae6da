"""One run of an agent per partition: in order within, independent between, and nothing goes on after the unexpected."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from agents.ports import Fenced
from streams import partition_runs
from streams.memory import MemoryBatch, MemoryRecord
from streams.partition_runs import PartitionRuns


def batch(partition: int, offset: int, *, beside: bool = False) -> MemoryBatch:
    return MemoryBatch([MemoryRecord("topic", partition, offset, None, None, None)], beside=beside)


async def feed(queue: asyncio.Queue):
    while True:
        yield await queue.get()


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator:
    """Give a function that starts runs of an agent over a queue of batches."""
    monkeypatch.setattr(partition_runs, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(partition_runs, "HELD_RECORDS", 0)
    monkeypatch.setattr(partition_runs, "FENCED_SECONDS", 0.01)
    tasks = []

    def begin(agent, on_crash=pytest.fail, fenced=lambda _: False, idle=()) -> asyncio.Queue:
        queue: asyncio.Queue = asyncio.Queue()
        runs = PartitionRuns(agent, on_crash, fenced)
        for partition in idle:
            runs.begin(partition)
        tasks.append(asyncio.create_task(runs.take(feed(queue))))
        return queue

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_topic_beside_is_held_back_until_what_a_crash_left_has_been_decided(start, monkeypatch):
    monkeypatch.setattr(partition_runs, "HELD_RECORDS", 2)
    monkeypatch.setattr(partition_runs, "IDLE_SECONDS", 0.2)
    seen = []

    async def agent(batches):
        async for one in batches:
            told = "order" if one.beside else [record.offset for record in one.records]
            seen.append(told)

    def order(partition):
        return MemoryBatch([MemoryRecord("orders", partition, 0, None, None, None)], beside=True)

    queue = start(agent)
    for one in (order(0), batch(0, 0), batch(0, 1), batch(0, 2)):
        queue.put_nowait(one)
    await until(lambda: len(seen) == 4)
    assert seen == [[0], [1], "order", [2]]
    seen.clear()
    queue.put_nowait(order(1))
    await until(lambda: "order" in seen)
    assert seen[: seen.index("order")].count([]) >= 1


async def test_a_topic_beside_is_held_back_no_longer_once_something_new_has_come(start, monkeypatch):
    monkeypatch.setattr(partition_runs, "HELD_RECORDS", 1_000)
    monkeypatch.setattr(partition_runs, "IDLE_SECONDS", 60)
    seen = []

    async def agent(batches):
        async for one in batches:
            seen.append(one.beside)  # noqa: PERF401 - looked at meanwhile

    queue = start(agent)
    queue.put_nowait(MemoryBatch([MemoryRecord("orders", 0, 0, None, None, None)], beside=True))
    queue.put_nowait(MemoryBatch([MemoryRecord("topic", 0, 0, 1_000, None, None)]))
    await until(lambda: seen == [False])
    queue.put_nowait(MemoryBatch([MemoryRecord("topic", 0, 1, 2**62, None, None)]))
    await until(lambda: seen == [False, False, True])


async def test_a_partition_that_waits_holds_up_itself_alone(start):
    seen, gate = [], asyncio.Event()

    async def agent(batches):
        async for one in batches:
            if one.partition == 0:
                await gate.wait()
            if one.records:
                seen.append((one.partition, one.start))

    queue = start(agent)
    for one in (batch(0, 0), batch(0, 1), batch(1, 0), batch(1, 1)):
        queue.put_nowait(one)
    await until(lambda: seen == [(1, 0), (1, 1)])
    gate.set()
    await until(lambda: seen == [(1, 0), (1, 1), (0, 0), (0, 1)])


async def test_after_a_while_without_records_a_batch_says_so_and_where_the_partition_stands(start):
    seen = []

    async def agent(batches):
        async for one in batches:
            seen.append((one.partition, one.start, len(one.records)))  # noqa: PERF401 - one at a time, without end

    start(agent).put_nowait(batch(3, 7))
    await until(lambda: len(seen) >= 3)
    assert seen[:3] == [(3, 7, 1), (3, 8, 0), (3, 8, 0)]


async def test_a_partition_of_which_nothing_ever_comes_is_told_so_once_it_has_begun(start):
    seen = []

    async def agent(batches):
        async for one in batches:
            seen.append((one.partition, one.start, len(one.records)))  # noqa: PERF401 - one at a time, without end

    start(agent, idle=[4])
    await until(lambda: len(seen) >= 2)
    assert seen[:2] == [(4, 0, 0), (4, 0, 0)]


async def test_a_batch_of_a_topic_beside_takes_its_turn_and_moves_the_partition_nowhere(start):
    seen, gate = [], asyncio.Event()

    async def agent(batches):
        async for one in batches:
            seen.append((one.start, one.beside))
            await gate.wait()

    queue = start(agent)
    queue.put_nowait(batch(0, 7))
    queue.put_nowait(batch(0, 900, beside=True))
    await until(lambda: seen)
    await asyncio.sleep(0.01)
    assert seen == [(7, False)], "one after the other"
    gate.set()
    await until(lambda: len(seen) >= 3)
    assert seen[:3] == [(7, False), (900, True), (8, False)]


async def test_a_fenced_batch_is_decided_again_where_the_partition_is_still_ours(start):
    seen = []

    async def agent(batches):
        async for one in batches:
            if one.records:
                seen.append(one.start)
                if seen == [5]:
                    raise Fenced("another owner")

    queue = start(agent, fenced=lambda _: True)
    queue.put_nowait(batch(0, 5))
    queue.put_nowait(batch(0, 6))
    await until(lambda: seen == [5, 5, 6])


async def test_what_is_dropped_is_let_go_of_whoever_still_holds_it(start):
    dropped = []

    class Watched(MemoryBatch):
        def drop(self) -> None:
            dropped.append((self.start, self.beside))

    def watched(offset: int, *, beside: bool = False) -> Watched:
        return Watched([MemoryRecord("topic", 0, offset, None, None, None)], beside=beside)

    async def agent(batches):
        async for one in batches:
            if one.start == 5:
                await until(queue.empty)
                raise Fenced("another owner")

    queue = start(agent)
    for one in (watched(5), watched(6), watched(7, beside=True)):
        queue.put_nowait(one)
    await until(lambda: sorted(dropped) == [(5, False), (6, False), (7, True)])


async def test_a_fenced_batch_is_dropped_where_the_partition_has_gone_and_a_later_one_is_taken(start):
    seen = []

    async def agent(batches):
        async for one in batches:
            seen.append(one.start)
            if one.start == 5:
                raise Fenced("another owner")

    queue = start(agent)
    queue.put_nowait(batch(0, 5))
    await until(lambda: seen == [5])
    await asyncio.sleep(0.01)
    queue.put_nowait(batch(0, 9))  # it came back
    await until(lambda: seen[:2] == [5, 9])


async def test_after_the_unexpected_no_partition_goes_on(start):
    seen, crashes = [], []

    async def agent(batches):
        async for one in batches:
            seen.append((one.partition, one.start))
            if one.partition == 0:
                raise RuntimeError("something unexpected")

    queue = start(agent, on_crash=crashes.append)
    queue.put_nowait(batch(0, 0))
    await until(lambda: crashes)
    for one in (batch(0, 1), batch(1, 0)):
        queue.put_nowait(one)
    await asyncio.sleep(0.05)
    assert seen == [(0, 0)]
    assert [str(crash) for crash in crashes] == ["something unexpected"]
