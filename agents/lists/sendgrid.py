"""SendGrid's suppression lists, as its pages download them (CSV) and its v3 API gives them (JSON).

Source: Twilio SendGrid's reference of the suppressions API (bounces, blocks, invalid emails, spam reports, global and
group unsubscribes). CSV files have the columns of the API's objects.
"""

import re
from collections.abc import Iterable
from typing import Final

from agents.classify.evidence import Happening
from agents.classify.table import RuleTable
from agents.lists.entry import Entry, Read, Reader, Row
from agents.lists.fields import judged, text, time_of
from schemas.rejected import Rejected
from schemas.typology import Outcome, Status

_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_REPLY: Final = re.compile(r"[245]\d\d", re.ASCII)


def _failures(outcome: Outcome, permanent: bool | None, code: str | None) -> Reader:
    def read(row: Row, rules: RuleTable) -> Iterable[Read]:
        at = time_of(row, "created")
        if isinstance(at, Rejected):
            return (at,)
        status = text(row, "status")
        happening = Happening(
            recipient=text(row, "email"),
            occurred_at=at or 0,
            outcome=outcome,
            provider="sendgrid",
            permanent=permanent,
            smtp_code=status if _REPLY.fullmatch(status) else None,
            enhanced_code=status if _ENHANCED.fullmatch(status) else None,
            diagnostic=text(row, "reason") or None,
            provider_code=code,
        )
        return (judged(happening, at, rules),)

    return read


def _known(status: Status) -> Reader:
    def read(row: Row, _rules: RuleTable) -> Iterable[Read]:
        at = time_of(row, "created", "createdat")
        if isinstance(at, Rejected):
            return (at,)
        recipient = text(row, "email")
        return (Entry(recipient, status, at) if recipient else Rejected("missing-field", "email is missing"),)

    return read


bounces: Final = _failures("bounced", True, "bounce")
# What SendGrid does not hold against the address, read as in its webhook: no word or code that calls the address wrong
# blocks it. Full mailboxes, networks and servers out of order are soft, all else is not the contact's: passed over.
blocks: Final = _failures("bounced", False, "blocked")
# A list that may be either, since both have the same columns: what it says in words and codes decides, and no flag.
bounces_or_blocks: Final = _failures("bounced", None, None)
invalid_emails: Final = _failures("blocked", None, "dropped/invalid")
spam_reports: Final = _known("Spam")
# A group's unsubscribes too: there is one `User` per tenant, and too wide is lawful, too narrow is not.
unsubscribes: Final = _known("User")
