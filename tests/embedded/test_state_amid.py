"""What may come between two round trips of a restore, and more of everything than Redis' scripts take at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from agents.ports import Changed, Fenced
from agents.suppress.attempts import DELIVERED
from schemas.times import HOUR
from tests.support.owner import CONTACT, DAY, PARTITION, Owner, dumped, put_back

FIRST_HOUR = 400_000
HOURS = 9_000
AT_ONCE = 900


async def _deliveries_of_many_hours(owner: Owner, *, forget: bool = False) -> None:
    await owner.cells()
    for start in range(FIRST_HOUR, FIRST_HOUR + HOURS, AT_ONCE):
        marks = [(hour * HOUR, f"m{hour}", DELIVERED, "") for hour in range(start, start + AT_ONCE)]
        await owner.table.write(owner.batch(), {CONTACT: Changed({}, marks)})
        if forget:
            await owner.table.forget(owner.batch(), (start + AT_ONCE - 1) * HOUR)


async def test_a_worker_paused_while_it_deletes_takes_nothing_from_the_new_owner(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    paused, owner, _ = owners
    await paused.cells()
    await paused.put(day0=b"[1]")
    await put_back(redis, prefix, {})
    found_all = paused.partitions._redis.scan_iter
    gate, reached = asyncio.Event(), asyncio.Event()

    async def slow(**arguments: Any) -> AsyncIterator[bytes]:
        reached.set()
        await gate.wait()
        async for key in found_all(**arguments):
            yield key

    paused.partitions._redis.scan_iter = slow
    late = asyncio.create_task(paused.cells())
    await reached.wait()
    assert await owner.cells() == {DAY: b"[1]"}
    await owner.put(day1=b"[2]")
    gate.set()
    with pytest.raises(Fenced):
        await late
    assert await owner.cells() == {DAY: b"[1]", DAY + 1: b"[2]"}


async def test_a_failover_amid_a_restore_to_a_replica_that_lags_loses_nothing(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    owner = owners[0]
    await owner.cells()
    names = [f"contact{number}" for number in range(5_000)]
    await owner.write({name: {DAY: b"[%d]" % place} for place, name in enumerate(names)})
    await put_back(redis, prefix, {})
    restore, calls = owner.partitions.restore, 0

    async def overtaken(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        earlier = await dumped(redis, prefix) if calls == 2 else None  # as far as the replica has come
        await restore(*arguments)
        if earlier is not None:
            await put_back(redis, prefix, earlier)  # and now it takes over

    owner.partitions.restore = overtaken  # type: ignore[method-assign]
    assert await owner.read(*names) == [{DAY: b"[%d]" % place} for place in range(5_000)]


async def test_thousands_of_hours_are_forgotten_at_once(owners: list[Owner]) -> None:
    owner = owners[0]
    await _deliveries_of_many_hours(owner)
    await owner.table.forget(owner.batch(), (FIRST_HOUR + 2 * HOURS) * HOUR)


async def test_thousands_of_hours_that_have_been_forgotten_are_restored(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    owner = owners[0]
    await _deliveries_of_many_hours(owner, forget=True)
    await put_back(redis, prefix, {})
    owner.at = 0
    assert await owner.cells() == {}


async def test_a_redis_that_outlived_its_changelog_is_begun_anew(owners: list[Owner], redis: Redis) -> None:
    owner = owners[0]
    await redis.hset(
        owner.partitions.meta(PARTITION), mapping={"fence": 100_000, "off": 120_000, "src": 5, "by": 100_000}
    )
    await redis.hset(owner.partitions.key(PARTITION, CONTACT), str(DAY), b"[1]")
    assert await owner.cells() == {}
    await owner.put(day0=b"[2]")
    assert await owner.cells() == {DAY: b"[2]"}
