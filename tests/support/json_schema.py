"""Validating by JSON Schema: the keywords that our schemas use, and an error for any other, so that none is overlooked.

The lock holds no validator.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_SAYS_NOTHING: Final = {"$schema", "$defs", "title", "description", "default"}
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def faults(schema: Mapping[str, Any], value: Any, root: Mapping[str, Any] | None = None) -> list[str]:
    """Give what a value lacks to be valid; nothing if it is."""
    return list(_faults(schema, value, schema if root is None else root))


def _faults(schema: Mapping[str, Any], value: Any, root: Mapping[str, Any]) -> Iterator[str]:  # noqa: C901, PLR0912
    for word, said in schema.items():
        match word:
            case "$ref":
                pointed: Any = root
                for part in said.removeprefix("#/").split("/"):
                    pointed = pointed[part]
                yield from _faults(pointed, value, root)
            case "type":
                names = [said] if isinstance(said, str) else said
                fits = [name for name in names if isinstance(value, _TYPES[name])]
                if not fits or (isinstance(value, bool) and "boolean" not in names):
                    yield f"not of type {said}"
            case "enum":
                if value not in said:
                    yield "not in enum"
            case "anyOf":
                if all(faults(one, value, root) for one in said):
                    yield "fits none of anyOf"
            case "pattern":
                if isinstance(value, str) and not re.search(said, value):
                    yield f"does not match {said}"
            case "format":
                assert said == "date-time"
                if isinstance(value, str) and not _RFC3339.fullmatch(value):
                    yield "no date-time"
            case "required":
                yield from (f"{name} is missing" for name in said if isinstance(value, dict) and name not in value)
            case "properties":
                for name, inner in said.items():
                    if isinstance(value, dict) and name in value:
                        yield from (f"{name}: {fault}" for fault in _faults(inner, value[name], root))
            case "additionalProperties":
                assert said is False
                more = value.keys() - schema["properties"].keys() if isinstance(value, dict) else ()
                yield from (f"{name} is one too many" for name in more)
            case "items":
                for one in value if isinstance(value, list) else []:
                    yield from _faults(said, one, root)
            case "minItems" | "maxItems":
                if isinstance(value, list) and (len(value) < said if word == "minItems" else len(value) > said):
                    yield f"{word} {said}"
            case _:
                assert word in _SAYS_NOTHING, f"this validator does not know {word}"
