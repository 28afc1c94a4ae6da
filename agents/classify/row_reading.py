"""Reads one row of a rule table as TOML has it, and says in a sentence what is wrong with it."""

import re
from typing import Any, Final, cast

from agents.classify.evidence import FAILURES, Happening
from agents.classify.rows import Row, Verdict
from agents.classify.wordings import Wording
from schemas.typology import OUTCOMES, STATUSES, TYPOLOGY, Effect, Outcome, Status

_KEYS: Final = frozenset(
    (
        *("id", "source", "why", "example", "status", "effect"),
        *("given", "bare", "outcome", "provider", "permanent", "temporary"),
        *("enhanced", "reply", "provider_code", "text", "regex"),
    )
)
_ENHANCED: Final = re.compile(r"[45X]\.[0-7]\.(?:[0-9]{1,3}|x)|[45]\.x\.x")
_REPLY: Final = re.compile(r"[45](?:[0-9]{2}|xx)")
_PROVIDER_CODE: Final = re.compile(r"[^A-Z*]*(?:/\*)?")
_CONDITIONS: Final = (
    *("given", "bare", "outcome", "provider", "provider_code", "enhanced"),
    *("reply", "permanent", "temporary", "text", "regex"),
)
_SHOWN: Final = 4
_BARE_EFFECTS: Final = ("reset", "lift", "ignore")


def read_row(name: str, row: dict[str, Any]) -> Row:
    """Read a row; raises ValueError with what is wrong with it."""
    unknown = set(row) - _KEYS
    if unknown:
        raise ValueError(f"unknown key {min(unknown)}")
    if not isinstance(row.get("source"), str) or not row["source"].strip():
        raise ValueError("source is missing: say where the row comes from")
    given = _given(row)
    outcomes = _some(row, "outcome", OUTCOMES)
    return Row(
        verdict=_verdict(name, row),
        outcomes=cast("frozenset[Outcome]", outcomes) or (FAILURES if given is None else frozenset(OUTCOMES)),
        given=given,
        bare=_flag(row, "bare"),
        providers=_patterns(row, "provider", re.compile(r"[a-z0-9-]+")),
        permanent=_flag(row, "permanent"),
        temporary=_flag(row, "temporary"),
        enhanced=_patterns(row, "enhanced", _ENHANCED),
        replies=_patterns(row, "reply", _REPLY),
        codes=_patterns(row, "provider_code", _PROVIDER_CODE),
        wordings=tuple(map(Wording, _list(row, "text"))) if "text" in row else None,
        regex=_regex(row),
    )


def read_text(row: dict[str, Any]) -> str:
    """Give a row that `read_row` takes in one line: its verdict, its conditions, why it is so, and its source."""
    conditions = "; ".join(f"{key} {_shown(row[key])}" for key in _CONDITIONS if key in row)
    why = f": {row['why']}" if row.get("why") else ""
    when = f"when {conditions}" if conditions else "when no row before it decides"
    return " ".join(f"{row.get('status') or row.get('effect')} {when}{why} ({row['source']})".split())


def _shown(value: object) -> str:
    listed = [str(one).lower() if isinstance(one, bool) else str(one) for one in _several(value)]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(one or '""' for one in listed[:_SHOWN]) + more


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _verdict(name: str, row: dict[str, Any]) -> Verdict:
    status, effect = row.get("status"), row.get("effect")
    if (status is None) == (effect is None):
        raise ValueError("needs a status or an effect, and not both")
    if status is not None:
        if status not in STATUSES:
            raise ValueError(f"status {status!r} is not one of the eight labels")
        return Verdict(status, name, TYPOLOGY[cast("Status", status)].effect)
    if effect not in _BARE_EFFECTS:
        raise ValueError(f"effect {effect!r} is not reset, lift or ignore; the others follow from a status")
    return Verdict(None, name, cast("Effect", effect))


def _given(row: dict[str, Any]) -> Status | None:
    given = row.get("given")
    if given is not None and given not in STATUSES:
        raise ValueError(f"given {given!r} is not one of the eight labels")
    if given is not None and "outcome" in row:
        raise ValueError("a row for a given status takes no outcome: the status wins over it")
    return cast("Status | None", given)


def _list(row: dict[str, Any], key: str) -> list[str]:
    value = row.get(key, [])
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError(f"{key} is neither text nor a list of texts")
    if key in row and not listed:
        raise ValueError(f"{key} is empty")
    return listed


def _some(row: dict[str, Any], key: str, allowed: tuple[str, ...]) -> frozenset[str]:
    for one in _list(row, key):
        if one not in allowed:
            raise ValueError(f"{key} {one!r} is none of {', '.join(allowed)}")
    return frozenset(_list(row, key))


def _patterns(row: dict[str, Any], key: str, form: re.Pattern[str]) -> frozenset[str] | None:
    for one in _list(row, key):
        if not form.fullmatch(one):
            raise ValueError(f"{key} {one!r} is not of the form the top of the built-in table tells")
    return frozenset(one.lower() for one in _list(row, key)) if key in row else None


def _flag(row: dict[str, Any], key: str) -> bool | None:
    value = row.get(key)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{key} is neither true nor false")
    return value


# Escapes and character classes stand for one character each; for how long matching takes nothing else counts.
_ESCAPE: Final = re.compile(r"\\.")
_ONE_CHARACTER: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
_UNBOUNDED: Final = re.compile(r"[*+]|\{[0-9]*,\}|\)\{")
_RANGE: Final = re.compile(r"\{[0-9]*,([0-9]+)\}")
_MAX_RANGES: Final = 2
_MAX_REPEATS: Final = 100


def _regex(row: dict[str, Any]) -> re.Pattern[str] | None:
    """Compile a pattern that can't take long: at most two repeats, both bounded, and no repeated group."""
    pattern = row.get("regex")
    if pattern is None:
        return None
    if not isinstance(pattern, str) or (bare := _ESCAPE.sub("", pattern)) != bare.lower():
        raise ValueError("regex is not text in lower case, as the diagnostic is when it is compared")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"regex: {error}") from error
    shape = _ONE_CHARACTER.sub("a", pattern)
    repeats = [int(upper) for upper in _RANGE.findall(shape)]
    if _UNBOUNDED.search(shape) or len(repeats) > _MAX_RANGES or any(n > _MAX_REPEATS for n in repeats):
        raise ValueError(f"regex may repeat without end: write {{0,{_MAX_REPEATS}}} for *, at most {_MAX_RANGES} times")
    if compiled.search(""):
        raise ValueError("regex matches the empty text, so it says nothing")
    return compiled


_EXAMPLE_KEYS: Final = frozenset(
    (
        "outcome",
        "status",
        "provider",
        "permanent",
        "smtp_code",
        "enhanced_code",
        "diagnostic",
        "provider_code",
    )
)


def read_example(row: dict[str, Any]) -> Happening:
    """Read the example of a row: the fields of a delivery event that rules look at, `bounced` by default.

    Raises:
        ValueError: There is none, or a field is unknown or wrong.

    """
    example = row.get("example")
    if type(example) is not dict:
        raise ValueError("example is missing: give the fields of an event that this row decides")
    unknown = set(example) - _EXAMPLE_KEYS
    if unknown:
        raise ValueError(f"unknown key {min(unknown)} in the example")
    wrong = [key for key, value in example.items() if type(value) is not (bool if key == "permanent" else str)]
    if wrong:
        raise ValueError(f"{wrong[0]} in the example has the wrong type")
    if example.get("outcome", "bounced") not in OUTCOMES:
        raise ValueError("outcome in the example is not one of the ten")
    if example.get("status", "Spam") not in STATUSES:
        raise ValueError("status in the example is not one of the eight labels")
    return Happening(**{"recipient": "jane@example.com", "occurred_at": 0, "outcome": "bounced", **example})
