"""Reads the rows of a rule file, each with its line, and says of every row what is wrong with it."""

import re
import tomllib
from typing import Any, Final, NamedTuple

from agents.classify.evidence import Happening
from agents.classify.row_reading import RowInvalid, read_row, read_text
from agents.classify.rows import Row

_ID: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_HEADER: Final = re.compile(r"[ \t]*\[\[[ \t]*rule[ \t]*\]\]")


class RulesInvalid(ValueError):
    """A rule table that can't be used; the message names the row and its line, and says what to change."""


class BuiltinInvalid(Exception):
    """The built-in rule table can't be used: it was changed or damaged. The message names the file, line and row."""


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
    """A row that can't be used: its id, or `row 3` where it has none that is one, and all that is wrong with it.

    `read` is the row where all but its id is in order.
    """

    name: str
    line: int | None
    wrong: tuple[str, ...]
    read: GoodRow | None = None


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
    rows = _rows(text, written)
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


def _rows(text: str, written: dict[str, Any]) -> list[Any]:
    form = "a rule table holds [[rule]] rows and nothing else"
    others = [key for key in written if key != "rule"]
    if others:
        raise RulesInvalid(f"unknown key {others[0]!r}: {form}")
    if not written:
        raise RulesInvalid(f"{'the file has no rows' if text.strip() else 'the file is empty'}: {form}")
    rows = written["rule"]
    if not isinstance(rows, list):
        raise RulesInvalid("'rule' is one thing and no list of rows: each begins with [[rule]]")
    if not rows:
        raise RulesInvalid(f"the file has no rows: {form}")
    return rows


def _read(name: object, row: object, place: int, line: int | None, *, again: bool) -> GoodRow | BadRow:
    if not isinstance(row, dict):
        return BadRow(f"row {place}", line, ("it is no table of keys",))
    wrong = []
    if name is None:
        wrong = ["id is missing"]
    elif not isinstance(name, str) or not _ID.fullmatch(name):
        wrong = [f"id is not lower-case words with dashes (was {name!r})"]
    called = f"row {place}" if wrong or not isinstance(name, str) else name
    wrong += ["two rows have this id"] if again and not wrong else []
    try:
        good = GoodRow(*read_row(called, row), line, read_text(row))
    except RowInvalid as error:
        return BadRow(called, line, (*wrong, *error.wrong))
    return BadRow(called, line, tuple(wrong), good) if wrong else good
