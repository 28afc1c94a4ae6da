"""Delivery status notifications: bounce mails as mail servers send them (RFC 3464, RFC 6533), and those of other forms.

The payload is the raw mail as text. What is not of the standard is read in bounce_text.py.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from agents.classify.address import canonical_recipient
from agents.classify.bounce_text import MAX_WORDS, failures_in, own_words, plain_text, returned_id
from agents.classify.evidence import Happening
from agents.classify.fields import Told
from agents.classify.mail import (
    STATUS_KINDS,
    Headers,
    Part,
    field,
    leaves,
    mail_time,
    message_id,
    read_headers,
    read_mail,
    returned_headers,
    text_of,
)
from agents.classify.status_codes import NO_CODES, codes_in, generic_rank
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome

ACTIONS: Final[Mapping[str, Outcome]] = {
    "failed": "bounced",
    "error": "bounced",  # OpenSMTPD; flufl.bounce reads it so as well
    "delayed": "deferred",
    "delivered": "delivered",
    # Passed on to a system that will not tell, or to a list: neither says that it arrived (RFC 3464, 2.3.3).
    "relayed": "other",
    "expanded": "other",
}
"""`Action` to what became of the message."""

CLASSES: Final[Mapping[str, Outcome]] = {"5": "bounced", "4": "deferred", "2": "delivered"}
"""The same by the class of a code (RFC 3463, 2), where a recipient has no `Action`."""

RECIPIENT_FIELDS: Final = (
    "Original-Recipient",  # the address we wrote to; after a forward the final one is a stranger's
    "Final-Recipient",
    "X-Actual-Recipient",  # Sun's and Exim's name for it, where the other two hold a local name
)
"""Fields that may hold the recipient, best first (RFC 3464, 2.3.1 and 2.3.2)."""

# Of a group of fields, lest a megabyte of empty ones costs seconds.
_OF_INTEREST: Final = re.compile(r"^(?:[a-z-]{1,20}-recipient|arrival-date)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_BLANK_LINES: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_TYPED: Final = re.compile(r"([A-Za-z0-9-]{1,40})\s?;\s?(.*)", re.DOTALL)
_DIAGNOSTIC_TYPE: Final = re.compile(r"^(?:smtp|dns|x[a-z0-9-]{0,40})\s?;\s?", re.IGNORECASE)
_ACTION: Final = re.compile(r"[a-z]+")
_STATUS: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)
# What xtext (RFC 3461, 4) must write as hex and addresses have: other pairs may be a tag, such as jane+2024@.
_XTEXT: Final = {"+2B": "+", "+3D": "="}
_UNICODE: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}", re.ASCII)


def dsn(report: Report) -> Iterable[Told]:
    """Read one mail: a happening for each recipient it tells of, all at the place of its only element."""
    if not isinstance(report.payload, str):
        return [(None, Rejected("wrong-type", "the payload is not the text of a mail"))]
    mail = read_mail(report.payload)
    parts = leaves(mail)
    told = _standard(mail, parts) or _other(mail, parts)
    return [(0, one) for one in told]


def _standard(mail: Part, parts: list[Part]) -> list[Happening | Rejected]:
    """Read the recipient groups of a delivery status; none where there is no such part, or none with a recipient."""
    blocks = [
        read_headers(block)
        for part in parts
        if part.kind in STATUS_KINDS
        for block in _BLANK_LINES.split(text_of(part).strip("\n"))
        if _OF_INTEREST.search(block)
    ]
    groups = [block for block in blocks if any(name in block for name in RECIPIENT_FIELDS)]
    of_message = next((block for block in blocks if "Arrival-Date" in block), Headers())
    message = _message_id(mail, parts)
    words = own_words(plain_text(parts))[:MAX_WORDS] if len(groups) == 1 else ""
    return [_of_group(group, mail.headers, of_message, message, words) for group in groups]


def _of_group(
    group: Headers, report: Headers, of_message: Headers, message: str | None, words: str
) -> Happening | Rejected:
    status = _status(group)
    diagnostic = _untyped(field(group, "Diagnostic-Code")) or None
    outcome = _outcome(group, status, diagnostic)
    if isinstance(outcome, Rejected):
        return outcome
    recipient = _recipient(group)
    if isinstance(recipient, Rejected):
        return recipient
    occurred_at = _time((group, "Last-Attempt-Date"), (report, "Date"), (of_message, "Arrival-Date"))
    if isinstance(occurred_at, Rejected):
        return occurred_at
    if diagnostic is None and outcome == "bounced" and (status is None or status.endswith(".0")):
        # Nothing but "failed": what the server says to people is all the evidence there is.
        diagnostic = words or None
    return Happening(
        recipient=recipient,
        occurred_at=occurred_at,
        outcome=outcome,
        provider="dsn",
        message_id=message,
        enhanced_code=_nearer_code(status, diagnostic),
        diagnostic=diagnostic,
    )


def _nearer_code(status: str | None, diagnostic: str | None) -> str | None:
    """Give the code of the server that refused, else the one that the reporting server made of it.

    Some make 5.1.1 of every 550, so `550 5.7.1` with that status is still a refusal by policy.
    """
    told = codes_in(diagnostic).enhanced if diagnostic else None
    return told if told and (status is None or generic_rank(told) <= generic_rank(status)) else status


def _outcome(group: Headers, status: str | None, diagnostic: str | None) -> Outcome | Rejected:
    """Read the first word of `Action`, as some add a comment; without it the class of the code tells."""
    found = _ACTION.search(field(group, "Action").lower())
    if found is not None:
        return ACTIONS.get(found[0]) or Rejected("unknown-event", "RFC 3464 has no such Action")
    told = codes_in(diagnostic) if diagnostic else NO_CODES
    code = status or told.enhanced or told.reply
    return CLASSES[code[0]] if code else Rejected("missing-field", "a recipient with neither Action nor a code")


def _recipient(group: Headers) -> str | Rejected:
    original, *others = [_address(field(group, name)) for name in RECIPIENT_FIELDS]
    # The final recipient is never in xtext, so what is spelled as it is needs no decoding.
    if original is not None and original not in others:
        for pair, character in _XTEXT.items():
            original = original.replace(pair, character)
    for address in (original, *others):
        if address is not None and not isinstance(canonical_recipient(address), Rejected):
            return address
    return Rejected("bad-recipient", "no field holds a mail address")


def _address(value: str) -> str | None:
    """Read `rfc822; jane@example.com`; None for addresses of other systems (X.400 and the like)."""
    typed = _TYPED.fullmatch(value)
    kind, address = (typed[1].lower(), typed[2]) if typed else ("rfc822", value)
    if kind == "utf-8":
        return _UNICODE.sub(_character, address)
    return address if kind in ("rfc822", "smtp") else None  # the latter is Exchange's


def _character(escape: re.Match[str]) -> str:
    r"""Read `\x{E9}` of utf-8-addr-xtext (RFC 6533, 3)."""
    code = int(escape[1], 16)
    return chr(code) if code < 0xD800 or 0xDFFF < code <= 0x10FFFF else escape[0]


def _status(group: Headers) -> str | None:
    found = _STATUS.search(field(group, "Status"))
    return found[0] if found else None


def _untyped(value: str) -> str:
    """Take off the type of a diagnostic: `smtp;`, `X-Postfix;`. Another first word is the server's."""
    return _DIAGNOSTIC_TYPE.sub("", value, count=1)


def _time(*places: tuple[Headers, str]) -> int | Rejected:
    """Read the time from the first field that has one.

    The report is written when the server gives up; Arrival-Date is when it took the message, days before that.
    """
    for headers, name in places:
        if (value := field(headers, name)) and (time := mail_time(value)) is not None:
            return time
    written = any(field(headers, name) for headers, name in places)
    return Rejected("bad-time" if written else "missing-field", "no date of the report can be read")


def _message_id(mail: Part, parts: list[Part]) -> str | None:
    """Give the Message-ID of the message that came back; Exchange and Gmail name it in In-Reply-To as well."""
    returned = returned_headers(parts)
    found = message_id(field(returned, "Message-ID")) if returned else None
    return found or message_id(field(mail.headers, "In-Reply-To"))


def _other(mail: Part, parts: list[Part]) -> list[Happening | Rejected]:
    if any(part.kind == "message/feedback-report" for part in parts):
        return [Rejected("not-a-report", "a feedback report, which is for the provider arf")]
    if any(part.kind == "message/disposition-notification" for part in parts):
        return [Rejected("not-a-report", "a disposition notification: somebody opened or deleted the message")]
    failures = failures_in(mail, parts)
    if isinstance(failures, Rejected):
        return [failures]
    occurred_at = _time((mail.headers, "Date"))
    if isinstance(occurred_at, Rejected):
        return [occurred_at]
    message = _message_id(mail, parts) or returned_id(plain_text(parts))
    return [
        Happening(
            recipient=failure.recipient,
            occurred_at=occurred_at,
            outcome=failure.outcome,
            provider="dsn",
            message_id=message,
            diagnostic=failure.words or None,
        )
        for failure in failures
    ]
