"""What the brake holds back, as a queue: each record waits for `hold` of its tenant, then its order is passed on. Pure.

The queue is the topic; this is what has been read of it. Records of tenants that are held back for long hold up no
others. Passed on twice, an order says nothing the second time: the owner knows what it has said.

It also knows what there is to tell of the waves that it holds back, one for each recipient domain.
"""

from collections import Counter
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Final, NamedTuple

from agents.ports import Outgoing, Record
from agents.suppress.brake import HELD
from agents.suppress.decision import Name
from schemas.codec import decode_order
from schemas.order import ORDERS, Held
from schemas.policy import Policy
from schemas.rejected import Rejected
from schemas.times import MINUTE, SECOND

PIECE: Final = 1_000
"""Orders passed on at a time."""

SETTLING: Final = 5 * SECOND
"""How long after its first block a wave is told for the first time, so that this says something of its size."""

MOST_TENANTS: Final = 5


class Wave(NamedTuple):
    """What there is to tell of a wave.

    domain: The recipient domain.
    held: How many contacts' blocks wait now; 0 when it is over.
    tenants: Tenant -> how many of these are its own; of many the five with the most.
    usual: How many blocks a minute were usual at the domain when it began, in the whole installation.
    first: When the first of these blocks goes on, in ms.
    last: When the last one does.
    let_go: How many orders have been passed on since it began.
    """

    domain: str
    held: int
    tenants: Mapping[str, int]
    usual: float
    first: int
    last: int
    let_go: int


class _Wave:
    """The orders of one domain that wait."""

    __slots__ = ("contacts", "let_go", "seen", "told", "untold", "usual")

    def __init__(self, usual: float, now: int) -> None:
        self.usual = usual
        self.contacts: dict[Name, dict[bytes, int]] = {}  # of each contact the keys of its orders, and when they go on
        self.seen = now
        self.told: int | None = None
        self.untold = self.let_go = 0

    def is_to_tell(self, now: int) -> bool:
        """Say whether there is news, and it is time for it."""
        if self.told is None and self.contacts:
            return now >= self.seen + SETTLING
        since = self.seen if self.told is None else self.told
        return now >= since + MINUTE and bool(self.untold or not self.contacts)

    def tell(self, domain: str, now: int) -> Wave:
        """Tell of it as it is now."""
        self.told, self.untold = now, 0
        tenants = Counter(tenant for tenant, _ in self.contacts)
        times = [at for orders in self.contacts.values() for at in orders.values()]
        most = dict(tenants.most_common(MOST_TENANTS))
        span = min(times, default=now), max(times, default=now)
        return Wave(domain, len(self.contacts), most, self.usual, *span, self.let_go)


class HeldQueue:
    """The orders of some partitions of `bounceline-held-suppressions` that wait."""

    def __init__(self, policy: Policy) -> None:
        """Start with none."""
        self._policy = policy
        self._waiting: dict[bytes, tuple[bytes, Held | None]] = {}
        self._due: list[tuple[int, bytes]] = []  # a heap; those passed on by others are passed over when they come up
        self._waves: dict[str, _Wave] = {}

    def __len__(self) -> int:
        """Count the orders that wait."""
        return len(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether nothing waits, and there is nothing left to tell."""
        return not self._waiting and not self._waves

    @property
    def contacts(self) -> int:
        """Count the contacts whose blocks wait: one may have several orders."""
        return sum(len(wave.contacts) for wave in self._waves.values())

    def take(self, record: Record, now: int) -> None:
        """Take a record in; `now` is in ms: the clock of who wrote it may be ahead, and must not prolong the wait."""
        if record.key is None:
            return  # nobody's order: it could never be deleted
        if record.value is None:
            self._remove(record.key)
        elif record.key not in self._waiting:
            order = _held(record.value)
            # Whoever reads the orders makes a dead letter of what is none.
            hold = self._policy.of(order.tenant).brake.hold if order else 0
            at = min(record.timestamp or 0, now) + hold
            self._waiting[record.key] = record.value, order
            heappush(self._due, (at, record.key))
            if order:
                wave = self._waves.setdefault(_domain(order), _Wave(order.usual, now))
                wave.untold += order.name not in wave.contacts
                wave.contacts.setdefault(order.name, {})[record.key] = at

    def due(self, now: int) -> list[Outgoing]:
        """Give the orders, some at a time, whose time has come by `now` (ms); they wait no longer."""
        found: list[Outgoing] = []
        while self._due and self._due[0][0] <= now and len(found) < PIECE:
            _, key = heappop(self._due)
            if key in self._waiting:
                value, order = self._waiting[key]
                if order:
                    self._waves[_domain(order)].let_go += 1
                self._remove(key)
                found.append(Outgoing(ORDERS, key, value, place=key.partition(b"\x1f")[0]))
        return found

    def _remove(self, key: bytes) -> None:
        _, order = self._waiting.pop(key, (b"", None))
        if order is None:
            return
        wave = self._waves[_domain(order)]
        own = wave.contacts[order.name]
        del own[key]
        if not own:
            del wave.contacts[order.name]
        if not wave.contacts and wave.told is None and not wave.let_go:
            del self._waves[_domain(order)]  # others have passed it on, long ago perhaps, and told of it

    def news(self, now: int) -> list[Wave]:
        """Give what there is to tell by `now` (ms): of each wave when it begins, grows, a minute apart, and is over."""
        told = [wave.tell(domain, now) for domain, wave in self._waves.items() if wave.is_to_tell(now)]
        for one in told:
            if not one.held:
                del self._waves[one.domain]
        return told


def _held(value: bytes) -> Held | None:
    order = decode_order(value)
    return order[0] if not isinstance(order, Rejected) and isinstance(order[0], Held) else None


def _domain(order: Held) -> str:
    return order.recipient.rpartition("@")[2]


def passed_on(orders: list[Outgoing]) -> list[Outgoing]:
    """Give what deletes orders from the queue once they have been passed on."""
    return [order._replace(topic=HELD, value=None) for order in orders]
