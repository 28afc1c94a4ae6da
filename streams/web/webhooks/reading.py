"""Room for bodies that are still coming or being checked: bounded in number and bytes, and nobody can lock it.

When there is no more room, not the newcomer gives way but the one that has been at it longest. So slow bodies, however
many, take nothing from a post whose body comes at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

MOST_POSTS: Final = 256
"""Posts under way at once; each has a socket."""

MOST_BYTES: Final = 67_108_864
"""Bytes of these posts that may have come, in memory at once: 64 posts of the largest size."""


class Reading:
    """Posts under way, the oldest first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._bytes = 0
        self._under_way: OrderedDict[asyncio.Timeout, int] = OrderedDict()

    @contextmanager
    def place(self, timeout: asyncio.Timeout) -> Iterator[Callable[[int], None]]:
        """Count a post within the block; gives what to tell of each piece that has come, in bytes.

        `timeout` is around the block: it ends early when the post has to give way.
        """
        self._under_way[timeout] = 0

        def came(count: int) -> None:
            if timeout in self._under_way:
                self._under_way[timeout] += count
                self._bytes += count
                self._make_room()

        self._make_room()
        try:
            yield came
        finally:
            self._forget(timeout)

    def _make_room(self) -> None:
        while len(self._under_way) > MOST_POSTS or self._bytes > MOST_BYTES:
            oldest = next(iter(self._under_way))
            self._forget(oldest)
            if not oldest.expired():
                oldest.reschedule(asyncio.get_running_loop().time())

    def _forget(self, timeout: asyncio.Timeout) -> None:
        self._bytes -= self._under_way.pop(timeout, 0)
