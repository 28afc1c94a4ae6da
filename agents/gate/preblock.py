"""The network pre-block: an address that bounced hard for others just now is not mailed (SPEC 8). Pure.

What the network knows of an address is one small value: of each tenant its latest hard bounce. That is all the rule
asks, and the latest is the same in whatever order the bounces come and however often. What a denial rests on stays with
the contact, so that a block falls with the bounces that turn out never to have been (SPEC 7).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.command import Retract
from schemas.delivery import DeliveryEvent
from schemas.order import HardBounce
from schemas.policy import Policy, Preblock
from schemas.typology import HARD

HardBounces = Mapping[str, HardBounce]
"""What the network knows of one address: tenant -> its latest hard bounce."""

NOTHING: Final[HardBounces] = {}

MAX_RESTS_ON: Final = 16
"""Hard bounces that are kept of those a pre-block rests on, or `min_tenants` if that is more: some 1.5 kB at most.

Few addresses bounce for as many tenants within a window, and an incident rarely takes all of them."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[HardBounce] | dict[str, int]).decode  # once it was tenant -> event time


class Preblocked(NamedTuple):
    """A pre-block by the network, times in ms: since its latest hard bounce, until a window later."""

    since: int
    expires_at: int
    rests_on: tuple[HardBounce, ...]


def told_by(event: DeliveryEvent, at: int, policy: Policy) -> HardBounces:
    """Give what a delivery event tells the network; `at` is its event time in ms.

    Nothing unless it is a hard bounce (Typofix is none) of a tenant who shares.
    """
    if event.status not in HARD or not policy.of(event.tenant).preblock.share:
        return NOTHING
    return {event.tenant: HardBounce(at, event.tenant, event.status, event.provider or "")}


def merged(one: HardBounces, other: HardBounces) -> HardBounces:
    """Put together what two know of an address: of each tenant the latest."""
    found = dict(one)
    for tenant, bounce in other.items():
        found[tenant] = max(bounce, found.get(tenant, bounce))
    return found


def pruned(bounces: HardBounces, newest: int, policy: Policy) -> HardBounces:
    """Forget what no check can still ask for; `newest` is the newest event time seen, in ms.

    A check asks at most the longest `preblock.window` of any tenant back, and comes at most the allowed lateness late.
    """
    oldest = newest - max(one.preblock.window + one.soft_bounce.allowed_lateness for one in policy.all)
    return {tenant: bounce for tenant, bounce in bounces.items() if bounce.at > oldest}


def preblocked(
    bounces: HardBounces, tenant: str, policy: Policy, now: int, exempt_until: int | None
) -> Preblocked | None:
    """Say whether the network pre-blocks an address for a tenant, for how long, and on what that rests.

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
        bounce
        for other, bounce in bounces.items()
        if other != tenant
        and now - bounce.at < rule.window
        and (exempt_until is None or bounce.at > exempt_until)
        and policy.of(other).preblock.share
    ]
    if len(told) < rule.min_tenants:
        return None
    latest = max(told).at
    return Preblocked(latest, latest + rule.window, tuple(bounded(told, rule)))


# -- what a pre-block rests on ------------------------------------------------------------------------------------


def bounded(bounces: Iterable[HardBounce], rule: Preblock) -> list[HardBounce]:
    """Give the bounces to be kept of those that pre-blocks of a contact rest on, sorted.

    Of too many, each tenant's latest go before any tenant's earlier ones, so that enough tenants are left.
    """
    told: Counter[str] = Counter()
    ranked = []
    for place, bounce in enumerate(sorted(set(bounces), reverse=True)):
        ranked.append((told[bounce.tenant], place, bounce))
        told[bounce.tenant] += 1
    return sorted(bounce for _, _, bounce in sorted(ranked)[: max(MAX_RESTS_ON, rule.min_tenants)])


def without(bounces: Iterable[HardBounce], incidents: Collection[Retract]) -> list[HardBounce]:
    """Give the bounces that no incident takes away; they reach the recipient. The domain is its, all else the bounce's.

    One of which is not known what was told is taken by whoever retracts hard bounces and names no provider; and no
    tenant, unless it is known whose it was.
    """
    return [bounce for bounce in bounces if not any(_is_void(bounce, incident) for incident in incidents)]


def _is_void(bounce: HardBounce, incident: Retract) -> bool:
    at, tenant, status, provider = bounce
    if status:
        return incident.voids(tenant, status, at, provider)
    return any(incident.voids(tenant, hard, at, None) for hard in HARD)


def standing_since(rests_on: Sequence[HardBounce], rule: Preblock) -> int | None:
    """Give the time, in ms, of the latest bounce with which enough tenants have one within a window; None without any.

    Where it is not known whose it was, a check has counted enough.
    """
    for bounce in reversed(rests_on):
        tenants = {other.tenant for other in rests_on if bounce.at - rule.window < other.at <= bounce.at}
        if not bounce.tenant or len(tenants) >= rule.min_tenants:
            return bounce.at
    return None


# -- what is kept of an address -----------------------------------------------------------------------------------


def to_cell(bounces: HardBounces) -> bytes:
    """Write what is known of an address as JSON, the same bytes for the same value."""
    return _encode(sorted(bounces.values()))


def to_bounces(cell: bytes | None) -> HardBounces:
    """Read what `to_cell` wrote; nothing is known where there is no cell.

    Raises:
        msgspec.DecodeError: It is not what `to_cell` wrote: the table holds something else than our state.

    """
    if cell is None:
        return NOTHING
    found = _decode(cell)
    if isinstance(found, dict):
        return {tenant: HardBounce(at, tenant) for tenant, at in found.items()}
    return {bounce.tenant: bounce for bounce in found}
