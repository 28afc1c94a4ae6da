"""From posts to the broker: acknowledged or not, in time or not, and together where they come together."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from agents.ports import Outgoing
from streams.web.webhooks.outbox import Outbox


class Broker:
    """Takes records when it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.taken: list[list[Outgoing]] = []
        self.error: Exception | None = None

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        await self.open.wait()
        if self.error:
            raise self.error
        self.taken.append(list(outgoing))


def record(number: int) -> Outgoing:
    return Outgoing("esp-reports", None, b"%d" % number)


async def test_nobody_is_told_before_the_broker_has_it():
    broker = Broker()
    outbox = Outbox(broker, seconds=5.0)
    waiting = asyncio.create_task(outbox.put(record(1)))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    broker.open.set()
    assert await waiting is True
    assert broker.taken == [[record(1)]]


async def test_what_comes_while_one_is_under_way_goes_together():
    broker = Broker()
    outbox = Outbox(broker, seconds=5.0)
    waiting = [asyncio.create_task(outbox.put(record(number))) for number in range(1)]
    await asyncio.sleep(0.01)
    waiting += [asyncio.create_task(outbox.put(record(number))) for number in range(1, 10)]
    await asyncio.sleep(0.01)
    broker.open.set()
    assert await asyncio.gather(*waiting) == [True] * 10
    assert [len(together) for together in broker.taken] == [1, 9]


async def test_a_broker_that_is_away_keeps_nobody_waiting_for_ever_and_gets_no_more_than_the_first_of_them_later():
    broker = Broker()
    outbox = Outbox(broker, seconds=0.05)
    assert await asyncio.gather(*(outbox.put(record(number)) for number in range(5))) == [False] * 5
    assert await outbox.put(record(5)) is False
    broker.open.set()
    assert await outbox.put(record(6)) is True
    # The first publish had begun and can't be called back; what had not is gone, since its provider was told so.
    assert broker.taken == [[record(number) for number in range(5)], [record(6)]]


async def test_a_record_that_the_broker_refuses_is_not_acknowledged_and_the_next_one_is():
    broker = Broker()
    broker.open.set()
    broker.error = MessageSizeTooLargeError()
    outbox = Outbox(broker, seconds=5.0)
    assert await outbox.put(record(1)) is False
    broker.error = None
    assert await outbox.put(record(2)) is True


async def test_the_unexpected_reaches_whoever_waits():
    broker = Broker()
    broker.open.set()
    broker.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await Outbox(broker, seconds=5.0).put(record(1))


async def test_a_close_lets_go_of_what_is_under_way():
    broker = Broker()
    outbox = Outbox(broker, seconds=0.1)
    waiting = asyncio.create_task(outbox.put(record(1)))
    await asyncio.sleep(0.01)
    await outbox.close()
    assert await waiting is False
    await Outbox(broker, seconds=5.0).close()
