"""Health, metrics, webhooks and the API over HTTP, on loopback unless told otherwise."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import structlog
from aiohttp import web, web_urldispatcher
from aiohttp.http_exceptions import HttpProcessingError

from streams.errors import Failed
from streams.metrics import PrometheusMeter
from streams.web.local import LOOPBACK
from streams.web.refusals import expect, in_json
from streams.web.webhooks.routes import Webhooks

_log = structlog.get_logger()

KEEP_SECONDS: Final = 75.0
"""How long a connection may stand idle after an answer: more than proxies keep theirs, so that they close first."""

CLOSE_SECONDS: Final = 3.0
"""How long open requests may take to finish at a stop; a provider that gets no answer tries again."""


def _is_ours(record: logging.LogRecord) -> bool:
    """Say whether a log record is about us, and not about bytes that are no HTTP: strangers may send any number."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


class Web:
    """The worker's HTTP server: `/healthz` (alive), `/readyz` (takes work), `/metrics`, `/webhooks/`, and routes."""

    def __init__(
        self,
        meter: PrometheusMeter,
        is_ready: Callable[[], bool],
        port: int | None,
        webhooks: Webhooks,
        routes: Sequence[web.RouteDef],
        host: str = LOOPBACK,
    ) -> None:
        """Take what to show, what takes posts, and what else to serve; `port` None serves nothing.

        What is open without secrets is so for loopback alone: with another `host` let nothing be open.
        """
        self._webhooks = webhooks
        self._routes = routes
        self._meter = meter
        self._is_ready = is_ready
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            Failed: There is no such address here, or the port is taken.

        """
        if self._port is None:
            return
        app = web.Application(middlewares=[in_json])
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                *self._webhooks.routes(),
                *self._routes,
            ]
        )
        # For what has no route too, and so takes none of ours.
        cast("Any", web_urldispatcher)._default_expect_handler = expect
        # A compressed body stays as it is: inflated, it could be any size.
        logging.getLogger("aiohttp.server").addFilter(_is_ours)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEP_SECONDS,
            shutdown_timeout=CLOSE_SECONDS,
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            code = error.errno or 0
            why = os.strerror(code) if code > 0 else error.strerror  # below 0 it is the resolver's: no such name
            raise Failed(f"can't serve HTTP on port {self._port} of {self._host}: {why}") from error
        if self._webhooks.are_open:
            _log.warning("webhooks-open", advice="set BOUNCELINE_WEBHOOKS before anybody else can reach them")

    async def stop(self) -> None:
        """Finish open requests and stop listening."""
        if self._runner:
            await self._runner.cleanup()
        await self._webhooks.close()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready = self._is_ready()
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._meter.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})
