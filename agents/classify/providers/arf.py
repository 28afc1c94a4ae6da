"""Complaints from feedback loops, in the Abuse Reporting Format (RFC 5965). The payload is the raw mail as text."""

from collections.abc import Iterable, Mapping
from typing import Final

from agents.classify.address import canonical_recipient
from agents.classify.evidence import Happening
from agents.classify.fields import Told
from agents.classify.mail import (
    Headers,
    Part,
    field,
    fields,
    leaves,
    mail_time,
    message_id,
    read_headers,
    read_mail,
    returned_headers,
    text_of,
)
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import Outcome

FEEDBACK_TYPES: Final[Mapping[str, Outcome]] = {
    "abuse": "complained",
    "fraud": "complained",
    "virus": "complained",
    "other": "complained",
    # These two are no complaints; the rule complaint-withdrawn ignores them by their type.
    "not-spam": "complained",  # a correction: the filter was wrong
    "auth-failure": "complained",  # RFC 6591: about SPF, DKIM and the like of one message
    # Of the drafts before RFC 5965, and in the wild: the recipient wants to be off the list, or off all lists.
    "opt-out": "unsubscribed",
    "opt-out-list": "unsubscribed",
}
"""`Feedback-Type` to what the recipient did (RFC 5965 7.3 and IANA's registry of feedback report types)."""

CODES: Final = frozenset(FEEDBACK_TYPES)
"""Every `provider_code` there can be, in lower case, as the rows of rules.toml write it."""

_REPORTED_RECIPIENTS: Final = ("Original-Rcpt-To", "Removal-Recipient")  # the latter of the drafts, for opt-out
_RETURNED_RECIPIENTS: Final = (
    "X-HmXmrOriginalRecipient",  # Microsoft's JMRP has the address nowhere else
    "To",
)
_TYPE_BEFORE: Final = "rfc822;"


def arf(report: Report) -> Iterable[Told]:
    """Read one mail: a happening for each recipient it tells of, all at the place of its only element."""
    if not isinstance(report.payload, str):
        return [(None, Rejected("wrong-type", "the payload is not the text of a mail"))]
    mail = read_mail(report.payload)
    parts = leaves(mail)
    part = next((part for part in parts if part.kind == "message/feedback-report"), None)
    if part is None:
        return [(0, Rejected("not-a-report", "no feedback report"))]
    return [(0, one) for one in _happenings(mail, read_headers(text_of(part).strip("\n")), returned_headers(parts))]


def _happenings(mail: Part, feedback: Headers, returned: Headers | None) -> list[Happening | Rejected]:
    kind = field(feedback, "Feedback-Type").lower().partition(" ")[0].partition(";")[0]
    if not kind:
        return [Rejected("missing-field", "Feedback-Type is missing")]
    outcome = FEEDBACK_TYPES.get(kind)
    if outcome is None:
        return [Rejected("unknown-event", "there is no such Feedback-Type")]
    occurred_at = _time(mail.headers, feedback)
    if isinstance(occurred_at, Rejected):
        return [occurred_at]
    recipients = _recipients(feedback, returned)
    if not recipients:
        return [Rejected("bad-recipient", "the recipient is left out or made unreadable")]
    return [
        Happening(
            recipient=recipient,
            occurred_at=occurred_at,
            outcome=outcome,
            provider="arf",
            message_id=message_id(field(returned, "Message-ID")) if returned else None,
            provider_code=kind,
        )
        for recipient in recipients
    ]


def _time(mail: Headers, feedback: Headers) -> int | Rejected:
    """Read when the report was made, which is the complaint; the other two dates are when the message arrived."""
    written = [field(mail, "Date"), field(feedback, "Arrival-Date"), field(feedback, "Received-Date")]
    times = [time for value in written if value and (time := mail_time(value)) is not None]
    if times:
        return times[0]
    return Rejected("bad-time" if any(written) else "missing-field", "no date of the report can be read")


def _recipients(feedback: Headers, returned: Headers | None) -> list[str]:
    """Give who complained: as the report says, else the recipient of the message that came back, if it is only one."""
    reported = [value for name in _REPORTED_RECIPIENTS for value in fields(feedback, name)]
    if found := _readable(reported):
        return found
    if returned is None:
        return []
    candidates = (_readable(fields(returned, name)) for name in _RETURNED_RECIPIENTS)
    return next((found for found in candidates if len(found) == 1), [])


def _readable(values: list[str]) -> list[str]:
    """Give the addresses among them, each once. Several in one field are none: nobody knows which."""
    addresses: dict[str, str] = {}
    for value in values:
        address = value[len(_TYPE_BEFORE) :] if value.lower().startswith(_TYPE_BEFORE) else value
        canonical = canonical_recipient(address)
        if not isinstance(canonical, Rejected) and "redacted" not in canonical and "**" not in canonical:
            addresses.setdefault(canonical, address)
    return list(addresses.values())
