"""Moments as they are written on the command line: a time, a day, or how long ago."""

import re
import time
from collections.abc import Sequence
from typing import Annotated, Final

from cyclopts import Parameter, Token

from schemas.times import parse_duration, parse_time

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Time(int):
    """A moment in ms since 1970."""

    __slots__ = ()


def _read(_type: object, tokens: Sequence[Token]) -> Time:
    text = tokens[0].value
    try:
        return Time(time.time_ns() // 1_000_000 - parse_duration(text))
    except ValueError:
        at = parse_time(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    if isinstance(at, int):
        return Time(at)
    raise ValueError(
        f'"{text}" is neither a time such as 2026-11-20T10:15:30Z or 2026-11-20 nor a duration such as 24h.'
    )


Moment = Annotated[Time, Parameter(converter=_read)]
"""`2026-11-20T10:15:30Z`, a day such as `2026-11-20` (its midnight in UTC), or so long ago, such as `24h`."""

MomentOrNone = Annotated[Time | None, Parameter(converter=_read)]
"""The same, or left out."""
