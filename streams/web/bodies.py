"""Reading the body of a request, never more of it than may be."""

from collections.abc import Callable
from typing import Literal

from aiohttp import web

Fault = Literal["too-large", "broken-off"]


def _unheard(_count: int) -> None:
    pass


async def read_body(request: web.Request, most: int, came: Callable[[int], None] = _unheard) -> bytes | Fault:
    """Read a body of at most so many bytes, or say why not; `came` is told of each piece, in bytes."""
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > most:
                return "too-large"
            came(len(chunk))
    except (web.RequestPayloadError, ConnectionError):  # the latter: whoever asked hung up, and hears no answer
        return "broken-off"
    return bytes(body)
