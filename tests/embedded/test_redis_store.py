"""The Redis store: a batch in one round trip each way, fenced, with the changelog offset beside the values."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.types import TP
from redis.asyncio import Redis

from agents.suppress.cells import STANDING
from streams.app import make_app
from streams.dev_stack import Endpoints
from streams.publisher import partition_of
from streams.redis_store import Fenced, RedisStore
from streams.settings import from_environment
from streams.tables import CHANGELOG, make_contacts

CONTACT = "acme\x1f" + "ab" * 32
PARTITION = partition_of(b"ab" * 32, 8)
DAY = 20_000


@pytest.fixture
def settings(stack: Endpoints, prefix: str) -> Any:
    return from_environment(
        {
            "BOUNCELINE_KAFKA": stack.kafka,
            "BOUNCELINE_REDIS": stack.redis,
            "BOUNCELINE_TOPIC_PREFIX": prefix,
            "BOUNCELINE_CONTACT_SECRET": "a secret",
        }
    )


def _table(settings: Any) -> Any:
    app: faust.App = make_app(settings)
    return make_contacts(app, 8)


@pytest.fixture
async def table(settings: Any) -> AsyncIterator[Any]:
    """Give the table of contacts of a worker that owns the contact's partition."""
    table = _table(settings)
    await _assign(table.table.data, settings)
    yield table
    await table.table.data.close()


async def _assign(store: RedisStore, settings: Any) -> None:
    tps = {TP(settings.topic(CHANGELOG), PARTITION)}
    await store.on_rebalance(tps, set(), tps)


async def test_what_is_written_is_read_and_what_is_deleted_is_gone(table: Any) -> None:
    store: RedisStore = table.table.data
    await store.write_many(PARTITION, {CONTACT: {DAY: b"[1]", STANDING: b"[]"}, "other": {DAY: b"[2]"}}, 7)
    assert await store.read_many(PARTITION, ["nobody", CONTACT]) == [{}, {DAY: b"[1]", STANDING: b"[]"}]
    await store.write_many(PARTITION, {CONTACT: {DAY: None}}, 8)
    assert await store.read_many(PARTITION, [CONTACT, "other"]) == [{STANDING: b"[]"}, {DAY: b"[2]"}]


async def test_the_changelog_offset_stands_with_the_values(table: Any, settings: Any) -> None:
    store: RedisStore = table.table.data
    tp = TP(settings.topic(CHANGELOG), PARTITION)
    assert store.persisted_offset(tp) is None
    await store.write_many(PARTITION, {CONTACT: {DAY: b"[1]"}}, 41)
    assert store.persisted_offset(tp) == 41


async def test_a_former_owner_can_not_write(table: Any, settings: Any) -> None:
    store: RedisStore = table.table.data
    await store.write_many(PARTITION, {CONTACT: {DAY: b"[1]"}}, 1)
    successor = _table(settings).table.data
    await _assign(successor, settings)
    with pytest.raises(Fenced):
        await store.write_many(PARTITION, {CONTACT: {DAY: b"[2]"}}, 2)
    assert await successor.read_many(PARTITION, [CONTACT]) == [{DAY: b"[1]"}]
    assert successor.persisted_offset(TP(settings.topic(CHANGELOG), PARTITION)) == 1
    await successor.close()


async def test_every_key_begins_with_the_prefix_and_holds_no_address(table: Any, prefix: str, stack: Endpoints) -> None:
    await table.table.data.write_many(PARTITION, {CONTACT: {DAY: b"[1]"}}, 1)
    async with Redis.from_url(stack.redis) as redis:
        keys = [key.decode() async for key in redis.scan_iter(f"{prefix}*")]
    assert sorted(keys) == [
        f"{prefix}bounceline:{{contacts:{PARTITION}}}",
        f"{prefix}bounceline:{{contacts:{PARTITION}}}:{CONTACT}",
    ]


async def test_changelog_records_rebuild_what_was_written(table: Any, settings: Any) -> None:
    store: RedisStore = table.table.data
    cells = {DAY: b"[1]", DAY + 1: b"[2]", STANDING: b"[3]"}
    records = [store.changelog_record(CONTACT, day, cell) for day, cell in cells.items()]
    records.append(store.changelog_record(CONTACT, DAY + 1, None))
    events = [
        SimpleNamespace(message=SimpleNamespace(key=key, value=value, partition=PARTITION, offset=offset))
        for offset, (key, value) in enumerate(records)
    ]
    store.apply_changelog_batch(events, lambda key: key, lambda value: value)
    assert await store.read_many(PARTITION, [CONTACT]) == [{DAY: b"[1]", STANDING: b"[3]"}]
    assert store.persisted_offset(TP(settings.topic(CHANGELOG), PARTITION)) == 3


async def test_changelog_keys_are_those_of_fausts_own_windowed_tables(table: Any) -> None:
    window = table.table.window.current(DAY * 86_400.0)
    key, _ = table.table.data.changelog_record(CONTACT, DAY, b"")
    assert table.table.data._encode_key((CONTACT, window)) == key


async def test_ordinary_table_access_sees_what_a_batch_wrote(table: Any) -> None:
    await table.table.data.write_many(PARTITION, {CONTACT: {DAY: b"[1]"}}, 1)
    window = table.table.window.current(DAY * 86_400.0)
    assert table.table._get_key((CONTACT, window)) == [1]  # values are JSON
    assert CONTACT in {key for key, _ in table.table.data}
