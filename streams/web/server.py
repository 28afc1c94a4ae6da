"""Health and metrics over HTTP, on loopback."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from streams.metrics import PrometheusMeter

HOST: Final = "127.0.0.1"


class Web:
    """The worker's HTTP server: `/healthz` (alive), `/readyz` (takes work), `/metrics` (Prometheus)."""

    def __init__(self, meter: PrometheusMeter, is_ready: Callable[[], bool], port: int | None) -> None:
        """Take what to show; `port` None serves nothing."""
        self._meter = meter
        self._is_ready = is_ready
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        if self._port is None:
            return
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()

    async def stop(self) -> None:
        """Finish open requests and stop listening."""
        if self._runner:
            await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready = self._is_ready()
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._meter.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})
