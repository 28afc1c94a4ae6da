"""Records of files with delimiters: CSV as RFC 4180 has it, and lines with tabs as databases write them.

A quote that is opened and not closed must not swallow the rows behind it. So a record of several lines is believed only
where it is CSV to the letter, and where none of its lines is a row by itself; else its lines are read one by one.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from agents.lists.entry import Row
from schemas.rejected import Rejected
from streams.lists.lines import MAX_LINE_BYTES, TOO_LONG, Line, Record

MAX_RECORD_LINES: Final = 200
"""Of one CSV record: a quote that is not closed within so many lines spoils its own line alone."""

_NEVER_CLOSED: Final = Rejected("wrong-type", "a quote is opened and not closed")
_TORN: Final = Rejected("wrong-type", "a quote is open across lines that are rows by themselves: one of them is stray")
_LONE_RETURN: Final = Rejected("wrong-type", "a carriage return stands alone; a line ends with LF or CR LF")
_NO_RECORD: Final = Rejected("wrong-type", "not a CSV record")

_ADDRESS: Final = re.compile(r"(?:[^@]*<)?[^\s@<>]+@[^\s@<>]+>?")
_ESCAPED: Final = re.compile(r"\\([0nrt\\])")
_ESCAPES: Final = {"0": "", "n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
_NULLS: Final = frozenset(("NULL", r"\N"))


def tab_records(lines: Iterator[Line], columns: Sequence[str]) -> Iterator[Record]:
    r"""Read lines with tabs, as `mysql -B` writes them: a quote is a letter like any other, and a line is a record.

    `\t`, `\n`, `\r` and `\\` stand for what they name, `NULL` and `\N` for nothing.
    """
    for line in lines:
        if line.text is None:
            yield Record(line.number, line.end, line.number, "", TOO_LONG)
        elif not line.is_blank:
            fields = [_unescaped(field) for field in line.original.split("\t")]
            yield Record(line.number, line.end, line.number, line.original, _row(fields, columns))


def _unescaped(field: str) -> str:
    return "" if field in _NULLS else _ESCAPED.sub(lambda found: _ESCAPES[found[1]], field)


def csv_records(lines: Iterator[Line], delimiter: str, columns: Sequence[str]) -> Iterator[Record]:
    """Read CSV. A record of several lines that turns out to be none is given back but for its first line."""
    ahead: deque[Line] = deque()  # lines that were read for a quote that is never closed
    while line := _next(ahead, lines):
        if line.text is None:
            yield Record(line.number, line.end, line.number, "", TOO_LONG)
            continue
        if line.is_blank:
            continue
        taken, closed = _taken(line, ahead, lines, delimiter)
        rows = _parsed(taken, delimiter, columns) if closed else _NEVER_CLOSED
        if len(taken) > 1 and isinstance(rows, Rejected):
            ahead.extendleft(reversed(taken[1:]))
            taken, rows = [line], _NEVER_CLOSED
        is_torn = not isinstance(rows, Rejected) and _is_torn(taken, delimiter, columns)
        torn = [one for one in taken if not one.is_blank] if is_torn else []
        original = "".join(one.text or "" for one in taken).rstrip("\r\n")
        last = taken[-1]
        yield Record(line.number, last.end, last.number, original, _TORN if torn else rows, torn)


def _next(ahead: deque[Line], lines: Iterator[Line]) -> Line | None:
    return ahead.popleft() if ahead else next(lines, None)


def _taken(line: Line, ahead: deque[Line], lines: Iterator[Line], delimiter: str) -> tuple[list[Line], bool]:
    """Take the lines of a record, from its first one on; says too whether no quote is open at their end.

    Ends at once where the lines can be no record any more.
    """
    taken, size = [line], len(line.text or "")
    is_open, _ = _quoted(line.text or "", delimiter, is_open=False)
    while is_open and len(taken) < MAX_RECORD_LINES and size < MAX_LINE_BYTES:
        more = _next(ahead, lines)
        if more is None:
            break
        taken.append(more)
        if more.text is None:
            break
        size += len(more.text)
        is_open, strict = _quoted(more.text, delimiter, is_open=True)
        if not strict:
            return taken, False
    return taken, not is_open


def _quoted(text: str, delimiter: str, *, is_open: bool) -> tuple[bool, bool]:
    """Say whether a quote is open behind a line, and whether a delimiter or the line's end follows each closing one.

    A quote opens at the beginning of a field alone (RFC 4180); anywhere else it is a letter, as in `5" screen`.
    """
    place, strict = 0, True
    while True:
        if is_open or text.startswith('"', place):
            place = _closing(text, place if is_open else place + 1)
            if not place:
                return True, strict
            is_open = False
            strict = strict and (text.startswith(delimiter, place) or not text[place:].strip("\r\n"))
        place = text.find(delimiter, place) + 1
        if not place:
            return False, strict


def _closing(text: str, place: int) -> int:
    """Give the place behind the quote that closes a field; 0 where none does. Two quotes are one that is meant."""
    while (place := text.find('"', place) + 1) and text.startswith('"', place):
        place += 1
    return place


def _parsed(taken: Sequence[Line], delimiter: str, columns: Sequence[str]) -> Sequence[Row] | Rejected:
    texts = [one.text or "" for one in taken]
    try:
        # A line by itself that is not to the letter, such as `"full" says the server`, can hide no other.
        [fields] = csv.reader(texts, delimiter=delimiter, strict=len(texts) > 1)
    except (csv.Error, ValueError):
        return _LONE_RETURN if "\r" in taken[0].original else _NO_RECORD
    return _row(fields, columns)


def _row(fields: Sequence[str], columns: Sequence[str]) -> Sequence[Row] | Rejected:
    if len(fields) != len(columns):
        return Rejected("wrong-type", f"{len(fields)} fields where the header has {len(columns)}")
    return [dict(zip(columns, fields, strict=True))]


def _is_torn(taken: Sequence[Line], delimiter: str, columns: Sequence[str]) -> bool:
    """Say whether a line behind the first is a row by itself: as many fields as the header has, one of them an address.

    Which of the two readings is meant can't be told, and what a server wrote into a reply must not pass for a row: so
    neither is taken.
    """
    _, *others = [line for one in taken for line in one.original.split("\r")]  # lines of old Macs among them
    for other in others:
        cells = other.split(delimiter)
        if len(cells) >= len(columns) and any(_ADDRESS.fullmatch(cell.strip(' "')) for cell in cells):
            return True
    return False
