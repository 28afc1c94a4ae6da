"""Mailgun's suppression lists: bounces, complaints and unsubscribes of a domain, as CSV or as its API's objects.

Source: Mailgun's API reference (suppressions: columns of the CSV files and fields of the objects). Only permanent
failures of the mailbox are on its bounce list.
"""

import re
from collections.abc import Iterable
from typing import Final

from agents.classify.evidence import Happening
from agents.classify.providers.mailgun import CODES, NOT_ATTEMPTED
from agents.classify.table import RuleTable
from agents.lists.entry import Entry, Read, Reader, Row
from agents.lists.fields import judged, text, time_of
from schemas.rejected import Rejected
from schemas.typology import Status

_REPLY: Final = re.compile(r"[245][0-7][0-9]", re.ASCII)
_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


def bounces(row: Row, rules: RuleTable) -> Iterable[Read]:
    """Read a bounce: `code` is the reply code, 550 where Mailgun was given none, and `error` the reply."""
    at = time_of(row, "createdat")
    if isinstance(at, Rejected):
        return (at,)
    code = text(row, "code")
    reason = CODES.get(code)
    happening = Happening(
        recipient=text(row, "address"),
        occurred_at=at or 0,
        outcome="blocked" if reason in NOT_ATTEMPTED else "bounced",
        provider="mailgun",
        permanent=None if reason else True,
        smtp_code=code if _REPLY.fullmatch(code) else None,
        enhanced_code=code if _ENHANCED.fullmatch(code) else None,
        diagnostic=text(row, "error") or None,
        provider_code=reason or "bounce",
    )
    return (judged(happening, at, rules),)


def _known(status: Status) -> Reader:
    def read(row: Row, _rules: RuleTable) -> Iterable[Read]:
        at = time_of(row, "createdat")
        if isinstance(at, Rejected):
            return (at,)
        recipient = text(row, "address")
        return (Entry(recipient, status, at) if recipient else Rejected("missing-field", "address is missing"),)

    return read


complaints: Final = _known("Spam")
unsubscribes: Final = _known("User")  # whatever the tags: there is one `User` per tenant
