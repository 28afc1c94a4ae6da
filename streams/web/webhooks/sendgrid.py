"""SendGrid's signature: ECDSA (P-256, SHA-256) over the timestamp's text and the raw body (Signed Event Webhook).

It covers the body, so that a repeated post can only say the same again, which decides nothing twice.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Meta

from schemas.policy import Duration
from schemas.times import HOUR
from streams.web.webhooks.payload import read_payload
from streams.web.webhooks.post import Look, Payload, Post, Refused, Unauthorized
from streams.web.webhooks.secret import is_fresh

SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"

# Ten digits and no more: of a longer or shorter one, some could be taken for the beginning of the body.
_SECONDS: Final = re.compile(r"[0-9]{10}")

FRESHNESS: Final = Duration(25 * HOUR)
"""Retries go on for 24 h, and nobody says that they are signed anew."""


class SendGrid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`public_keys`: verification keys as SendGrid shows them, base64 of DER."""

    public_keys: Annotated[list[ec.EllipticCurvePublicKey], Meta(min_length=1)]
    freshness: Duration = FRESHNESS


def read_public_key(text: str) -> ec.EllipticCurvePublicKey:
    """Read a verification key.

    Raises:
        ValueError: It is none. The message does not quote it.

    """
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValueError("a public key is base64 of DER, as SendGrid shows it") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("a public key of SendGrid is of the curve P-256")  # noqa: TRY004 - a value, not a type of ours
    return key


def check(
    headers: Mapping[str, str], body: bytes, keys: Sequence[ec.EllipticCurvePublicKey], now: int, freshness: int
) -> Refused | None:
    """Say what is wrong with a post, or None: signed with none of the keys, or not just now (`now` in ms)."""
    claimed = _claimed(headers)
    if isinstance(claimed, Unauthorized):
        return claimed
    timestamp, signature = claimed
    if not any(_signed(key, signature, timestamp.encode() + body) for key in keys):
        return Unauthorized("wrong-key")
    return None if is_fresh(int(timestamp) * 1000, now, freshness) else "stale"


def _claimed(headers: Mapping[str, str]) -> tuple[str, bytes] | Unauthorized:
    """Read when a post says it was signed, and its signature; why not, where it does not say so or no such thing."""
    timestamp, given = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not timestamp or not given:
        return Unauthorized("no-signature")
    try:
        signature = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return Unauthorized("malformed-signature")
    if not signature or not _SECONDS.fullmatch(timestamp):
        return Unauthorized("malformed-signature")
    return timestamp, signature


def _signed(key: ec.EllipticCurvePublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


class SendGridGate:
    """Lets posts in that SendGrid has signed (`Gate`)."""

    def __init__(self, section: SendGrid) -> None:
        """Take a tenant's keys."""
        self._section = section

    def look(self, headers: Mapping[str, str]) -> Look:
        """Look whether there is a signature at all; only with a valid one is it said whether that is fresh."""
        claimed = _claimed(headers)
        return claimed if isinstance(claimed, Unauthorized) else "open"

    async def admit(self, post: Post) -> Payload | Refused:
        """Check the signature over the raw bytes, then read them."""
        section = self._section
        wrong = check(post.headers, post.body, section.public_keys, post.at, section.freshness)
        return wrong or read_payload(post) or "unreadable"

    async def settled(self, post: Post, payload: Payload) -> None:
        """Keep nothing."""
