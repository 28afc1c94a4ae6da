"""Deciding: delivery events or orders and their contacts in, suppressions and changed contacts out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from agents.suppress.attempts import any_failed
from agents.suppress.contact import Contact
from agents.suppress.coordinates import COMMANDS, DENIALS, First, Place, of_event, of_order
from agents.suppress.reasons import reasons, suppression
from schemas.command import Erase, Retract
from schemas.delivery import DeliveryEvent
from schemas.order import Denial, Held, Order, Restatement
from schemas.policy import Policy
from schemas.suppression import Suppression

Name = tuple[str, str]
"""A contact by tenant and canonical recipient."""

Timed = tuple[DeliveryEvent, int]
"""A delivery event with its event time in ms."""


TimedOrder = tuple[Order, int]
"""An order with its time in ms, 0 where it has none."""


class Erased(NamedTuple):
    """A contact that has been forgotten: null is to be published for it."""

    tenant: str
    recipient: str


Said = Suppression | Erased
"""What is published of a contact."""


class Decision(NamedTuple):
    """What a batch leads to.

    said: what to publish, in order: a record for each change of what stands, as `replay` has it. They are not
        folded into one per contact. A crash may have come between a record and what was to be remembered of it, and
        the batch that is decided again may be another: what was said then has to be taken back aloud.
    changed: the contacts whose state is to be written.
    late: how many events were more than the allowed lateness older than the watermark.
    dropped: how many attempts and events were dropped, since a contact had too many.
    """

    said: Sequence[Said]
    changed: Sequence[Name]
    late: int = 0
    dropped: int = 0


class _Saying:
    """What is said while a batch is decided, and which contacts changed."""

    def __init__(self, contacts: Mapping[Name, Contact], policy: Policy) -> None:
        self.said: list[Said] = []
        self.changed: dict[Name, bool] = {}
        self._contacts = contacts
        self._policy = policy

    def say(self, name: Name, cause: str, *, learnt: bool, again: bool = False) -> None:
        """Say what stands of a contact if that has changed, or `again`, where it has not."""
        tenant, recipient = name
        contact = self._contacts[name]
        contact.recipient = recipient
        after = reasons(contact, self._policy.of(tenant))
        before = () if again and after == contact.standing else contact.standing
        record = suppression(tenant, recipient, before, after, self._policy.hash_of(tenant), cause)
        if record is not None:
            contact.standing, contact.unsaid = after, False
            self.said.append(record)
        self.note(name, learnt=learnt or record is not None)

    def note(self, name: Name, *, learnt: bool) -> None:
        """Take note of whether anything was learnt of a contact."""
        self.changed[name] = self.changed.get(name, False) or learnt

    def retract(self, incidents: Sequence[Retract]) -> None:
        """Take away what incidents that never happened have brought contacts."""
        for name, contact in self._contacts.items() if incidents else ():
            for incident in incidents:
                if incident.reaches(*name) and contact.retract(incident, name[0]):
                    self.say(name, f"retract:{incident.id}", learnt=True)

    def decision(self, late: int = 0) -> Decision:
        """Give what it came to."""
        changed = [name for name, has in self.changed.items() if has]
        return Decision(self.said, changed, late, _dropped(self._contacts.values()))


def decide(
    contacts: Mapping[Name, Contact],
    events: Sequence[Timed],
    policy: Policy,
    watermark: int,
    retracted: Sequence[Retract] = (),
    under_way: Sequence[Retract] = (),
    places: Sequence[Place | None] = (),
) -> Decision:
    """Take a batch of events in, in order.

    Args:
        contacts: Every contact the events name; changed in place.
        events: Classified delivery events of one partition.
        policy: The policy of all tenants.
        watermark: The partition's watermark, in ms: what is forgotten, and what is late, is measured from it.
        retracted: Every incident that never happened: events from within it change nothing.
        under_way: Those of them that not every contact has been freed of.
        places: Where the events lie, in the same order; empty where they lie nowhere (`replay`).

    """
    saying = _Saying(contacts, policy)
    saying.retract(under_way)
    late = 0
    for (event, at), place in zip_longest(events, places):
        name = (event.tenant, event.recipient)
        contact, own_policy = contacts[name], policy.of(event.tenant)
        late += at < watermark - own_policy.soft_bounce.allowed_lateness
        before = contact.newest
        reached = [one for one in retracted if one.reaches(*name)] if retracted else ()
        first: First = None
        # Most events are deliveries to healthy contacts, of which no coordinates are kept.
        if place and (event.effect != "reset" or any_failed(contact.marks)):
            first = of_event(place, "" if event.effect == "block" else event.rule, policy.hash_of(event.tenant))
        learnt = contact.apply(event, at, own_policy, watermark, reached, first)
        # Where nothing is new, a new policy is applied all the same, at a contact's next event, whatever that is.
        if learnt or name not in saying.changed:
            late_one = learnt and at < before
            cause = "resubscribed" if event.effect == "lift" else "late-report" if late_one else "report"
            saying.say(name, cause, learnt=learnt)
    return saying.decision(late)


def carry_out(
    contacts: Mapping[Name, Contact],
    orders: Sequence[TimedOrder],
    policy: Policy,
    retracted: Sequence[Retract] = (),
    under_way: Sequence[Retract] = (),
) -> Decision:
    """Take a batch of orders in, in order; arguments are as of `decide`. What was ordered before changes nothing."""
    saying = _Saying(contacts, policy)
    saying.retract(under_way)
    for order, at in orders:
        name = order.name
        if name is None or isinstance(order, Retract):
            continue
        contact = contacts[name]
        if isinstance(order, Restatement):
            if contact.is_forgotten and order.said:
                saying.said.append(Erased(*name))  # a release would name who is forgotten
                saying.note(name, learnt=False)
                continue
            contact.standing = order.said.reasons if order.said else ()  # as if it had been said last
            saying.say(name, "report", learnt=False)
        elif isinstance(order, Held):
            if contact.unsaid:  # else it has been said since, or what was held back was decided anew after a crash
                saying.say(name, "report", learnt=True, again=True)
        elif isinstance(order, Denial):
            first = of_order(DENIALS, order.record, policy.hash_of(order.tenant))
            reached = [one for one in retracted if one.reaches(*name)]
            learnt = contact.carry_out(order, at, policy.of(order.tenant), reached, first)
            saying.say(name, "check", learnt=learnt)
        elif contact.obey(
            order, policy.of(order.tenant), of_order(COMMANDS, order.record, policy.hash_of(order.tenant))
        ):
            if isinstance(order, Erase):
                saying.said.append(Erased(*name))
            saying.say(name, f"command:{order.id}", learnt=True)
    return saying.decision()


def retract(contacts: Mapping[Name, Contact], incident: Retract, policy: Policy) -> Decision:
    """Free contacts of an incident that never happened; `contacts` are changed in place."""
    saying = _Saying(contacts, policy)
    saying.retract([incident])
    return saying.decision()


def _dropped(contacts: Iterable[Contact]) -> int:
    return sum(contact.dropped for contact in contacts)
