"""The suppression list of an Amazon SES account, as the console exports it or `list-suppressed-destinations` gives it.

Source: the SES API v2 reference (SuppressedDestinationSummary: EmailAddress, Reason, LastUpdateTime). BOUNCE means a
hard bounce; which one it was, the list does not say.
"""

from collections.abc import Iterable

from agents.classify.evidence import Happening
from agents.classify.fields import folded
from agents.classify.table import RuleTable
from agents.lists.entry import Entry, Read, Row
from agents.lists.fields import judged, text, time_of
from schemas.rejected import Rejected


def ses(row: Row, rules: RuleTable) -> Iterable[Read]:
    """Read one suppressed destination."""
    at = time_of(row, "lastupdatetime")
    if isinstance(at, Rejected):
        return (at,)
    recipient = text(row, "emailaddress")
    match folded(row.get("reason")):
        case "bounce":
            happening = Happening(
                recipient=recipient,
                occurred_at=at or 0,
                outcome="bounced",
                provider="ses",
                permanent=True,
                provider_code="Permanent/General",
            )
            return (judged(happening, at, rules),)
        case "complaint" if recipient:
            return (Entry(recipient, "Spam", at),)
        case "complaint":
            return (Rejected("missing-field", "EmailAddress is missing"),)
        case _:
            return (Rejected("unknown-event", "Reason is neither BOUNCE nor COMPLAINT"),)
