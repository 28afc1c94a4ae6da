"""Reads one row of a rule table as TOML has it, and says in sentences what is wrong with it."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from agents.classify.evidence import FAILURES, Happening
from agents.classify.rows import Row, Verdict
from agents.classify.wordings import Wording
from schemas.typology import OUTCOMES, STATUSES, TYPOLOGY, Effect, Outcome, Status

_T = TypeVar("_T")

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


class RowInvalid(ValueError):
    """A row that can't be used; `wrong` says what is wrong with it, in a sentence each."""

    def __init__(self, wrong: list[str]) -> None:
        """Take the sentences, of which there is at least one."""
        super().__init__("; ".join(wrong))
        self.wrong = wrong


def read_row(name: str, row: dict[str, Any]) -> tuple[Row, Happening]:
    """Read a row and its example; raises RowInvalid with all that is wrong with them, one fault a key."""
    wrong = [f"unknown key {key}" for key in sorted(set(row) - _KEYS)]

    def tried(read: Callable[..., _T | None], *told: object) -> _T | None:
        try:
            return read(*told)
        except ValueError as error:
            wrong.append(str(error))
            return None

    tried(_source, row)
    verdict = tried(_verdict, name, row)
    given = tried(_given, row)
    outcomes = tried(_some, row, "outcome", OUTCOMES)
    conditions: dict[str, Any] = {
        "given": given,
        "bare": tried(_flag, row, "bare"),
        "providers": tried(_patterns, row, "provider", re.compile(r"[a-z0-9-]+")),
        "permanent": tried(_flag, row, "permanent"),
        "temporary": tried(_flag, row, "temporary"),
        "enhanced": tried(_patterns, row, "enhanced", _ENHANCED),
        "replies": tried(_patterns, row, "reply", _REPLY),
        "codes": tried(_patterns, row, "provider_code", _PROVIDER_CODE),
        "wordings": tried(_wordings, row),
        "regex": tried(_regex, row),
    }
    example = tried(_example, row)
    if wrong or verdict is None or example is None:
        raise RowInvalid(wrong)
    asked = cast("frozenset[Outcome]", outcomes) or (FAILURES if given is None else frozenset(OUTCOMES))
    return Row(verdict, asked, **conditions), example


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


def _source(row: dict[str, Any]) -> None:
    if not isinstance(row.get("source"), str) or not row["source"].strip():
        raise ValueError("source is missing: say where the row comes from")


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


def _wordings(row: dict[str, Any]) -> tuple[Wording, ...] | None:
    return tuple(map(Wording, _list(row, "text"))) if "text" in row else None


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


def _example(row: dict[str, Any]) -> Happening:
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
