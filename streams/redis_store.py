"""A Faust table store in Redis: one hash per contact, one field per window, the changelog offset beside them.

Faust has no Redis store; this one is registered for `redis://` and `rediss://` in the entry-point group `faust.stores`.
All keys of a partition share a hash tag, so that values and bookkeeping change together, on a cluster too:

    <app id>:{<table>:<partition>}            hash: `off` changelog offset applied, `fence` owner's number
    <app id>:{<table>:<partition>}:<key>      hash: window number -> value

Reads and writes of a batch are one round trip each. A write carries the fence taken when the partition was assigned; an
owner of before is refused. Ordinary table access (`table[key].current()`) works too, one blocking round trip each: for
web views and tests.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
import orjson
from faust.stores.base import SerializedStore
from faust.types import TP
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

Windows = Mapping[int, bytes]
"""Window number (start / size) -> value."""

Changes = Mapping[int, bytes | None]
"""Window number -> new value, None to delete it."""

# ARGV: fence, changelog offset, then per key: [key, [field, value, …], [field to delete, …]] in one MessagePack value,
# because one packed argument costs the client a tenth of a thousand single ones.
_WRITE: Final = """
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
for _, change in ipairs(cmsgpack.unpack(ARGV[3])) do
  local key = KEYS[1] .. ':' .. change[1]
  if #change[2] > 0 then redis.call('HSET', key, unpack(change[2])) end
  if #change[3] > 0 then redis.call('HDEL', key, unpack(change[3])) end
end
redis.call('HSET', KEYS[1], 'off', ARGV[2])
return 1
"""


class Fenced(Exception):
    """Another worker owns the partition now: what we were about to write is its business."""


class RedisStore(SerializedStore[Any, Any]):
    """Table storage in Redis. `url` is where; the table's options may hold `partition_of`, key -> partition."""

    def __init__(self, url: Any, app: Any, table: Any, **kwargs: Any) -> None:
        """Open clients lazily: connections are made at the first command."""
        super().__init__(url, app, table, **kwargs)
        self._redis = Redis.from_url(str(url))
        self._async = AsyncRedis.from_url(str(url))
        self._write = self._async.register_script(_WRITE)
        self._fences: dict[int, int] = {}
        self._partition_of: Callable[[str], int] = (self.options or {})["partition_of"]
        self._seconds = round(table.window.size)

    # -- a batch at a time -------------------------------------------------------------------------------------

    async def read_many(self, partition: int, keys: Sequence[str]) -> list[dict[int, bytes]]:
        """Give the windows of every key, in the order asked, in one round trip."""
        if not keys:
            return []
        pipeline = self._async.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(self._key(partition, key))
        return [{int(field): value for field, value in found.items()} for found in await pipeline.execute()]

    async def write_many(self, partition: int, changes: Mapping[str, Changes], offset: int) -> None:
        """Write changed windows and the changelog offset they stand at, all or nothing, in one round trip.

        Values are UTF-8 (ours are JSON): the MessagePack reader in Redis' Lua knows text, not bytes.

        Raises:
            Fenced: Another worker has been given the partition since we were.

        """
        packed = [
            [
                key,
                [part for field, value in own.items() if value is not None for part in (str(field), value.decode())],
                [str(field) for field, value in own.items() if value is None],
            ]
            for key, own in changes.items()
        ]
        fence = self._fences.get(partition, 0)
        args: list[int | bytes] = [fence, offset, msgspec.msgpack.encode(packed)]
        if not await self._write(keys=[self._meta(partition)], args=args):
            raise Fenced(f"partition {partition} of table {self.table_name} has another owner now")

    def changelog_record(self, key: str, window: int, value: bytes | None) -> tuple[bytes, bytes | None]:
        """Give a changelog record as Faust's own windowed tables write it: key and value."""
        start = float(window * self._seconds)
        # 0.1 s short of the next window: Faust's convention, part of the key.
        return orjson.dumps([key, [start, start + self._seconds - 0.1]]), value

    # -- what Faust asks of a store ----------------------------------------------------------------------------

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Take the fence of every partition we are given, so that writes of its former owner are refused."""
        topic = self.table.changelog_topic.get_topic_name()
        for tp in newly_assigned:
            if tp.topic == topic:
                self._fences[tp.partition] = await self._async.hincrby(self._meta(tp.partition), "fence", 1)

    def persisted_offset(self, tp: TP) -> int | None:
        """Give the changelog offset up to which Redis holds the partition, None where it holds nothing."""
        offset = self._redis.hget(self._meta(tp.partition), "off")
        return None if offset is None else int(cast("bytes", offset))

    def apply_changelog_batch(
        self, batch: Iterable[Any], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Write changelog records back during recovery, with the offset they reach."""
        pipeline = self._redis.pipeline(transaction=True)
        offsets: dict[int, int] = {}
        for event in batch:
            message = event.message
            key, window = self._parsed(message.key)
            if message.value is None:
                pipeline.hdel(self._key(message.partition, key), str(window))
            else:
                pipeline.hset(self._key(message.partition, key), str(window), message.value)
            offsets[message.partition] = message.offset
        for partition, offset in offsets.items():
            pipeline.hset(self._meta(partition), "off", offset)
        pipeline.execute()

    def _get(self, key: bytes) -> bytes | None:
        name, window = self._parsed(key)
        return cast("bytes | None", self._redis.hget(self._key(self._partition_of(name), name), str(window)))

    def _set(self, key: bytes, value: bytes | None) -> None:
        name, window = self._parsed(key)
        self._redis.hset(self._key(self._partition_of(name), name), str(window), value or b"")

    def _del(self, key: bytes) -> None:
        name, window = self._parsed(key)
        self._redis.hdel(self._key(self._partition_of(name), name), str(window))

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        stem = f"{self.app.conf.id}:{{{self.table_name}:"
        for found in self._redis.scan_iter(match=stem.replace("[", "\\[") + "*}:*", count=1000):
            name = found.split(b"}:", 1)[1].decode()
            for window, value in cast("dict[bytes, bytes]", self._redis.hgetall(found)).items():
                yield self.changelog_record(name, int(window), None)[0], value

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
        """Back up nothing: the changelog is the backup, Redis has its own.

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

    def _parsed(self, key: bytes) -> tuple[str, int]:
        """Take a table key of Faust's apart: JSON `[key, [window start, window end]]`."""
        name, (start, _) = orjson.loads(key)
        return name, int(start // self._seconds)
