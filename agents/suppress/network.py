"""What the network learns from a batch: each tenant's latest hard bounce of an address, in the address's partition."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from agents.gate.preblock import HardBounces, merged, pruned, to_bounces, to_cell, told_by
from agents.ports import Changed, Known
from agents.suppress.cells import NO_DAY
from agents.suppress.contact import Contact
from agents.suppress.decision import Name, Timed
from agents.suppress.identity import ContactKeys, network_name
from agents.suppress.needed import of_network
from schemas.command import Retract
from schemas.policy import Policy

NOTHING_TAKEN_BACK: Final[Mapping[str, HardBounces]] = {}


def taken_back(
    lost: Collection[Name], contacts: Mapping[Name, Contact], known: Mapping[str, Known], contact_key: ContactKeys
) -> dict[str, HardBounces]:
    """Give what a retraction takes back from the network, as `learnt` wants it: of tenants that had told it."""
    found: dict[str, HardBounces] = {}
    for tenant, recipient in lost:
        name = network_name(contact_key(recipient))
        if tenant in to_bounces(known[name].cells.get(NO_DAY)):
            latest = contacts[tenant, recipient].latest_hard_bounce or 0
            found[name] = {**found.get(name, {}), tenant: latest}
    return found


def told(events: Sequence[Timed], contact_key: ContactKeys, policy: Policy) -> dict[str, HardBounces]:
    """Give what a batch of delivery events tells the network, by table key."""
    found: dict[str, HardBounces] = {}
    for event, at in events:
        if bounces := told_by(event, at, policy):
            name = network_name(contact_key(event.recipient))
            found[name] = merged(found.get(name, {}), bounces)
    return found


def counting(
    events: Sequence[Timed], contacts: Mapping[Name, Contact], retracted: Sequence[Retract]
) -> Sequence[Timed]:
    """Leave out the events that never happened, and those of people who are forgotten."""
    if not retracted and all(contact.orders.erased is None for contact in contacts.values()):
        return events
    return [
        (event, at)
        for event, at in events
        if not contacts[event.tenant, event.recipient].orders.is_forgotten(at)
        and not any(
            one.reaches(event.tenant, event.recipient) and one.voids(event.status or "", at, event.provider or "")
            for one in retracted
        )
    ]


def learnt(
    known: Mapping[str, Known],
    told: Mapping[str, HardBounces],
    newest: int,
    policy: Policy,
    taken_back: Mapping[str, HardBounces] = NOTHING_TAKEN_BACK,
) -> dict[str, Changed]:
    """Give what is to be remembered of that, in `ContactTable.write`'s terms; nothing for what is known.

    Args:
        known: What the table knows, by table key.
        told: What a batch tells, by table key.
        newest: The partition's watermark, in ms: what is a window and a lateness older is forgotten.
        policy: The policy of all tenants.
        taken_back: Table key -> tenants whose hard bounces have been retracted, and the latest one left, 0 for none.

    """
    changed = {}
    for name in {**told, **taken_back}:
        before = known[name].cells.get(NO_DAY)
        left = {t: at for t, at in {**to_bounces(before), **taken_back.get(name, {})}.items() if at}
        after = pruned(merged(left, told.get(name, {})), newest, policy)
        cell = to_cell(after) if after else None
        if cell != before:
            changed[name] = Changed({NO_DAY: cell}, (), of_network(after, policy))
    return changed
