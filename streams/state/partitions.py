"""Partitions of state in Redis: a batch read and written in one round trip each, fenced, and never trusted blindly.

All keys of a partition share a hash tag, so that values and bookkeeping change together, on a cluster too:

    <name>:{<table>:<partition>}               hash: `fence` the owner's number, `off` changelog offset applied,
                                               `src` offset of the source up to which (exclusive) it was applied,
                                               `by` the fence of the last who wrote,
                                               `restoring` the token of a restore under way, and its steps
    <name>:{<table>:<partition>}:<key>         hash: window number -> value; has a TTL where it is not kept for good
    <name>:{<table>:<partition>}:notes:<slot>  hash: short key -> texts, joined by commas; in no changelog

Redis is a cache of the changelog, never the truth. Every read and every write of a batch compares the bookkeeping with
what this worker left there: a newer fence means that the partition has another owner (`Fenced`), anything else that
differs, that Redis was flushed, rolled back or replaced (`StateLost`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from agents.ports import Fenced
from streams.state import scripts
from streams.state.scripts import Changes, Notes

NOTES: Final = "notes"

NOTES_SECONDS: Final = 8 * 86_400
"""How long a slot of notes is kept after its last one: a day longer than `esp-reports`. Only a net for partitions that
nobody reads any more; what is not needed is dropped by event time."""

NOTES_BYTES: Final = 65_536
"""What the notes under one key and slot may reach, some 2,000 of them; beyond that further ones are dropped."""

FENCED_SECONDS: Final = 4.0  # a little more than the heartbeat of a session of 10 s
"""How long to wait before a partition is taken back that another worker has taken and that is ours all the same: the
other may only be slower to let go."""

ESCAPED: Final = str.maketrans({character: f"\\{character}" for character in "*?[]\\"})
"""What means something in a pattern of SCAN; a prefix may hold it."""


class StateLost(Exception):
    """Redis does not hold what we left there: it was flushed, rolled back or replaced."""


class Owned(NamedTuple):
    """How a partition stands in Redis: the fence it is held by, the changelog offset and the source offset applied."""

    fence: int
    offset: int
    source: int


class Found(NamedTuple):
    """What is known under a key: its windows, and its notes, a text of some for each slot that has any."""

    windows: dict[int, bytes]
    notes: list[bytes]


class Write(NamedTuple):
    """One guarded write.

    changes: table key -> changed windows.
    offset: the changelog offset that they reach; None where there are none.
    source: the source offset up to which (exclusive) this applies the source.
    notes: slot -> table key -> texts.
    dropped: slots to delete.
    seconds: table key -> how long what is left under it is kept, unless it is changed again; for good without.
    """

    changes: Mapping[str, Changes]
    offset: int | None
    source: int
    notes: Notes = MappingProxyType({})
    dropped: Collection[int] = ()
    seconds: Mapping[str, int] = MappingProxyType({})


class RedisPartitions:
    """The partitions of one table. Values are UTF-8: the MessagePack reader in Redis' Lua knows text, not bytes."""

    def __init__(self, redis: Any, name: str) -> None:
        """Take an asynchronous client, and what all keys begin with: `<name>:{<table>`."""
        self._redis = redis
        self._name = name
        self._read = redis.register_script(scripts.READ)
        self._write = redis.register_script(scripts.WRITE)
        self._restore = redis.register_script(scripts.RESTORE)
        self._begin = redis.register_script(scripts.RESTORE_BEGIN)
        self._delete = redis.register_script(scripts.RESTORE_DELETE)
        self._end = redis.register_script(scripts.RESTORE_END)
        self._owned: dict[int, Owned] = {}
        self._steps: dict[int, int] = {}  # of the restore under way

    def owned(self, partition: int) -> Owned | None:
        """Give what we know of a partition that is restored and ours, None while it is not."""
        return self._owned.get(partition)

    def let_go(self, partition: int) -> None:
        """Forget that a partition is ours: it is taken anew when it is read next."""
        self._owned.pop(partition, None)

    async def read(
        self, partition: int, keys: Sequence[str], noted: Collection[str] = (), slots: Sequence[int] = ()
    ) -> list[Found]:
        """Give the windows of every key, in the order asked, and the notes of some.

        Args:
            partition: The partition.
            keys: The keys.
            noted: Those of the keys whose notes are wanted.
            slots: The slots to look for them in.

        Raises:
            Fenced: Another worker has taken the partition.
            StateLost: What was read can't be trusted.

        """
        ours = self._owned[partition]
        asked = list(noted)
        args = [scripts.packed_names(keys), _slots(slots), scripts.packed_names([short(key) for key in asked])]
        bookkeeping, found, notes = await self._read(keys=[self.meta(partition)], args=args)
        self._check(partition, bookkeeping, ours)
        of_key = {key: [slot[place] for slot in notes if slot[place]] for place, key in enumerate(asked)}
        return [
            Found({int(flat[place]): flat[place + 1] for place in range(0, len(flat), 2)}, of_key.get(key, []))
            for key, flat in zip(keys, found, strict=True)
        ]

    async def peek(self, partition: int, keys: Sequence[str]) -> list[dict[int, bytes]] | None:
        """Give the windows of every key, whoever owns the partition; None while it is not whole in Redis."""
        none = scripts.packed_names([])
        bookkeeping, found, _ = await self._read(
            keys=[self.meta(partition)], args=[scripts.packed_names(keys), none, none]
        )
        if _whole(bookkeeping) is None:
            return None
        return [{int(flat[place]): flat[place + 1] for place in range(0, len(flat), 2)} for flat in found]

    def _check(self, partition: int, bookkeeping: Sequence[bytes | None], ours: Owned) -> None:
        there = _whole(bookkeeping)
        if bookkeeping[0] is not None and int(bookkeeping[0]) > ours.fence:
            raise self._fenced(partition)
        if there != ours:
            raise self._lost(partition)

    def _lost(self, partition: int) -> StateLost:
        return StateLost(f"Redis has lost partition {partition} of {self._name}")

    def _fenced(self, partition: int) -> Fenced:
        return Fenced(f"partition {partition} of {self._name} has another owner now")

    async def write(self, partition: int, write: Write) -> None:
        """Write what a batch changed and how far that reaches, all or nothing.

        Raises:
            Fenced: Another worker has taken the partition.
            StateLost: Redis is not what it was when this was read; nothing is written.

        """
        ours = self._owned[partition]
        after = Owned(
            ours.fence,
            ours.offset if write.offset is None else write.offset,
            max(ours.source, write.source),  # smaller where a batch is decided again
        )
        args: list[int | bytes] = [ours.fence, after.offset, ours.offset, after.source, ours.source]
        args += [scripts.packed(write.changes, write.seconds), *_noted(write.notes), _slots(write.dropped)]
        match await self._write(keys=[self.meta(partition)], args=args):
            case 1:
                self._owned[partition] = after
            case 0:
                raise self._fenced(partition)
            case _:
                raise self._lost(partition)

    # -- restoring a partition (`changelog` drives it) --------------------------------------------------------------

    async def applied(self, partition: int) -> tuple[Owned, int] | None:
        """Give how a partition stands in Redis, and the fence of the last who wrote; None where nothing is whole."""
        *bookkeeping, writer = await self._redis.hmget(self.meta(partition), ["fence", "off", "src", "by"])
        whole = _whole(bookkeeping)
        return None if whole is None or writer is None else (whole, int(writer))

    async def windows(self, partition: int, key: str) -> dict[int, bytes]:
        """Give the windows of a key, whether the partition is whole or not."""
        found = await self._redis.hgetall(self.key(partition, key))
        return {int(window): value for window, value in found.items()}

    async def fence(self, partition: int) -> int:
        """Give the fence that is there, whether the partition is whole or not; -1 where there is none."""
        found = await self._redis.hget(self.meta(partition), "fence")
        return -1 if found is None else int(found)

    async def begin_restore(
        self, partition: int, fence: int, token: int, *, anew: bool = False, foreign: int = -1
    ) -> None:
        """Take a partition to restore it; `anew` deletes what is there.

        `token` names this restore; it is another for each. `foreign` is a fence there that is of another changelog.

        Raises:
            Fenced: A newer fence is there.
            StateLost: What was deleted so far is there again.

        """
        args = [fence, token, int(anew), foreign]
        self._restoring(partition, await self._begin(keys=[self.meta(partition)], args=args))
        self._steps[partition] = 0
        if anew:
            await self._delete_keys(partition, fence, token)

    async def _delete_keys(self, partition: int, fence: int, token: int) -> None:
        prefix, found = f"{self.meta(partition)}:", list[str]()
        async for key in self._redis.scan_iter(match=prefix.translate(ESCAPED) + "*", count=1_000):
            found.append(key.decode().removeprefix(prefix))
            if len(found) >= 1_000:
                await self._step(partition, self._delete, fence, token, scripts.packed_names(found))
                found.clear()
        await self._step(partition, self._delete, fence, token, scripts.packed_names(found))

    async def _step(self, partition: int, script: Any, fence: int, token: int, *args: int | bytes) -> None:
        """Take one step of a restore, if nobody has taken the partition and all steps before are still done."""
        step = self._steps[partition]
        self._restoring(partition, await script(keys=[self.meta(partition)], args=[fence, token, step, *args]))
        self._steps[partition] = step + 1

    async def restore(
        self,
        partition: int,
        fence: int,
        token: int,
        changes: Mapping[str, Changes],
        seconds: Mapping[str, int] = MappingProxyType({}),
        notes: Notes = MappingProxyType({}),
    ) -> None:
        """Write restored windows and notes, as `write` does. They do not count before `end_restore` says so.

        Raises:
            Fenced: A newer fence is there.
            StateLost: What was restored so far has been lost.

        """
        await self._step(partition, self._restore, fence, token, scripts.packed(changes, seconds), *_noted(notes))

    async def end_restore(self, partition: int, token: int, owned: Owned, writer: int) -> None:
        """Take note that a partition is whole and ours; `writer` is the fence of the last who wrote any of it.

        Raises as `restore` does.
        """
        await self._step(partition, self._end, owned.fence, token, owned.offset, owned.source, writer)
        self._owned[partition] = owned

    def _restoring(self, partition: int, answer: int) -> None:
        if answer == 0:
            raise self._fenced(partition)
        if answer < 0:
            raise self._lost(partition)

    def meta(self, partition: int) -> str:
        """Give the key of a partition's bookkeeping."""
        return f"{self._name}:{partition}}}"

    def key(self, partition: int, key: str) -> str:
        """Give the key in Redis of a table key."""
        return f"{self.meta(partition)}:{key}"


def short(key: str) -> str:
    """Give the short form of a contact that notes stand under.

    Notes are most of all that is kept, so the bytes of their keys count. 96 bits of the contact key are left: of a
    billion contacts no two are likely to share them.
    """
    return key[:-40] if len(key) > 64 else key


def _whole(bookkeeping: Sequence[bytes | None]) -> Owned | None:
    fence, offset, source = bookkeeping
    return None if fence is None or offset is None or source is None else Owned(int(fence), int(offset), int(source))


def _slots(slots: Iterable[int]) -> bytes:
    return scripts.packed_names([f"{NOTES}:{slot}" for slot in slots])


def _noted(notes: Notes) -> tuple[bytes, int, int]:
    """Give the three arguments that the scripts take for notes."""
    shortened = {f"{NOTES}:{slot}": {short(key): texts for key, texts in own.items()} for slot, own in notes.items()}
    return scripts.packed_notes(shortened), NOTES_SECONDS, NOTES_BYTES
