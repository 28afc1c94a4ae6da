"""Deciding a batch: delivery events or a command and the contacts they are about in, suppressions out. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents.suppress.contact import Contact
from agents.suppress.reasons import reasons, suppression
from schemas.command import Command, Erase, Retract
from schemas.delivery import DeliveryEvent
from schemas.policy import Policy
from schemas.suppression import Suppression

Name = tuple[str, str]
"""A contact by tenant and canonical recipient."""

Timed = tuple[DeliveryEvent, int]
"""A delivery event with its event time in ms."""


class Decision(NamedTuple):
    """What a batch leads to.

    suppressions: records to publish, at most one per contact: a batch's changes of one contact are folded into one.
    changed: the contacts whose state is to be written.
    late: how many events were more than the allowed lateness older than the watermark.
    dropped: how many attempts and events were dropped, since a contact had too many.
    """

    suppressions: Sequence[Suppression]
    changed: Sequence[Name]
    late: int
    dropped: int


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
    touched: dict[Name, bool] = {}
    causes: dict[Name, str] = {}
    late = 0
    for event, at in events:
        name = (event.tenant, event.recipient)
        contact, own_policy = contacts[name], policy.of(event.tenant)
        late += at < watermark - own_policy.soft_bounce.allowed_lateness
        before = contact.newest
        reached = [one for one in retracted if one.reaches(*name)] if retracted else ()
        if contact.apply(event, at, own_policy, watermark, reached):
            contact.recipient = event.recipient
            touched[name] = True
            causes[name] = "resubscribed" if event.effect == "lift" else "late-report" if at < before else "report"
        else:
            # Nothing new, but a new policy is applied at a contact's next event, whatever that is (SPEC 6).
            touched.setdefault(name, False)
    said: list[Suppression] = []
    for name in touched:
        if record := _said(contacts[name], name, policy, causes.get(name, "report")):
            said.append(record)
            touched[name] = True
    dropped = sum(contacts[name].dropped for name in touched)
    return Decision(said, [name for name, changed in touched.items() if changed], late, dropped)


def obey(contact: Contact, name: Name, command: Command, policy: Policy) -> Obeyed:
    """Take a command in for one contact that it names, or reaches; the contact is changed in place."""
    if not contact.obey(command):
        return Obeyed(changed=False, erased=False, suppression=None)
    erased = isinstance(command, Erase)
    contact.recipient = name[1]
    cause = f"retract:{command.id}" if isinstance(command, Retract) else f"command:{command.id}"
    return Obeyed(changed=True, erased=erased, suppression=_said(contact, name, policy, cause))


def _said(contact: Contact, name: Name, policy: Policy, cause: str) -> Suppression | None:
    """Give the record to publish of a contact, if its reasons are not those that stand, and take note of them."""
    tenant, recipient = name
    after = reasons(contact, policy.of(tenant))
    record = suppression(tenant, recipient, contact.standing, after, policy.hash_of(tenant), cause)
    if record:
        contact.standing = after
    return record
