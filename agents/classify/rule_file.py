"""Reads the rows of a rule file, each with its line, and says of every row what is wrong with it."""

import re
import tomllib
from typing import Any, Final, NamedTuple

from agents.classify.evidence import Happening
from agents.classify.row_reading import read_example, read_row, read_text
from agents.classify.rows import Row

_ID: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_HEADER: Final = re.compile(r"[ \t]*\[\[[ \t]*rule[ \t]*\]\]")


class RulesInvalid(ValueError):
    """A rule table that can't be used; the message names the row and its line, and says what to change."""


class GoodRow(NamedTuple):
    """A row that can be used, its example, and the line of its header; None where the file has no headers to count.

    `text` is the row in words (`row_reading.read_text`).
    """

    row: Row
    example: Happening
    line: int | None
    text: str

    @property
    def name(self) -> str:
        """The id of the row."""
        return self.row.verdict.rule


class BadRow(NamedTuple):
    """A row that can't be used: its id, or `row 3` where it has none that is one, and what is wrong with it."""

    name: str
    line: int | None
    wrong: str


def read_rules(text: str) -> list[GoodRow | BadRow]:
    """Read all rows of a rule file, in order; the top of rules.toml tells what the keys mean.

    Raises:
        RulesInvalid: It is no TOML, or something else than rows.

    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesInvalid(f"not TOML: {error}") from error
    except RecursionError as error:
        raise RulesInvalid("lists are nested too deeply") from error
    rows = written.get("rule")
    if set(written) != {"rule"} or not isinstance(rows, list):
        raise RulesInvalid("a rule table holds [[rule]] rows and nothing else")
    # TOML readers keep no positions. Where there are as many headers as rows they are the rows'.
    headers = [number for number, line in enumerate(text.split("\n"), start=1) if _HEADER.match(line)]
    lines: list[int | None] = [*headers] if len(headers) == len(rows) else [None] * len(rows)
    taken: list[object] = []
    read = []
    for place, (row, line) in enumerate(zip(rows, lines, strict=True), start=1):
        name = row.get("id") if isinstance(row, dict) else None
        read.append(_read(name, row, place, line, again=name in taken))
        taken.append(name)
    return read


def _read(name: object, row: dict[str, Any], place: int, line: int | None, *, again: bool) -> GoodRow | BadRow:
    if not isinstance(name, str) or not _ID.fullmatch(name):
        return BadRow(f"row {place}", line, f"id is not lower-case words with dashes (was {name!r})")
    if again:
        return BadRow(name, line, "two rows have this id")
    try:
        return GoodRow(read_row(name, row), read_example(row), line, read_text(row))
    except ValueError as error:
        return BadRow(name, line, str(error))
