"""The store and its changelog: a batch in one round trip each way, fenced, and never trusted when Redis has changed."""

from collections.abc import AsyncIterator
from typing import Any

import faust
import pytest
from redis.asyncio import Redis

from agents.suppress.cells import STANDING
from streams.app import make_app
from streams.changelog import Changelog
from streams.dev_stack import Endpoints
from streams.publisher import KafkaPublisher, partition_of
from streams.redis_store import Fenced, RedisStore, StateLost
from streams.settings import Settings, from_environment
from streams.tables import RedisContactTable, make_contacts
from streams.topics import ensure_topics

CONTACT = "acme\x1f" + "ab" * 32
PARTITION = partition_of(b"ab" * 32, 8)
DAY = 20_000


class Owner:
    """One worker's hold on the table, without the worker."""

    def __init__(self, settings: Settings, publisher: KafkaPublisher) -> None:
        app: faust.App = make_app(settings)
        self.faust_table: Any = make_contacts(app, 8)
        self.store: RedisStore = self.faust_table.table.data
        self.changelog = Changelog(settings, self.store, publisher)
        self.table = RedisContactTable(self.store, self.changelog)

    async def cells(self) -> dict[int, bytes]:
        return dict((await self.table.read(PARTITION, [CONTACT]))[0])

    async def put(self, **cells: bytes | None) -> None:
        """Write cells; `day3=…` is the cell three days after the first."""
        days = {DAY + int(name.removeprefix("day")): cell for name, cell in cells.items()}
        await self.table.write(PARTITION, {CONTACT: days})


@pytest.fixture
async def settings(stack: Endpoints, prefix: str) -> Settings:
    """Give settings whose topics exist."""
    settings = from_environment(
        {
            "BOUNCELINE_KAFKA": stack.kafka,
            "BOUNCELINE_REDIS": stack.redis,
            "BOUNCELINE_TOPIC_PREFIX": prefix,
            "BOUNCELINE_CONTACT_SECRET": "a secret",
        }
    )
    await ensure_topics(settings)
    return settings


@pytest.fixture
async def owners(settings: Settings) -> AsyncIterator[list[Owner]]:
    """Give three workers' holds on the table; none has taken anything yet."""
    publisher = KafkaPublisher(settings)
    await publisher.start()
    found = [Owner(settings, publisher) for _ in range(3)]
    yield found
    for owner in found:
        await owner.store.close()
    await publisher.stop()


@pytest.fixture
async def redis(stack: Endpoints) -> AsyncIterator[Redis]:
    """Give a connection of our own."""
    async with Redis.from_url(stack.redis) as found:
        yield found


async def _dump(redis: Redis, prefix: str) -> dict[bytes, Any]:
    return {key: await redis.dump(key) async for key in redis.scan_iter(f"{prefix}*")}


async def _put_back(redis: Redis, prefix: str, dump: dict[bytes, Any]) -> None:
    async for key in redis.scan_iter(f"{prefix}*"):
        await redis.delete(key)
    for key, value in dump.items():
        await redis.restore(key, 0, value)


async def test_what_is_written_is_read_and_what_is_deleted_is_gone(owners: list[Owner]) -> None:
    table = owners[0].table
    assert await table.read(PARTITION, ["nobody", CONTACT]) == [{}, {}]
    await table.write(PARTITION, {CONTACT: {DAY: b"[1]", STANDING: b"[]"}, "other": {DAY: b"[2]"}})
    assert await table.read(PARTITION, ["nobody", CONTACT]) == [{}, {DAY: b"[1]", STANDING: b"[]"}]
    await table.write(PARTITION, {CONTACT: {DAY: None}})
    assert await table.read(PARTITION, [CONTACT, "other"]) == [{STANDING: b"[]"}, {DAY: b"[2]"}]


async def test_a_new_owner_finds_what_the_former_one_wrote_and_the_former_can_not_write_any_more(
    owners: list[Owner],
) -> None:
    former, new, _ = owners
    await former.cells()
    await former.put(day0=b"[1]")
    assert await new.cells() == {DAY: b"[1]"}
    with pytest.raises(Fenced):
        await former.put(day0=b"[2]")
    with pytest.raises(Fenced):
        await former.cells()
    assert await new.cells() == {DAY: b"[1]"}


async def test_what_reached_the_changelog_but_not_redis_is_there_for_the_next_owner(owners: list[Owner]) -> None:
    former, new, _ = owners
    await former.cells()
    await former.changelog.write(PARTITION, {CONTACT: {DAY: b"[1]"}})  # and then it was killed
    assert await new.cells() == {DAY: b"[1]"}


@pytest.mark.parametrize("when", ["before a read", "between read and write"])
async def test_a_flushed_redis_is_rebuilt_from_the_changelog(
    when: str, owners: list[Owner], redis: Redis, prefix: str
) -> None:
    owner = owners[0]
    await owner.cells()
    await owner.put(day0=b"[1]", day1=b"[2]", day2=b"[3]")
    await owner.put(day1=None)
    if when == "before a read":
        await _put_back(redis, prefix, {})
        assert await owner.cells() == {DAY: b"[1]", DAY + 2: b"[3]"}
    await owner.cells()
    await _put_back(redis, prefix, {})
    await owner.put(day3=b"[4]")
    assert await owner.cells() == {DAY: b"[1]", DAY + 2: b"[3]", DAY + 3: b"[4]"}


async def test_a_redis_rolled_back_is_noticed_and_rebuilt(owners: list[Owner], redis: Redis, prefix: str) -> None:
    owner = owners[0]
    await owner.cells()
    await owner.put(day0=b"[1]", day1=b"[2]")
    earlier = await _dump(redis, prefix)
    await owner.put(day0=b"[5]", day1=None)
    await _put_back(redis, prefix, earlier)
    with pytest.raises(StateLost):
        await owner.store.read_many(PARTITION, [CONTACT])
    assert await owner.cells() == {DAY: b"[5]"}


async def test_a_redis_rolled_back_to_a_former_owner_is_rebuilt_too(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    former, new, _ = owners
    await former.cells()
    await former.put(day0=b"[1]")
    earlier = await _dump(redis, prefix)
    await new.cells()
    await new.put(day0=b"[2]")
    await _put_back(redis, prefix, earlier)
    assert await new.cells() == {DAY: b"[2]"}


async def test_what_a_former_owner_still_writes_to_the_changelog_is_passed_over(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    """Story: a worker is paused just before it writes its changelog, another takes over, the first one wakes up."""
    zombie, new, third = owners
    await zombie.cells()
    await zombie.put(day0=b"[1]")
    await new.cells()
    await new.put(day0=b"[2]")
    with pytest.raises(Fenced):
        await zombie.put(day0=b'["stale"]')
    await _put_back(redis, prefix, {})
    assert await new.cells() == {DAY: b"[2]"}
    assert await third.cells() == {DAY: b"[2]"}


async def test_what_only_a_former_owner_has_written_is_kept_and_what_the_new_one_deleted_stays_deleted(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    """Story: a former owner wakes up and writes three windows; of the third, compaction has left nothing else."""
    zombie, new, _ = owners
    await zombie.cells()
    await zombie.put(day0=b"[1]", day1=b"[1]")
    await new.cells()
    await new.put(day0=b"[2]", day1=None)
    await zombie.changelog.write(PARTITION, {CONTACT: {DAY: b"[0]", DAY + 1: b"[0]", DAY + 2: b"[0]"}})
    await _put_back(redis, prefix, {})
    assert await new.cells() == {DAY: b"[2]", DAY + 2: b"[0]"}


async def test_a_former_owner_that_finds_redis_lost_does_not_take_it(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    zombie, new, _ = owners
    await zombie.cells()
    await new.cells()
    await new.put(day0=b"[2]")
    await _put_back(redis, prefix, {})
    with pytest.raises(Fenced):
        await zombie.cells()
    assert await new.cells() == {DAY: b"[2]"}


async def test_a_write_whose_answer_was_lost_can_be_repeated(owners: list[Owner]) -> None:
    owner = owners[0]
    await owner.cells()
    offset = await owner.changelog.write(PARTITION, {CONTACT: {DAY: b"[1]"}})
    before = owner.store.owned(PARTITION)
    await owner.store.write_many(PARTITION, {CONTACT: {DAY: b"[1]"}}, offset)
    owner.store._owned[PARTITION] = before  # as if we had never heard that it went through
    await owner.store.write_many(PARTITION, {CONTACT: {DAY: b"[1]"}}, offset)
    assert await owner.cells() == {DAY: b"[1]"}


async def test_a_long_changelog_is_restored_whole(owners: list[Owner], redis: Redis, prefix: str) -> None:
    owner = owners[0]
    await owner.cells()
    names = [f"contact{number}" for number in range(5_000)]
    await owner.table.write(PARTITION, {name: {DAY: b"[%d]" % place} for place, name in enumerate(names)})
    await _put_back(redis, prefix, {})
    assert await owner.table.read(PARTITION, names) == [{DAY: b"[%d]" % place} for place in range(5_000)]


async def test_every_key_begins_with_the_prefix_and_holds_no_address(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    await owners[0].cells()
    await owners[0].put(day0=b"[1]")
    keys = [key.decode() async for key in redis.scan_iter(f"{prefix}*")]
    assert sorted(keys) == [
        f"{prefix}bounceline:{{contacts:{PARTITION}}}",
        f"{prefix}bounceline:{{contacts:{PARTITION}}}:{CONTACT}",
    ]


async def test_changelog_keys_are_those_of_fausts_own_windowed_tables(owners: list[Owner]) -> None:
    table = owners[0].faust_table.table
    window = table.window.current(DAY * 86_400.0)
    assert table.data._encode_key((CONTACT, window)) == table.data.changelog_key(CONTACT, DAY)


async def test_ordinary_table_access_sees_what_a_batch_wrote(owners: list[Owner]) -> None:
    await owners[0].cells()
    await owners[0].put(day0=b"[1]")
    table = owners[0].faust_table.table
    assert table._get_key((CONTACT, table.window.current(DAY * 86_400.0))) == [1]  # values are JSON
    assert CONTACT in {key for key, _ in table.data}
