"""How much may come: token buckets, one for each who posts."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

MOST: Final = 10_000
"""Buckets kept; of more, the one not asked for longest is forgotten, which makes it full."""


class Rate(NamedTuple):
    """How many a second in the long run, and how many at once after a pause."""

    each_second: float
    burst: float


class Buckets:
    """Token buckets of one rate, by name."""

    def __init__(self, rate: Rate) -> None:
        """Take the rate of each bucket."""
        self._rate = rate
        self._kept: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait(self, name: Hashable, now: float) -> float:
        """Take one token: give 0, or the seconds after which there will be one. `now` is in seconds, of any clock."""
        left, before = self._kept.pop(name, (self._rate.burst, now))
        left = min(self._rate.burst, left + max(0.0, now - before) * self._rate.each_second)
        taken = left >= 1
        self._kept[name] = (left - taken, max(now, before))
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return 0.0 if taken else (1 - left) / self._rate.each_second
