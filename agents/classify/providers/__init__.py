"""The providers whose reports can be read: one module each, with one mapping function."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from agents.classify.fields import Told
from agents.classify.providers.mailjet import mailjet
from agents.classify.providers.normalized import normalized
from schemas.report import Report

ProviderMapping = Callable[[Report], Iterable[Told]]
"""Reads a report's payload, whatever it holds, into happenings in element order; total, never raises."""

MAPPINGS: Final[Mapping[str, ProviderMapping]] = {
    "mailjet": mailjet,
    "normalized": normalized,
}
"""`provider` of the envelope to the function that reads its payload."""
