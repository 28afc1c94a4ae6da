"""Signing certificates of SNS: pinned ones from files, or fetched once from the host of a topic's region."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.x509 import Certificate, load_pem_x509_certificate

from streams.web.webhooks.limits import Buckets, Rate
from streams.web.webhooks.sns import Topic

Fetch = Callable[[str], Awaitable[bytes | None]]
"""Gets a URL: its body, or None where there is none to be had. Follows no redirect."""

MOST: Final = 32  # SNS has one a region and changes it about once a year
FETCHES: Final = Rate(each_second=0.1, burst=5)
"""Whoever knows a topic's ARN can make us ask its host for certificates that do not exist: not often."""


def read_certificate(path: Path) -> Certificate:
    """Read a pinned certificate from a PEM file.

    Raises:
        ValueError: The file can't be read or holds no certificate.

    """
    try:
        return load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is no certificate in PEM") from error


def is_valid(certificate: Certificate, now: int) -> bool:
    """Say whether a certificate is valid at a moment (ms since 1970)."""
    at = datetime.fromtimestamp(now / 1000, UTC)
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


class Certificates:
    """Finds the certificates that may have signed a message, and keeps those that were fetched."""

    def __init__(self, fetch: Fetch) -> None:
        """Take what fetches."""
        self._fetch = fetch
        self._kept: OrderedDict[str, Certificate] = OrderedDict()
        self._fetches = Buckets(FETCHES)
        self._one_at_a_time = asyncio.Lock()

    async def of(self, topic: Topic, url: str, pinned: Sequence[Certificate], now: int) -> Sequence[Certificate] | None:
        """Give the valid certificates to try; None where one can't be had just now.

        Args:
            topic: The topic of the message, one of ours.
            url: Where the message says its certificate is; ignored where some are pinned.
            pinned: The certificates that operators trust for this topic.
            now: In ms since 1970.

        """
        if pinned:
            return [certificate for certificate in pinned if is_valid(certificate, now)]
        if not topic.is_certificate(url):
            return []
        certificate = self._kept.get(url)
        if certificate is None:
            async with self._one_at_a_time:  # many posts come at once, and one of them fetches
                certificate = self._kept.get(url) or await self._get(topic, url, now)
        if certificate is None:
            return None
        return [certificate] if is_valid(certificate, now) else []

    async def _get(self, topic: Topic, url: str, now: int) -> Certificate | None:
        if self._fetches.wait(topic.host, now / 1000):
            return None
        fetched = await self._fetch(url)
        if fetched is None:
            return None
        try:
            certificate = load_pem_x509_certificate(fetched)
        except ValueError:
            return None
        self._kept[url] = certificate
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return certificate
