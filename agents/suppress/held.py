"""What the brake holds back, as a queue: each record waits for `hold` of its tenant, then its order is passed on. Pure.

The queue is the topic; this is what has been read of it. Records of tenants that are held back for long hold up no
others. Passed on twice, an order says nothing the second time: the owner knows what it has said.
"""

from heapq import heappop, heappush
from typing import Final

from agents.ports import Outgoing, Record
from agents.suppress.brake import HELD
from schemas.codec import decode_order
from schemas.order import ORDERS, Held
from schemas.policy import Policy
from schemas.rejected import Rejected

PIECE: Final = 1_000
"""Orders passed on at a time."""


class HeldQueue:
    """The orders of some partitions of `bounceline-held-suppressions` that wait."""

    def __init__(self, policy: Policy) -> None:
        """Start with none."""
        self._policy = policy
        self._waiting: dict[bytes, bytes] = {}
        self._due: list[tuple[int, bytes]] = []  # a heap; those passed on by others are passed over when they come up

    def __len__(self) -> int:
        """Count the orders that wait."""
        return len(self._waiting)

    def take(self, record: Record, now: int) -> None:
        """Take a record in; `now` is in ms: the clock of who wrote it may be ahead, and must not prolong the wait."""
        if record.key is None:
            return  # nobody's order: it could never be deleted
        if record.value is None:
            self._waiting.pop(record.key, None)
        elif record.key not in self._waiting:
            self._waiting[record.key] = record.value
            heappush(self._due, (min(record.timestamp or 0, now) + self._hold(record.value), record.key))

    def _hold(self, value: bytes) -> int:
        order = decode_order(value)
        if isinstance(order, Rejected) or not isinstance(order[0], Held):
            return 0  # whoever reads the orders makes a dead letter of what is none
        return self._policy.of(order[0].tenant).brake.hold

    def due(self, now: int) -> list[Outgoing]:
        """Give the orders, some at a time, whose time has come by `now` (ms); they wait no longer."""
        found: list[Outgoing] = []
        while self._due and self._due[0][0] <= now and len(found) < PIECE:
            _, key = heappop(self._due)
            value = self._waiting.pop(key, None)
            if value is not None:
                found.append(Outgoing(ORDERS, key, value, place=key.partition(b"\x1f")[0]))
        return found


def passed_on(orders: list[Outgoing]) -> list[Outgoing]:
    """Give what deletes orders from the queue once they have been passed on."""
    return [order._replace(topic=HELD, value=None) for order in orders]
