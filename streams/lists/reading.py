"""Reading a list file record by record in bounded memory: CSV, or JSON line by line; with line numbers and offsets."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

import orjson

from agents.lists.entry import Row, column_name
from agents.lists.formats import ALLOW_LIST, BY_NAME, Format, recognise
from schemas.codec import decode_json
from schemas.rejected import Rejected
from streams.errors import Failed
from streams.lists.delimited import csv_records, tab_records
from streams.lists.files import check_beginning
from streams.lists.lines import TOO_LONG, Line, Record, lines_of

DELIMITERS: Final = (",", ";", "\t")
_SEPARATOR: Final = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)  # Excel's word for itself about what follows
_PAGES: Final = ("SuppressedDestinationSummaries", "items", "Data")  # what SES, Mailgun and Mailjet call a page


class Layout(NamedTuple):
    """How a list is laid out: its format, and where there is a header, delimiter, column names and the header's line.

    `delimiter` is None for JSON, which has no header.
    """

    form: Format
    delimiter: str | None
    columns: Sequence[str] = ()
    header: int = 0


def layout_of(file: BinaryIO, name: str, asked: str) -> Layout:
    """Find out how a list is laid out, from its first line that is not blank; `sep=;`, as Excel writes it, is none.

    Args:
        file: The list.
        name: The file's name, which may tell formats of the same columns apart.
        asked: The name of a format, or `auto`.

    Raises:
        Failed: It is empty, no text in UTF-8, or not one of the known formats.

    """
    check_beginning(file, name)
    lines = (line for line in lines_of(file) if line.text is None or line.text.strip())
    first = next(lines, None)
    said = _SEPARATOR.fullmatch(first.original) if first else None
    if said:
        first = next(lines, None)
    if first is None:
        raise Failed(f"{name} is empty")
    head = first.original
    if head.lstrip().startswith(("{", "[")):
        return _json_layout(head, first.number, name, asked)
    for delimiter in said[1] if said else DELIMITERS:
        columns = _columns(head, delimiter)
        form = _form(columns, name, asked)
        if form and len(set(filter(None, columns))) == len([one for one in columns if one]):
            if delimiter == "\t" and '"' in head:
                raise Failed(f"{name} has tabs and quotes; with tabs a quote is a letter: save the list as CSV instead")
            return Layout(form, delimiter, columns, first.number)
    hint = "; it seems to have no header" if "@" in head else ""
    raise Failed(f"line {first.number} of {name} is not the header of {_wanted(asked)}{hint}")


def _columns(head: str, delimiter: str) -> list[str]:
    if delimiter == "\t":
        return [column_name(one) for one in head.split(delimiter)]
    try:
        return [column_name(one) for one in next(csv.reader([head], delimiter=delimiter, strict=True), [])]
    except csv.Error:
        return []


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
    return f"a list that import knows ({', '.join(BY_NAME)}); docs/importing.md has their columns"


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
    lines = (line for line in lines_of(file, number, offset) if line.number > layout.header)
    match layout.delimiter:
        case None:
            return _json_records(lines)
        case "\t":
            return tab_records(lines, layout.columns)
        case delimiter:
            return csv_records(lines, delimiter, layout.columns)


def _json_records(lines: Iterator[Line]) -> Iterator[Record]:
    for line in lines:
        number, end, text = line
        if text is None:
            yield Record(number, end, number, "", TOO_LONG)
        elif text.strip():
            decoded = decode_json(text.encode())
            rows = decoded if isinstance(decoded, Rejected) else rows_of(decoded)
            yield Record(number, end, number, line.original, rows)


def rejected_lines(record: Record, rejected: Rejected) -> list[bytes]:
    """Write what could not be read of a record, each a JSON object: why, on which line, and the text as it stands."""
    told = {"rejected": rejected.reason, "detail": rejected.detail}
    return [orjson.dumps({**told, "line": line, "original": original}) for line, original in record.parts]
