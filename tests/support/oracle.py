"""What SPEC 5 and 6 say, done the slow and plain way: all events of a contact at hand, nothing forgotten.

Shares no code with the project, on purpose: it is what the project's fold is measured against.
"""

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


def decisions(events: set[Event], rule: Rule) -> dict[str, tuple[str, tuple[str, ...], str | None]]:
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
