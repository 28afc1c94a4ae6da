"""Delivery events as SPEC 4 writes them, for producers that speak Bounceline's own words."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final, cast

from agents.classify.evidence import Happening
from agents.classify.fields import Told, each_object, required_text, required_time, text_of
from schemas.rejected import Rejected
from schemas.report import Report, check_tenant
from schemas.typology import OUTCOMES, STATUSES, Outcome, Status

# What is compared or judged, as text. Fields that only the output has (event_uid, effect, rule) are dropped
# like unknown ones: nobody but the rules decides.
_TEXTS: Final = (
    "provider",
    "event_id",
    "message_id",
    "campaign_id",
    "smtp_code",
    "enhanced_code",
    "diagnostic",
    "provider_code",
)
_OUTCOMES: Final = frozenset(OUTCOMES)
_STATUSES: Final = frozenset(STATUSES)


def normalized(report: Report) -> Iterable[Told]:
    """Read one delivery event or an array of them; every field is checked, unknown ones are dropped."""
    return each_object(report.payload, partial(_event, tenant=report.tenant))


def _event(event: dict[str, Any], tenant: str) -> Happening | Rejected:
    given = event.get("tenant")
    if given != tenant and given is not None and given != "":
        given = check_tenant(given)
        return given if isinstance(given, Rejected) else _OTHER_TENANT
    recipient = required_text(event, "recipient")
    if isinstance(recipient, Rejected):
        return recipient
    occurred_at = required_time(event, "occurred_at")
    if isinstance(occurred_at, Rejected):
        return occurred_at
    outcome_and_status = _outcome_and_status(event)
    if isinstance(outcome_and_status, Rejected):
        return outcome_and_status
    permanent = event.get("permanent")
    if permanent is not None and not isinstance(permanent, bool):
        return Rejected("wrong-type", "permanent is neither true nor false")
    texts = _texts(event)
    if isinstance(texts, Rejected):
        return texts
    outcome, status = outcome_and_status
    return Happening(
        recipient=recipient,
        occurred_at=occurred_at,
        outcome=outcome,
        status=status,
        permanent=permanent,
        **texts,
    )


_OTHER_TENANT: Final = Rejected("tenant-mismatch", "the event names another tenant than its report")


def _texts(event: dict[str, Any]) -> dict[str, str] | Rejected:
    texts: dict[str, str] = {}
    for name in _TEXTS:
        if name in event:
            text = text_of(event[name])
            if isinstance(text, Rejected):
                return Rejected(text.reason, f"{name} {text.detail}")
            if text is not None:
                texts[name] = text
    return texts


def _outcome_and_status(event: dict[str, Any]) -> tuple[Outcome | None, Status | None] | Rejected:
    outcome, status = event.get("outcome"), event.get("status")
    for name, value in (("outcome", outcome), ("status", status)):
        if value is not None and not isinstance(value, str):
            return Rejected("wrong-type", f"{name} is not text")
    if outcome and outcome not in _OUTCOMES:
        return Rejected("unknown-outcome", "outcome is not one of the ten")
    if status and status not in _STATUSES:
        return Rejected("unknown-status", "status is not one of the eight labels")
    if not outcome and not status:
        return Rejected("missing-field", "neither outcome nor status")
    return cast("Outcome | None", outcome or None), cast("Status | None", status or None)
