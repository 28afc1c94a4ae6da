"""The Faust app: agents bound to topics, the table of contacts, and what of Faust is switched off and why."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import faust

from agents.ports import Agent
from streams.batches import batch_topic, batches
from streams.settings import Settings

HEARTBEATS_PER_SESSION: Final = 3.0  # three lost heartbeats in a row lose the session, as Kafka's own clients have it


def make_app(settings: Settings) -> faust.App:
    """Make a Faust app that owns nothing but its consumer group.

    Topics are made from the catalogue, never by Faust; the web server is ours, since Faust's shows table contents;
    state is shared in Redis, so there are no standbys; and Faust has nothing to restore or to check, since
    `streams.changelog` does.
    """
    return faust.App(
        settings.group,
        broker=";".join(f"bounceline://{server}" for server in settings.kafka.split(",")),
        store=settings.redis,
        # Faust insists on a folder; nothing that matters is in it.
        datadir=Path(tempfile.gettempdir()) / f"{settings.group}-faust",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        table_standby_replicas=0,
        recovery_consistency_check=False,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / HEARTBEATS_PER_SESSION,
        broker_request_timeout=max(30.0, settings.session_timeout_seconds * 1.5),
        broker_commit_interval=1.0,  # what a crash repeats at most, beside the batch in work
        broker_max_poll_records=4_000,  # a few batches; more only costs memory
        consumer_max_fetch_size=4_194_304 + 65_536,  # at least one report of the largest size the topic takes
        stream_buffer_maxsize=8,  # batches, not records
        stream_wait_empty=True,  # a partition is let go of after the batch in work is done and committed
        producer_acks=-1,
        # Faust's metrics count messages, here batches; ours are in `streams.metrics`.
        loghandlers=[],
    )


def bind(app: faust.App, topic: str, name: str, agent: Agent, on_crash: Callable[[BaseException], None]) -> Any:
    """Bind an agent to a topic under an explicit name.

    Whatever the agent raises is unexpected and goes to `on_crash`: Faust would acknowledge the batch and go on.
    """

    async def run(stream: Any) -> None:
        try:
            await agent(batches(stream))
        except Exception as error:  # noqa: BLE001 - not to go on, but to stop: see above
            on_crash(error)
            await asyncio.Event().wait()  # the process is about to end; a Faust agent that returned would be restarted

    return app.agent(batch_topic(app, topic), name=name)(run)
