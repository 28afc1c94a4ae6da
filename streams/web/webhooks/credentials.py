"""Basic and bearer credentials: what providers send that do not sign (Mailjet, Postmark, SparkPost, Brevo, own relays).

Such a post can be repeated by whoever has seen one, but whoever has seen one knows the credentials anyway.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.web.webhooks.payload import read_payload
from streams.web.webhooks.post import Look, Payload, Post, Refused, Unauthorized, Why
from streams.web.webhooks.secret import Secret, is_one_of


class Credential(Secret):
    """A name and a password, with a colon between them."""

    __slots__ = ()

    def __init__(self, value: bytes) -> None:
        """Take both.

        Raises:
            ValueError: One of them is missing. The message does not quote it.

        """
        if b":" not in value.strip(b":"):
            raise ValueError("credentials are name:password")
        super().__init__(value)


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a post must have in `Authorization`: one of `credentials` (`name:password`) or one of `tokens`."""

    credentials: Annotated[list[Credential], Meta(min_length=1)] = []
    tokens: Annotated[list[Secret], Meta(min_length=1)] = []

    def __post_init__(self) -> None:
        """Refuse a section that would let nobody in."""
        if not self.credentials and not self.tokens:
            raise ValueError("needs credentials or tokens")


def forbids(headers: Mapping[str, str], credentials: Sequence[Secret], tokens: Sequence[Secret]) -> Why | None:
    """Say why the `Authorization` header holds none of the credentials or tokens; None where it holds one."""
    scheme, _, given = headers.get("Authorization", "").strip().partition(" ")
    given = given.strip()
    match scheme.lower():
        case "":
            return "no-credentials"
        case "basic" if credentials:
            try:
                named = base64.b64decode(given, validate=True)
            except (binascii.Error, ValueError):
                return "malformed-credentials"
            expected = credentials
        case "bearer" if tokens:
            named = given.encode(errors="surrogateescape")
            expected = tokens
        case _:
            return "other-scheme"
    return None if is_one_of(named, [one.reveal() for one in expected]) else "wrong-credentials"


class CredentialsGate:
    """Lets posts in that bring the right credentials (`Gate`)."""

    def __init__(self, section: Credentials) -> None:
        """Take a tenant's credentials for one provider."""
        self._section = section

    def look(self, headers: Mapping[str, str]) -> Look:
        """Check the credentials."""
        why = forbids(headers, self._section.credentials, self._section.tokens)
        return Unauthorized(why) if why else "known"

    async def admit(self, post: Post) -> Payload | Refused:
        """Check the credentials, then read the body."""
        look = self.look(post.headers)
        if isinstance(look, Unauthorized):
            return look
        return read_payload(post) or "unreadable"

    async def settled(self, post: Post, payload: Payload) -> None:
        """Keep nothing."""
