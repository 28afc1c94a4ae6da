"""Checks an operator's own rule file before it is used: every fault at once, and what it changes."""

from functools import cache
from typing import NamedTuple

from agents.classify.evidence import Happening
from agents.classify.providers import can_give
from agents.classify.rows import Row, Verdict, covers
from agents.classify.rule_file import BadRow, GoodRow, RulesInvalid, read_rules
from agents.classify.rules import builtin_rules, builtin_text, joined, missing_ends, wrong_example
from agents.classify.table import RuleTable


class Fault(NamedTuple):
    """What is wrong: in a row (its id, or `row 3`) at a line, each where it is known, in a sentence."""

    row: str | None
    line: int | None
    sentence: str


class CheckedRow(NamedTuple):
    """A row that can be read: its id and line, what it says, and what its example is decided by."""

    row: str
    line: int | None
    says: Verdict
    example: Verdict | None


class Change(NamedTuple):
    """A built-in row whose own example the file decides otherwise: from what to what."""

    row: str
    was: Verdict
    now: Verdict


class Check(NamedTuple):
    """What was found out about a rule file; it can be used where there are no faults.

    `doubts` is what a row asks for that no report of its provider tells. Only a normalized report could.
    """

    rows: list[CheckedRow]
    faults: list[Fault]
    changes: list[Change]
    doubts: list[Fault]


def check_rules(text: str) -> Check:
    """Check a rule file as `rules.own_rules` uses it: before the built-in rows. The built-in table stands by itself.

    Raises:
        BuiltinInvalid: The built-in table is broken, and `text` is another one. Nothing that `text` holds raises.

    """
    try:
        read = read_rules(text)
    except RulesInvalid as error:
        return Check([], [Fault(None, None, str(error))], [], [])
    good = _good(read)
    itself = text == builtin_text()
    table = joined(good, None if itself else builtin_rules())
    faults = [
        Fault(one.name, one.line, wrong)
        for place, one in enumerate(read)
        for wrong in _wrong(one, _good(read[:place]), table)
    ]
    faults += [Fault(None, None, sentence) for sentence in missing_ends(table.rows)]
    checked = [CheckedRow(one.name, one.line, one.row.verdict, _verdict(table, one.example)) for one in good]
    doubts = [Fault(one.name, one.line, sentence) for one in good for sentence in never_given(one.row)]
    return Check(checked, faults, [] if itself else _changes(table, {one.name for one in good}), doubts)


def never_given(row: Row) -> list[str]:
    """Say which codes that a row names none of its providers' reports have, so that they decide nothing."""
    providers = sorted(row.providers or ())
    return [
        f"no report of {' or '.join(providers)} gives the code {code}"
        for code in sorted(row.codes or ())
        if providers and not any(can_give(provider, code) for provider in providers)
    ]


def _good(read: list[GoodRow | BadRow]) -> list[GoodRow]:
    return [one for one in read if isinstance(one, GoodRow)]


def _wrong(one: GoodRow | BadRow, earlier: list[GoodRow], table: RuleTable) -> list[str]:
    if isinstance(one, BadRow):
        # Its id is none, or another's, so no verdict names it; whether its example matches it can be told all the same.
        matches = one.read is None or table.tries(one.read.row, one.read.example)
        return [*one.wrong] if matches else [*one.wrong, "its example does not match it"]
    for other in earlier:
        if covers(other.row, one.row):
            return [f"can never match: {other.name}, before it, takes all that it would take"]
    wrong = wrong_example(one, table)
    return [wrong] if wrong else []


def _changes(table: RuleTable, own: set[str]) -> list[Change]:
    """Find the built-in rows whose example an own row decides otherwise."""
    found = []
    for one in _builtin():
        was, now = one.row.verdict, _verdict(table, one.example)
        if now and now.rule in own and (was.status, was.effect) != (now.status, now.effect):
            found.append(Change(one.name, was, now))
    return found


@cache
def _builtin() -> list[GoodRow]:
    return _good(read_rules(builtin_text()))


def _verdict(table: RuleTable, example: Happening) -> Verdict | None:
    try:
        return table.decide(example)
    except LookupError:
        return None
