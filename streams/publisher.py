"""Publishing: records go out and are acknowledged by the broker before anybody relies on them."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from agents.ports import Outgoing
from streams.settings import Settings

MAX_REQUEST_BYTES: Final = 5_308_416
"""A dead letter holds a report of up to 4 MiB and its headers; `dead-letters` takes 5 MiB, plus 64 KiB for framing."""

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0

_Sent = tuple[str, bytes | None, bytes | None, Sequence[tuple[str, bytes]], int | None]

_log = structlog.get_logger()


class KafkaPublisher:
    """Writes records to Kafka with acks=all (`agents.ports.Publisher`)."""

    def __init__(self, settings: Settings) -> None:
        """Take where to write; nothing is opened before `start`."""
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect to the broker."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka,
            acks="all",
            max_request_size=MAX_REQUEST_BYTES,
            max_batch_size=262_144,  # fewer, larger requests: one batch of 1,000 events is about 400 kB
            linger_ms=0,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is buffered and close."""
        if self._producer is not None:
            await self._producer.stop()

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Write records; return once the broker has acknowledged every one.

        Trouble that may pass is retried in place, for as long as it takes: the batch waits, nothing is skipped.

        Raises:
            KafkaError: The broker refuses for good, such as a record that is too large or a missing permission.

        """
        topic = self._settings.topic
        await self._send([(topic(o.topic), o.key, o.value, o.headers, None) for o in outgoing])

    async def publish_to(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> int:
        """Write key and value pairs to one partition of a topic of ours, in order.

        Returns the offset of the last one.
        """
        name = self._settings.topic(topic)
        return await self._send([(name, key, value, (), partition) for key, value in records])

    async def _send(self, records: Sequence[_Sent]) -> int:
        if self._producer is None:
            raise RuntimeError("the publisher is not started")
        left, pause, last = list(records), FIRST_PAUSE_SECONDS, -1
        while left:
            sent = [
                await self._producer.send(topic, value, key, partition, headers=list(headers))
                for topic, key, value, headers, partition in left
            ]
            results = await asyncio.gather(*sent, return_exceptions=True)
            failed = []
            for record, result in zip(left, results, strict=True):
                if isinstance(result, KafkaTimeoutError) or (isinstance(result, KafkaError) and result.retriable):
                    failed.append(record)
                elif isinstance(result, BaseException):
                    raise result
                else:
                    last = max(last, result.offset)
            if failed:
                _log.warning("publish-retry", records=len(failed), pause_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            left = failed
        return last
