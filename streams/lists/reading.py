"""Reading a list file record by record in bounded memory: CSV, or JSON line by line; with line numbers and offsets."""

import csv
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

import orjson

from agents.lists.entry import Row, column_name
from agents.lists.formats import ALLOW_LIST, BY_NAME, Format, recognise
from schemas.codec import decode_json
from schemas.rejected import Rejected
from streams.errors import Failed

MAX_LINE_BYTES: Final = 1_048_576
"""Of one line. What is longer is rejected without being held."""

MAX_RECORD_LINES: Final = 200
"""Of one CSV record: a quote that is not closed within so many lines spoils its own line alone."""

DELIMITERS: Final = (",", ";", "\t")
_PAGES: Final = ("SuppressedDestinationSummaries", "items", "Data")  # what SES, Mailgun and Mailjet call a page


class Line(NamedTuple):
    """One line: its number from 1 on, the offset behind it, and its text; None where it is too long."""

    number: int
    end: int
    text: str | None


class Record(NamedTuple):
    """One record: the line it begins on, the offset and the line it ends with, its text, and what it says.

    A CSV record is one row; a line of JSON is one, or an API's page of them.
    """

    line: int
    end: int
    last_line: int
    original: str
    rows: Sequence[Row] | Rejected


class Layout(NamedTuple):
    """How a list is laid out: its format, and for CSV delimiter and column names; `delimiter` is None for JSON."""

    form: Format
    delimiter: str | None
    columns: Sequence[str] = ()


def lines_of(file: BinaryIO, number: int = 0, offset: int = 0) -> Iterator[Line]:
    """Read lines from `offset` on, before which `number` lines stand. The file is UTF-8 (see `check_text`)."""
    file.seek(offset)
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number, offset = number + 1, offset + len(raw)
        rest, fits = raw, len(raw) <= MAX_LINE_BYTES
        while not fits and not rest.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES)):
            offset += len(rest)
        if number == 1:
            raw = raw.removeprefix(BOM_UTF8)
        yield Line(number, offset, raw.decode() if fits else None)


def layout_of(file: BinaryIO, name: str, asked: str) -> Layout:
    """Find out how a list is laid out, from its first line that is not blank.

    Args:
        file: The list.
        name: The file's name, which may tell formats of the same columns apart.
        asked: The name of a format, or `auto`.

    Raises:
        Failed: It is empty, or not one of the known formats.

    """
    first = next((line for line in lines_of(file) if line.text is None or line.text.strip()), None)
    if first is None:
        raise Failed(f"{name} is empty")
    head = first.text or ""
    if head.lstrip().startswith(("{", "[")):
        return _json_layout(head, first.number, name, asked)
    for delimiter in DELIMITERS:
        columns = [column_name(one) for one in next(csv.reader([head], delimiter=delimiter), [])]
        form = _form(columns, name, asked)
        if form and len(set(filter(None, columns))) == len([one for one in columns if one]):
            return Layout(form, delimiter, columns)
    hint = "; it seems to have no header" if "@" in head else ""
    raise Failed(f"line {first.number} of {name} is not the header of {_wanted(asked)}{hint}")


def _json_layout(head: str, number: int, name: str, asked: str) -> Layout:
    decoded = decode_json(head.encode())
    if isinstance(decoded, Rejected):
        raise Failed(
            f"line {number} of {name} is no JSON value by itself; one object a line is expected, as `jq -c` gives"
        )
    rows = rows_of(decoded)
    form = _form(list(rows[0]), name, asked) if rows and not isinstance(rows, Rejected) else None
    if form is None:
        raise Failed(f"line {number} of {name} is not a row of {_wanted(asked)}")
    return Layout(form, None)


def _form(columns: Sequence[str], name: str, asked: str) -> Format | None:
    if asked == "auto":
        form = recognise(columns, name)
        if form is ALLOW_LIST:
            raise Failed(f"{name} is Mailgun's list of whom to mail whatever happens, which blocks nobody")
        return form
    form = BY_NAME[asked]
    return form if form.fits(columns) else None


def _wanted(asked: str) -> str:
    if asked != "auto":
        return f"{asked}, which has the columns {BY_NAME[asked].columns}"
    return "a list that import knows: " + "; ".join(f"{name} ({form.columns})" for name, form in BY_NAME.items())


def rows_of(decoded: object) -> Sequence[Row] | Rejected:
    """Give the rows of one JSON value: an object, an array of them, or an API's page."""
    if isinstance(decoded, dict):
        page = next((decoded[name] for name in _PAGES if isinstance(decoded.get(name), list)), None)
        decoded = [decoded] if page is None else page
    if not isinstance(decoded, list) or not all(isinstance(one, dict) for one in decoded):
        return Rejected("wrong-type", "a row is a JSON object")
    return [{column_name(name): value for name, value in one.items()} for one in decoded]


def records_of(file: BinaryIO, layout: Layout, number: int = 0, offset: int = 0) -> Iterator[Record]:
    """Read the records from `offset` on, before which `number` lines stand. Passes over blank lines and the header."""
    lines = lines_of(file, number, offset)
    if layout.delimiter is None:
        return _json_records(lines)
    records = _csv_records(lines, layout.delimiter, layout.columns)
    if not offset:
        next(records, None)
    return records


def _json_records(lines: Iterator[Line]) -> Iterator[Record]:
    for number, end, text in lines:
        if text is None:
            yield Record(number, end, number, "", _TOO_LONG)
        elif text.strip():
            decoded = decode_json(text.encode())
            rows = decoded if isinstance(decoded, Rejected) else rows_of(decoded)
            yield Record(number, end, number, text.rstrip("\r\n"), rows)


_TOO_LONG: Final = Rejected("too-large", f"a line has more than {MAX_LINE_BYTES} bytes")


def _csv_records(lines: Iterator[Line], delimiter: str, columns: Sequence[str]) -> Iterator[Record]:
    waiting: deque[Line] = deque()  # lines that were read ahead for a quote that is never closed
    while line := waiting.popleft() if waiting else next(lines, None):
        if line.text is None:
            yield Record(line.number, line.end, line.number, "", _TOO_LONG)
            continue
        if not line.text.strip(" \t\r\n;,"):
            continue
        taken, quotes, size = [line], line.text.count('"'), len(line.text)
        while quotes % 2 and len(taken) < MAX_RECORD_LINES and size < MAX_LINE_BYTES:
            more = waiting.popleft() if waiting else next(lines, None)
            if more is None:
                break
            taken.append(more)
            if more.text is None:
                break
            quotes, size = quotes + more.text.count('"'), size + len(more.text)
        if quotes % 2:
            waiting.extendleft(reversed(taken[1:]))
            yield Record(line.number, line.end, line.number, line.text.rstrip("\r\n"), _NEVER_CLOSED)
            continue
        texts = [one.text or "" for one in taken]
        original = "".join(texts).rstrip("\r\n")
        yield Record(line.number, taken[-1].end, taken[-1].number, original, _csv_row(texts, delimiter, columns))


_NEVER_CLOSED: Final = Rejected("wrong-type", "a quote is opened and not closed")


def _csv_row(texts: Sequence[str], delimiter: str, columns: Sequence[str]) -> Sequence[Row] | Rejected:
    try:
        [fields] = csv.reader(texts, delimiter=delimiter)
    except (csv.Error, ValueError):
        return Rejected("wrong-type", "not a CSV record")
    if len(fields) != len(columns):
        return Rejected("wrong-type", f"{len(fields)} fields where the header has {len(columns)}")
    return [dict(zip(columns, fields, strict=True))]


def rejected_line(record: Record, rejected: Rejected) -> bytes:
    """Write what could not be read as one JSON object: why, on which line, and the record as it stands."""
    told = {"rejected": rejected.reason, "detail": rejected.detail, "line": record.line, "original": record.original}
    return orjson.dumps(told)
