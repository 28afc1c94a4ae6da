"""The rule tables there are: the built-in one, and the one with an operator's own rows before it."""

import hashlib
import json
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from agents.classify.rows import Row
from agents.classify.rule_file import BadRow, BuiltinInvalid, GoodRow, RulesInvalid, read_rules
from agents.classify.table import RuleTable
from schemas.typology import OUTCOMES, STATUSES


@cache
def builtin_rules() -> RuleTable:
    """Give the rule table that ships with Bounceline; raises `BuiltinInvalid` if it was damaged."""
    try:
        return load_rules(builtin_text())
    except RulesInvalid as error:
        raise BuiltinInvalid(f"{_builtin()}: {error}; to see all of it: bounceline rules test {_builtin()}") from error


def builtin_text() -> str:
    """Give the text of the built-in rule table; raises `BuiltinInvalid` if it can't be read."""
    try:
        return _builtin().read_text(encoding="utf-8")
    except OSError as error:
        raise BuiltinInvalid(f"{_builtin()} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BuiltinInvalid(f"{_builtin()} is not UTF-8") from error


def _builtin() -> Traversable:
    return files("agents.classify").joinpath("rules.toml")


def own_rules(text: str) -> RuleTable:
    """Compile an operator's own rows, with the built-in ones behind them; raises `RulesInvalid` as `load_rules` does.

    A built-in row whose id the operator's file has too is replaced: it is tried where the file says.
    """
    return load_rules(text, builtin_rules())


def load_rules(text: str, behind: RuleTable | None = None) -> RuleTable:
    """Compile a rule table from the text of a TOML file.

    Args:
        text: The rows to try, in order.
        behind: Rows to try after them; those whose id the text has too are left out.

    Raises:
        RulesInvalid: It is no TOML, a row is malformed, two rows have one id, the example of a row is decided
            by another row, or some event would meet no row at all.

    """
    good: list[GoodRow] = []
    for one in read_rules(text):
        if isinstance(one, BadRow):
            raise RulesInvalid(placed(one, "; ".join(one.wrong)))
        good.append(one)
    table = joined(good, behind, fingerprint_of(text) if behind else "")
    for sentence in missing_ends(table.rows):
        raise RulesInvalid(sentence)
    for one in good:
        if wrong := wrong_example(one, table):
            raise RulesInvalid(placed(one, wrong))
    return table


def placed(one: GoodRow | BadRow, wrong: str) -> str:
    """Say where something is wrong: the line, where it is known, and the row."""
    return f"{one.name}: {wrong}" if one.line is None else f"line {one.line}: {one.name}: {wrong}"


def joined(good: Iterable[GoodRow], behind: RuleTable | None, fingerprint: str = "") -> RuleTable:
    """Put rows before those of another table that have other ids."""
    good = list(good)
    own = [one.row for one in good]
    names = {row.verdict.rule for row in own}
    rest = [row for row in behind.rows if row.verdict.rule not in names] if behind else []
    texts = {**(behind.texts if behind else {}), **{one.name: one.text for one in good}}
    return RuleTable([*own, *rest], fingerprint, texts)


def wrong_example(one: GoodRow, table: RuleTable) -> str | None:
    """Say which other row decides the example of a row; None where the row itself does."""
    try:
        reached = table.decide(one.example).rule
    except LookupError:
        return "its example is decided by no row"
    if reached == one.name:
        return None
    if not table.tries(one.row, one.example):
        return f"its example does not match it, and is decided by {reached}"
    return f"its example is decided by {reached}; move or narrow one of them"


def missing_ends(rows: Iterable[Row]) -> list[str]:
    """Say which events would meet no row: there has to be one without conditions per outcome and per given status."""
    rows = list(rows)
    missing = [
        f"no row decides every event with the given status {status!r}"
        for status in STATUSES
        if not any(row == Row(row.verdict, row.outcomes, status) for row in rows)
    ]
    return missing + [
        f"no row decides every {outcome} event"
        for outcome in OUTCOMES
        if not any(row == Row(row.verdict, row.outcomes) and outcome in row.outcomes for row in rows)
    ]


def fingerprint_of(text: str) -> str:
    """Give SHA-256 (hex) over the rows of a file: comments, spaces and the order of keys make no difference."""
    written = json.dumps(tomllib.loads(text), sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()
