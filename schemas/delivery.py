"""The delivery event: one recipient, one happening, classified (SPEC 4)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.report import Tenant
from schemas.times import Time
from schemas.typology import Effect, Outcome, Status

REPORT_HEADER: Final = "report"
"""Header of a record on `delivery-events`: which record of `esp-reports` it follows from, see `Origin`."""


class Origin(NamedTuple):
    """The report a delivery event follows from: its partition and offset on `esp-reports`, and its timestamp in ms.

    On the wire it is text, such as `3:41207:1795428930123`.
    """

    partition: int
    offset: int
    arrived: int

    def header(self) -> tuple[str, bytes]:
        """Give the record header that says so."""
        return REPORT_HEADER, b"%d:%d:%d" % self


def origin_of(headers: Sequence[tuple[str, bytes]]) -> Origin | None:
    """Read the origin from a record's headers; None where somebody else than the classify agent wrote the record."""
    for name, value in headers:
        if name == REPORT_HEADER:
            try:
                partition, offset, arrived = map(int, value.split(b":"))
            except ValueError:
                return None
            return Origin(partition, offset, arrived)
    return None


class DeliveryEvent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What stands on `delivery-events`, in the order of the wire.

    `recipient` is the canonical address, `occurred_at` RFC 3339 in UTC with milliseconds. `status` is one of the eight
    labels or null; absent optional fields are left out.
    """

    event_uid: str
    tenant: Tenant
    recipient: str
    occurred_at: Time
    outcome: Outcome
    status: Status | None
    effect: Effect
    rule: str
    provider: str | None = None
    event_id: str | None = None
    message_id: str | None = None
    campaign_id: str | None = None
    permanent: bool | None = None
    smtp_code: str | None = None
    enhanced_code: str | None = None
    diagnostic: str | None = None
    provider_code: str | None = None

    @property
    def attempt_id(self) -> str:
        """The name of the attempt this event reports on: its message, else the event itself (SPEC 5)."""
        return self.message_id or self.event_uid
