"""The soft-bounce fold: which five failed attempts, if any, block a contact (SPEC 5). Pure, event time only.

A contact's soft bounces and deliveries are kept as a sorted list of marks. Everything else is computed from that list,
so neither order nor repetition of reports can matter; `settle` then forgets what no report within the allowed
lateness can change any more.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from schemas.policy import SoftBounce

DELIVERED: Final = 2
KINDS: Final = ("Connection issue", "Quota exceeded", "delivered")
"""Names of the kinds of a mark; in text order, so that a tie between two soft labels falls as SPEC 5 says."""

MAX_ATTEMPTS: Final = 256
"""Attempts kept per contact (SPEC 7). What goes beyond is settled early: it can lose failures, never invent a run."""

MAX_MARKS: Final = 2 * MAX_ATTEMPTS
"""Marks kept per contact: two tell the story of an attempt."""

Mark = tuple[int, str, int]
"""One soft bounce or delivery: (event time in ms, attempt id, index into `KINDS`)."""


class Attempt(NamedTuple):
    """One message to one contact: when it ended, under which id, how, and the marks that say so.

    `at` is the earliest soft report of a failed attempt, else the earliest delivery, in ms. `kind` is that mark's.
    `opened` is the earliest report of all: reports join up to `allowed_lateness` after it.
    """

    at: int
    attempt_id: str
    kind: int
    opened: int
    marks: tuple[Mark, ...]

    @property
    def failed(self) -> bool:
        """Whether the message did not arrive."""
        return self.kind != DELIVERED


def add(marks: list[Mark], mark: Mark) -> bool:
    """Put a mark in its place; say whether it was new. A repeat changes nothing.

    Nor does a mark from before all others where so many are kept that older ones have been dropped: the successes that
    stood among it and its like are forgotten, so they would make a run that never was.
    """
    place = bisect_left(marks, mark)
    if place == 0 and len(marks) >= MAX_ATTEMPTS:
        return False
    if place < len(marks) and marks[place] == mark:
        return False
    marks.insert(place, mark)
    return True


def attempts(marks: Sequence[Mark], rule: SoftBounce) -> list[Attempt]:
    """Join sorted marks to attempts, in order of (time, attempt id).

    Reports of one message join up to `allowed_lateness` after the earliest of them. A later one begins a new attempt,
    unless the message already stands in the current run: then it changes nothing and is in no attempt.
    """
    by_id: dict[str, list[Mark]] = {}
    for mark in marks:
        by_id.setdefault(mark[1], []).append(mark)
    joined: list[Attempt] = []
    closed: dict[str, int] = {}  # attempt id -> until when its latest attempt takes reports
    standing: dict[str, int] = {}  # attempt id -> when its latest attempt failed
    last_success = (-1, "")
    for at, attempt_id, _ in marks:
        if at <= closed.get(attempt_id, -1):
            continue
        failed_at = standing.get(attempt_id)
        # In the current run: no success since it failed, and near enough to count with what comes now.
        if failed_at is not None and last_success < (failed_at, attempt_id) and at - failed_at <= rule.window:
            continue
        until = at + rule.allowed_lateness
        own = tuple(mark for mark in by_id[attempt_id] if at <= mark[0] <= until)
        closed[attempt_id] = until
        first_soft = next((mark for mark in own if mark[2] != DELIVERED), None)
        if first_soft:
            standing[attempt_id] = first_soft[0]
            joined.append(Attempt(first_soft[0], attempt_id, first_soft[2], at, own))
        else:
            # A success is dated by its earliest report, so successes come up in order.
            last_success = (at, attempt_id)
            joined.append(Attempt(at, attempt_id, DELIVERED, at, own))
    joined.sort()
    return joined


def blocking_run(ordered: Sequence[Attempt], rule: SoftBounce) -> int | None:
    """Find the earliest `limit` failures next to each other that lie within `window`; give the index of the first."""
    failures = 0
    for place, attempt in enumerate(ordered):
        failures = failures + 1 if attempt.failed else 0
        first = place - rule.limit + 1
        if failures >= rule.limit and attempt.at - ordered[first].at <= rule.window:
            return first
    return None


def decide(marks: Sequence[Mark], rule: SoftBounce) -> list[Attempt]:
    """Give the attempts that block the contact, oldest first, or an empty list."""
    # A delivery can't block, and most contacts have no soft bounce at all: count before anything is joined.
    if sum(mark[2] != DELIVERED for mark in marks) < rule.limit:
        return []
    ordered = attempts(marks, rule)
    first = blocking_run(ordered, rule)
    return [] if first is None else ordered[first : first + rule.limit]


def any_failed(marks: Sequence[Mark]) -> bool:
    """Say whether there is a soft bounce among marks; without one, deliveries say nothing of a contact."""
    for mark in marks:  # noqa: SIM110 - any() with a generator takes three times as long, and most have one mark
        if mark[2] != DELIVERED:
            return True
    return False


def settle(marks: list[Mark], newest: int, rule: SoftBounce) -> list[Mark]:
    """Forget the marks that no report within the allowed lateness can still make matter.

    Args:
        marks: The contact's marks, sorted.
        newest: An event time, in ms, that what is still to come is older than by at most the allowed lateness.
        rule: The soft-bounce policy.

    Returns:
        The marks to keep, sorted; the same list where there is nothing to forget.

    A report within lateness is not older than `newest` - L, so an attempt opened before `newest` - 2 L takes no further
    report and none can come before it. Of the attempts that ended by then there remain: from the first failure of a
    standing block on, everything; else the run of failures that nothing has ended yet, with the success before it.

    """
    horizon = newest - 2 * rule.allowed_lateness
    if not marks or (marks[0][0] >= horizon and len(marks) <= MAX_ATTEMPTS):
        return marks
    ordered = attempts(marks, rule)
    if len(ordered) > MAX_ATTEMPTS:
        horizon = max(horizon, ordered[-MAX_ATTEMPTS].at)
    ended = bisect_left(ordered, horizon, key=lambda attempt: attempt.at)
    settled, going = ordered[:ended], ordered[ended:]
    first = blocking_run(settled, rule)
    if first is None:
        settled = _unbroken(settled, horizon - rule.window, followed=any(a.failed for a in going))
    else:
        settled = _bounded(settled[first:], rule.limit, MAX_ATTEMPTS - len(going))
    kept = {mark for attempt in settled for mark in _telling(attempt)}
    if len(marks) > MAX_MARKS:
        # Hundreds of reports on a few messages: what only repeats an attempt's story is dropped early.
        kept.update(mark for attempt in going for mark in _telling(attempt))
    else:
        kept.update(mark for attempt in going for mark in attempt.marks)
        # What is in no attempt today may be in one after a late report, as long as one can come.
        joined = {mark for attempt in ordered for mark in attempt.marks}
        kept.update(mark for mark in marks if mark[0] >= horizon and mark not in joined)
    return sorted(kept)


def _unbroken(settled: Sequence[Attempt], oldest: int, *, followed: bool) -> list[Attempt]:
    """Keep the failures since the last success that are not too old to count, and that success if a failure follows.

    The success is not needed for reports within lateness. It stands guard against later ones: a failure from before it
    must not count with those after it.
    """
    kept: list[Attempt] = []
    for attempt in reversed(settled):
        if attempt.at < oldest:
            break
        if not attempt.failed:
            return [attempt, *reversed(kept)] if kept or followed else []
        kept.append(attempt)
    return kept[::-1]


def _bounded(settled: Sequence[Attempt], limit: int, room: int) -> list[Attempt]:
    """Keep a standing block's own attempts and, of those after it, the newest; of successes in a row, the last."""
    block, after = list(settled[:limit]), settled[limit:]
    after = [a for a, b in zip_longest(after, after[1:]) if a.failed or b is None or b.failed]
    return block + (after[-room:] if room > 0 else [])


def _telling(attempt: Attempt) -> list[Mark]:
    """Give the marks that tell the story of an attempt that takes no more: its earliest soft report and delivery."""
    softs = [mark for mark in attempt.marks if mark[2] != DELIVERED]
    deliveries = [mark for mark in attempt.marks if mark[2] == DELIVERED]
    return softs[:1] + deliveries[:1]
