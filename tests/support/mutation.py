"""Real payloads with something wrong in them: JSON of the right shape that a field or two has gone astray in."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

from hypothesis import strategies as st

SECRET: Final = "s3cr3t"
"""Stands in what was put in, so that a test can see whether it comes out again."""

_ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    2**53,
    2**64,
    1e300,
    float("nan"),
    "",
    " ",
    "\ud800",
    "5.1.1",
    "550",
    [],
    {},
)
_ANYTHING: Final = st.recursive(
    st.one_of(st.sampled_from(_ODD), st.text(max_size=6), st.just(SECRET), st.just(f"{SECRET}@nowhere")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=5,
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Give every place inside a JSON value, as the container and the key or index in it."""
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield value, key
        yield from places(inner)


@st.composite
def mutated(draw: st.DrawFn, originals: list[Any], repack: Callable[[Any], Any] = lambda value: value) -> Any:
    """Draw a copy of one of the originals in which one to four places were replaced, removed, doubled or exchanged.

    `repack` wraps what was drawn, for formats that hold JSON inside a text.
    """
    value = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(value))
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        match draw(st.sampled_from(("replace", "remove", "double", "exchange", "wrap"))):
            case "replace":
                container[key] = draw(_ANYTHING)
            case "remove":
                del container[key]
            case "double" if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            case "wrap":
                container[key] = [container[key]]
            case _:
                other, elsewhere = draw(st.sampled_from(found))
                container[key] = copy.deepcopy(other[elsewhere])
    return repack(value)
