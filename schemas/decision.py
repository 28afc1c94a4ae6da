"""May this be sent? What a platform asks before a send, on `send-requests` or over HTTP, and the answer (SPEC 8)."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.rejected import Reason as Why
from schemas.rejected import Rejected
from schemas.report import Tenant, check_tenant
from schemas.times import Time
from schemas.typology import Status

MAX_RECIPIENTS: Final = 10_000
"""Recipients of one request (SPEC 8)."""

NOT_READY: Final[tuple[Literal["not-ready"], str]] = ("not-ready", "the state is being restored, ask again in a moment")
"""Error and detail of an answer that can't be given: nobody is let through unasked."""

Purpose = Literal["marketing", "transactional"]
"""What the mail is for: an unsubscribe holds for marketing alone."""


_Recipients = Annotated[tuple[str, ...], msgspec.Meta(extra_json_schema={"minItems": 1, "maxItems": MAX_RECIPIENTS})]
_Id = Annotated[str | None, msgspec.Meta(extra_json_schema={"also": [{"type": "integer"}]})]  # for JSON Schema alone


class SendRequest(msgspec.Struct, frozen=True):
    """One question about up to `MAX_RECIPIENTS` recipients of one tenant.

    `recipients` are as asked: any text, none of it canonical yet. Without a purpose the mail is marketing.
    """

    tenant: Tenant
    recipients: _Recipients
    purpose: Purpose = "marketing"
    campaign_id: _Id = None
    request_id: _Id = None


class SendResult(msgspec.Struct, frozen=True):
    """The answer about one recipient, in the order of the wire. `recipient` is as asked.

    On a denial `status`, `since` and `expires_at` are there: `since` is null where nothing stands about the address
    (an unusable one), `expires_at` on all but Preblock. `suggestion` is the canonical address that was meant, on a
    denial for Typofix; where `send` is true, one that may have been meant.
    """

    recipient: str
    send: bool
    status: Status | UnsetType = UNSET
    since: Time | UnsetType | None = UNSET
    expires_at: Time | UnsetType | None = UNSET
    suggestion: str | UnsetType = UNSET


class SendDecision(msgspec.Struct, frozen=True):
    """The answer to one request: a result per recipient, in the order asked, repeated ones repeated."""

    request_id: str | UnsetType
    results: tuple[SendResult, ...]


class SendError(msgspec.Struct, frozen=True):
    """The answer to a request that can't be read: why, in the words of its dead letter; or to one too early."""

    request_id: str | UnsetType
    error: Why | Literal["not-ready"]
    detail: str


def request_id_of(value: object) -> str | UnsetType:
    """Give the id of a decoded request, good or bad, for its answer; unset where none can be told."""
    written = _id(value.get("request_id")) if isinstance(value, dict) else None
    return written if isinstance(written, str) else UNSET


def to_send_request(value: object) -> SendRequest | Rejected:
    """Read a decoded JSON value as a request. Unknown fields are dropped; never raises."""
    if not isinstance(value, dict):
        return Rejected("wrong-type", "a request is a JSON object")
    tenant = check_tenant(value.get("tenant"))
    if isinstance(tenant, Rejected):
        return tenant
    recipients = _recipients(value.get("recipients"))
    if isinstance(recipients, Rejected):
        return recipients
    purpose = _purpose(value.get("purpose"))
    if isinstance(purpose, Rejected):
        return purpose
    campaign_id, request_id = _id(value.get("campaign_id")), _id(value.get("request_id"))
    if isinstance(campaign_id, Rejected):
        return Rejected(campaign_id.reason, f"campaign_id {campaign_id.detail}")
    if isinstance(request_id, Rejected):
        return Rejected(request_id.reason, f"request_id {request_id.detail}")
    return SendRequest(tenant, recipients, purpose, campaign_id, request_id)


def _purpose(value: object) -> Purpose | Rejected:
    match value:
        case None | "" | "marketing":
            return "marketing"
        case "transactional":
            return "transactional"
        case _:
            return Rejected("unknown-purpose", "purpose is neither marketing nor transactional")


def _id(value: object) -> str | Rejected | None:
    """Read an id: text, or a number as text, digit by digit; None where absent or empty."""
    if type(value) is int:  # which true and false are not
        return str(value)
    if value is None or isinstance(value, str):
        return value or None
    return Rejected("wrong-type", "is neither text nor an integer")


def _recipients(value: object) -> tuple[str, ...] | Rejected:
    if value is None or value == []:
        return Rejected("missing-field", "recipients is missing or empty")
    if not isinstance(value, list):
        return Rejected("wrong-type", "recipients is not an array")
    if len(value) > MAX_RECIPIENTS:
        return Rejected("too-large", f"{len(value)} recipients; a request may have {MAX_RECIPIENTS}")
    wrong = next((place for place, one in enumerate(value) if not isinstance(one, str)), None)
    if wrong is not None:
        return Rejected("wrong-type", f"recipient {wrong} (counted from 0) is not text")
    return tuple(value)
