"""The Faust app: agents bound to topics, the table of contacts, and what of Faust is switched off and why."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import faust
from mode.utils.queues import ThrowableQueue

from streams.batches import batch_topic, batches
from streams.partition_runs import PartitionRuns
from streams.redis_url import scheme_of
from streams.settings import Settings

HEARTBEATS_PER_SESSION: Final = 3.0  # three lost heartbeats in a row lose the session, as Kafka's own clients have it


async def _nothing() -> None:
    pass


class App(faust.App):
    """A Faust app. `before_revoked` is called when a rebalance begins, before Faust waits for the batches in work."""

    before_revoked: Callable[[], Awaitable[None]] = staticmethod(_nothing)

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> ThrowableQueue[Any]:  # noqa: N802 - Faust's
        """Make a queue of an agent's messages, one that is not emptied when a rebalance ends.

        Faust empties it once it has gone back to the committed offsets, though it fetches while it does so: what came
        of a partition that had gone back already would be read no more, and nothing behind it be committed. What is of
        before the rebalance needs no emptying: an agent's stream passes it over by its generation.
        """
        return super().FlowControlQueue(maxsize)


def make_app(settings: Settings) -> App:
    """Make a Faust app that owns nothing but its consumer group.

    Topics are made from the catalogue, never by Faust; the web server is ours, since Faust's shows table contents;
    state is shared in Redis, so there are no standbys; and Faust has nothing to restore or to check, since
    `streams.state.changelog` does.
    """
    return App(
        settings.group,
        broker=";".join(f"bounceline://{server}" for server in settings.kafka.split(",")),
        store=f"{scheme_of(settings.redis)}://",  # hosts and passwords are in the table's options
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
        broker_max_poll_records=8_000,  # a batch of every partition
        consumer_max_fetch_size=4_194_304 + 65_536,  # at least one report of the largest size the topic takes
        stream_buffer_maxsize=8,  # batches, not records
        stream_wait_empty=True,  # a partition is let go of after the batch in work is done and committed
        producer_acks=-1,
        # Faust's metrics count messages, here batches; ours are in `streams.metrics`.
        loghandlers=[],
    )


def bind(app: faust.App, topic: str, name: str, runs: PartitionRuns, *, beside: bool = False) -> Any:
    """Bind an agent, run once per partition, to a topic under an explicit name.

    The same runs may be bound to a second topic with as many partitions, `beside` the first: Faust gives partitions of
    one number to one worker, and their batches are decided one after the other.
    """

    async def run(stream: Any) -> None:
        await runs.take(batches(stream, beside=beside))

    return app.agent(batch_topic(app, topic), name=name)(run)
