"""The table of known typos with the rules around it: which domain was meant, and which may have been meant."""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Final

from agents.gate.edit_distance import distance
from agents.gate.providers import DOMAIN, Providers, TableInvalid

PRIVATE: Final = frozenset({
    "alt", "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain",
    "localhost", "mail", "onion", "private", "test",
})  # fmt: skip
"""Top-level domains in use within a network or in examples though the root zone has none of them.

They are those of RFC 2606, 6761, 6762 (with its appendix G), 7686 and 9476, and those that ICANN keeps back for good.
"""

_LONG: Final = 8  # letters: in a name as long as this, two slips still leave hardly another one's


def load_typos(text: str, providers: Providers) -> Mapping[str, str]:
    """Read known typos from the text of a TOML file; gives typo -> the provider's domain that was meant.

    Raises:
        TableInvalid: No TOML of lists of domains, a domain meant that no provider has, a typo that is a provider's
            domain or a neighbour of one, or one that stands twice.

    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TableInvalid(f"typos: {error}") from error
    known: dict[str, str] = {}
    domains = providers.domains
    for meant, typos in written.items():
        if meant not in domains:
            raise TableInvalid(f"typos: {meant!r} is no provider's domain")
        for typo in typos if isinstance(typos, list) else [typos]:
            if not isinstance(typo, str) or not DOMAIN.fullmatch(typo):
                raise TableInvalid(f"typos of {meant}: {typo!r} is no domain in lower case")
            if typo in domains or typo in providers.neighbours:
                raise TableInvalid(f"typos of {meant}: {typo} is in use")
            if typo in known:
                raise TableInvalid(f"typos of {meant}: {typo} stands twice")
            known[typo] = meant
    return known


class TypoTable:
    """Known typos, the providers they are of, and the top-level domains that exist."""

    def __init__(self, known: Mapping[str, str], providers: Providers, top_level: Iterable[str]) -> None:
        """Take the known typos as `load_typos` gives them, and top-level domains as A-labels in lower case."""
        self._known = known
        self._providers = providers
        self._in_use = providers.domains | providers.neighbours
        self._top_level = frozenset(top_level)
        self._reachable = self._top_level | PRIVATE
        self._named = _named(known, providers)
        self._brands: dict[str, list[str]] = {}  # ending -> the names that have it, in the order of the alphabet
        for brand in sorted(providers.brands):
            for ending in providers.endings[brand]:
                self._brands.setdefault(ending, []).append(brand)

    def meant(self, domain: str) -> str | None:
        """Give the provider's domain that is meant where this one is a known typo of it, else None."""
        return self._known.get(domain) or self._under_no_top_level(domain)

    def near(self, domain: str) -> str | None:
        """Give the provider's domain that may be meant, for a domain that is neither in use nor a known typo."""
        label, _, ending = domain.partition(".")
        if domain in self._in_use or not _is_ending(ending) or _top_level(ending) not in self._top_level:
            return None
        if self.meant(domain):
            return None
        if label in self._providers.worldwide:
            usual, *others = self._providers.endings[label]
            # .co, .cm and .om are what a slip leaves of .com; in another country it is the one of that country.
            of_country = [
                one for one in others if _top_level(one) == _top_level(ending) and distance(ending, usual) > 1
            ]
            return f"{label}.{[*of_country, usual][0]}"
        slips = {brand: _slips(label, brand) for brand in self._brands.get(ending, ())}
        near = [brand for brand, count in slips.items() if count <= (2 if len(brand) >= _LONG else 1)]
        return f"{min(near, key=slips.__getitem__)}.{ending}" if near else None

    def _under_no_top_level(self, domain: str) -> str | None:
        """Take a provider's name, or a typo of it, where no mailbox can be: `gmail.con`, `yahoo.couk`, `gamil.vom`."""
        label, _, ending = domain.partition(".")
        if label not in self._named or not _is_ending(ending) or _top_level(ending) in self._reachable:
            return None
        of = self._named[label]
        own = min(self._providers.endings[of], key=lambda one: distance(ending, one))
        # A word under a name that does not exist today may be somebody's tomorrow: only the nearest names are slips.
        return f"{of}.{own}" if of in self._providers.brands or distance(ending, own) <= 1 else None


def _named(known: Mapping[str, str], providers: Providers) -> Mapping[str, str]:
    """Give the provider's first label for itself and for the typos of it that keep their ending."""
    slips = ((typo.partition("."), meant.partition(".")) for typo, meant in known.items())
    named = {label: of for (label, _, ending), (of, _, own) in slips if ending == own}
    return {**named, **{label: label for label in providers.endings}}


def _top_level(ending: str) -> str:
    return ending.rpartition(".")[2]


def _is_ending(ending: str) -> bool:
    """Say whether this may stand behind a provider's name. `gmail.example.com` is a host of example.com."""
    return ending != "" and ("." not in ending or (ending.count(".") == 1 and ending.startswith(("co.", "com."))))


def _slips(label: str, brand: str) -> int:
    """Count the slips where both begin alike, since the hand seldom slips on the first letter; else far too many."""
    alike = label[:1] == brand[0] or (label[:1] == brand[1] and label[1:2] == brand[0])
    return distance(label, brand) if alike and abs(len(label) - len(brand)) <= 2 else len(label) + len(brand)
