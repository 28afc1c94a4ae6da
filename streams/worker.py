"""The composition root: settings in, a running worker out. The only module that knows everything."""

import asyncio
import signal
import uuid
from contextlib import suppress
from typing import Any, Final, cast

import structlog
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from redis.exceptions import RedisClusterException, RedisError

from agents.budget import Budget
from agents.classify.agent import make_classify_agent
from agents.command.agent import make_command_agent
from agents.gate.agent import make_check_agent
from agents.gate.desk import make_desk
from agents.suppress.agent import make_suppress_agent
from agents.suppress.brake import Brake, is_on
from agents.suppress.identity import contact_keys
from schemas.order import ORDERS
from schemas.topics import catalogue
from streams.app import bind, make_app
from streams.arrivals import RedisArrivals
from streams.held import HeldBack
from streams.installation import Presence, check_secret
from streams.metrics import PrometheusMeter
from streams.partition_runs import PartitionRuns
from streams.publisher import KafkaPublisher
from streams.settings import Settings, SettingsInvalid
from streams.state.changelog import Changelog
from streams.state.clients import async_client
from streams.state.contacts import RedisContactTable, make_contacts
from streams.state.deliveries import Deliveries
from streams.state.reader import ContactReader
from streams.topics import ensure_topics
from streams.transport import Consumer
from streams.web.gate import Gate
from streams.web.local import LOOPBACK, is_loopback
from streams.web.server import Web
from streams.web.webhooks.configuration import NOBODY, load
from streams.web.webhooks.routes import Webhooks

STOP_SECONDS: Final = 20.0
"""How long a stop may take; 5 s are left to the promise of 25 s for a batch that no broker or Redis lets finish."""

WATCH_SECONDS: Final = 0.5

ARRIVALS_SECONDS: Final = 0.5

ASKED_SECONDS: Final = 30.0
"""How long a request on the topic waits for state that is being restored, before its answer is `not-ready`."""

_log = structlog.get_logger()


class WorkerFailed(Exception):
    """The worker met something unexpected and stopped; nothing it had not finished is committed."""


class Worker:
    """One worker: takes its share of the partitions until it is stopped."""

    def __init__(self, settings: Settings, http_port: int | None = None, http_host: str = LOOPBACK) -> None:
        """Wire the parts together; nothing is opened before `run`.

        Raises:
            SettingsInvalid: Others than this machine could ask over HTTP, and no tokens say who may; or the webhooks
                file can't be used.

        """
        self._settings = settings
        only_here = is_loopback(http_host)
        if settings.tokens is None and not only_here:
            raise SettingsInvalid(
                f"{http_host} is not loopback: set BOUNCELINE_TOKENS to a file that says who may ask over HTTP"
            )
        self._meter = PrometheusMeter()
        self._publisher = KafkaPublisher(settings)
        self.app = make_app(settings)
        self._reports, self._events = settings.topic("esp-reports"), settings.topic("delivery-events")
        self._failure: BaseException | None = None
        self._stop = asyncio.Event()
        configured = load(settings.webhooks) if settings.webhooks else None if only_here else NOBODY
        webhooks = Webhooks(configured, settings, self._publisher, self._meter)

        contact_key = contact_keys(settings.contact_secret)
        count = catalogue()["delivery-events"].partitions
        store = make_contacts(self.app, settings.redis, count).table.data
        deliveries = Deliveries(settings, store.partitions, contact_key)
        changelog = Changelog(settings, store, self._publisher, deliveries.renote)
        self._contacts = RedisContactTable(settings, store.partitions, changelog, self._on_crash)
        reader = ContactReader(store.partitions, contact_key, count)
        desk = make_desk(reader, self._publisher, contact_key, settings.policy)
        patient = ContactReader(store.partitions, contact_key, count, ASKED_SECONDS)
        patient_desk = make_desk(patient, self._publisher, contact_key, settings.policy)
        budget = Budget(settings.policy)
        check = make_check_agent(patient_desk, self._publisher, self._meter, budget)
        bind(self.app, settings.topic("send-requests"), "check", PartitionRuns(check, self._on_crash))
        gate = Gate(
            *(desk, reader, settings.tokens, settings.policy, self._meter),
            rules=settings.rules,
            topic=settings.topic,
        )
        self._web = Web(self._meter, self.is_ready, http_port, webhooks, gate.routes(), http_host)
        self._redis = async_client(settings.redis)
        self._arrivals = RedisArrivals(self._redis, f"{settings.group}:arrivals", catalogue()["esp-reports"].partitions)
        classify = make_classify_agent(self._publisher, contact_key, self._meter, settings.rules, budget)
        command = make_command_agent(self._publisher, contact_key, catalogue()[ORDERS].partitions, self._meter, budget)
        bind(self.app, settings.topic("contact-commands"), "command", PartitionRuns(command, self._on_crash))
        suppress = make_suppress_agent(
            self._contacts,
            self._publisher,
            self._arrivals,
            contact_key,
            settings.policy,
            self._meter,
            (lambda: Brake(settings.policy, count, contact_key, _new_id)) if is_on(settings.policy) else None,
            budget,
        )
        self._held = HeldBack(settings, self._publisher, self._meter, self._on_crash)
        bind(self.app, self._reports, "classify", PartitionRuns(classify, self._on_crash))
        self._suppress = PartitionRuns(suppress, self._on_crash, self._is_ours_all_the_same)
        bind(self.app, self._events, "suppress", self._suppress)
        bind(self.app, settings.topic(ORDERS), "suppress-orders", self._suppress, beside=True)
        self.app.before_revoked = self._contacts.revoked
        cast("Any", self.app.on_partitions_assigned).connect(self._on_assigned)
        cast("Any", self.app.on_partitions_revoked).connect(self._on_revoked)

    def is_ready(self) -> bool:
        """Whether work is being taken: partitions are assigned, their state is whole, and nothing has crashed."""
        app = self.app
        running = app.started and not app.crashed and app.tables.actives_ready and not app.rebalancing
        return running and self._contacts.is_ready()

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or `stop`.

        Raises:
            WorkerFailed: Something unexpected happened, or the batch in work could not be finished in time.

        """
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stop.set)
        await ensure_topics(self._settings)
        await check_secret(self._settings)
        presence = Presence(self._settings)
        await presence.join()
        watching = [loop.create_task(each) for each in (presence.stay(), self._watch_faust(), self._watch_arrivals())]
        for task in watching:
            task.add_done_callback(self._on_watch_end)
        await self._publisher.start()
        await self._web.start()
        await self.app.start()
        _log.info("worker-started", group=self._settings.group)
        await self._stop.wait()
        if self._failure:
            # Not a graceful stop: that would wait for the batch that can't be finished.
            raise WorkerFailed("the worker met something unexpected and stopped") from self._failure
        # Not cancelled when it takes too long, for Faust would not have it: the process ends beside it.
        stopping = loop.create_task(self._finish())
        await asyncio.wait([stopping], timeout=STOP_SECONDS)
        if not stopping.done():
            raise WorkerFailed("the batch in work could not be finished: it will be decided again") from self._failure
        await stopping
        for task in watching:
            task.cancel()
        await presence.leave()
        await self._redis.aclose()
        _log.info("worker-stopped", group=self._settings.group)

    async def _finish(self) -> None:
        await self._held.stop()
        await self._contacts.revoked()
        await self.app.stop()
        await self._web.stop()  # before the publisher: webhooks are taken until then
        await self._publisher.stop()

    async def _watch_faust(self) -> None:
        """Raise when a part of Faust has crashed: it would go on as if alive, and do nothing."""
        while not self.app.crashed:  # noqa: ASYNC110 - Faust has a flag for it and no event
            await asyncio.sleep(WATCH_SECONDS)
        raise WorkerFailed("a part of Faust has crashed") from self.app.crash_reason

    async def _watch_arrivals(self) -> None:
        """Tell how far reports have been read, and learn how far the others are; Redis may be away meanwhile."""
        while True:
            await asyncio.sleep(ARRIVALS_SECONDS)
            with suppress(RedisError, RedisClusterException, ConsumerNotStarted):  # it starts in a thread of its own
                consumer = cast("Consumer", self.app.consumer)
                events = self._events
                await self._arrivals.look(
                    consumer.progress(self._reports), consumer.views(events), consumer.progress(events)
                )

    async def _on_assigned(self, _app: Any, assigned: set[TP], **_: Any) -> None:
        if self._stop.is_set():
            return
        partitions = {tp.partition for tp in assigned if tp.topic == self._events}
        self._contacts.assigned(partitions)
        self._held.assigned(partitions)
        for partition in partitions:
            self._suppress.begin(partition)

    async def _on_revoked(self, _app: Any, _revoked: set[TP], **_: Any) -> None:
        # Faust waits for this before it joins the group again, so the next owner comes after it. Every rebalance
        # revokes all.
        await self._contacts.revoked()

    def _is_ours_all_the_same(self, partition: int) -> bool:
        """Say of a partition that another worker has taken whether it is ours: not while ours are being revoked."""
        return self._contacts.fenced(partition) and cast("Consumer", self.app.consumer).flow_active

    def _on_watch_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._on_crash(error)

    def stop(self) -> None:
        """Ask `run` to finish what is in work and return."""
        self._stop.set()

    def _on_crash(self, error: BaseException) -> None:
        self._failure = error
        self._stop.set()


def _new_id() -> str:
    return uuid.uuid4().hex
