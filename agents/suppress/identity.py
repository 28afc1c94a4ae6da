"""Names that everybody computes alike: the contact key and the suppression id."""

import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

BLOCK_BYTES: Final = 64  # of SHA-256

ContactKeys = Callable[[str], str]
"""Canonical recipient -> contact key: 64 lower-case hexadecimal digits."""


def contact_keys(secret: bytes) -> ContactKeys:
    """Make the function that gives contact keys: HMAC-SHA-256 of the canonical recipient (SPEC 2).

    It remembers recent ones, since one contact's events come close together.
    """
    # RFC 2104 by hand: hmac.digest takes three times as long for an address, and lets go of the interpreter's lock each
    # time, which the thread that fetches then takes.
    block = (hashlib.sha256(secret).digest() if len(secret) > BLOCK_BYTES else secret).ljust(BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block)).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block)).copy

    @lru_cache(maxsize=65_536)  # about 15 MB at 240 bytes each
    def contact_key(recipient: str) -> str:
        within, found = inner(), outer()
        within.update(recipient.encode())
        found.update(within.digest())
        return found.hexdigest()

    return contact_key


def contact_name(contact_key: ContactKeys, tenant: str, recipient: str) -> str:
    """Name a contact inside: tenant, unit separator, contact key."""
    return f"{tenant}\x1f{contact_key(recipient)}"


def network_name(contact_key: str) -> str:
    """Name what the network knows of an address: no tenant may be called `*`."""
    return f"*\x1f{contact_key}"


def suppression_id(tenant: str, recipient: str, action: str, statuses: Iterable[str], since: str) -> str:
    """Give SHA-256 (hex) over the parts in order, each ended by a unit separator; statuses by strength (SPEC 6)."""
    parts = (tenant, recipient, action, *statuses, since)
    return hashlib.sha256("".join(f"{part}\x1f" for part in parts).encode()).hexdigest()
