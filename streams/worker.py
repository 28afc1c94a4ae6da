"""The composition root: settings in, a running worker out. The only module that knows everything."""

import asyncio
import signal

import structlog

from agents.classify.agent import make_classify_agent
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys
from schemas.topics import catalogue
from streams.app import bind, make_app
from streams.changelog import Changelog
from streams.installation import Presence, check_secret
from streams.metrics import PrometheusMeter
from streams.publisher import KafkaPublisher
from streams.settings import Settings
from streams.tables import RedisContactTable, make_contacts
from streams.topics import ensure_topics
from streams.web.server import Web

_log = structlog.get_logger()


class WorkerFailed(Exception):
    """The worker met something unexpected and stopped; nothing it had not finished is committed."""


class Worker:
    """One worker: takes its share of the partitions until it is stopped."""

    def __init__(self, settings: Settings, http_port: int | None = None) -> None:
        """Wire the parts together; nothing is opened before `run`."""
        self._settings = settings
        self._meter = PrometheusMeter()
        self._publisher = KafkaPublisher(settings)
        self._app = make_app(settings)
        self._table = make_contacts(self._app, catalogue()["delivery-events"].partitions)
        self._failure: BaseException | None = None
        self._stop = asyncio.Event()
        self._web = Web(self._meter, self.is_ready, http_port)

        contact_key = contact_keys(settings.contact_secret)
        store = self._table.table.data
        contacts = RedisContactTable(store, Changelog(settings, store, self._publisher))
        classify = make_classify_agent(self._publisher, contact_key, self._meter)
        suppress = make_suppress_agent(contacts, self._publisher, contact_key, settings.policy, self._meter)
        bind(self._app, settings.topic("esp-reports"), "classify", classify, self._on_crash)
        bind(self._app, settings.topic("delivery-events"), "suppress", suppress, self._on_crash)

    def is_ready(self) -> bool:
        """Whether partitions are assigned and their state is recovered: work is being taken."""
        return self._app.started and self._app.tables.actives_ready and not self._app.rebalancing

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or `stop`.

        Raises:
            WorkerFailed: Something unexpected happened; the cause is attached.

        """
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stop.set)
        await ensure_topics(self._settings)
        await check_secret(self._settings)
        presence = Presence(self._settings)
        await presence.join()
        staying = loop.create_task(presence.stay())
        await self._publisher.start()
        await self._web.start()
        await self._app.start()
        _log.info("worker-started", group=self._settings.group)
        await self._stop.wait()
        if self._failure:
            # Not a graceful stop: that would wait for the batch that can't be finished.
            raise WorkerFailed("the worker met something unexpected and stopped") from self._failure
        await self._web.stop()
        await self._app.stop()
        await self._publisher.stop()
        staying.cancel()
        await presence.leave()
        _log.info("worker-stopped", group=self._settings.group)

    def stop(self) -> None:
        """Ask `run` to finish what is in work and return."""
        self._stop.set()

    def _on_crash(self, error: BaseException) -> None:
        self._failure = error
        self._stop.set()
