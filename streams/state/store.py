"""A Faust table store in Redis. Faust has none; this one is registered in the entry-point group `faust.stores`.

Batches are read and written through `partitions` (`streams.state.partitions`), restored by `streams.state.changelog`.
Ordinary table access (`table[key].current()`) works too, one blocking round trip each: for web views and tests.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import orjson
from faust.stores.base import SerializedStore
from faust.types import TP

from streams.state.clients import async_client, client
from streams.state.partitions import ESCAPED, NOTES, RedisPartitions

RECOVERED: Final = 2**62
"""The offset that Faust is told is restored: beyond any there is, since the changelog restores and not Faust."""


class RedisStore(SerializedStore[Any, Any]):
    """Table storage in Redis. The table's options hold `redis`, its URL, and `partition_of`, key -> partition."""

    def __init__(self, url: Any, app: Any, table: Any, **kwargs: Any) -> None:
        """Open clients lazily: connections are made at the first command."""
        super().__init__(url, app, table, **kwargs)
        options: Any = self.options
        self._partition_of: Callable[[str], int] = options["partition_of"]
        self._redis: Any = client(options["redis"])
        self._async: Any = async_client(options["redis"])
        self._seconds = round(table.window.size)
        self._name = f"{app.conf.id}:{{{self.table_name}"
        self.partitions = RedisPartitions(self._async, self._name)

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
        """Let go of partitions that come or go; those that come are restored before their first batch is read."""
        topic = self.table.changelog_topic.get_topic_name()
        for tp in revoked | newly_assigned:
            if tp.topic == topic:
                self.partitions.let_go(tp.partition)

    def persisted_offset(self, tp: TP) -> int | None:
        """Tell Faust that nothing is left to restore: it would need 200 us a record, and misses losses at run time."""
        return RECOVERED

    def _get(self, key: bytes) -> bytes | None:
        name, window = self.parse_changelog_key(key)
        place = self.partitions.key(self._partition_of(name), name)
        return cast("bytes | None", self._redis.hget(place, str(window)))

    def _set(self, key: bytes, value: bytes | None) -> None:
        raise NotImplementedError("this table is written by the batch, fenced: RedisPartitions.write")

    def _del(self, key: bytes) -> None:
        raise NotImplementedError("this table is written by the batch, fenced: RedisPartitions.write")

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        for found in self._redis.scan_iter(match=f"{self._name}:".translate(ESCAPED) + "*}:*", count=1_000):
            name = found.split(b"}:", 1)[1].decode()
            if not name.startswith(f"{NOTES}:"):
                for window, value in self._redis.hgetall(found).items():
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
