"""The suppression: the standing decision about one contact (SPEC 6)."""

from typing import Literal

import msgspec

from schemas.report import Tenant
from schemas.times import Time
from schemas.typology import Category, Severity, Status

Action = Literal["suppress", "release"]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a contact is blocked. `failures` is there on the soft-bounce reason alone."""

    status: Status
    category: Category
    severity: Severity
    since: Time
    expires_at: Time | None
    rule: str
    failures: int | msgspec.UnsetType = msgspec.UNSET
    evidence: tuple[str, ...]


class Suppression(msgspec.Struct, frozen=True):
    """What stands on `suppressions`, in the order of the wire.

    The fields from `status` to `expires_at` repeat the strongest reason; on a release, the strongest one lifted.
    """

    schema: int
    tenant: Tenant
    recipient: str
    action: Action
    status: Status
    category: Category
    severity: Severity
    since: Time
    expires_at: Time | None
    reasons: tuple[Reason, ...]
    suppression_id: str
    policy: str
    cause: str


def suppression_key(tenant: str, recipient: str) -> bytes:
    """Give the record key on `suppressions`: tenant, unit separator, canonical recipient, in UTF-8."""
    return f"{tenant}\x1f{recipient}".encode()
