"""Secrets that do not show, compared in constant time; and the time in which a signature counts."""

import hmac
from collections.abc import Iterable
from typing import Final

from schemas.times import MINUTE

FUTURE: Final = 5 * MINUTE
"""How far ahead of ours a provider's clock may be, in ms."""


class Secret:
    """A secret as bytes. It shows in no `repr`, log or trace."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        """Take the secret."""
        self._value = value

    def reveal(self) -> bytes:
        """Give the secret itself."""
        return self._value

    def __repr__(self) -> str:
        """Show that there is one."""
        return "Secret(…)"


def is_one_of(given: bytes, expected: Iterable[bytes]) -> bool:
    """Say whether something given is one of those expected. All are compared, each in constant time."""
    return sum(hmac.compare_digest(given, one) for one in expected) > 0


def is_fresh(signed: int, now: int, freshness: int) -> bool:
    """Say whether a signature of a moment counts now: not too old, and not from the future. All in ms."""
    return -FUTURE <= now - signed <= freshness
