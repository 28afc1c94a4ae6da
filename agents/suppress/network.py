"""What the network learns from a batch: each tenant's latest hard bounce of an address, in the address's partition."""

from collections.abc import Mapping, Sequence

from agents.gate.preblock import HardBounces, merged, pruned, to_bounces, to_cell, told_by
from agents.ports import Changed, Known
from agents.suppress.cells import NO_DAY
from agents.suppress.decision import Timed
from agents.suppress.identity import ContactKeys, network_name
from schemas.policy import Policy


def told(events: Sequence[Timed], contact_key: ContactKeys, policy: Policy) -> dict[str, HardBounces]:
    """Give what a batch of delivery events tells the network, by table key."""
    found: dict[str, HardBounces] = {}
    for event, at in events:
        if bounces := told_by(event, at, policy):
            name = network_name(contact_key(event.recipient))
            found[name] = merged(found.get(name, {}), bounces)
    return found


def learnt(
    known: Mapping[str, Known], told: Mapping[str, HardBounces], newest: int, policy: Policy
) -> dict[str, Changed]:
    """Give what is to be remembered of that, in `ContactTable.write`'s terms; nothing for what is known.

    Args:
        known: What the table knows, by table key.
        told: What a batch tells, by table key.
        newest: The partition's watermark, in ms: what is a window and a lateness older is forgotten.
        policy: The policy of all tenants.

    """
    changed = {}
    for name, bounces in told.items():
        before = known[name].cells.get(NO_DAY)
        after = pruned(merged(to_bounces(before), bounces), newest, policy)
        cell = to_cell(after) if after else None
        if cell != before:
            changed[name] = Changed({NO_DAY: cell})
    return changed
