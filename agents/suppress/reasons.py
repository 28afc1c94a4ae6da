"""From what is known of a contact to the reasons why it is blocked, and to the record that says so (SPEC 6)."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from agents.gate.preblock import standing_since
from agents.suppress import attempts
from agents.suppress.at_once import AtOnce
from agents.suppress.attempts import KINDS
from agents.suppress.contact import Contact
from agents.suppress.identity import suppression_id
from agents.suppress.orders import NETWORK_RULE, SOFT_BOUNCE_RULE
from schemas.policy import Preblock, TenantPolicy
from schemas.suppression import Action, Reason, Suppression
from schemas.times import format_time
from schemas.typology import SOFT, STRENGTH, TYPOLOGY, Status

ERASED_RULE = "erased"
"""The rule of what still denies after the person has been forgotten."""

Reasons = tuple[Reason, ...]


def reasons(contact: Contact, policy: TenantPolicy) -> Reasons:
    """Give the reasons why a contact is blocked, strongest first; none means it is not."""
    if not contact.is_kept:
        return ()
    found: list[Reason] = []
    for status in {*contact.at_once, *contact.by_hand} - SOFT - {"Preblock"}:
        since, attempt_id, rule, _ = contact.events_of(status)[0]
        found.append(_reason(status, since, rule, (attempt_id,) if attempt_id else ()))
    if preblock := _preblock(contact, policy.preblock):
        found.append(preblock)
    if soft := _soft(contact, policy):
        found.append(soft)
    return tuple(sorted(found, key=lambda reason: STRENGTH[reason.status]))


def denying(contact: Contact) -> Reasons:
    """Give why a contact may not be mailed: what stands, and what an erasure has left of it."""
    if not contact.orders.denied:
        return contact.standing
    stand = {reason.status for reason in contact.standing}
    left = [_reason(s, at, ERASED_RULE, ()) for s, at in contact.orders.denied.items() if s not in stand]
    return tuple(sorted([*contact.standing, *left], key=lambda reason: STRENGTH[reason.status]))


def _soft(contact: Contact, policy: TenantPolicy) -> Reason | None:
    """Give the soft-bounce reason: the run of failures, or a soft status by hand where that is the earlier."""
    by_hand = [(event, s) for s in SOFT for event in contact.by_hand.get(s, ())]
    run = attempts.decide(contact.marks, policy.soft_bounce, contact.soft_released)
    if by_hand:
        (since, command_id, rule, _), named = min(by_hand)
        if not run or since < run[-1].at:
            return _reason(named, since, rule, (command_id,))
    if not run:
        return None
    last = run[-1]
    status: Status = KINDS[last.kind]  # type: ignore[assignment]  # a failed attempt's kind is a soft status
    evidence = tuple(attempt.attempt_id for attempt in run)
    return _reason(status, last.at, SOFT_BOUNCE_RULE, evidence, failures=len(run))


def _preblock(contact: Contact, policy: Preblock) -> Reason | None:
    """Give the pre-block that lasts longer: that of events and commands, or the network's."""
    events = contact.events_of("Preblock")
    latest = events[-1][0] if events else -1
    told = standing_since(contact.network, policy)
    if told is not None and told > latest:
        return _reason("Preblock", told, NETWORK_RULE, (), expires_at=told + policy.window)
    if not events:
        return None
    since, attempt_id, rule, _ = _last_chain(events, policy.window)[0]
    return _reason("Preblock", since, rule, (attempt_id,), expires_at=latest + policy.window)


def _last_chain(events: Sequence[AtOnce], window: int) -> Sequence[AtOnce]:
    """Give the latest unbroken chain of pre-blocks, each at most a window after the one before."""
    first = len(events) - 1
    while first > 0 and events[first][0] - events[first - 1][0] <= window:
        first -= 1
    return events[first:]


def _reason(
    status: Status,
    since: int,
    rule: str,
    evidence: tuple[str, ...],
    *,
    failures: int | UnsetType = UNSET,
    expires_at: int | None = None,
) -> Reason:
    meaning = TYPOLOGY[status]
    return Reason(
        status=status,
        category=meaning.category,
        severity=meaning.severity,
        since=format_time(since),
        expires_at=None if expires_at is None else format_time(expires_at),
        rule=rule,
        failures=failures,
        evidence=evidence,
    )


def suppression(
    tenant: str, recipient: str, before: Reasons, after: Reasons, policy_hash: str, cause: str
) -> Suppression | None:
    """Give the record to publish when the reasons of a contact changed, or None when nothing is to be said.

    A contact with no reason left is released; the record then names the strongest reason lifted.
    """
    if before == after:
        return None
    action: Action = "suppress" if after else "release"
    named = after or before
    strongest = named[0]
    return Suppression(
        schema=1,
        tenant=tenant,
        recipient=recipient,
        action=action,
        status=strongest.status,
        category=strongest.category,
        severity=strongest.severity,
        since=strongest.since,
        expires_at=strongest.expires_at,
        reasons=after,
        suppression_id=suppression_id(tenant, recipient, action, (r.status for r in named), strongest.since),
        policy=policy_hash,
        cause=cause,
    )
