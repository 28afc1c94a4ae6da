"""Loads and checks a rule table written in TOML. What its keys mean is told at the top of rules.toml."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

from agents.classify.evidence import Happening
from agents.classify.row_reading import read_example, read_row
from agents.classify.rows import Row
from agents.classify.table import RuleTable
from schemas.typology import OUTCOMES, STATUSES

_ID: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")


class RulesInvalid(ValueError):
    """A rule table that can't be used; the message names the row and says what to change."""


@cache
def builtin_rules() -> RuleTable:
    """Give the rule table that ships with Bounceline; raises `RulesInvalid` if it was damaged."""
    return load_rules(files("agents.classify").joinpath("rules.toml").read_text(encoding="utf-8"))


def load_rules(text: str) -> RuleTable:
    """Compile a rule table from the text of a TOML file.

    Raises:
        RulesInvalid: It is no TOML, a row is malformed, two rows have one id, the example of a row is decided
            by another row, or some event would meet no row at all.

    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesInvalid(f"not TOML: {error}") from error
    if set(written) != {"rule"} or not isinstance(written["rule"], list):
        raise RulesInvalid("a rule table holds [[rule]] rows and nothing else")
    rows: list[Row] = []
    examples: list[Happening] = []
    for place, row in enumerate(written["rule"], start=1):
        name = row.get("id") if isinstance(row, dict) else None
        if not isinstance(name, str) or not _ID.fullmatch(name):
            raise RulesInvalid(f"row {place}: id is not lower-case words with dashes (was {name!r})")
        if any(name == other.verdict.rule for other in rows):
            raise RulesInvalid(f"{name}: two rows have this id")
        try:
            rows.append(read_row(name, row))
            examples.append(read_example(row))
        except ValueError as error:
            raise RulesInvalid(f"{name}: {error}") from error
    _check_ends(rows)
    table = RuleTable(rows)
    for checked, example in zip(rows, examples, strict=True):
        name, reached = checked.verdict.rule, table.decide(example).rule
        if reached != name:
            raise RulesInvalid(f"{name}: its example is decided by {reached}; move or narrow one of them")
    return table


def _check_ends(rows: list[Row]) -> None:
    """See to it that every event meets a row: one without conditions per outcome and per given status."""
    for status in STATUSES:
        if not any(row == Row(row.verdict, row.outcomes, status) for row in rows):
            raise RulesInvalid(f"no row decides every event with the given status {status!r}")
    for outcome in OUTCOMES:
        if not any(row == Row(row.verdict, row.outcomes) and outcome in row.outcomes for row in rows):
            raise RulesInvalid(f"no row decides every {outcome} event")
