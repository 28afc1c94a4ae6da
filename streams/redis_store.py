"""A Faust table store in Redis: one hash per contact, one field per window, the bookkeeping beside them.

Faust has no Redis store; this one is registered for `redis://` and `rediss://` in the entry-point group `faust.stores`.
All keys of a partition share a hash tag, so that values and bookkeeping change together, on a cluster too:

    <app id>:{<table>:<partition>}            hash: `fence` the owner's number, `off` changelog offset applied
    <app id>:{<table>:<partition>}:<key>      hash: window number -> value

Redis is a cache of the changelog, never the truth. Every read and every write of a batch compares the bookkeeping with
what this worker left there: a newer fence means that the partition has another owner (`Fenced`), anything else that
differs, that Redis was flushed, rolled back or replaced (`StateLost`). Reads and writes are one round trip each.

Ordinary table access (`table[key].current()`) works too, one blocking round trip each: for web views and tests.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import orjson
from faust.stores.base import SerializedStore
from faust.types import TP
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from streams import redis_scripts
from streams.redis_scripts import Changes

RECOVERED: Final = 2**62
"""The offset that Faust is told is restored: beyond any there is, since `streams.changelog` restores and not Faust."""


class Fenced(Exception):
    """Another worker owns the partition now: what we were about to write is its business."""


class StateLost(Exception):
    """Redis does not hold what we left there: it was flushed, rolled back or replaced."""


class Owned(NamedTuple):
    """How a partition stands in Redis: the fence it is held by, and the changelog offset it is at."""

    fence: int
    offset: int


class RedisStore(SerializedStore[Any, Any]):
    """Table storage in Redis. `url` is where; the table's options hold `partition_of`, key -> partition."""

    def __init__(self, url: Any, app: Any, table: Any, **kwargs: Any) -> None:
        """Open clients lazily: connections are made at the first command."""
        super().__init__(url, app, table, **kwargs)
        self._redis = Redis.from_url(str(url))
        self._async = AsyncRedis.from_url(str(url))
        self._read = self._async.register_script(redis_scripts.READ)
        self._write = self._async.register_script(redis_scripts.WRITE)
        self._restore = self._async.register_script(redis_scripts.RESTORE)
        self._owned: dict[int, Owned] = {}
        self._partition_of: Callable[[str], int] = (self.options or {})["partition_of"]
        self._seconds = round(table.window.size)

    # -- a batch at a time -------------------------------------------------------------------------------------

    def owned(self, partition: int) -> Owned | None:
        """Give what we know of a partition that is restored and ours, None while it is not."""
        return self._owned.get(partition)

    async def read_many(self, partition: int, keys: Sequence[str]) -> list[dict[int, bytes]]:
        """Give the windows of every key, in the order asked, in one round trip.

        Raises:
            Fenced: Another worker has taken the partition.
            StateLost: What was read can't be trusted.

        """
        ours = self._owned[partition]
        packed = redis_scripts.packed_keys(keys)
        (fence, offset), found = await self._read(keys=[self._meta(partition)], args=[packed])
        if fence is not None and int(fence) > ours.fence:
            raise self._fenced(partition)
        if fence is None or offset is None or Owned(int(fence), int(offset)) != ours:
            raise self._lost(partition)
        return [{int(flat[place]): flat[place + 1] for place in range(0, len(flat), 2)} for flat in found]

    async def write_many(self, partition: int, changes: Mapping[str, Changes], offset: int) -> None:
        """Write changed windows and the changelog offset they reach, all or nothing, in one round trip.

        Values are UTF-8 (ours are JSON): the MessagePack reader in Redis' Lua knows text, not bytes.

        Raises:
            Fenced: Another worker has taken the partition.
            StateLost: Redis is not what it was when this was read; nothing is written.

        """
        ours = self._owned[partition]
        args: list[int | bytes] = [ours.fence, redis_scripts.packed(changes), offset, ours.offset]
        match await self._write(keys=[self._meta(partition)], args=args):
            case 1:
                self._owned[partition] = Owned(ours.fence, offset)
            case 0:
                raise self._fenced(partition)
            case _:
                raise self._lost(partition)

    def _fenced(self, partition: int) -> Fenced:
        return Fenced(f"partition {partition} of table {self.table_name} has another owner now")

    def _lost(self, partition: int) -> StateLost:
        return StateLost(f"Redis has lost partition {partition} of table {self.table_name}")

    # -- restoring a partition (`streams.changelog` drives it) -----------------------------------------------------

    async def applied(self, partition: int) -> Owned | None:
        """Give how a partition stands in Redis, None where it holds nothing whole."""
        fence, offset = await self._async.hmget(self._meta(partition), "fence", "off")
        return None if fence is None or offset is None else Owned(int(fence), int(offset))

    async def holds(self, partition: int, key: str, window: int) -> bool:
        """Say whether a window of a partition that is being restored is there."""
        return bool(await self._async.hexists(self._key(partition, key), str(window)))

    async def wipe(self, partition: int) -> None:
        """Delete all of a partition, bookkeeping first, so that half of it never passes for whole."""
        await self._async.delete(self._meta(partition))
        pattern = self._meta(partition).translate(_ESCAPED) + ":*"
        found: list[bytes] = []
        async for key in self._async.scan_iter(match=pattern, count=1_000):
            found.append(key)
            if len(found) >= 1_000:
                await self._async.unlink(*found)
                found.clear()
        if found:
            await self._async.unlink(*found)

    async def restore(self, partition: int, fence: int, changes: Mapping[str, Changes], offset: int | None) -> None:
        """Write restored windows; `offset` with the last of them, None before: then they do not count as whole yet.

        Raises:
            Fenced: A newer fence is there.

        """
        args: list[int | bytes | str] = [fence, redis_scripts.packed(changes), "" if offset is None else offset]
        if not await self._restore(keys=[self._meta(partition)], args=args):
            raise self._fenced(partition)
        if offset is not None:
            self._owned[partition] = Owned(fence, offset)

    def changelog_key(self, key: str, window: int) -> bytes:
        """Give a changelog record's key as Faust's own windowed tables write it: JSON, window bounds in seconds."""
        start = float(window * self._seconds)
        # 0.1 s short of the next window: Faust's convention, part of the key.
        return orjson.dumps([key, [start, start + self._seconds - 0.1]])

    def parse_changelog_key(self, key: bytes) -> tuple[str, int]:
        """Take a changelog record's key apart: table key and window number."""
        name, (start, _) = orjson.loads(key)
        return name, int(start // self._seconds)

    # -- what Faust asks of a store ----------------------------------------------------------------------------

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Let go of partitions that come or go; those that come are restored when their first batch is read."""
        topic = self.table.changelog_topic.get_topic_name()
        for tp in revoked | newly_assigned:
            if tp.topic == topic:
                self._owned.pop(tp.partition, None)

    def persisted_offset(self, tp: TP) -> int | None:
        """Tell Faust that nothing is left to restore: it would need 200 us a record, and misses losses at run time."""
        return RECOVERED

    def _get(self, key: bytes) -> bytes | None:
        name, window = self.parse_changelog_key(key)
        return cast("bytes | None", self._redis.hget(self._key(self._partition_of(name), name), str(window)))

    def _set(self, key: bytes, value: bytes | None) -> None:
        raise NotImplementedError("this table is written by the batch, fenced: RedisStore.write_many")

    def _del(self, key: bytes) -> None:
        raise NotImplementedError("this table is written by the batch, fenced: RedisStore.write_many")

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        pattern = f"{self.app.conf.id}:{{{self.table_name}:".translate(_ESCAPED) + "*}:*"
        for found in self._redis.scan_iter(match=pattern, count=1_000):
            name = found.split(b"}:", 1)[1].decode()
            for window, value in cast("dict[bytes, bytes]", self._redis.hgetall(found)).items():
                yield self.changelog_key(name, int(window)), value

    def _iterkeys(self) -> Iterator[bytes]:
        return (key for key, _ in self._iteritems())

    def _itervalues(self) -> Iterator[bytes]:
        return (value for _, value in self._iteritems())

    def _size(self) -> int:
        return sum(1 for _ in self._iteritems())

    def _clear(self) -> None:
        raise NotImplementedError("a shared table is not cleared from one worker: delete its keys in Redis")

    def reset_state(self) -> None:
        """Forget nothing: `faust reset` is one worker's business, the state in Redis is everybody's."""

    async def backup_partition(self, *_: Any, **__: Any) -> None:
        """Back up nothing: the changelog is the backup.

        Raises:
            NotImplementedError: Always.

        """
        raise NotImplementedError("the changelog is the backup of this table")

    def restore_backup(self, *_: Any, **__: Any) -> None:
        """Restore nothing, see `backup_partition`.

        Raises:
            NotImplementedError: Always.

        """
        raise NotImplementedError("the changelog is the backup of this table")

    async def close(self) -> None:
        """Close the connections."""
        await self._async.aclose()
        self._redis.close()

    def _meta(self, partition: int) -> str:
        return f"{self.app.conf.id}:{{{self.table_name}:{partition}}}"

    def _key(self, partition: int, key: str) -> str:
        return f"{self._meta(partition)}:{key}"


_ESCAPED: Final = str.maketrans({character: f"\\{character}" for character in "*?[]\\"})
"""What means something in a pattern of SCAN; a prefix may hold it."""
