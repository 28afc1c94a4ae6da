"""What SPEC 5, 6 and 7 say, done the slow and plain way: all events of a contact at hand, nothing forgotten.

Shares no code with the project, on purpose: it is what the project's fold is measured against.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

HOUR = 3_600_000
DAY = 24 * HOUR
SOFT = ("Connection issue", "Quota exceeded")


@dataclass(frozen=True, order=True)
class Event:
    """One event of one contact: `what` is a status, `delivered` or `resubscribed`; `at` in ms."""

    at: int
    message: str
    what: str
    provider: str = "mailjet"


@dataclass(frozen=True)
class Order:
    """One command: `what` is release, suppress, erase or retract; `start` to `end` are the incident of a retract."""

    what: str
    at: int
    name: str
    statuses: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    start: int = 0
    end: int = 0
    provider: str | None = None
    tenant: str | None = None


@dataclass(frozen=True, order=True)
class Bounce:
    """A hard bounce of another tenant that a check has denied a send for."""

    at: int
    tenant: str
    what: str
    provider: str = "mailjet"


@dataclass(frozen=True, order=True)
class Attempt:
    """One message: when and how it ended, and when its first report dates."""

    at: int
    message: str
    what: str
    opened: int


@dataclass(frozen=True)
class Rule:
    """The numbers of the policy; times in ms."""

    limit: int = 5
    window: int = 365 * DAY
    lateness: int = HOUR
    preblock: int = 30 * DAY
    min_tenants: int = 1


def soft_bounce(events: set[Event], rule: Rule) -> tuple[str, int, list[str]] | None:
    """Give status, since and evidence of the soft-bounce reason, or None."""
    reports = sorted(e for e in events if e.what in SOFT or e.what == "delivered")
    attempts: list[Attempt] = []
    for report in reports:
        own = [a for a in attempts if a.message == report.message]
        if own and report.at <= own[-1].opened + rule.lateness:
            continue
        if any(a.message == report.message for a in _run_before(attempts, report, rule)):
            continue
        joined = [r for r in reports if r.message == report.message and report.at <= r.at <= report.at + rule.lateness]
        softs = sorted((r.at, r.what) for r in joined if r.what in SOFT)
        at, what = softs[0] if softs else (min(r.at for r in joined), "delivered")
        attempts.append(Attempt(at, report.message, what, report.at))
    run: list[Attempt] = []
    for attempt in sorted(attempts, key=lambda a: (a.at, a.message)):
        run = [*run, attempt] if attempt.what in SOFT else []
        last = run[-rule.limit :]
        if len(last) == rule.limit and last[-1].at - last[0].at <= rule.window:
            return last[-1].what, last[-1].at, [a.message for a in last]
    return None


def _run_before(attempts: list[Attempt], report: Event, rule: Rule) -> list[Attempt]:
    """Give the failures that stand next to each other right before a report, and near enough to count with it."""
    run: list[Attempt] = []
    for attempt in sorted(attempts, key=lambda a: (a.at, a.message)):
        if (attempt.at, attempt.message) > (report.at, report.message):
            break
        run = [*run, attempt] if attempt.what in SOFT else []
    return [a for a in run if report.at - a.at <= rule.window]


EVENT_RULE = "a-rule"
"""The rule that classified every event of a history."""


def happened(events: set[Event], orders: Iterable[Order]) -> set[Event]:
    """Leave out what never happened, and what is forgotten."""
    left = set(events)
    for order in orders:
        if order.what == "retract":
            left = {e for e in left if not (order.tenant in (None, "acme") and _voids(order, e))}
        if order.what == "erase":
            # A consent before an erasure has nothing left to lift but what came before it, which is gone as well.
            left = {e for e in left if e.at > order.at}
    return left


def _voids(order: Order, told: Event | Bounce) -> bool:
    of_provider = order.provider in (None, told.provider or "normalized")
    return told.what in order.statuses and order.start <= told.at < order.end and of_provider


def network(denied: Iterable[Bounce], rule: Rule, orders: Sequence[Order]) -> int | None:
    """Give the time of the latest bounce with which enough other tenants pre-block, of those that checks found."""
    left = set(denied)
    for order in orders:
        if order.what == "retract":
            left = {b for b in left if not (order.tenant in (None, b.tenant) and _voids(order, b))}
        if order.what == "erase" or is_released("Preblock", "check-network", order.at, [order]):
            left = {b for b in left if b.at > order.at}
    for latest in sorted(left, reverse=True):
        near = {b.tenant for b in left if b.at <= latest.at < b.at + rule.preblock}
        if len(near) >= rule.min_tenants:
            return latest.at
    return None


def is_released(status: str, rule: str, at: int, orders: Iterable[Order]) -> bool:
    """Say whether what a rule told of a status at a time has been released."""
    for order in orders:
        if order.what == "release" and at <= order.at:
            alike = SOFT if status in SOFT else (status,)
            if any(one in order.statuses for one in alike):
                return True
            if rule in order.rules and status not in ("Spam", "User"):
                return True
    return False


def decisions(
    events: set[Event], rule: Rule, orders: Sequence[Order] = (), denied: Iterable[Bounce] = ()
) -> dict[str, tuple[str, tuple[str, ...], str | None]]:
    """Give every standing reason after commands and checks: status -> (since, evidence, expires_at)."""
    erased = max((o.at for o in orders if o.what == "erase"), default=-1)
    left = happened(events, orders)
    by_hand = {
        Event(o.at, o.name, o.statuses[0])
        for o in orders
        if o.what == "suppress" and o.at > erased and not is_released(o.statuses[0], "by-hand", o.at, orders)
    }
    without_rule = (*SOFT, "delivered", "resubscribed")  # no reason rests on the rule that classified them
    at_once = {e for e in left if e.what in without_rule or not is_released(e.what, EVENT_RULE, e.at, orders)}
    # A message that failed and was released: nothing that is told of it later counts.
    failed = {e for e in left if e.what in SOFT and is_released(e.what, "soft-bounce-limit", e.at, orders)}
    attempted = {e for e in at_once if not any(f.message == e.message and e.at <= f.at + rule.window for f in failed)}
    soft = {e for e in attempted if e.what in SOFT or e.what == "delivered"}
    others = {e for e in at_once | by_hand if e.what not in SOFT and e.what != "delivered"}
    found = _decisions(soft | others, rule)
    told = network(denied, rule, orders)
    if told is not None and all(told > e.at for e in others if e.what == "Preblock"):
        found["Preblock"] = (iso(told), (), iso(told + rule.preblock))
    if soft_by_hand := [e for e in by_hand if e.what in SOFT]:
        first = min(soft_by_hand)
        run = soft_bounce(soft, rule)
        if run is None or first.at < run[1]:
            found = {status: one for status, one in found.items() if status not in SOFT}
            found[first.what] = (iso(first.at), (first.message,), None)
    return found


def _decisions(events: set[Event], rule: Rule) -> dict[str, tuple[str, tuple[str, ...], str | None]]:
    """Give every standing reason: status -> (since, evidence, expires_at)."""
    found: dict[str, tuple[str, tuple[str, ...], str | None]] = {}
    for status in ("Spam", "User unknown", ":", "Typofix"):
        if own := [e for e in events if e.what == status]:
            first = min(own)
            found[status] = (iso(first.at), (first.message,), None)
    consent = max((e.at for e in events if e.what == "resubscribed"), default=-1)
    if standing := [e for e in events if e.what == "User" and e.at >= consent]:
        found["User"] = (iso(min(standing).at), (min(standing).message,), None)
    if chain := _last_chain(sorted(e for e in events if e.what == "Preblock"), rule):
        found["Preblock"] = (iso(chain[0].at), (chain[0].message,), iso(chain[-1].at + rule.preblock))
    if soft := soft_bounce(events, rule):
        found[soft[0]] = (iso(soft[1]), tuple(soft[2]), None)
    return found


def _last_chain(preblocks: list[Event], rule: Rule) -> list[Event]:
    chain: list[Event] = []
    for event in preblocks:
        chain = [*chain, event] if chain and event.at - chain[-1].at <= rule.preblock else [event]
    return chain


def iso(ms: int) -> str:
    """Write a time as the wire has it."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"
