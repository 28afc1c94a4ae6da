"""The report envelope: what a producer publishes on `esp-reports` (SPEC 3)."""

import re
from typing import Annotated, Any, Final

import msgspec

from schemas.rejected import Rejected
from schemas.times import parse_time

MAX_REPORT_BYTES: Final = 1_048_576
"""1 MiB: a larger report is rejected `too-large`, though the topic takes records of 4 MiB (SPEC 2)."""

_TENANT: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


Tenant = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_TENANT.pattern}$"})]
"""The client on whose behalf mail goes; `check_tenant` checks it, the pattern is for the JSON Schema alone."""

_Payload = Annotated[Any, msgspec.Meta(extra_json_schema={"type": ["object", "array", "string"]})]
_Received = Annotated[
    int | None,
    msgspec.Meta(
        description="When the report came in: RFC 3339, or seconds or milliseconds since 1970 as a number or text.",
        extra_json_schema={"also": [{"type": "number"}, {"type": "string"}]},
    ),
]


class Report(msgspec.Struct, frozen=True):
    """One report, as a provider sent it and before it is understood.

    `payload` is whatever the provider's format is: a JSON object, an array, or text (a raw mail).
    `received_at` comes in any form of time and is kept as milliseconds since 1970; None where the producer did not say.
    """

    provider: str
    tenant: Tenant
    payload: _Payload
    received_at: _Received = None


def check_tenant(value: object) -> str | Rejected:
    """Give the tenant back when it is `[A-Za-z0-9._-]{1,64}`, else `Rejected`."""
    if value is None or value == "":
        return Rejected("missing-field", "tenant is missing")
    if not isinstance(value, str):
        return Rejected("wrong-type", "tenant is not text")
    if not _TENANT.fullmatch(value):
        return Rejected("bad-tenant", "tenant is not 1 to 64 of A-Z a-z 0-9 . _ -")
    return value


def to_report(value: object) -> Report | Rejected:
    """Read a decoded JSON value as a report envelope. Unknown fields are dropped; never raises."""
    if not isinstance(value, dict):
        return Rejected("wrong-type", "a report is a JSON object")
    provider = value.get("provider")
    if provider is None or provider == "":
        return Rejected("missing-field", "provider is missing")
    if not isinstance(provider, str):
        return Rejected("wrong-type", "provider is not text")
    tenant = check_tenant(value.get("tenant"))
    if isinstance(tenant, Rejected):
        return tenant
    payload = value.get("payload")
    if payload is None:
        return Rejected("missing-field", "payload is missing")
    if not isinstance(payload, (dict, list, str)):
        return Rejected("wrong-type", "payload is not an object, an array or text")
    received_at = value.get("received_at")
    if received_at is None or received_at == "":
        return Report(provider, tenant, payload)
    received_at = parse_time(received_at)
    if isinstance(received_at, Rejected):
        return Rejected("bad-time", f"received_at: {received_at.detail}")
    return Report(provider, tenant, payload, received_at)
