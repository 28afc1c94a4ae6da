"""The network pre-block: an address that bounced hard for others just now is not mailed (SPEC 8). Pure.

What the network knows of an address is one small value: tenant -> its latest hard bounce. That is all the rule asks,
and the latest is the same in whatever order the bounces come and however often.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.delivery import DeliveryEvent
from schemas.policy import Policy
from schemas.typology import TYPOLOGY

HardBounces = Mapping[str, int]
"""What the network knows of one address: tenant -> event time of its latest hard bounce, in ms since 1970."""

NOTHING: Final[HardBounces] = {}

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, int]).decode


class Preblocked(NamedTuple):
    """A pre-block by the network, times in ms: since its latest hard bounce, until a window later."""

    since: int
    expires_at: int


def told_by(event: DeliveryEvent, at: int, policy: Policy) -> HardBounces:
    """Give what a delivery event tells the network; `at` is its event time in ms.

    Nothing unless it is a hard bounce (Typofix is none) of a tenant who shares.
    """
    hard = event.status is not None and TYPOLOGY[event.status].category == "hard_bounce"
    return {event.tenant: at} if hard and policy.of(event.tenant).preblock.share else NOTHING


def merged(one: HardBounces, other: HardBounces) -> HardBounces:
    """Put together what two know of an address: of each tenant the latest."""
    return {tenant: max(one.get(tenant, 0), other.get(tenant, 0)) for tenant in {*one, *other}}


def pruned(bounces: HardBounces, newest: int, policy: Policy) -> HardBounces:
    """Forget what no check can still ask for; `newest` is the newest event time seen, in ms.

    A check asks at most the longest `preblock.window` of any tenant back, and comes at most the allowed lateness late.
    """
    oldest = newest - max(one.preblock.window + one.soft_bounce.allowed_lateness for one in policy.all)
    return {tenant: at for tenant, at in bounces.items() if at > oldest}


def preblocked(
    bounces: HardBounces, tenant: str, policy: Policy, now: int, exempt_until: int | None
) -> Preblocked | None:
    """Say whether the network pre-blocks an address for a tenant, and for how long.

    Args:
        bounces: What the network knows of the address.
        tenant: Who wants to send. Its own hard bounces block by themselves and do not count here.
        policy: The policy of all tenants: how many others it takes and for how long, and whose bounces may be told.
        now: The time of the question, in ms.
        exempt_until: Up to which event time a release exempts this contact from the network's bounces, in ms.

    """
    rule = policy.of(tenant).preblock
    if not rule.enabled:
        return None
    # A release covers a bounce of its very time; who stops to share takes back what was told before.
    told = [
        at
        for other, at in bounces.items()
        if other != tenant
        and now - at < rule.window
        and (exempt_until is None or at > exempt_until)
        and policy.of(other).preblock.share
    ]
    if len(told) < rule.min_tenants:
        return None
    latest = max(told)
    return Preblocked(latest, latest + rule.window)


def to_cell(bounces: HardBounces) -> bytes:
    """Write what is known of an address as JSON, the same bytes for the same value."""
    return _encode(bounces)


def to_bounces(cell: bytes | None) -> HardBounces:
    """Read what `to_cell` wrote; nothing is known where there is no cell.

    Raises:
        msgspec.DecodeError: It is not what `to_cell` wrote: the table holds something else than our state.

    """
    return NOTHING if cell is None else _decode(cell)
