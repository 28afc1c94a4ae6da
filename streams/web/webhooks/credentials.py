"""Basic and bearer credentials: what providers send that do not sign (Mailjet, Postmark, SparkPost, Brevo, own relays).

Such a post can be repeated by whoever has seen one, but whoever has seen one knows the credentials anyway.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence

import msgspec

from streams.web.webhooks.payload import read_payload
from streams.web.webhooks.post import Answer, Look, Payload, Post
from streams.web.webhooks.secret import Secret, is_one_of


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a post must have in `Authorization`: one of `credentials` (`name:password`) or one of `tokens`."""

    credentials: list[Secret] = []
    tokens: list[Secret] = []

    def __post_init__(self) -> None:
        """Refuse a section that would let nobody in."""
        if not self.credentials and not self.tokens:
            raise ValueError("needs credentials or tokens")
        if not all(b":" in credential.reveal().strip(b":") for credential in self.credentials):
            raise ValueError("credentials are name:password")


def permits(headers: Mapping[str, str], credentials: Sequence[Secret], tokens: Sequence[Secret]) -> bool:
    """Say whether the `Authorization` header holds one of the credentials or tokens."""
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    given = given.strip()
    match scheme.lower():
        case "basic":
            try:
                named = base64.b64decode(given, validate=True)
            except (binascii.Error, ValueError):
                return False
            return is_one_of(named, [one.reveal() for one in credentials])
        case "bearer":
            return is_one_of(given.encode(errors="surrogateescape"), [one.reveal() for one in tokens])
        case _:
            return False


class CredentialsGate:
    """Lets posts in that bring the right credentials (`Gate`)."""

    def __init__(self, section: Credentials) -> None:
        """Take a tenant's credentials for one provider."""
        self._section = section

    def look(self, headers: Mapping[str, str]) -> Look:
        """Check the credentials."""
        return "known" if permits(headers, self._section.credentials, self._section.tokens) else "unauthorized"

    async def admit(self, post: Post) -> Payload | Answer:
        """Check the credentials, then read the body."""
        if self.look(post.headers) == "unauthorized":
            return "unauthorized"
        return read_payload(post) or "unreadable"

    async def settled(self, post: Post, payload: Payload) -> None:
        """Keep nothing."""
