"""The only requests that the webhooks make themselves: to SNS, for a certificate or to confirm a subscription."""

from typing import Final

import aiohttp
import structlog

SECONDS: Final = 5.0
MAX_BYTES: Final = 65_536  # a certificate has 2,000

_log = structlog.get_logger()


async def fetch(url: str) -> bytes | None:
    """Get an https URL: its body, or None if the answer is no 200, too long or too late. Follows no redirect."""
    if not url.startswith("https://"):
        return None
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        # A session each: there is one of these requests a year. `trust_env`: the installation's proxy, if it has one.
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            body = await response.content.read(MAX_BYTES + 1) if response.status == 200 else b""
            while 0 < len(body) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES)):
                body += more
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        _log.warning("sns-not-reached", host=url.split("/")[2], error=type(error).__name__)
        return None
    return body if 0 < len(body) <= MAX_BYTES else None
