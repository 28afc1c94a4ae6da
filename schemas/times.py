"""Times and durations: integers of milliseconds inside, RFC 3339 and `365d` on the wire."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from schemas.rejected import Rejected

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339 in UTC with milliseconds, as `format_time` writes it; the format is for the JSON Schema alone."""

# From 1e11 on a number is milliseconds, below it is seconds (SPEC 4): 1e11 s is the year 5138 and
# 1e11 ms is March 1973, before anybody bounced.
_MILLISECONDS_FROM: Final = 1e11
# Years 1970 to 9999: what RFC 3339 can write with four digits and a positive epoch.
_MAX_MS: Final = 253_402_300_799_999

# Hours, minutes and offsets are bounded here, because Python's own parser is laxer, and otherwise in each version.
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(?:\.(\d{1,9}))?"
    r"\s?([Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d)",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"\d{1,16}(\.\d{1,9})?", re.ASCII)
_DURATION: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_UNITS: Final = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_time(value: object) -> int | Rejected:
    """Read a time as producers write it.

    Args:
        value: RFC 3339 with any offset and up to nine fractional digits, or an epoch as number or
            string: milliseconds from 1e11 on, seconds below, fractions allowed.

    Returns:
        Milliseconds since 1970 in UTC (finer digits are cut off), or `Rejected("bad-time", …)`.

    """
    match value:
        case bool():
            return Rejected("bad-time", "a time is text or a number, not true or false")
        case int() | float():
            return _from_epoch(value)
        case str():
            text = value.strip()
            if found := _RFC3339.fullmatch(text):
                return _from_rfc3339(found)
            if _NUMBER.fullmatch(text):
                return _from_epoch(float(text) if "." in text else int(text))
            return Rejected("bad-time", "a time is RFC 3339 or an epoch")
        case _:
            return Rejected("bad-time", "a time is text or a number")


def _from_epoch(value: float) -> int | Rejected:
    in_ms = value if value >= _MILLISECONDS_FROM else value * 1000
    # `not (a <= b <= c)` also refuses NaN, which compares false with everything.
    if not 0 <= in_ms <= _MAX_MS:
        return Rejected("bad-time", "an epoch outside the years 1970 to 9999")
    if value < _MILLISECONDS_FROM and isinstance(value, float):
        # A float of seconds carries its milliseconds only approximately (1760002000.29 * 1000 ends in .999…); its
        # shortest decimal form is what was sent.
        return int(Decimal(repr(value)) * 1000)
    return int(in_ms)


def _from_rfc3339(found: re.Match[str]) -> int | Rejected:
    date, minute, second, fraction, zone = found.groups()
    offset = "+00:00" if zone in "Zz" else zone
    # A leap second (23:59:60 in UTC) has no epoch of its own: it is the first one of the next day, as POSIX counts.
    leap = second == "60"
    try:
        seconds = int(datetime.fromisoformat(f"{date}T{minute}:{'59' if leap else second}{offset}").timestamp()) + leap
    except (ValueError, OverflowError):
        return Rejected("bad-time", "no such day or hour")
    if leap and seconds * SECOND % DAY:
        return Rejected("bad-time", "a leap second that does not end a day in UTC")
    in_ms = seconds * 1000 + int((fraction or "")[:3].ljust(3, "0"))
    if not 0 <= in_ms <= _MAX_MS:
        return Rejected("bad-time", "a time outside the years 1970 to 9999")
    return in_ms


def format_time(in_ms: int) -> str:
    """Write milliseconds since 1970 as RFC 3339 in UTC, always with three fractional digits and `Z`.

    What lies after the year 9999, such as the end of a pre-block of its last days, is written as its last millisecond.
    """
    seconds, rest = divmod(min(in_ms, _MAX_MS), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def parse_duration(text: str) -> int:
    """Read a duration such as `365d`, `1h`, `30m`, `10s` or `500ms` as milliseconds.

    Raises:
        ValueError: The text is none of these.

    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a duration such as 365d, 1h, 30m or 10s")
    return int(found[1]) * _UNITS[found[2]]
