"""The delivery event: one recipient, one happening, classified (SPEC 4)."""

import msgspec

from schemas.typology import Effect, Outcome, Status


class DeliveryEvent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What stands on `delivery-events`, in the order of the wire.

    `recipient` is the canonical address, `occurred_at` RFC 3339 in UTC with milliseconds. `status` is one of the eight
    labels or null; absent optional fields are left out.
    """

    event_uid: str
    tenant: str
    recipient: str
    occurred_at: str
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
