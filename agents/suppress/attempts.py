"""The soft-bounce fold: which five failed attempts, if any, block a contact (SPEC 5). Pure, event time only.

A contact's soft bounces and deliveries are kept as a sorted list of marks. Everything else is computed from that list,
so neither order nor repetition of reports can matter; `settle` then forgets what no report within the allowed
lateness can change any more.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from schemas.policy import SoftBounce

DELIVERED: Final = 2
KINDS: Final = ("Connection issue", "Quota exceeded", "delivered")
"""Names of the kinds of a mark; in text order, so that a tie between two soft labels falls as SPEC 5 says."""

MAX_ATTEMPTS: Final = 256
"""Attempts kept per contact (SPEC 7). What goes beyond is settled early: it can lose failures, never invent a run."""

MAX_MARKS: Final = 2 * MAX_ATTEMPTS
"""Marks kept per contact: two tell the story of an attempt."""

Mark = tuple[int, str, int, str]
"""One soft bounce or delivery: (event time in ms, attempt id, index into `KINDS`, provider).

The provider is "" where it is not known, and on deliveries: only soft bounces can be retracted.
"""


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
    for at, attempt_id, *_ in marks:
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


def decide(marks: Sequence[Mark], rule: SoftBounce, released: int = -1) -> list[Attempt]:
    """Give the attempts that block the contact, oldest first, or an empty list.

    Failed attempts dated up to `released` (ms) do not count, nor do later reports about them.
    """
    # A delivery can't block, and most contacts have no soft bounce at all: count before anything is joined.
    if sum(mark[2] != DELIVERED for mark in marks) < rule.limit:
        return []
    ordered = attempts(unreleased(marks, rule, released), rule)
    first = blocking_run(ordered, rule)
    return [] if first is None else ordered[first : first + rule.limit]


def unreleased(marks: Sequence[Mark], rule: SoftBounce, released: int) -> Sequence[Mark]:
    """Leave out what a release took away: every report on a message that failed up to `released`.

    A message's later reports are void as long as they could have counted with its failure, which is for `window`.
    """
    until = {m[1]: m[0] + rule.window for m in marks if m[2] != DELIVERED and m[0] <= released}  # the latest wins
    return [mark for mark in marks if mark[0] > until.get(mark[1], -1)] if until else marks


def any_failed(marks: Sequence[Mark]) -> bool:
    """Say whether there is a soft bounce among marks; without one, deliveries say nothing of a contact."""
    for mark in marks:  # noqa: SIM110 - any() with a generator takes three times as long, and most have one mark
        if mark[2] != DELIVERED:
            return True
    return False


def settle(marks: list[Mark], newest: int, rule: SoftBounce, released: int = -1) -> list[Mark]:
    """Forget the marks that neither a report within the allowed lateness nor a command can still make matter.

    Args:
        marks: The contact's marks, sorted.
        newest: An event time, in ms, that what is still to come is older than by at most the allowed lateness.
        rule: The soft-bounce policy.
        released: Up to which event time, in ms, failures have been released.

    Returns:
        The marks to keep, sorted; the same list where there is nothing to forget.

    A report within lateness is not older than `newest` - L, so an attempt opened before `newest` - 2 L takes no further
    report and none can come before it. Of the attempts that ended by then there remain: from the first failure of a
    standing block on, and all within `window`, every failure, since a retraction or a release may take away any of
    them; of successes in a row the first and the last, which part the failures on both sides as well as all of them.

    """
    horizon = newest - 2 * rule.allowed_lateness
    if not marks or (marks[0][0] >= horizon and len(marks) <= MAX_ATTEMPTS):
        return marks
    ordered = attempts(marks, rule)
    ended = bisect_left(ordered, horizon, key=lambda attempt: attempt.at)
    block = decide(marks, rule, released)
    oldest = min([horizon - rule.window, *(attempt.opened for attempt in block[:1])])
    failing = {mark[1] for mark in marks if mark[2] != DELIVERED and mark[0] >= oldest}
    settled = _parted([a for a in ordered[:ended] if a.at >= oldest], failing)
    going = ordered[ended:]
    own = {attempt.attempt_id for attempt in block}
    # Of too many the oldest are dropped, but for those that block.
    room = max(0, MAX_ATTEMPTS - len(going))
    while len(settled) > room:
        place = next((n for n, attempt in enumerate(settled) if attempt.attempt_id not in own), None)
        if place is None:
            break
        del settled[place]
    kept: set[Mark] = set()
    for attempt in (*settled, *going):
        kept.update(attempt.marks)
    # What is in no attempt today may be in one tomorrow: after a late report, or a retraction of what it repeats.
    standing = {(attempt.attempt_id, attempt.at) for attempt in settled}
    joined = {mark for attempt in ordered for mark in attempt.marks}
    for mark in marks:
        if mark in joined:
            continue
        latest = max((a.at for a in ordered if a.attempt_id == mark[1] and a.at <= mark[0]), default=-1)
        if mark[0] >= horizon or (mark[1], latest) in standing:
            kept.add(mark)
    if len(kept) > MAX_MARKS:
        # Hundreds of reports on a few messages: what only repeats an attempt's story is dropped early.
        kept = {mark for attempt in (*settled, *going[-MAX_ATTEMPTS:]) for mark in _telling(attempt)}
    return sorted(kept)


def _parted(settled: Sequence[Attempt], failing: Collection[str]) -> list[Attempt]:
    """Keep, of successes in a row, the first and the last; before the first failure the last, which stands guard.

    The guard is not needed for reports within lateness: a failure from before it that is reported even later must not
    count with those after it. A success of a message that failed as well is kept: it may turn out to be void.
    """
    kept: list[Attempt] = []
    row: list[Attempt] = []
    for attempt in settled:
        if not attempt.failed and attempt.attempt_id not in failing:
            row.append(attempt)
            continue
        kept += _ends(row) if kept else row[-1:]
        kept.append(attempt)
        row = []
    return kept + _ends(row)


def _ends(row: list[Attempt]) -> list[Attempt]:
    """Give the first and the last of successes in a row, each by its earliest report alone."""
    ends = row if len(row) < 2 else [row[0], row[-1]]
    return [attempt._replace(marks=attempt.marks[:1]) for attempt in ends]


def _telling(attempt: Attempt) -> list[Mark]:
    """Give the marks that tell the story of an attempt that takes no more: its earliest soft report and delivery."""
    softs = [mark for mark in attempt.marks if mark[2] != DELIVERED]
    deliveries = [mark for mark in attempt.marks if mark[2] == DELIVERED]
    return softs[:1] + deliveries[:1]
