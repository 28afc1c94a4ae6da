"""The brake: a sudden wave of blocks for one recipient domain is held back for a while, so that somebody can look.

An outage at a mailbox provider looks like that. A held block stands from the first moment on (a check denies at once);
only its record on `suppressions` waits. In its place goes an order to say it, on a topic, so that a crash loses none.
What comes of the contact meanwhile is said at once; the order then says nothing. Pure: minutes are those of arrival.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Final, NamedTuple

from agents.ports import Outgoing
from agents.suppress.contact import Contact
from agents.suppress.decision import Decision, Erased, Name, Said
from agents.suppress.identity import ContactKeys
from agents.suppress.partition import Usual
from schemas.codec import encode
from schemas.order import Held, order_key
from schemas.policy import Policy
from schemas.suppression import Reason, Suppression
from schemas.times import MINUTE, format_time
from schemas.typology import Status

HELD: Final = "bounceline-held-suppressions"
"""Name of the topic in the catalogue."""

NEVER_HELD: Final[frozenset[Status]] = frozenset(("Spam", "User"))
"""What only a recipient says."""

REPORTED: Final = ("report", "late-report")

SPREAD: Final = 4.0
"""Standard deviations by which the blocks of one partition may exceed its share, for contacts are spread by chance: a
minute with just `floor` blocks has one held in fewer than 2 of 100 cases (`tests/suppress/test_brake_numbers.py`)."""

SHARE: Final = 1 / 60
"""How much of a minute goes into what is usual: an average of the last hour or so. Of a minute in which something was
held back it is `factor` times less: what is let through then is about `factor` times what is usual, so that a wave that
goes on doubles that or so within an hour, whatever the factor."""

STRAGGLING: Final = 10
"""Minutes that a block may arrive behind others of its domain and yet count with them: partitions of `esp-reports` are
read at different paces. What is older comes out of a backlog; it is not counted and not held back."""

MAX_DOMAINS: Final = 10_000
"""Domains counted per partition; of more, the one not seen for longest begins anew."""

MAX_REMEMBERED: Final = 256
"""Domains of which it is remembered what is usual, for who takes the partition next: those with the most blocks."""


class Before(NamedTuple):
    """What stood of a contact before a batch: the reasons, and whether the record of them is held back."""

    standing: Sequence[Reason]
    unsaid: bool


class _Domain:
    """The blocks of one domain: in the minute that is running, how many of these were let through, and in a usual one.

    What is held back does not become usual, or a wave would be let through after a few minutes.
    """

    __slots__ = ("blocks", "let_through", "minute", "share", "usual")

    def __init__(self, minute: int, usual: float = 0.0) -> None:
        self.minute = minute
        self.blocks = self.let_through = 0
        self.usual = usual
        self.share = SHARE

    def count(self, minute: int) -> bool:
        """Count a block; say whether it is of now."""
        if minute < self.minute - STRAGGLING:
            return False
        if minute > self.minute:
            # The minute that ended, and those between, in which there was nothing.
            self.usual += (self.let_through - self.usual) * self.share
            self.usual *= (1 - SHARE) ** (minute - self.minute - 1)
            self.minute, self.blocks, self.let_through, self.share = minute, 0, 0, SHARE
        self.blocks += 1
        return True


class Brake:
    """The brake of one partition. Contacts are spread evenly, so the whole installation's blocks are that many more.

    usual: what is to be remembered of how many blocks are usual; another one with a new minute.
    """

    def __init__(self, policy: Policy, partitions: int, contact_key: ContactKeys, new_id: Callable[[], str]) -> None:
        """Take the policy and over how many partitions contacts are spread.

        Args:
            policy: The policy of all tenants.
            partitions: How many there are.
            contact_key: How contacts are named.
            new_id: Gives an id that was never given before. An order is deleted by its id, so it must be no other's.

        """
        self.usual: Usual = {}
        self._policy = policy
        self._partitions = partitions
        self._contact_key = contact_key
        self._new_id = new_id
        self._domains: OrderedDict[str, _Domain] = OrderedDict()
        self._minute: int | None = None  # the newest one counted; None before the first

    def part(
        self,
        decision: Decision,
        contacts: Mapping[Name, Contact],
        before: Mapping[Name, Before],
        arrived: Mapping[Name, int],
        usual: Usual,
    ) -> tuple[Decision, list[Outgoing]]:
        """Take out of a decision what is held back.

        Args:
            decision: What a batch of delivery events has led to.
            contacts: The contacts; those of which the last word is held back are marked so.
            before: What stood of each contact before the batch.
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
        held: set[Name] = set()
        stood = {(one.tenant, one.recipient): before[one.tenant, one.recipient] for one in decision.said}
        for one in decision.said:
            name = one.tenant, one.recipient
            unsaid = self._holds(one, stood[name], arrived.get(name, 0))
            (held.add if unsaid else held.discard)(name)
            if isinstance(one, Erased):
                stood[name] = Before((), unsaid=False)
            else:
                stood[name] = Before(one.reasons, unsaid)
                contacts[name].unsaid = unsaid
            if not unsaid:
                aloud.append(one)
        return decision._replace(said=aloud), [self._order(*name) for name in sorted(held)]

    def _holds(self, one: Said, stood: Before, arrived: int) -> bool:
        if not isinstance(one, Suppression) or not _may_be_held(one):
            return False
        if stood.unsaid:
            # It waits on and is no other block. An order of its own all the same: nothing hangs on that of before.
            return self._policy.of(one.tenant).brake.enabled
        at = format_time(arrived)
        return _blocks(one.reasons, at) and not _blocks(stood.standing, at) and self._is_beyond(one, arrived // MINUTE)

    def _is_beyond(self, one: Suppression, minute: int) -> bool:
        """Count a block; say whether it is one more than is to be expected."""
        name = _domain(one.recipient)
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
        most = max(rule.floor, rule.factor * domain.usual * self._partitions)
        if rule.enabled and domain.blocks > self._expected(most):
            domain.share = min(domain.share, SHARE / rule.factor)
            return True
        domain.let_through += 1
        return False

    def _expected(self, most: float) -> float:
        """Give how many blocks one partition may see while there are `most` in all: its share, and what chance adds."""
        share = most / self._partitions
        return min(most, share + SPREAD * sqrt(share * (1 - 1 / self._partitions)))

    def _remembered(self) -> Usual:
        """Give what is worth remembering: domains with a block a minute and more."""
        known = ((name, one.minute, round(one.usual, 3)) for name, one in self._domains.items())
        busy = sorted((one for one in known if one[2] * self._partitions >= 1), key=lambda one: (-one[2], one[0]))
        return {name: (minute, usual) for name, minute, usual in busy[:MAX_REMEMBERED]}

    def _order(self, tenant: str, recipient: str) -> Outgoing:
        key = self._contact_key(recipient)
        known = self._domains.get(_domain(recipient))
        usual = round(known.usual * self._partitions, 1) if known else 0.0
        order = Held(tenant, recipient, usual)
        return Outgoing(HELD, order_key(key, self._new_id()), encode(order), place=key.encode())


def _domain(recipient: str) -> str:
    return recipient.rpartition("@")[2]


def _may_be_held(one: Suppression) -> bool:
    """Say whether a record tells of a block that reports have brought, and that no recipient has asked for."""
    if one.action != "suppress" or one.cause not in REPORTED:
        return False
    return NEVER_HELD.isdisjoint(reason.status for reason in one.reasons)


def _blocks(reasons: Sequence[Reason], at: str) -> bool:
    """Say whether any reason holds at a time, RFC 3339 as `format_time` writes it."""
    return any(reason.expires_at is None or reason.expires_at > at for reason in reasons)


def is_on(policy: Policy) -> bool:
    """Say whether any tenant has a brake."""
    return any(own.brake.enabled for own in policy.all)
