"""Which of Mailgun's tokens were used, and for what: kept in Redis, so that all workers know.

The tokens of one second lie in one hash, which expires when their signatures do: some 40 bytes each, since Redis packs
small hashes. After a loss of Redis, a signature may be used for other content once more while it is fresh.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from redis.exceptions import TimeoutError as RedisTimeoutError

from streams.settings import Settings
from streams.state.clients import async_client

SECONDS: Final = 2.0  # a provider waits 10 s for its answer


class Bound(NamedTuple):
    """What a token is bound to: the same content as now, and whether the broker has that from this tenant."""

    same: bool
    done: bool


class Tokens:
    """Binds tokens to the content that came with them first."""

    def __init__(self, settings: Settings) -> None:
        """Take where Redis is; nothing is opened before it is needed."""
        self._redis = async_client(settings.redis)
        self._prefix = f"{settings.group}:webhook-tokens:"

    async def bind(self, seconds: int, token: str, digest: bytes, tenant: str, ttl: int) -> Bound:
        """Bind a token to a content, unless it is bound already; say what it is bound to.

        Args:
            seconds: The second in which the token was signed.
            token: The token.
            digest: Of the content.
            tenant: To whom it was posted.
            ttl: Seconds from now on until its signature is stale, at least 1.

        Raises:
            RedisError: Redis is away.

        """
        key, name = f"{self._prefix}{seconds}", _name(token)
        async with _in_time(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hsetnx(key, name, digest)
            pipe.hmget(key, [name, name + tenant.encode()])
            pipe.expire(key, ttl)
            _, (first, done), _ = await pipe.execute()
        return Bound(hmac.compare_digest(first, digest), done is not None)

    async def done(self, seconds: int, token: str, tenant: str) -> None:
        """Remember that the broker has the content of a token from a tenant."""
        async with _in_time():
            await self._redis.hset(f"{self._prefix}{seconds}", _name(token) + tenant.encode(), "")

    async def close(self) -> None:
        """Let go of Redis."""
        await self._redis.aclose()


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Give up on a Redis that does not answer, and say so in its own words."""
    try:
        async with asyncio.timeout(SECONDS):
            yield
    except TimeoutError as error:
        raise RedisTimeoutError from error


def _name(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()[:12]
