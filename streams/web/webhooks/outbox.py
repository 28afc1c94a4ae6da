"""From posts to the broker: what comes together goes together, and nobody waits for ever."""

import asyncio
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from agents.ports import Outgoing, Publisher

SECONDS: Final = 8.0
"""How long a post waits for the broker: SparkPost hangs up after 10 s."""

_log = structlog.get_logger()


class Outbox:
    """Publishes records one publish at a time: those that come meanwhile make up the next."""

    def __init__(self, publisher: Publisher, seconds: float) -> None:
        """Take the publisher, and how long a record may wait for it."""
        self._publisher = publisher
        self._seconds = seconds
        self._waiting: dict[asyncio.Future[bool], Outgoing] = {}
        self._sending: asyncio.Task[None] | None = None

    async def put(self, record: Outgoing) -> bool:
        """Publish a record: True once the broker has acknowledged it, False where it has not in time or refuses.

        After a False the record may still get there: a provider that tries again then repeats itself.
        """
        acknowledged: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[acknowledged] = record
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        try:
            async with asyncio.timeout(self._seconds):
                return await acknowledged
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(acknowledged, None)

    async def close(self) -> None:
        """Give up on what is under way."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])

    async def _send(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, {}
            try:
                await self._publisher.publish(list(taken.values()))
            except KafkaError as error:
                _log.error("webhooks-refused-by-broker", error=type(error).__name__)
                outcome: bool | Exception = False
            except Exception as error:  # noqa: BLE001 - not to go on: whoever waits raises it
                outcome = error
            else:
                outcome = True
            for acknowledged in taken:
                if acknowledged.done():
                    continue
                if isinstance(outcome, bool):
                    acknowledged.set_result(outcome)
                else:
                    acknowledged.set_exception(outcome)
