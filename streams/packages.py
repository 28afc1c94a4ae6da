"""Others ship packages called `agents` or `schemas` too, and of two with one name one silently hides the other."""

from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from streams.errors import Failed

OURS: Final = ("schemas", "agents", "streams")


class ForeignPackage(Failed):
    """Another distribution has put a package of our name in the way."""


def check_places() -> None:
    """Refuse to go on where one of our packages would be imported from somewhere else; imports nothing.

    Raises:
        ForeignPackage: names the package and where it lies.

    """
    home = Path(__file__).parents[1]
    for name in OURS:
        spec = find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).parents[1] != home:
            found = spec and spec.origin
            raise ForeignPackage(f"the package {name} at {found} is not ours: give bounceline its own .venv")


def check_packages() -> None:
    """Refuse to run beside a distribution that installs a package of our name, even one that ours hides now.

    Raises:
        ForeignPackage: names the intruder.

    """
    owners = metadata.packages_distributions()
    for name in OURS:
        if intruders := sorted(set(owners.get(name, ())) - {"bounceline"}):
            raise ForeignPackage(f"{intruders[0]} also installs a package called {name}: give bounceline its own .venv")
