"""Which of Mailgun's tokens were used, and for what: kept in Redis, so that all workers know.

The tokens of one second lie in one hash, which expires when their signatures do: some 40 bytes each, since Redis packs
small hashes. After a loss of Redis, a signature may be used for other content once more while it is fresh.
"""

import hashlib
import hmac
from typing import Final, NamedTuple, cast

from redis.asyncio import Redis

from streams.settings import Settings

SECONDS: Final = 2.0  # a provider waits 10 s for its answer


class Bound(NamedTuple):
    """What a token is bound to: the same content as now, and whether the broker has that from this tenant."""

    same: bool
    done: bool


class Tokens:
    """Binds tokens to the content that came with them first."""

    def __init__(self, settings: Settings) -> None:
        """Take where Redis is; nothing is opened before it is needed."""
        self._redis = Redis.from_url(settings.redis, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
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
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hsetnx(key, cast("str", name), cast("str", digest))
            pipe.hmget(key, [cast("str", name), cast("str", name + tenant.encode())])
            pipe.expire(key, ttl)
            _, (first, done), _ = await pipe.execute()
        return Bound(hmac.compare_digest(first, digest), done is not None)

    async def done(self, seconds: int, token: str, tenant: str) -> None:
        """Remember that the broker has the content of a token from a tenant."""
        await self._redis.hset(f"{self._prefix}{seconds}", cast("str", _name(token) + tenant.encode()), "")

    async def close(self) -> None:
        """Let go of Redis."""
        await self._redis.aclose()


def _name(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()[:12]
