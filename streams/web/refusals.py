"""Refusals in JSON, whoever makes them: we, or the library that finds no route."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

_NOTHING_HERE: Final = "there is nothing at this path; /v1/openapi.json describes the API"


def refusal(status: int, error: str, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Give a refusal: what it is in a word, and what to do about it in a sentence."""
    body = msgspec.json.encode({"error": error, "detail": detail})
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


@web.middleware
async def in_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Say in JSON what aiohttp would say in plain text: no such path, no such method."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as refused:
        methods = ", ".join(sorted(refused.allowed_methods))
        detail = f"this path takes {methods}"
        return refusal(refused.status, "method-not-allowed", detail, {"Allow": methods})
    except web.HTTPNotFound as refused:
        return refusal(refused.status, "not-found", _NOTHING_HERE)


async def expect(request: web.Request) -> web.Response | None:
    """Answer an `Expect` header; aiohttp's own answer quotes it, and fails where it is no text."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return refusal(417, "expectation-failed", "of Expect only 100-continue is known")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # or aiohttp would take the answer for begun
    return None
