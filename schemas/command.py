"""The contact command: what operators and the platform ask for on `contact-commands` (SPEC 7)."""

from typing import Final, Literal

import msgspec

from schemas.report import Tenant
from schemas.times import Time
from schemas.typology import HARD, STATUSES, Status

WITH_CONSENT: Final[frozenset[Status]] = frozenset(("Spam", "User"))
"""What only the recipient can take back: lifted by name and with a proof of consent alone."""

BY_DEFAULT: Final[tuple[Status, ...]] = tuple(s for s in STATUSES if s not in WITH_CONSENT)
"""What a release lifts that names nothing."""


NORMALIZED: Final = "normalized"
"""What a retraction calls the provider of events that name none."""


class ContactCommand(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"start": "from", "end": "to"}
):
    """One command as it stands on `contact-commands`, in the order of the wire; the same `id` twice is one command.

    `release`: `statuses` or `rules` say what is lifted, by default every status but User and Spam; those two must be
    named, with `consent`. `suppress`: `status` is added, under `rule` if there is one. `erase`: what dates up to `at`
    is forgotten. `retract`: reports of these `statuses` from `from` (inclusive) to `to` (exclusive) never happened;
    `tenant`, `domain` and `provider` narrow it down, and there is no `recipient`.
    """

    id: str
    command: Literal["release", "suppress", "erase", "retract"]
    tenant: Tenant | None = None
    recipient: str | None = None
    at: Time
    actor: str | None = None
    note: str | None = None
    statuses: tuple[Status, ...] | None = None
    rules: tuple[str, ...] | None = None
    consent: str | None = None
    status: Status | None = None
    rule: str | None = None
    domain: str | None = None
    provider: str | None = None
    start: Time | None = None
    end: Time | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What every command says. `at` is in ms since 1970; the same `id` twice is one command.

    `record` is where it stands on `contact-commands`, partition and offset; None where it was on no topic.
    """

    id: str
    at: int
    actor: str | None = None
    note: str | None = None
    record: tuple[int, int] | None = None


class Release(Said, frozen=True, kw_only=True, tag_field="kind", tag="release"):
    """Lifts reasons of one contact: what dates up to `at` no longer counts for these statuses and rules."""

    tenant: str
    recipient: str
    statuses: tuple[Status, ...]
    rules: tuple[str, ...] = ()
    consent: str | None = None

    @property
    def name(self) -> tuple[str, str]:
        """Tenant and recipient."""
        return self.tenant, self.recipient


class Suppress(Said, frozen=True, kw_only=True, tag_field="kind", tag="suppress"):
    """Adds a reason by hand to one contact; `rule` is what a release by rule finds it by, `by-hand` where None."""

    tenant: str
    recipient: str
    status: Status
    rule: str | None = None

    @property
    def name(self) -> tuple[str, str]:
        """Tenant and recipient."""
        return self.tenant, self.recipient


class Erase(Said, frozen=True, kw_only=True, tag_field="kind", tag="erase"):
    """Forgets a person: what dates up to `at` is gone, and ignored when it comes again."""

    tenant: str
    recipient: str

    @property
    def name(self) -> tuple[str, str]:
        """Tenant and recipient."""
        return self.tenant, self.recipient


class Retract(Said, frozen=True, kw_only=True, tag_field="kind", tag="retract"):
    """An incident that never happened: events of these statuses from `start` (inclusive) to `end` (exclusive), in ms.

    `tenant` (whose events), `domain` (of the recipient, canonical) and `provider` narrow it down; None means all.
    """

    statuses: tuple[Status, ...]
    start: int
    end: int
    tenant: str | None = None
    domain: str | None = None
    provider: str | None = None

    @property
    def name(self) -> None:
        """Nobody: it is for every contact that it reaches."""

    def reaches(self, tenant: str, recipient: str) -> bool:
        """Say whether what is known of a contact can rest on events that are retracted."""
        return self.reaches_tenant(tenant) and (self.domain is None or recipient.rpartition("@")[2] == self.domain)

    def reaches_tenant(self, tenant: str) -> bool:
        """Say whether it reaches any contact of a tenant: pre-blocks rest on the hard bounces of other tenants."""
        return self.tenant is None or self.tenant == tenant or not HARD.isdisjoint(self.statuses)

    def voids(self, tenant: str, status: str, at: int, provider: str | None) -> bool:
        """Say whether an event is void, of a recipient that this reaches.

        Args:
            tenant: Whose event it is.
            status: Its status.
            at: Its event time, in ms.
            provider: Who told of it; "" where the event names nobody, which reads as `normalized`, the form it came in.
                None where it came from no provider, or that is not known: who names a provider does not mean it.

        """
        return (
            self.start <= at < self.end
            and status in self.statuses
            and (self.tenant is None or self.tenant == tenant)
            and (self.provider is None or self.provider == (NORMALIZED if provider == "" else provider))
        )


Command = Release | Suppress | Erase | Retract
