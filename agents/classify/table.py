"""The compiled rule table: the first row that matches decides."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from agents.classify.evidence import FAILURES, Happening
from agents.classify.rows import Facts, Row, Verdict
from agents.classify.wordings import Wording
from schemas.typology import OUTCOMES, STATUSES, Outcome, Status

NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})


class RuleTable:
    """All rows, indexed so that an event meets only the rows that may concern it.

    Without codes and diagnostic those are the few rows without such conditions; with a diagnostic, the rows
    of which a word, or two in a row, stand in it. The verdict is the one that trying all rows in order would give.
    """

    def __init__(self, rows: Sequence[Row], fingerprint: str = "", texts: Mapping[str, str] = NO_TEXTS) -> None:
        """Index rows in the order in which they are to be tried; `rules.load_rules` checks and makes them.

        `fingerprint` names an operator's own rows among them: the workers of a group must have it alike. It is
        empty where all rows are built in. `texts` are the rows in words, by id.
        """
        self.rows: Final = tuple(rows)
        self.texts: Final = texts
        self.fingerprint: Final = fingerprint
        self._given: Final[dict[Status, tuple[Row, ...]]] = {
            status: tuple(row for row in rows if row.given == status) for status in STATUSES
        }
        judged = [row for row in rows if row.given is None]
        self._told: Final[dict[Outcome, tuple[Row, ...]]] = {
            outcome: tuple(row for row in judged if outcome in row.outcomes)
            for outcome in OUTCOMES
            if outcome not in FAILURES
        }
        self._index: Final = {outcome: _Index(judged, outcome) for outcome in FAILURES}
        # Statuses and outcomes whose first row asks nothing else: most events end here.
        self._settled: Final[dict[str, Verdict]] = {
            named: rows[0].verdict
            for named, rows in (*self._given.items(), *self._told.items())
            if rows and _asks_nothing(rows[0])
        }

    def decide(self, happening: Happening) -> Verdict:
        """Give the verdict of the first row that matches; `happening` has an outcome or a status.

        Raises:
            LookupError: No row matches, which `rules.load_rules` has made impossible.

        """
        # A status and an outcome never have one name, and the status wins.
        settled = self._settled.get(happening.status or happening.outcome or "other")
        if settled is not None:
            return settled
        facts = Facts(happening)
        index = None if happening.status else self._index.get(happening.outcome or "other")
        row = index.first(facts) if index else self._first_told(happening, facts)
        if row is None:
            raise LookupError("the rule table has no last row for this kind of event")
        return row.verdict

    def tries(self, row: Row, happening: Happening) -> bool:
        """Say whether a row matches, whatever stands before it."""
        if happening.status:
            asked = row.given == happening.status
        else:
            asked = row.given is None and (happening.outcome or "other") in row.outcomes
        return asked and row.matches(Facts(happening))

    def _first_told(self, happening: Happening, facts: Facts) -> Row | None:
        rows = self._given[happening.status] if happening.status else self._told[happening.outcome or "other"]
        return next((row for row in rows if row.matches(facts)), None)


def _asks_nothing(row: Row) -> bool:
    return row == Row(row.verdict, row.outcomes, row.given)


class _Index:
    """The rows for one outcome, by a condition that can be looked up."""

    def __init__(self, rows: Sequence[Row], outcome: Outcome) -> None:
        self._rows = rows
        self._always: list[int] = []
        self._by_words: defaultdict[tuple[str, ...], list[tuple[Wording, int]]] = defaultdict(list)
        self._by_pattern: defaultdict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            if outcome in row.outcomes:
                self._file(number, row)

    def _file(self, number: int, row: Row) -> None:
        # The three kinds of patterns look different but for "", which only provider codes have.
        patterns = row.enhanced or row.codes or row.replies
        if patterns is not None:
            for pattern in patterns:
                self._by_pattern[pattern].append(number)
        elif row.wordings is not None:
            for wording in row.wordings:
                self._by_words[tuple(wording.key.split())].append((wording, number))
        else:
            self._always.append(number)

    def first(self, facts: Facts) -> Row | None:
        """Give the first row, in the order of the table, that matches."""
        numbers = set(self._always)
        for pattern in (*facts.enhanced, *facts.codes, *facts.replies):
            if pattern in self._by_pattern:
                numbers.update(self._by_pattern[pattern])
        worded = set()
        if facts.text:
            words = facts.words.split()
            # Wordings in scripts without spaces have no words to go by: they are tried on every text that is not ASCII.
            unspaced = () if facts.words.isascii() else ((),)
            for key in self._by_words.keys() & (*unspaced, *zip(words), *pairwise(words)):
                for wording, number in self._by_words[key]:
                    if number not in worded and wording.matches(facts.words):
                        worded.add(number)
        for number in sorted(numbers | worded):
            row = self._rows[number]
            if row.agrees(facts) and (number in worded or row.is_worded(facts)):
                return row
        return None
