"""The brake: a sudden wave of blocks for one recipient domain is held back for a while, so that somebody can look.

An outage at a mailbox provider looks like that. A held block stands from the first moment on (a check denies at once);
only its record on `suppressions` waits. In its place goes an order to say it, on a topic, so that a crash loses none.
What comes of the contact meanwhile is said at once; the order then says nothing. Pure: minutes are those of arrival.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from agents.ports import Outgoing
from agents.suppress.contact import Contact
from agents.suppress.decision import Decision, Erased, Name, Said
from agents.suppress.identity import ContactKeys
from agents.suppress.partition import Usual
from schemas.codec import encode
from schemas.order import Held, order_key
from schemas.policy import Policy
from schemas.suppression import Suppression
from schemas.times import MINUTE
from schemas.typology import Status

HELD: Final = "bounceline-held-suppressions"
"""Name of the topic in the catalogue."""

NEVER_HELD: Final[frozenset[Status]] = frozenset(("Spam", "User"))
"""What only a recipient says."""

REPORTED: Final = ("report", "late-report")

SHARE: Final = 1 / 60
"""How much of a minute goes into what is usual: an average of the last hour or so."""

STRAGGLING: Final = 10
"""Minutes that a block may arrive behind others of its domain and yet count with them: partitions of `esp-reports` are
read at different paces. What is older comes out of a backlog; it is not counted and not held back."""

MAX_DOMAINS: Final = 10_000
"""Domains counted per partition; of more, the one not seen for longest begins anew."""

MAX_REMEMBERED: Final = 256
"""Domains of which it is remembered what is usual, for who takes the partition next: those with the most blocks."""


class Wave(NamedTuple):
    """A wave that is held back: the recipient domain, its blocks in this minute so far, and how many are usual."""

    domain: str
    blocks: int
    usual: float


class _Domain:
    """The blocks of one domain: in the minute that is running, how many of these were let through, and in a usual one.

    What is held back does not become usual, or a wave would be let through after a few minutes.
    """

    __slots__ = ("blocks", "let_through", "minute", "told", "usual")

    def __init__(self, minute: int, usual: float = 0.0) -> None:
        self.minute = minute
        self.blocks = self.let_through = 0
        self.usual = usual
        self.told = False

    def count(self, minute: int) -> bool:
        """Count a block; say whether it is of now."""
        if minute < self.minute - STRAGGLING:
            return False
        if minute > self.minute:
            # The minute that ended, and those between, in which there was nothing.
            self.usual += (self.let_through - self.usual) * SHARE
            self.usual *= (1 - SHARE) ** (minute - self.minute - 1)
            self.minute, self.blocks, self.let_through, self.told = minute, 0, 0, False
        self.blocks += 1
        return True


class Brake:
    """The brake of one partition. Contacts are spread evenly, so the whole installation's blocks are that many more.

    usual: what is to be remembered of how many blocks are usual; another one with a new minute.
    """

    def __init__(
        self,
        policy: Policy,
        partitions: int,
        contact_key: ContactKeys,
        on_wave: Callable[[Wave], None],
        new_id: Callable[[], str],
    ) -> None:
        """Take the policy and over how many partitions contacts are spread.

        Args:
            policy: The policy of all tenants.
            partitions: How many there are.
            contact_key: How contacts are named.
            on_wave: Called once a minute for each domain of which anything is held back.
            new_id: Gives an id that was never given before. An order is deleted by its id, so it must be no other's.

        """
        self.usual: Usual = {}
        self._policy = policy
        self._partitions = partitions
        self._contact_key = contact_key
        self._on_wave = on_wave
        self._new_id = new_id
        self._domains: OrderedDict[str, _Domain] = OrderedDict()
        self._minute: int | None = None  # the newest one counted; None before the first

    def part(
        self, decision: Decision, contacts: Mapping[Name, Contact], arrived: Mapping[Name, int], usual: Usual
    ) -> tuple[Decision, list[Outgoing]]:
        """Take out of a decision what is held back.

        Args:
            decision: What a batch of delivery events has led to.
            contacts: The contacts; those of which the last word is held back are marked so.
            arrived: When the report of each contact arrived, in ms.
            usual: What the partition remembers of how many blocks are usual.

        Returns:
            The decision with what is said now, and the orders to say the rest later.

        """
        if self._minute is None:
            self.usual = usual
            self._domains.update((name, _Domain(*known)) for name, known in usual.items())
            self._minute = 0
        aloud: list[Said] = []
        for one in decision.said:
            is_held = self._holds(one, arrived.get((one.tenant, one.recipient), 0) // MINUTE)
            if not isinstance(one, Erased):
                contacts[one.tenant, one.recipient].unsaid = is_held
            if not is_held:
                aloud.append(one)
        held = {(s.tenant, s.recipient) for s in decision.said if contacts[s.tenant, s.recipient].unsaid}
        return decision._replace(said=aloud), [self._order(*name) for name in sorted(held)]

    def _holds(self, one: Said, minute: int) -> bool:
        if not _may_be_held(one):
            return False
        name = one.recipient.rpartition("@")[2]
        domain = self._domains.setdefault(name, _Domain(minute))
        self._domains.move_to_end(name)
        if len(self._domains) > MAX_DOMAINS:
            self._domains.popitem(last=False)
        if not domain.count(minute):
            return False
        if minute > (self._minute or 0):
            self._minute = minute
            self.usual = self._remembered()
        rule = self._policy.of(one.tenant).brake
        blocks, usual = domain.blocks * self._partitions, domain.usual * self._partitions
        if not rule.enabled or blocks <= max(rule.floor, rule.factor * usual):
            domain.let_through += 1
            return False
        if not domain.told:
            domain.told = True
            self._on_wave(Wave(name, blocks, usual))
        return True

    def _remembered(self) -> Usual:
        """Give what is worth remembering: domains with a block a minute and more."""
        known = ((name, one.minute, round(one.usual, 3)) for name, one in self._domains.items())
        busy = sorted((one for one in known if one[2] * self._partitions >= 1), key=lambda one: (-one[2], one[0]))
        return {name: (minute, usual) for name, minute, usual in busy[:MAX_REMEMBERED]}

    def _order(self, tenant: str, recipient: str) -> Outgoing:
        key = self._contact_key(recipient)
        return Outgoing(HELD, order_key(key, self._new_id()), encode(Held(tenant, recipient)), place=key.encode())


def _may_be_held(one: Said) -> bool:
    """Say whether a record tells of a block that reports have brought, and that no recipient has asked for."""
    if not isinstance(one, Suppression) or one.action != "suppress" or one.cause not in REPORTED:
        return False
    return NEVER_HELD.isdisjoint(reason.status for reason in one.reasons)


def is_on(policy: Policy) -> bool:
    """Say whether any tenant has a brake."""
    return any(own.brake.enabled for own in policy.all)
