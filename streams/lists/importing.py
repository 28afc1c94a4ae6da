"""Importing a list: rows in, `suppress` commands out, a chunk at a time, each acknowledged before it counts as done."""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

from agents.classify.rules import builtin_rules
from agents.classify.table import RuleTable
from agents.lists.command import command_of
from agents.lists.entry import Entry, Skipped
from agents.lists.formats import read_row
from agents.ports import Outgoing
from schemas.codec import encode
from schemas.rejected import Rejected
from streams.lists.files import Counts, Progress, ProgressFile, check_text
from streams.lists.lines import Record
from streams.lists.reading import Layout, layout_of, records_of, rejected_lines

CHUNK_RECORDS: Final = 2_000
"""Of the file at a time: about a megabyte of commands."""

FIRST_REJECTS: Final = 10
"""Rejects that are remembered, to be shown where they are written to no file."""

Publish = Callable[[Sequence[Outgoing]], Awaitable[None]]
"""Writes commands; returns once the broker has them all."""


class Asked(NamedTuple):
    """What is to be imported, and how.

    tenant: Whose list it is.
    file: The list.
    form: The name of its format, or `auto`.
    at: The time of rows without one, in ms; None rejects them.
    latest: The latest time that can be true, in ms.
    rejected: Where to write what can't be read.
    resume: Go on where an import of the same list was cut off.
    preblock_window: How long a pre-block of this tenant lasts, in ms.
    destination: The broker and the topic; None for a dry run.
    """

    tenant: str
    file: Path
    form: str
    at: int | None
    latest: int
    rejected: Path | None
    resume: bool
    preblock_window: int
    destination: str | None


class Imported(NamedTuple):
    """What came of an import. `resumed_at` is the line that an earlier import had come to, 0 for none."""

    form: str
    counts: Counts
    first_rejects: Sequence[tuple[int, Rejected]]
    resumed_at: int


async def import_list(
    asked: Asked,
    publish: Publish,
    rules: RuleTable | None,
    on_progress: Callable[[int, int], None],
    say: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Import a list.

    What can't be read is left out, counted and told with its line; the rest is imported.

    Args:
        asked: What is to be imported.
        publish: Writes the commands.
        rules: The rules to judge words by; the built-in ones where None.
        on_progress: Told after every chunk how far it is, in bytes, and how many bytes there are.
        say: Takes a sentence for whoever waits: where it begins, if it was to go on.

    Raises:
        Failed: The list as a whole can't be read. Nothing has been imported then.

    """
    with asked.file.open("rb") as file:
        size = asked.file.stat().st_size
        digest = check_text(file, asked.file.name)
        layout = layout_of(file, asked.file.name, asked.form)
        kept = ProgressFile(asked.file) if asked.destination else None
        what = _what(asked, digest, layout, rules)
        found = kept.read(what) if kept and asked.resume else None
        if kept and asked.resume:
            say(_where(found, is_other=kept.path.exists()))
        progress = found or Progress(what)
        resumed_at = progress.line
        first: list[tuple[int, Rejected]] = []
        table = builtin_rules() if rules is None else rules
        with _Rejects(asked.rejected, progress.rejected_bytes) as rejects:
            records = records_of(file, layout, progress.line, progress.offset)
            for chunk in _chunks(records):
                await publish(_commands(chunk, asked, layout, table, progress.counts, rejects, first))
                progress.offset, progress.line = chunk[-1].end, chunk[-1].last_line
                progress.rejected_bytes = rejects.flushed()
                if kept:
                    kept.write(progress)
                on_progress(progress.offset, size)
        if kept:
            kept.remove()
    return Imported(layout.form.name, progress.counts, first, resumed_at)


def _where(found: Progress | None, *, is_other: bool) -> str:
    if found:
        return f"--resume: goes on behind line {found.line:,}"
    if is_other:
        return "--resume: begins anew, since the list, its format, the rules, the policy or the broker are others now"
    return "--resume: begins at the beginning, since no import of this list was cut off here"


def _what(asked: Asked, digest: str, layout: Layout, rules: RuleTable | None) -> str:
    parts = (
        *(digest, asked.tenant, layout.form.name, str(asked.at), asked.destination, str(asked.rejected)),
        str(asked.preblock_window),
        rules.fingerprint if rules else "",
    )
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def _chunks(records: Iterator[Record]) -> Iterator[list[Record]]:
    while chunk := list(islice(records, CHUNK_RECORDS)):
        yield chunk


def _commands(
    chunk: Sequence[Record],
    asked: Asked,
    layout: Layout,
    rules: RuleTable,
    counts: Counts,
    rejects: "_Rejects",
    first: list[tuple[int, Rejected]],
) -> list[Outgoing]:
    """Give the commands that a chunk leads to; counts, and notes what can't be read."""
    source, found = layout.form.source, []
    for record in chunk:
        told: list[Entry | Skipped | Rejected] = []
        if isinstance(record.rows, Rejected):
            counts.rows += len(record.parts)
            told.append(record.rows)
        else:
            counts.rows += len(record.rows)
            for row in record.rows:
                told += read_row(layout.form, row, rules, asked.at, asked.latest, asked.preblock_window)
        for one in told:
            match one:
                case Entry():
                    command = command_of(asked.tenant, one, source)
                    found.append(Outgoing("contact-commands", one.recipient.encode(), encode(command)))
                    _count(counts.imported, one.status)
                    counts.unverified += one.rule == "import-unverified"
                case Skipped():
                    _count(counts.skipped, one.why)
                case Rejected():
                    counts.rejected[one.reason] = counts.rejected.get(one.reason, 0) + len(record.parts)
                    rejects.write(rejected_lines(record, one))
                    first += [(line, one) for line, _ in record.parts][: FIRST_REJECTS - len(first)]
    return found


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


class _Rejects:
    """The file of what can't be read; writes nothing where none was asked for."""

    def __init__(self, path: Path | None, kept_bytes: int) -> None:
        """Take the file, and how many bytes of it an earlier import had written for sure: what follows goes."""
        self._path = path
        self._kept = kept_bytes
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._path.open("r+b" if self._kept and self._path.exists() else "wb")
            self._file.truncate(self._kept if self._path.stat().st_size >= self._kept else None)
            self._file.seek(0, 2)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, lines: Sequence[bytes]) -> None:
        if self._file is not None:
            self._file.writelines(line + b"\n" for line in lines)

    def flushed(self) -> int:
        """Give how many bytes the file has, all of them written."""
        if self._file is None:
            return 0
        self._file.flush()
        return self._file.tell()
