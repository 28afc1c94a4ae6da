"""Reports that a paused classifier publishes a second time, long after what they led to has been forgotten."""

from collections.abc import Sequence

import orjson

from agents.ports import Outgoing
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys
from schemas.codec import encode
from schemas.delivery import Origin
from schemas.policy import parse_policy
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, NoMeter, each
from tests.support.histories import delivery_event
from tests.support.oracle import HOUR, Event
from tests.suppress.test_backlog import NoDay

NOON = 1_763_640_000_000
FAILURES = [Event(NOON + minute, f"f{minute}", "Connection issue") for minute in range(4)]


def batch(start: int, reports: Sequence[tuple[int, Event]], recipient: str = "jane@example.com") -> MemoryBatch:
    """Give delivery events that follow from reports at offsets."""
    return MemoryBatch(
        [
            MemoryRecord(
                *("delivery-events", 0, start + place, event.at, None),
                encode(delivery_event(event, recipient=recipient)),
                [Origin(0, report, event.at).header()],
            )
            for place, (report, event) in enumerate(reports)
        ]
    )


async def said() -> list[str]:
    """Decide four failures that deliveries have settled, then the same once more, then a fifth."""
    found: list[str] = []

    def take(outgoing: Outgoing) -> None:
        if outgoing.topic == "suppressions" and outgoing.value:
            found.append(orjson.loads(outgoing.value)["action"])

    agent = make_suppress_agent(
        NoDay(), MemoryPublisher(take), InOrder(), contact_keys(b"secret"), parse_policy(""), NoMeter()
    )
    later = [(10 + hours, Event(NOON + hours * HOUR, f"d{hours}", "delivered")) for hours in (1, 10, 20)]
    await agent(
        each(
            [
                batch(0, [*enumerate(FAILURES), *later]),
                batch(10, [(40, Event(NOON + 20 * HOUR, "x", "delivered"))], "joe@example.com"),
                batch(11, [(41, Event(NOON + 20 * HOUR, "y", "delivered"))], "joe@example.com"),
                batch(100, [(place, event) for place, event in enumerate(FAILURES)]),
                batch(200, [(60, Event(NOON + 21 * HOUR, "f9", "Connection issue"))]),
            ]
        )
    )
    return found


async def test_a_report_that_is_read_again_long_after_counts_no_second_time() -> None:
    assert await said() == []
