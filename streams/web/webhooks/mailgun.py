"""Mailgun's signature: HMAC-SHA-256 over timestamp and token, inside the body, which it does not cover.

Whoever has seen one signature could put other content under it. Therefore a token is bound to the first content that
comes with it, for as long as its signature counts (`streams.web.webhooks.tokens`).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import orjson
from msgspec import Meta
from redis.exceptions import RedisError

from schemas.policy import Duration
from schemas.times import HOUR
from streams.web.webhooks.forms import read_form
from streams.web.webhooks.payload import read_json
from streams.web.webhooks.post import Look, Payload, Post, Refused, Unauthorized
from streams.web.webhooks.secret import Secret, is_fresh, is_one_of
from streams.web.webhooks.tokens import Tokens

# Ten digits and no more: of a longer or shorter one, some could be taken for the beginning of the token.
_SECONDS: Final = re.compile(r"[0-9]{10}")
_LONGEST: Final = 256  # a token has 50 characters, a signature 64

FRESHNESS: Final = Duration(9 * HOUR)
"""Retries go on for 8 h under the signature of the first attempt."""


class Mailgun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`signing_keys`: the HTTP webhook signing keys of the account, and of its parent account if it has one."""

    signing_keys: Annotated[list[Secret], Meta(min_length=1)]
    freshness: Duration = FRESHNESS


class Signed(NamedTuple):
    """What a valid signature says: the second it was made in, and its token."""

    seconds: int
    token: str


def read(content_type: str, body: bytes) -> Payload | None:
    """Read a post: JSON, whatever its content type says, or a legacy form as an object of text fields."""
    if payload := read_json(body):
        return payload if isinstance(payload.content, dict) else None
    fields = read_form(content_type, body)
    return Payload(orjson.dumps(fields), fields) if fields else None


def check(content: dict[str, Any], keys: Sequence[bytes], now: int, freshness: int) -> Signed | Refused:
    """Check the signature of a post's content (`now` in ms)."""
    inside = content.get("signature")
    # JSON has an object of three and more; a legacy form has the three among its fields.
    parts = inside if isinstance(inside, dict) else content
    timestamp, token = parts.get("timestamp"), parts.get("token")
    # Of a subaccount's events, `signature` is the subaccount's and `parent-signature` the main account's.
    given = [parts.get(name) for name in ("signature", "parent-signature")]
    signatures = [one.encode() for one in given if isinstance(one, str) and len(one) <= _LONGEST]
    if not timestamp or not token or not any(given):
        return Unauthorized("no-signature")
    if not isinstance(timestamp, str) or not _SECONDS.fullmatch(timestamp) or not signatures:
        return Unauthorized("malformed-signature")
    if not isinstance(token, str) or not 0 < len(token) <= _LONGEST:
        return Unauthorized("malformed-signature")
    signed = f"{timestamp}{token}".encode()
    expected = [hmac.digest(key, signed, "sha256").hex().encode() for key in keys]
    if not any(is_one_of(signature, expected) for signature in signatures):
        return Unauthorized("wrong-key")
    if not is_fresh(int(timestamp) * 1000, now, freshness):
        return "stale"
    return Signed(int(timestamp), token)


def digest(content: dict[str, Any]) -> bytes | None:
    """Give what a token is bound to: a hash of the content, however its fields are ordered or its form is parted.

    None for content that is nested so deep (beyond 254) that orjson reads but can't write it: no event is.
    """
    try:
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()[:16]
    except orjson.JSONEncodeError:
        return None


class MailgunGate:
    """Lets posts in that Mailgun has signed, each signature with one content (`Gate`)."""

    def __init__(self, section: Mailgun, tokens: Tokens) -> None:
        """Take a tenant's keys, and where to keep tokens."""
        self._keys = [key.reveal() for key in section.signing_keys]
        self._freshness = section.freshness
        self._tokens = tokens

    def look(self, headers: Mapping[str, str]) -> Look:
        """Leave it to the body: the signature is in there."""
        return "open"

    async def admit(self, post: Post) -> Payload | Refused:
        """Check signature and token; 'duplicate' where the broker has the very same post already."""
        payload = read(post.headers.get("Content-Type", ""), post.body)
        if payload is None:
            return Unauthorized("unreadable-body")
        signed = check(payload.content, self._keys, post.at, self._freshness)
        if not isinstance(signed, Signed):
            return signed
        hashed = digest(payload.content)
        if hashed is None:
            return "unreadable"
        ttl = signed.seconds + self._freshness // 1000 - post.at // 1000 + 1
        try:
            bound = await self._tokens.bind(signed.seconds, signed.token, hashed, post.tenant, ttl)
        except RedisError:
            return "unavailable"
        if not bound.same:
            return "replayed"
        return "duplicate" if bound.done else payload._replace(once=signed)

    async def settled(self, post: Post, payload: Payload) -> None:
        """Remember that the broker has it; where that fails, a repeat goes there again, which decides nothing twice."""
        if payload.once:
            with suppress(RedisError):
                await self._tokens.done(*payload.once, post.tenant)
