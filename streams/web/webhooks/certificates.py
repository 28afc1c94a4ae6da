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

FETCHES: Final = Rate(each_second=0.5, burst=10)
"""Fetches of unknown URLs, for each host: whoever knows a topic's ARN can name certificates that do not exist."""

UNPROVEN: Final = 8
"""Certificates kept that have signed nothing yet: old ones of SNS, some ten a region, are there for anybody to name."""


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
    """Finds the certificates that may have signed a message, and keeps those that were fetched.

    One that has signed a message of a topic of ours is kept for good: nobody but SNS can bring that about, and SNS has
    one a region and changes it about once a year. So no number of forged messages makes us forget it or ask for it
    again; what they can use up is what unknown URLs may be asked for.
    """

    def __init__(self, fetch: Fetch) -> None:
        """Take what fetches."""
        self._fetch = fetch
        self._proven: dict[str, Certificate] = {}
        self._unproven: OrderedDict[str, Certificate] = OrderedDict()
        self._under_way: dict[str, asyncio.Future[Certificate | None]] = {}
        self._fetches = Buckets(FETCHES)

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
        certificate = self._proven.get(url) or self._unproven.get(url) or await self._asked_for(topic, url, now)
        if certificate is None:
            return None
        return [certificate] if is_valid(certificate, now) else []

    def prove(self, url: str, certificate: Certificate) -> None:
        """Keep a certificate for good, now that its key has signed a message of a topic of ours."""
        self._unproven.pop(url, None)
        self._proven[url] = certificate

    async def _asked_for(self, topic: Topic, url: str, now: int) -> Certificate | None:
        """Fetch a certificate; of many posts that name it at once, one does. Posts that name another do not wait."""
        under_way = self._under_way.get(url)
        if under_way is not None:
            return await asyncio.shield(under_way)  # a post that is given up must not take the others' answer along
        if self._fetches.wait(topic.host, now / 1000):
            return None
        future = self._under_way[url] = asyncio.get_running_loop().create_future()
        certificate = None
        try:
            certificate = _read(await self._fetch(url))
        finally:
            del self._under_way[url]
            future.set_result(certificate)
        if certificate is not None:
            self._unproven[url] = certificate
            if len(self._unproven) > UNPROVEN:
                self._unproven.popitem(last=False)
        return certificate


def _read(fetched: bytes | None) -> Certificate | None:
    try:
        return load_pem_x509_certificate(fetched) if fetched else None
    except ValueError:
        return None
