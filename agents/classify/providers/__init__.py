"""The providers whose reports can be read: one module each, with one mapping function."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from agents.classify.fields import Told
from agents.classify.providers.arf import arf
from agents.classify.providers.brevo import brevo
from agents.classify.providers.dsn import dsn
from agents.classify.providers.mailgun import mailgun
from agents.classify.providers.mailjet import mailjet
from agents.classify.providers.normalized import normalized
from agents.classify.providers.postmark import postmark
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
