"""The providers whose reports can be read: one module each, with one mapping function."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from agents.classify.fields import Told
from agents.classify.providers.arf import CODES as ARF_CODES
from agents.classify.providers.arf import arf
from agents.classify.providers.brevo import CODES as BREVO_CODES
from agents.classify.providers.brevo import brevo
from agents.classify.providers.dsn import dsn
from agents.classify.providers.mailgun import mailgun
from agents.classify.providers.mailjet import mailjet
from agents.classify.providers.normalized import normalized
from agents.classify.providers.postmark import CODES as POSTMARK_CODES
from agents.classify.providers.postmark import postmark
from agents.classify.providers.sendgrid import CODES as SENDGRID_CODES
from agents.classify.providers.sendgrid import sendgrid
from agents.classify.providers.ses import ses
from agents.classify.providers.sparkpost import sparkpost
from schemas.report import Report

ProviderMapping = Callable[[Report], Iterable[Told]]
"""Reads a report's payload, whatever it holds, into happenings in element order; total, never raises."""

MAPPINGS: Final[Mapping[str, ProviderMapping]] = {
    "arf": arf,
    "brevo": brevo,
    "dsn": dsn,
    "mailgun": mailgun,
    "mailjet": mailjet,
    "normalized": normalized,
    "postmark": postmark,
    "sendgrid": sendgrid,
    "ses": ses,
    "sparkpost": sparkpost,
}
"""`provider` of the envelope to the function that reads its payload."""

CODES: Final[Mapping[str, frozenset[str]]] = {
    "arf": ARF_CODES,
    "brevo": BREVO_CODES,
    "dsn": frozenset(),
    "postmark": POSTMARK_CODES,
    "sendgrid": SENDGRID_CODES,
}
"""Each `provider_code` a report of these can have, in lower case. The others pass on whatever the provider names."""


def can_give(provider: str, pattern: str) -> bool:
    """Say whether some report of a provider has a code that the pattern of a row matches (`dropped/*`, "" for none)."""
    codes = CODES.get(provider)
    if codes is None or not pattern:
        return True
    # As `rows.Facts` has it: a family is all that stands before the first slash, and a code without one is in its own.
    return any(pattern in (code, f"{code.partition('/')[0]}/*") for code in codes)
