"""Commands that bring lists in and give them out."""

import asyncio
import csv
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from cyclopts import Parameter

from agents.lists.formats import BY_NAME
from agents.ports import Outgoing
from schemas.times import MINUTE
from streams import log
from streams.cli.asking import check_tenant_name
from streams.cli.files import File, NamedFile
from streams.cli.moments import MomentOrNone
from streams.cli.running import reaching
from streams.cli.tables import progress_bar, show_import
from streams.errors import Failed, WrongUse
from streams.lists.importing import Asked, Imported, import_list
from streams.lists.reading import layout_of
from streams.settings import from_environment, read_policy, read_rules

CLOCK_TOLERANCE = 10 * MINUTE  # as of reports (SPEC 3)


def import_(
    tenant: str,
    file: NamedFile,
    /,
    *,
    form: Annotated[str, Parameter(name="--format")] = "auto",
    at: MomentOrNone = None,
    dry_run: bool = False,
    rejected: Path | None = None,
    resume: bool = False,
    json: bool = False,
) -> None:
    """Import a list of whom not to mail: each row becomes a command on contact-commands.

    Knows the exports of Mailjet, SendGrid, Mailgun, Amazon SES, Mautic and of bounceline by their columns, as CSV or as
    one JSON object a line. Importing a list twice is importing it once. Ends with 1 if a row can't be read; the others
    are imported.

    Parameters
    ----------
    tenant
        Whose list it is.
    file
        The list, in UTF-8.
    form
        Name of the format, where its columns do not tell; "auto" finds out.
    at
        The time of rows without one, such as 2026-11-20; they are rejected if left out.
    dry_run
        Only count; nothing is written, and no broker is needed.
    rejected
        Where to write what can't be read, one JSON object a line: why, the line's number, the line itself.
    resume
        Go on where an import of this list was cut off.
    json
        Show the outcome as one JSON object.

    """
    check_tenant_name(tenant)
    if form != "auto" and form not in BY_NAME:
        raise WrongUse(f"--format {form} is none of auto, {', '.join(BY_NAME)}")
    if rejected is not None and rejected.resolve() == file.resolve():
        raise WrongUse("--rejected is the list itself")
    if resume and dry_run:
        raise WrongUse("--resume goes on with an import, and --dry-run counts the whole list")
    if str(file) == "-":
        raise WrongUse("a list is read twice, so import needs a FILE, not standard input")
    with file.open("rb") as beginning:  # what is no list is refused before a broker is asked for
        if not beginning.seekable():
            raise WrongUse(f"{file} can't be read twice, as a list has to be: write it to a file first")
        layout_of(beginning, file.name, form)
    now = time.time_ns() // 1_000_000
    window = read_policy(os.environ.get("BOUNCELINE_POLICY") or None).of(tenant).preblock.window
    asked = Asked(tenant, file, form, at, now + CLOCK_TOLERANCE, rejected, resume, window, None)
    with progress_bar("importing") as on_progress:
        done = asyncio.run(_counted(asked, on_progress)) if dry_run else _imported(asked, on_progress)
    show_import(_told(tenant, file, done, dry_run), json)
    _complain(done, rejected)


async def _counted(asked: Asked, on_progress: Callable[[int, int], None]) -> Imported:
    async def nowhere(_commands: Sequence[Outgoing]) -> None: ...

    return await import_list(asked, nowhere, read_rules(os.environ.get("BOUNCELINE_RULES") or None), on_progress)


def _imported(asked: Asked, on_progress: Callable[[int, int], None]) -> Imported:
    try:
        return asyncio.run(_sent(asked, on_progress))
    except KeyboardInterrupt:
        _say("stopped; what was imported stays, and the same command with --resume goes on where it was")
        raise


def _say(sentence: str) -> None:
    print(f"bounceline: {sentence}", file=sys.stderr)


async def _sent(asked: Asked, on_progress: Callable[[int, int], None]) -> Imported:
    from streams.publisher import KafkaPublisher  # noqa: PLC0415  # aiokafka takes half a second
    from streams.topics import ensure_topics  # noqa: PLC0415

    settings = from_environment(os.environ, default_secret=b"unused")
    log.set_up(settings.log_level, brief=True)
    destination = f"{settings.kafka} {settings.topic('contact-commands')}"
    publisher = KafkaPublisher(settings)
    with reaching():
        await ensure_topics(settings)
        await publisher.start()
        try:
            sent = asked._replace(destination=destination)
            return await import_list(sent, publisher.publish, settings.rules, on_progress, _say)
        finally:
            await publisher.stop()


def _told(tenant: str, file: Path, done: Imported, dry_run: bool) -> dict[str, Any]:
    counts = done.counts
    return {
        "tenant": tenant,
        "file": file.name,
        "format": done.form,
        "dry_run": dry_run,
        "rows": counts.rows,
        "imported": dict(sorted(counts.imported.items())),
        "unverified": counts.unverified,
        "skipped": dict(sorted(counts.skipped.items())),
        "rejected": dict(sorted(counts.rejected.items())),
        "resumed_after_line": done.resumed_at,
    }


def _complain(done: Imported, rejected: Path | None) -> None:
    number = sum(done.counts.rejected.values())
    if not number:
        return
    sys.stdout.flush()
    many = "1 row could not be read and was" if number == 1 else f"{number:,} rows could not be read and were"
    error = Failed(f"{many} left out; " + (f"see {rejected}" if rejected else "--rejected FILE writes them down"))
    for line, one in done.first_rejects if rejected is None else ():
        error.add_note(f"line {line}: {one.reason}: {one.detail}")
    raise error


def export(
    tenant: str,
    file: File = None,
    /,
    *,
    form: Annotated[Literal["ndjson", "csv"] | None, Parameter(name="--format")] = None,
) -> None:
    """Write whom a tenant must not mail, and why: every standing decision, read from suppressions to its end.

    Reasons that have expired are left out. What it writes, bounceline import reads.

    Parameters
    ----------
    tenant
        Whose decisions.
    file
        Where to write them; standard output if left out or -. It appears once it is complete.
    form
        One JSON object a line, or CSV; what the file's name ends in if left out, else ndjson.

    """
    from streams.lists.exporting import CSV_COLUMNS, csv_fields, export_standing  # noqa: PLC0415

    check_tenant_name(tenant)
    settings = from_environment(os.environ, default_secret=b"unused")
    log.set_up(settings.log_level, brief=True)
    target = None if file is None or str(file) == "-" else file
    as_csv = form == "csv" or (form is None and target is not None and target.suffix.lower() == ".csv")
    now = time.time_ns() // 1_000_000
    with progress_bar("exporting") as on_progress, _written(target) as out:
        rows = csv.writer(out, lineterminator="\n")
        if as_csv:
            rows.writerow(CSV_COLUMNS)

        def write(line: bytes) -> None:
            if as_csv:
                rows.writerow(csv_fields(line))
            else:
                out.write(line.decode() + "\n")

        with reaching():
            asyncio.run(export_standing(settings, tenant, now, write, on_progress))


@contextmanager
def _written(target: Path | None) -> Iterator[TextIO]:
    """Give a file to write that takes its name when all is written, or standard output."""
    if target is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    part = target.with_name(f".{target.name}.part")
    with _named(target):
        out = part.open("w", encoding="utf-8", newline="")
    try:
        with out:
            yield out
        with _named(target):
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Tell an error of the file that is written meanwhile as one of the file that was asked for."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error
