"""What a provider's mapping yields: one happening to one recipient, as told and not yet judged."""

from typing import Final

import msgspec

from schemas.typology import Outcome, Status

FAILURES: Final[frozenset[Outcome]] = frozenset(("bounced", "blocked"))
"""The outcomes whose cause has to be found; all others say by themselves what they are."""


class Happening(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One recipient, one happening, as told. Optional text is None when empty; ids are text.

    `recipient` is as given, not empty. `occurred_at` is milliseconds since 1970. At least one of `outcome`
    and `status` is there; `status` is one the provider itself named as one of the eight labels, and wins
    over everything else. `permanent` is None when not known. `provider` may differ from the report's: a
    normalized report tells of events of any provider, or of none.
    """

    recipient: str
    occurred_at: int
    outcome: Outcome | None
    status: Status | None = None
    provider: str | None = None
    event_id: str | None = None
    message_id: str | None = None
    campaign_id: str | None = None
    permanent: bool | None = None
    smtp_code: str | None = None
    enhanced_code: str | None = None
    diagnostic: str | None = None
    provider_code: str | None = None
