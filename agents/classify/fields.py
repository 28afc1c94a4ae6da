"""Reading fields of decoded JSON, and the shape most providers share: one object, or an array of them."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from agents.classify.evidence import Happening
from schemas.rejected import Rejected
from schemas.times import parse_time

Told = tuple[int | None, Happening | Rejected]
"""One happening of a report and the place of its element; None where the report as a whole is rejected."""

# Up to here a float counts every integer. Beyond it the digits that were sent are already lost.
_EXACT: Final = 2**53
# JSON decoders give no larger integers, and Python refuses to write very large ones.
_LARGEST: Final = 2**64


def each_object(payload: object, read: Callable[[dict[str, Any]], Happening | Rejected]) -> Iterable[Told]:
    """Read a payload that is one object or an array of objects, one happening each."""
    return each_element(payload, lambda one: (read(one),))


def each_element(payload: object, read: Callable[[dict[str, Any]], Iterable[Happening | Rejected]]) -> Iterable[Told]:
    """Read a payload that is one object or an array of objects, any number of happenings each.

    None is right for what tells of no mail, such as a provider's probe; several for an event about several
    recipients. They come in the order that `read` gives them in.
    """
    if isinstance(payload, dict):
        return [(0, told) for told in read(payload)]
    if isinstance(payload, list):
        return [
            (place, told)
            for place, one in enumerate(payload)
            for told in (read(one) if isinstance(one, dict) else _NO_OBJECT)
        ]
    return [(None, Rejected("wrong-type", "the payload is neither an object nor an array"))]


_NO_OBJECT: Final = (Rejected("wrong-type", "an event is an object"),)


def required_text(event: dict[str, Any], name: str) -> str | Rejected:
    """Read a text that has to be there: `missing-field` when absent or empty, `wrong-type` when no text."""
    value = event.get(name)
    if isinstance(value, str) and value:
        return value
    if value is None or value == "":
        return Rejected("missing-field", f"{name} is missing")
    return Rejected("wrong-type", f"{name} is not text")


def required_time(event: dict[str, Any], name: str) -> int | Rejected:
    """Read a time that has to be there, as `schemas.times.parse_time` does: milliseconds since 1970."""
    value = event.get(name)
    if value is None or value == "":
        return Rejected("missing-field", f"{name} is missing")
    time = parse_time(value)
    return Rejected(time.reason, f"{name}: {time.detail}") if isinstance(time, Rejected) else time


def first_time(*told: tuple[str, object]) -> int | Rejected:
    """Read the first readable one of several times, which come with their names, best first.

    Where none is readable it says what is wrong with the best one that is there; `missing-field` when none is.
    """
    wrong = None
    for name, value in told:
        if not value:
            continue
        time = parse_time(value)
        if not isinstance(time, Rejected):
            return time
        wrong = wrong or Rejected(time.reason, f"{name}: {time.detail}")
    return wrong or Rejected("missing-field", f"{told[0][0]} is missing")


def text_of(value: object) -> str | Rejected | None:
    """Read an optional text: None when absent or empty; numbers become text, digit by digit.

    A number too large to be exact is `Rejected`: two ids would become one.
    """
    if type(value) is str:
        return value or None
    if value is None:
        return None
    if type(value) is int and abs(value) < _LARGEST:
        return str(value)
    if type(value) is float and abs(value) < _EXACT:  # which refuses NaN and the infinities as well
        return str(int(value)) if value.is_integer() else str(value)
    return Rejected("wrong-type", "is neither text nor an exact number")


def strict_text(event: dict[str, Any], *names: str) -> str | Rejected | None:
    """Read an optional id: the first of the named fields that is neither absent nor empty, as `text_of` does."""
    for name in names:
        text = text_of(event.get(name))
        if isinstance(text, Rejected):
            # Dropped, an id's reports would no longer join; rounded, those of strangers would.
            return Rejected(text.reason, f"{name} {text.detail}")
        if text is not None:
            return text
    return None


def lenient_text(value: object) -> str | None:
    """Read an optional text of a provider that mixes types: None for whatever `text_of` would reject."""
    text = text_of(value)
    return None if isinstance(text, Rejected) else text


def object_of(value: object) -> dict[str, Any]:
    """Give an object inside another one; an empty one where there is none, or something else in its place."""
    return value if isinstance(value, dict) else {}


def first_text(value: object) -> str | None:
    """Read an optional text that may come as an array of texts, of which the first one counts."""
    return lenient_text(next(iter(value), None) if isinstance(value, list) else value)


def folded(value: object) -> str:
    """Give a text in lower case with single spaces, to look up in a table; "" for whatever is no text."""
    return " ".join(value.lower().split()) if isinstance(value, str) else ""
