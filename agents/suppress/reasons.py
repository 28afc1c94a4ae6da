"""From what is known of a contact to the reasons why it is blocked, and to the record that says so (SPEC 6)."""

from msgspec import UNSET, UnsetType

from agents.suppress import attempts
from agents.suppress.attempts import KINDS
from agents.suppress.contact import Contact
from agents.suppress.identity import suppression_id
from schemas.policy import TenantPolicy
from schemas.suppression import Action, Reason, Suppression
from schemas.times import format_time
from schemas.typology import STRENGTH, TYPOLOGY, Status

SOFT_BOUNCE_RULE = "soft-bounce-limit"
"""The rule of a soft-bounce reason: `limit` failed attempts in a row."""

NETWORK_RULE = "check-network"
"""The rule of a Preblock that a check has found: a hard bounce of other tenants (`agents.gate.preblock`)."""

Reasons = tuple[Reason, ...]


def reasons(contact: Contact, policy: TenantPolicy) -> Reasons:
    """Give the reasons why a contact is blocked, strongest first; none means it is not."""
    if not contact.is_kept:
        return ()
    at_once = dict(contact.at_once)
    if unsubscribe := contact.standing_unsubscribe():
        at_once["User"] = unsubscribe
    found = [
        _reason(status, since, rule, (attempt_id,) if attempt_id else ())
        for status, (since, attempt_id, rule) in at_once.items()
    ]
    if run := attempts.decide(contact.marks, policy.soft_bounce):
        last = run[-1]
        status: Status = KINDS[last.kind]  # type: ignore[assignment]  # a failed attempt's kind is a soft status
        evidence = tuple(attempt.attempt_id for attempt in run)
        found.append(_reason(status, last.at, SOFT_BOUNCE_RULE, evidence, failures=len(run)))
    if preblock := _preblock(contact, policy.preblock.window):
        found.append(preblock)
    return tuple(sorted(found, key=lambda reason: STRENGTH[reason.status]))


def _preblock(contact: Contact, window: int) -> Reason | None:
    """Give the pre-block that lasts longer: that of the provider's events, or the network's."""
    latest = contact.preblocks[-1][3] if contact.preblocks else -1
    if contact.network is not None and contact.network > latest:
        return _reason("Preblock", contact.network, NETWORK_RULE, (), expires_at=contact.network + window)
    if not contact.preblocks:
        return None
    since, attempt_id, rule, _ = contact.preblocks[-1]
    return _reason("Preblock", since, rule, (attempt_id,), expires_at=latest + window)


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
