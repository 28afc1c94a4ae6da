"""The lines of a list file, and the records that they make."""

from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

from agents.lists.entry import Row
from schemas.rejected import Rejected

MAX_LINE_BYTES: Final = 1_048_576
"""Of one line. What is longer is rejected without being held."""

TOO_LONG: Final = Rejected("too-large", f"a line has more than {MAX_LINE_BYTES} bytes")


class Line(NamedTuple):
    """One line: its number from 1 on, the offset behind it, and its text; None where it is too long."""

    number: int
    end: int
    text: str | None

    @property
    def original(self) -> str:
        """The text without the line's end."""
        return (self.text or "").rstrip("\r\n")

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing in it, delimiters aside."""
        return self.text is not None and not self.text.strip(" \t\r\n;,")


class Record(NamedTuple):
    """One record: the line it begins on, the offset and the line it ends with, its text, and what it says.

    A CSV record is one row; a line of JSON is one, or an API's page of them. `torn` holds the lines of a record of
    which each is rejected on its own.
    """

    line: int
    end: int
    last_line: int
    original: str
    rows: Sequence[Row] | Rejected
    torn: Sequence[Line] = ()

    @property
    def parts(self) -> Sequence[tuple[int, str]]:
        """What is rejected if `rows` is: lines with their text, without their ends."""
        return [(line.number, line.original) for line in self.torn] or [(self.line, self.original)]


def lines_of(file: BinaryIO, number: int = 0, offset: int = 0) -> Iterator[Line]:
    """Read lines from `offset` on, before which `number` lines stand.

    The file is UTF-8 (`check_text` looks); its first line may be looked at before that is known.
    """
    file.seek(offset)
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number, offset = number + 1, offset + len(raw)
        rest, fits = raw, len(raw) <= MAX_LINE_BYTES
        while not fits and not rest.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES)):
            offset += len(rest)
        if number == 1:
            raw = raw.removeprefix(BOM_UTF8)
        yield Line(number, offset, raw.decode(errors="replace") if fits else None)
