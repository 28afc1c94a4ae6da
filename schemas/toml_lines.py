"""Which line of a TOML file is wrong: TOML readers keep no positions, and msgspec gives a path."""

import re
from itertools import takewhile
from typing import Final

_UNKNOWN: Final = re.compile(r"unknown field `(.*)`$", re.DOTALL)
_INDEX: Final = re.compile(r"\[\d+\]$")
_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`$")


def with_line(text: str, above: list[str], message: str) -> str:
    """Turn a validation message and its path into a sentence with the line of the file."""
    found = _PATH.search(message)
    message = _PATH.sub("", message)
    path = [part for part in (found[1] if found else "").split(".") if part]
    if unknown := _UNKNOWN.search(message):
        path.append(unknown[1])
        message = f"unknown key `{'.'.join([*above, *path])}`"
    else:
        message = f"{'.'.join([*above, *path])}: {message}"
    place = [_INDEX.sub("", part) for part in path]
    return f"line {line_of(text, [*above, *place])}: {message}"


_PART: Final = r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'"""
_DOTTED: Final = rf"(?:{_PART})(?:[ \t]*\.[ \t]*(?:{_PART}))*"
_HEADER: Final = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=")


def line_of(text: str, path: list[str]) -> int:
    """Find the line (from 1 on) that sets `path`, or comes nearest to it: TOML readers keep no positions."""
    best, best_depth = 1, 0
    table: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = here = _parts(header[1])
        elif key := _KEY.match(line):
            here = table + _parts(key[1])
        else:
            continue
        depth = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(here, path, strict=False))))
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def _parts(dotted: str) -> list[str]:
    return [part[1:-1] if part[0] in "\"'" else part for part in re.findall(_PART, dotted)]
