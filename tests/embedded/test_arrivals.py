"""What workers tell of how far they have read, and when a reader may believe it."""

from itertools import count

from redis.asyncio import Redis

from streams.arrivals import SLACK_MS, RedisArrivals
from streams.transport import Progress, View

NOW = 2**40


polls = count(NOW * 2)  # each later than the one before, and than anything told


async def look(
    arrivals: RedisArrivals, reports: dict[int, Progress], end: int, times: int = 1, committed: int = 1_000
) -> None:
    for _ in range(times):
        await arrivals.look(reports, {5: View(end, next(polls))}, {5: Progress(committed, NOW)})


async def test_what_is_told_is_believed_once_an_end_seen_later_has_been_decided(redis: Redis, prefix: str) -> None:
    arrivals = RedisArrivals(redis, prefix, 2)
    reports = {0: Progress(10, NOW), 1: Progress(20, NOW + 60_000)}
    await look(arrivals, reports, end=100)
    assert arrivals.complete(5, 1_000) == 0, "no end has been seen yet"
    await look(arrivals, reports, end=100)
    assert arrivals.complete(5, 1_000) == 0, "that poll may have been under way before"
    await look(arrivals, reports, end=120)
    assert arrivals.complete(5, 119) == 0
    assert arrivals.complete(5, 120) == NOW - SLACK_MS


async def test_what_has_been_decided_and_not_committed_may_be_decided_again_and_settles_nothing(
    redis: Redis, prefix: str
) -> None:
    arrivals = RedisArrivals(redis, prefix, 1)
    await look(arrivals, {0: Progress(10, NOW)}, end=50, times=3, committed=49)
    assert arrivals.complete(5, 50) == 0
    await look(arrivals, {0: Progress(10, NOW)}, end=50, committed=50)
    assert arrivals.complete(5, 50) != 0


async def test_the_slowest_partition_counts_and_one_unheard_of_holds_all_back(redis: Redis, prefix: str) -> None:
    one, other = RedisArrivals(redis, prefix, 2), RedisArrivals(redis, prefix, 2)
    await look(one, {0: Progress(10, NOW)}, end=0, times=3)
    assert one.complete(5, 0) == 0
    await look(other, {1: Progress(3, NOW - 3_600_000)}, end=0)
    await look(one, {0: Progress(11, NOW + 1)}, end=0, times=3)
    assert one.complete(5, 0) == NOW - 3_600_000 - SLACK_MS


async def test_who_has_gone_back_in_the_log_believes_nothing_until_there_again(redis: Redis, prefix: str) -> None:
    arrivals = RedisArrivals(redis, prefix, 1)
    await look(arrivals, {0: Progress(10, NOW)}, end=50, times=3)
    assert arrivals.complete(5, 50) != 0
    assert arrivals.complete(5, 49) == 0
    assert arrivals.complete(5, 50) != 0


async def test_a_flushed_redis_takes_back_nothing(redis: Redis, prefix: str) -> None:
    arrivals = RedisArrivals(redis, prefix, 1)
    await look(arrivals, {0: Progress(10, NOW)}, end=0, times=3)
    before = arrivals.complete(5, 0)
    await redis.delete(prefix)
    await look(arrivals, {}, end=0, times=4)
    assert arrivals.complete(5, 0) == before


def test_progress_survives_being_told() -> None:
    assert Progress.parse(Progress(12, 34).text()) == (12, 34)
