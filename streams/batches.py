"""Chunks of a partition as Faust messages, and as the batches that agents take.

Only topics made with `batch_topic` are delivered in chunks, by `streams.transport`; any other keeps Faust's per-record
delivery.
"""

from collections.abc import AsyncIterator
from typing import Any

import faust
from aiokafka.structs import ConsumerRecord


class BatchSchema(faust.Schema[bytes, list[ConsumerRecord]]):
    """Leaves keys and values as they are: decoding is the agent's, so that a poison record can't stop a stream."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Give the key untouched."""
        return message.key

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Give the chunk of records untouched."""
        return message.value


def batch_topic(app: faust.App, name: str) -> Any:
    """Make a Faust topic whose events carry a list of records each. `name` is the name on the broker."""
    return app.topic(name, schema=BatchSchema(), internal=False)


class Chunk(list[ConsumerRecord]):
    """Records of one partition, and whether they are done; who holds it does not hold the Faust message."""

    done = False


class FaustBatch:
    """One chunk of a partition, as agents see it (`agents.ports.Batch`)."""

    __slots__ = ("_event", "beside", "partition", "records", "start")

    def __init__(self, event: Any, *, beside: bool = False) -> None:
        """Wrap a Faust event of a batch topic."""
        self._event = event
        self.beside = beside
        self.partition: int = event.message.partition
        self.records: Chunk = event.message.value
        self.start: int = self.records[0].offset

    def done(self) -> None:
        """Acknowledge the chunk; its offsets are committed at the next commit."""
        self.records.done = True
        self._event.ack()

    def drop(self) -> None:
        """Let go of the chunk undone. A rebalance waits for what is unacknowledged, for as long as anybody holds it."""
        self._event.app.consumer._unacked_messages.discard(self._event.message)


async def batches(stream: Any, *, beside: bool = False) -> AsyncIterator[FaustBatch]:
    """Give the chunks of a Faust stream one after the other; nothing is acknowledged but by `done`."""
    async for event in stream.noack().events():
        yield FaustBatch(event, beside=beside)
