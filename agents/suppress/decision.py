"""Deciding a batch: delivery events or orders and their contacts in, suppressions and changed contacts out. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents.suppress.contact import Contact
from agents.suppress.reasons import reasons, suppression
from schemas.delivery import DeliveryEvent
from schemas.order import Order
from schemas.policy import Policy
from schemas.suppression import Suppression

Name = tuple[str, str]
"""A contact by tenant and canonical recipient."""

Timed = tuple[DeliveryEvent, int]
"""A delivery event with its event time in ms."""


TimedOrder = tuple[Order, int]
"""An order with its `since` in ms."""


class Decision(NamedTuple):
    """What a batch leads to.

    suppressions: records to publish, at most one per contact: a batch's changes of one contact are folded into one.
    changed: the contacts whose state is to be written.
    late: how many events were more than the allowed lateness older than the watermark.
    """

    suppressions: Sequence[Suppression]
    changed: Sequence[Name]
    late: int


def decide(contacts: Mapping[Name, Contact], events: Sequence[Timed], policy: Policy, watermark: int) -> Decision:
    """Take a batch of events in, in order.

    Args:
        contacts: Every contact the events name; changed in place.
        events: Classified delivery events of one partition.
        policy: The policy of all tenants.
        watermark: The partition's watermark, in ms: what is forgotten, and what is late, is measured from it.

    """
    touched: dict[Name, bool] = {}
    causes: dict[Name, str] = {}
    late = 0
    for event, at in events:
        name = (event.tenant, event.recipient)
        contact, own_policy = contacts[name], policy.of(event.tenant)
        late += at < watermark - own_policy.soft_bounce.allowed_lateness
        before = contact.newest
        if contact.apply(event, at, own_policy, watermark):
            touched[name] = True
            causes[name] = "resubscribed" if event.effect == "lift" else "late-report" if at < before else "report"
        else:
            # Nothing new, but a new policy is applied at a contact's next event, whatever that is (SPEC 6).
            touched.setdefault(name, False)
    return _decision(contacts, touched, causes, policy, late)


def carry_out(contacts: Mapping[Name, Contact], orders: Sequence[TimedOrder], policy: Policy) -> Decision:
    """Take a batch of orders in, in order; arguments are as of `decide`. What was ordered before changes nothing."""
    touched: dict[Name, bool] = {}
    causes: dict[Name, str] = {}
    for order, at in orders:
        name = (order.tenant, order.recipient)
        if contacts[name].obey(order, at):
            touched[name] = True
            causes[name] = "check"
    return _decision(contacts, touched, causes, policy, 0)


def _decision(
    contacts: Mapping[Name, Contact], touched: dict[Name, bool], causes: Mapping[Name, str], policy: Policy, late: int
) -> Decision:
    """Say what has changed of the contacts that were touched, each with whether its state has to be written."""
    said: list[Suppression] = []
    for name in touched:
        tenant, recipient = name
        contact = contacts[name]
        after = reasons(contact, policy.of(tenant))
        cause = causes.get(name, "report")
        record = suppression(tenant, recipient, contact.standing, after, policy.hash_of(tenant), cause)
        if record:
            contact.standing = after
            said.append(record)
            touched[name] = True
    return Decision(said, [name for name, changed in touched.items() if changed], late)
