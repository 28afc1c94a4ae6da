"""Trouble that passes by itself is waited out in place: the batch waits, nothing is skipped and nothing is guessed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError
from redis import exceptions as redis_exceptions

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0

_REDIS_AWAY: Final = (
    redis_exceptions.ConnectionError,
    redis_exceptions.TimeoutError,
    redis_exceptions.BusyLoadingError,
    redis_exceptions.ReadOnlyError,  # a former master, until the new one is found
    redis_exceptions.ClusterDownError,
    redis_exceptions.RedisClusterException,  # no node of a cluster answers
    redis_exceptions.SlotNotCoveredError,  # a node is gone, and nobody has taken its place yet
)
_T = TypeVar("_T")
_log = structlog.get_logger()


def passes(error: Exception) -> bool:
    """Say whether an error tells of a broker or a Redis that is away and may come back."""
    if isinstance(error, KafkaError):
        return error.retriable or isinstance(error, KafkaTimeoutError)
    return isinstance(error, _REDIS_AWAY)


async def patiently(command: Callable[[], Awaitable[_T]]) -> _T:
    """Do something that may be repeated, again and again while broker or Redis are away.

    Raises:
        Exception: Whatever the command raises that does not pass by itself.

    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return await command()
        except (KafkaError, *_REDIS_AWAY) as error:
            if not passes(error):
                raise
            _log.warning("waiting", error=type(error).__name__, pause_seconds=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
