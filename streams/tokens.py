"""Tokens of the HTTP API: a TOML file that names, for each tenant, one or more; `"*"` holds those of operators.

acme = ["a long random text", "the next one, while they are changed"]
"*"  = "what operators use: good for every tenant"
"""

import hmac
import re
import tomllib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, Literal

from schemas.rejected import Rejected
from schemas.report import check_tenant

OPERATORS: Final = "*"
SHORTEST: Final = 16
"""Characters that a token has at least: a shorter one could be guessed."""

Verdict = Literal["yes", "who", "no"]
"""Whether a caller may ask about a tenant: yes, not known at all (401), or known and not for this tenant (403)."""


class TokensInvalid(ValueError):
    """The file can't be used; the message is one sentence without a token in it."""


class Tokens:
    """Who may ask about whom."""

    def __init__(self, tokens: Mapping[str, Sequence[str]]) -> None:
        """Take tenant -> tokens. Only their hashes are kept."""
        self._hashes = [(tenant, _hash(token)) for tenant, own in tokens.items() for token in own]

    def verdict(self, authorization: str | None, tenant: str) -> Verdict:
        """Judge the `Authorization` header of a request about a tenant; takes the same time whatever token it has."""
        scheme, _, token = (authorization or "").partition(" ")
        asked = _hash(token.strip())
        good = [owner for owner, known in self._hashes if hmac.compare_digest(known, asked)]
        if scheme.lower() != "bearer" or not good:
            return "who"
        return "yes" if tenant in good or OPERATORS in good else "no"


def parse_tokens(text: str) -> Tokens:
    """Read the file's text. Raises TokensInvalid."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Its message may quote the line: say the place alone.
        place = re.search(r"at line \d+, column \d+|at end of document", str(error))
        raise TokensInvalid(f"it is not TOML{f' ({place[0]})' if place else ''}") from error
    tokens = {}
    for tenant, told in table.items():
        own = [told] if isinstance(told, str) else told
        if tenant != OPERATORS and isinstance(check_tenant(tenant), Rejected):
            raise TokensInvalid(f"{tenant!r} is no tenant")
        if not isinstance(own, list) or not own or not all(isinstance(token, str) for token in own):
            raise TokensInvalid(f"the tokens of {tenant} are neither text nor an array of at least one text")
        if any(len(token) < SHORTEST or token != token.strip() for token in own):
            raise TokensInvalid(f"a token of {tenant} has less than {SHORTEST} characters, or blanks around it")
        tokens[tenant] = own
    if not tokens:
        raise TokensInvalid("it names no token")
    return Tokens(tokens)


def _hash(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
