"""What is known of a contact, and every event that led there: the answer of `GET /v1/contacts` (SPEC 8)."""

from typing import Literal

import msgspec

from schemas.suppression import Reason
from schemas.times import Time
from schemas.typology import Effect, Status


class RecordAt(msgspec.Struct, frozen=True):
    """Where a record lies. `topic` is its name on the broker, prefix included."""

    topic: str
    partition: int
    offset: int


class ContactEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event that led to the state. It has a status, or an outcome where there is none.

    `attempt_id` is left out where there was no attempt (a check, a consent), `command_id` names a reason by hand.
    `rule_text` is what the rule says in the table in force; left out where it is in none any more. `policy` is the one
    in force when it was decided. `record` is the first record that told of it, `report` the one on `esp-reports` that
    this follows from; left out where they are not known. `counts_for` is the status of the standing reason that this is
    evidence of, or `run`; `expired` says that this reason has expired, `released` that a command took the event away.
    """

    at: Time
    status: Status | None = None
    outcome: Literal["delivered", "resubscribed"] | None = None
    attempt_id: str | None = None
    command_id: str | None = None
    rule: str | None = None
    rule_text: str | None = None
    effect: Effect
    provider: str | None = None
    policy: str | None = None
    record: RecordAt | None = None
    report: RecordAt | None = None
    counts_for: str | None = None
    expired: bool = False
    released: bool = False


class ContactOrder(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"start": "from", "end": "to"}
):
    """A release of this contact, or an incident that never happened and that reaches it."""

    command: Literal["release", "retract"]
    id: str | None = None
    at: Time
    statuses: tuple[Status, ...]
    rules: tuple[str, ...] = ()
    provider: str | None = None
    start: Time | None = None
    end: Time | None = None
    record: RecordAt | None = None


class StandingReason(Reason, frozen=True, kw_only=True, omit_defaults=True):
    """A reason of the last suppression; `expired` where its `expires_at` has passed, so that it no longer blocks."""

    expired: bool = False


class RunAttempt(msgspec.Struct, frozen=True):
    """A failed attempt of the run so far."""

    attempt_id: str
    status: Status
    at: Time


class Run(msgspec.Struct, frozen=True):
    """The failed attempts since the last success, and how many block."""

    failures: int
    limit: int
    attempts: tuple[RunAttempt, ...]


class ContactState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a contact. `blocked` is as of now.

    `reasons` are those of the last suppression. `events` and `commands` are in order of time. `denied` is what still
    denies a send after the person has been forgotten. `held` says that the brake holds back the record of what stands.
    """

    tenant: str
    recipient: str
    blocked: bool
    reasons: tuple[StandingReason, ...]
    run: Run
    policy: str
    events: tuple[ContactEvent, ...]
    commands: tuple[ContactOrder, ...]
    denied: tuple[Reason, ...] = ()
    held: bool = False
