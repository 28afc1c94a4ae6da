"""Commands over files: what reports mean, and what they would lead to. No broker, no Redis."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import Parameter
from cyclopts.types import NonNegativeInt

from streams.cli.tables import show_comparison
from streams.compare import compare as compare_policies
from streams.compare import summary
from streams.errors import WrongUse
from streams.replay import classify_lines
from streams.replay import replay as replay_lines
from streams.settings import read_policy, read_rules


def _no_option(_type: object, file: Path | None) -> None:
    if file is not None and str(file).startswith("-") and str(file) != "-":
        raise ValueError(f"There is no such option; a file of this name is ./{file}.")


_FILE = Parameter(allow_leading_hyphen=True, validator=_no_option)

File = Annotated[Path | None, _FILE]
"""A file; `-`, which would pass for an option, is standard input or output."""

NamedFile = Annotated[Path, _FILE]
"""A file that has to be named; `-` is told what is amiss with it by whoever takes it."""

Rules = Annotated[str | None, Parameter(env_var="BOUNCELINE_RULES")]


def classify(file: File = None, /, *, rules: Rules = None) -> None:
    """Show what reports mean: report envelopes in, classified delivery events out, one JSON object a line.

    An element that can't be read gives {"rejected": reason, "detail": …, "line": n} in its place.

    Parameters
    ----------
    file
        Report envelopes, one a line; standard input if left out or -.
    rules
        Rule file of your own, tried before the built-in rules.

    """
    rules_in_force = read_rules(rules or None)
    with _lines(file) as lines:
        for line in classify_lines(lines, rules_in_force):
            _print(line)


def replay(
    file: File = None,
    /,
    *,
    policy: str | None = None,
    compare: str | None = None,
    contacts: NonNegativeInt | None = None,
    json: bool = False,
    rules: Rules = None,
    rejected: Path | None = None,
) -> None:
    """Show what reports lead to: report envelopes in, suppression records out, one per change, in file order.

    With --compare, show instead what --policy would change: who would newly be blocked and who freed, and how many of
    those newly blocked were delivered to afterwards, which is what that policy would cost.
    A line with a field "command" is obeyed at its place: release, suppress, erase or retract. An erasure prints
    {"tenant": …, "recipient": …, "action": "erase"}.

    Parameters
    ----------
    file
        Report envelopes and commands, one a line; standard input if left out or -.
    policy
        Policy file to decide by; the built-in policy if left out.
    compare
        Policy file to compare with, such as the one in force; "built-in" for the built-in policy.
    contacts
        How many of the contacts that later were delivered to are listed; 10 if left out. Only with --compare.
    json
        Show the comparison as one JSON object. Only with --compare; without, all output is JSON.
    rules
        Rule file of your own, tried before the built-in rules.
    rejected
        Where to write what can't be read, one JSON object a line; only counted on standard error if left out.

    """
    policy_in_force, rules_in_force = read_policy(policy), read_rules(rules or None)
    if compare is not None:
        other = read_policy(None if compare == "built-in" else compare)
        if file is None or str(file) == "-":
            raise WrongUse("--compare reads the reports several times, so it needs a FILE, not standard input")
        with _lines(file) as lines, _sink(rejected) as on_rejected:
            if not lines.seekable():
                raise WrongUse(f"{file} can't be read twice, as --compare has to: write the reports to a file first")
            found = compare_policies(lines, policy_in_force, other, rules_in_force, on_rejected)
        show_comparison(summary(found, 10 if contacts is None else contacts), json)
        return
    if contacts is not None:
        raise WrongUse("--contacts goes with --compare")
    with _lines(file) as lines, _sink(rejected) as on_rejected:
        asyncio.run(replay_lines(lines, policy_in_force, _print, on_rejected, rules_in_force))


@contextmanager
def _lines(file: Path | None) -> Iterator[BinaryIO]:
    # Ctrl-C ends us at once, as it does every filter: asyncio would keep it until `replay` waits, which it never does.
    interrupted = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if file is not None and str(file) != "-":
            with file.open("rb") as lines:
                yield lines
        elif sys.stdin is not None:
            yield sys.stdin.buffer
        else:
            raise OSError("standard input is closed")
        sys.stdout.buffer.flush()
    finally:
        signal.signal(signal.SIGINT, interrupted)


@contextmanager
def _sink(file: Path | None) -> Iterator[Callable[[bytes], None]]:
    """Give a function that writes lines to a file, or that counts them where there is none."""
    if file is not None:
        with file.open("wb") as out:
            yield lambda line: (out.write(line + b"\n"), None)[1]
        return
    counted = [0]

    def count(_line: bytes) -> None:
        counted[0] += 1

    yield count
    if number := counted[0]:
        elements = "element" if number == 1 else "elements"
        print(f"bounceline: {number} {elements} could not be read; --rejected FILE shows them", file=sys.stderr)


def _print(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
