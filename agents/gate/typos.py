"""Known typos of mail domains, which block before a send, and near misses, which are only suggested (SPEC 8)."""

from functools import cache, lru_cache
from importlib.resources import files

from agents.gate.providers import builtin_providers
from agents.gate.typo_table import TypoTable, load_typos


def typo_of(recipient: str) -> str | None:
    """Give the address that was meant, where the domain is a known typo: this blocks.

    Known is what the table lists, and a provider's name under a top-level domain that does not exist. The domain as a
    whole is looked at: `mail.gamil.com` may be somebody's host.

    Args:
        recipient: A canonical recipient (SPEC 4): lower case, the domain as A-labels.

    Returns:
        The canonical recipient that was meant, which is no known typo; None where the domain is none.

    """
    return _at(recipient, _meant(recipient.rpartition("@")[2]))


def suggestion_for(recipient: str) -> str | None:
    """Give the address that may have been meant, where the domain comes near a provider's: this never blocks.

    Args and result are as of `typo_of`; None also where the domain is a known typo.
    """
    return _at(recipient, _near(recipient.rpartition("@")[2]))


def _at(recipient: str, domain: str | None) -> str | None:
    return None if domain is None else f"{recipient.rpartition('@')[0]}@{domain}"


# A request names up to 10,000 recipients, who share few domains; about 100 bytes each.
@lru_cache(maxsize=65_536)
def _meant(domain: str) -> str | None:
    return builtin_typos().meant(domain)


@lru_cache(maxsize=65_536)
def _near(domain: str) -> str | None:
    return builtin_typos().near(domain)


@cache
def builtin_typos() -> TypoTable:
    """Give the table that ships with Bounceline; raises `TableInvalid` if it was damaged."""
    providers = builtin_providers()
    return TypoTable(load_typos(_text("typo_domains.toml"), providers), providers, builtin_top_level_domains())


def builtin_top_level_domains() -> frozenset[str]:
    """Give the top-level domains that exist, as A-labels; top_level_domains.txt says as of when."""
    return frozenset(line for line in _text("top_level_domains.txt").splitlines() if not line.startswith("#"))


def _text(name: str) -> str:
    return files("agents.gate").joinpath(name).read_text(encoding="utf-8")
