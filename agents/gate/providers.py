"""The mailbox providers that people mistype, read from mailbox_providers.toml. What its tables mean is told there."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec

DOMAIN: Final = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,3}")
"""A domain as canonical recipients have it: A-labels in lower case."""

Endings = Mapping[str, tuple[str, ...]]
"""First label of a provider's domains -> what follows it, the usual one first: `hotmail` -> `com`, `fr`, `co.uk`, …"""


class TableInvalid(ValueError):
    """A table of providers or typos that can't be used; the message names what is at fault."""


class Providers(NamedTuple):
    """The providers' domains, and how far a name may be off.

    endings: of every provider.
    worldwide: names that one company holds under every ending.
    brands: names that are nobody else's, those of `worldwide` among them.
    neighbours: domains that look like a provider's, and are others'.
    """

    endings: Endings
    worldwide: frozenset[str]
    brands: frozenset[str]
    neighbours: frozenset[str]

    @property
    def domains(self) -> frozenset[str]:
        """All domains that the providers give mailboxes under."""
        return frozenset(f"{label}.{ending}" for label, endings in self.endings.items() for ending in endings)


class _Neighbours(msgspec.Struct, forbid_unknown_fields=True):
    domains: Sequence[str]


class _Tables(msgspec.Struct, forbid_unknown_fields=True):
    worldwide: dict[str, tuple[str, ...]]
    brands: dict[str, tuple[str, ...]]
    words: dict[str, tuple[str, ...]]
    neighbours: _Neighbours


def load_providers(text: str) -> Providers:
    """Read the providers from the text of a TOML file.

    Raises:
        TableInvalid: No TOML, another table, a label in two of them, or what is no domain in lower case.

    """
    try:
        tables = msgspec.convert(tomllib.loads(text), _Tables)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise TableInvalid(f"providers: {error}") from error
    endings = {**tables.worldwide, **tables.brands, **tables.words}
    if len(endings) != len(tables.worldwide) + len(tables.brands) + len(tables.words):
        raise TableInvalid("providers: a label stands in two tables")
    providers = Providers(
        endings,
        frozenset(tables.worldwide),
        frozenset([*tables.worldwide, *tables.brands]),
        frozenset(tables.neighbours.domains),
    )
    for domain in sorted(providers.domains | providers.neighbours):
        if not DOMAIN.fullmatch(domain):
            raise TableInvalid(f"providers: {domain!r} is no domain in lower case")
    return providers


def builtin_providers() -> Providers:
    """Give the providers that ship with Bounceline."""
    return load_providers(files("agents.gate").joinpath("mailbox_providers.toml").read_text(encoding="utf-8"))
