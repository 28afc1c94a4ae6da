"""Deciding: delivery events, denials or a command and the contacts they are about in, suppressions out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agents.suppress.contact import Contact
from agents.suppress.reasons import reasons, suppression
from schemas.command import Command, Erase, Retract
from schemas.delivery import DeliveryEvent
from schemas.order import Order, Restatement
from schemas.policy import Policy
from schemas.suppression import Suppression

Name = tuple[str, str]
"""A contact by tenant and canonical recipient."""

Timed = tuple[DeliveryEvent, int]
"""A delivery event with its event time in ms."""


TimedOrder = tuple[Order, int]
"""An order with its `since` in ms, 0 where it has none."""


class Decision(NamedTuple):
    """What a batch leads to.

    suppressions: records to publish, in order: one for each change of what stands, as `replay` has it. They are not
        folded into one per contact. A crash may have come between a record and what was to be remembered of it, and
        the batch that is decided again may be another: what was said then has to be taken back aloud.
    changed: the contacts whose state is to be written.
    late: how many events were more than the allowed lateness older than the watermark.
    dropped: how many attempts and events were dropped, since a contact had too many.
    """

    suppressions: Sequence[Suppression]
    changed: Sequence[Name]
    late: int = 0
    dropped: int = 0


class Obeyed(NamedTuple):
    """What a command leads to for one contact.

    changed: whether its state is to be written.
    erased: whether null is to be published for it, before the record.
    suppression: the record to publish, if its reasons changed.
    """

    changed: bool
    erased: bool
    suppression: Suppression | None


def decide(
    contacts: Mapping[Name, Contact],
    events: Sequence[Timed],
    policy: Policy,
    watermark: int,
    retracted: Sequence[Retract] = (),
) -> Decision:
    """Take a batch of events in, in order.

    Args:
        contacts: Every contact the events name; changed in place.
        events: Classified delivery events of one partition.
        policy: The policy of all tenants.
        watermark: The partition's watermark, in ms: what is forgotten, and what is late, is measured from it.
        retracted: Every incident that never happened.

    """
    said: list[Suppression] = []
    changed: dict[Name, bool] = {}
    late = 0
    for event, at in events:
        name = (event.tenant, event.recipient)
        contact, own_policy = contacts[name], policy.of(event.tenant)
        late += at < watermark - own_policy.soft_bounce.allowed_lateness
        before = contact.newest
        reached = [one for one in retracted if one.reaches(*name)] if retracted else ()
        learnt = contact.apply(event, at, own_policy, watermark, reached)
        contact.recipient = event.recipient
        # Where nothing is new, a new policy is applied all the same, at a contact's next event, whatever that is.
        if learnt or name not in changed:
            late_one = learnt and at < before
            cause = "resubscribed" if event.effect == "lift" else "late-report" if late_one else "report"
            learnt = _say(said, name, contact, policy, cause) or learnt
        changed[name] = changed.get(name, False) or learnt
    return Decision(said, [name for name, has in changed.items() if has], late, _dropped(contacts.values()))


def carry_out(contacts: Mapping[Name, Contact], orders: Sequence[TimedOrder], policy: Policy) -> Decision:
    """Take a batch of orders in, in order; arguments are as of `decide`. What was ordered before changes nothing."""
    said: list[Suppression] = []
    changed: dict[Name, bool] = {}
    for order, at in orders:
        name = order.name
        if name is None:
            continue
        contact = contacts[name]
        if isinstance(order, Restatement):
            contact.standing = order.said.reasons if order.said else ()  # as if it had been said last
            learnt = _say(said, name, contact, policy, "report")
        else:
            learnt = contact.carry_out(order, at, policy.of(order.tenant))
            contact.recipient = order.recipient
            learnt = _say(said, name, contact, policy, "check") or learnt
        changed[name] = changed.get(name, False) or learnt
    return Decision(said, [name for name, has in changed.items() if has], dropped=_dropped(contacts.values()))


def obey(contact: Contact, name: Name, command: Command, policy: Policy) -> Obeyed:
    """Take a command in for one contact that it names, or reaches; the contact is changed in place."""
    if not contact.obey(command, policy.of(name[0])):
        return Obeyed(changed=False, erased=False, suppression=None)
    erased = isinstance(command, Erase)
    contact.recipient = name[1]
    cause = f"retract:{command.id}" if isinstance(command, Retract) else f"command:{command.id}"
    said: list[Suppression] = []
    _say(said, name, contact, policy, cause)
    return Obeyed(changed=True, erased=erased, suppression=said[0] if said else None)


def _dropped(contacts: Iterable[Contact]) -> int:
    return sum(contact.dropped for contact in contacts)


def _say(said: list[Suppression], name: Name, contact: Contact, policy: Policy, cause: str) -> bool:
    """Say what stands of a contact if that has changed, and whether it has."""
    tenant, recipient = name
    after = reasons(contact, policy.of(tenant))
    record = suppression(tenant, recipient, contact.standing, after, policy.hash_of(tenant), cause)
    if record is None:
        return False
    contact.standing = after
    said.append(record)
    return True
