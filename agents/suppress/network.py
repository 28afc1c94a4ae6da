"""What the network learns from a batch: each tenant's latest hard bounce of an address, in the address's partition."""

from collections.abc import Mapping, Sequence
from typing import Final

from agents.gate.preblock import HardBounces, merged, pruned, to_bounces, to_cell, told_by, without
from agents.ports import Changed, Known
from agents.suppress.cells import NO_DAY
from agents.suppress.contact import Contact
from agents.suppress.decision import Name, Timed
from agents.suppress.identity import ContactKeys, network_name
from agents.suppress.needed import of_network
from schemas.command import Retract
from schemas.order import HardBounce
from schemas.policy import Policy

TakenBack = Mapping[str, Mapping[str, HardBounce | None]]
"""Table key -> tenants whose latest hard bounce has been retracted, with the latest one left."""

NOTHING: Final[Mapping[str, HardBounces]] = {}
NOTHING_TAKEN_BACK: Final[TakenBack] = {}


def taken_back(
    incidents: Sequence[Retract], contacts: Mapping[Name, Contact], known: Mapping[str, Known], contact_key: ContactKeys
) -> TakenBack:
    """Give what incidents take back from the network, as `learnt` wants it; `contacts` have been freed of them."""
    found: dict[str, dict[str, HardBounce | None]] = {}
    for (tenant, recipient), contact in contacts.items() if incidents else ():
        name = network_name(contact_key(recipient))
        bounce = to_bounces(known[name].cells.get(NO_DAY)).get(tenant)
        reaching = [one for one in incidents if one.reaches(tenant, recipient)]
        # Where it is not known what was told, the contact knows.
        if bounce and reaching and (not bounce.status or not without([bounce], reaching)):
            found.setdefault(name, {})[tenant] = contact.latest_hard_bounce(tenant)
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
            one.reaches(event.tenant, event.recipient)
            and one.voids(event.tenant, event.status or "", at, event.provider or "")
            for one in retracted
        )
    ]


def learnt(
    known: Mapping[str, Known],
    told: Mapping[str, HardBounces],
    newest: int,
    policy: Policy,
    taken_back: TakenBack = NOTHING_TAKEN_BACK,
) -> dict[str, Changed]:
    """Give what is to be remembered of that, in `ContactTable.write`'s terms; nothing for what is known.

    Args:
        known: What the table knows, by table key.
        told: What a batch tells, by table key.
        newest: The partition's watermark, in ms: what is a window and a lateness older is forgotten.
        policy: The policy of all tenants.
        taken_back: What is taken back from what it knows.

    """
    changed = {}
    for name in {**told, **taken_back}:
        before = known[name].cells.get(NO_DAY)
        left = {**to_bounces(before), **taken_back.get(name, {})}
        after = merged({t: bounce for t, bounce in left.items() if bounce}, told.get(name, {}))
        after = pruned(after, newest, policy)
        cell = to_cell(after) if after else None
        if cell != before:
            changed[name] = Changed({NO_DAY: cell}, (), of_network(after, policy))
    return changed
