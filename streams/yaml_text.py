"""Writing YAML: what JSON can say, as blocks. Texts are JSON strings, which YAML 1.2 reads the same, so nothing is
mistaken for a number or a date; the lock holds no YAML library, and reading is not needed.
"""

import json
import re
from typing import Any, Final

_PLAIN_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_MEANS_ELSE: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def to_yaml(value: Any, indent: int = 0) -> str:
    """Write objects and arrays as blocks, everything else as JSON; the text ends with a line break."""
    space = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(f"{space}{_key(name)}:{_after(inner, indent)}" for name, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{space}-{_after(inner, indent)}" for inner in value)
    return f"{space}{json.dumps(value)}\n"


def _after(value: Any, indent: int) -> str:
    if isinstance(value, (dict, list)) and value:
        return "\n" + to_yaml(value, indent + 1)
    return f" {json.dumps(value)}\n"


def _key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) and name.lower() not in _MEANS_ELSE else json.dumps(name)
