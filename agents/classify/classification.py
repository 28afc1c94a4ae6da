"""The way in: a report becomes delivery events, each with its status, its effect and the rule behind it."""

from functools import lru_cache
from typing import Final

from agents.classify.address import canonical_recipient
from agents.classify.evidence import Happening
from agents.classify.identity import event_uid
from agents.classify.providers import MAPPINGS
from agents.classify.rules import builtin_rules
from agents.classify.table import RuleTable
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.times import MINUTE, format_time
from schemas.typology import TYPOLOGY, Outcome, Status

CLOCK_TOLERANCE: Final = 10 * MINUTE
"""How much later than its report an event may say it happened, in ms; exactly this much is fine (SPEC 3)."""

MAX_ID_LENGTH: Final = 1_000
"""Characters of an event, message or campaign id. A Message-ID header has at most 998; the state of a contact holds up
to 256 of them and must fit into one record."""

# What may be said of a message along with a status that is given. `blocked` goes with any of them: the
# provider did not send because of it. With any other outcome the two contradict each other.
_GOES_WITH: Final[dict[Status, frozenset[Outcome]]] = {
    status: frozenset((meaning.outcome, "blocked", *(("bounced",) if meaning.outcome == "blocked" else ())))
    for status, meaning in TYPOLOGY.items()
}

# Mailjet and others give whole seconds, so a batch has few distinct times.
_format_time: Final = lru_cache(maxsize=4096)(format_time)


def classify(
    report: Report, record_timestamp: int | None = None, rules: RuleTable | None = None
) -> list[tuple[int | None, DeliveryEvent | Rejected]]:
    """Classify every happening of a report, each on its own. Never raises, whatever the payload.

    Args:
        report: The report; its tenant is the tenant of all its events.
        record_timestamp: When the record was written, in ms since 1970; the measure of implausible times
            where the report has no `received_at`. None in `replay`: then no time is implausible.
        rules: The rule table; the built-in one by default.

    Returns:
        One `(element, DeliveryEvent | Rejected)` for each happening, in the order of the elements. `element`
        is the place in the payload's array, from 0 on (0 too for a payload that is one object); an element
        that tells of several recipients comes several times, in its own order. `element` is None where the
        report as a whole is rejected. Empty for `[]`.

    """
    mapping = MAPPINGS.get(report.provider)
    if mapping is None:
        return [(None, Rejected("unknown-provider", "there is no mapping for this provider"))]
    arrived = record_timestamp if report.received_at is None else report.received_at
    latest = None if arrived is None else arrived + CLOCK_TOLERANCE
    table = builtin_rules() if rules is None else rules
    tenant = report.tenant
    return [
        (element, told if isinstance(told, Rejected) else _decide(told, tenant, latest, table))
        for element, told in mapping(report)
    ]


def _decide(happening: Happening, tenant: str, latest: int | None, rules: RuleTable) -> DeliveryEvent | Rejected:
    if latest is not None and happening.occurred_at > latest:
        return Rejected("implausible-time", "occurred_at is more than 10 min after the report was received")
    ids = (happening.event_id, happening.message_id, happening.campaign_id)
    if any(name is not None and len(name) > MAX_ID_LENGTH for name in ids):
        return Rejected("wrong-type", f"an id is longer than {MAX_ID_LENGTH} characters")
    recipient = canonical_recipient(happening.recipient)
    if isinstance(recipient, Rejected):
        return recipient
    outcome = _outcome(happening)
    if outcome is None:
        return Rejected("missing-field", "neither outcome nor status")
    try:
        uid = event_uid(happening, tenant, recipient, outcome)
    except UnicodeEncodeError:
        return Rejected("wrong-type", "a text holds half a surrogate pair")
    status, rule, effect = rules.decide(happening)
    return DeliveryEvent(
        uid,
        tenant,
        recipient,
        _format_time(happening.occurred_at),
        outcome,
        status,
        effect,
        rule,
        happening.provider,
        happening.event_id,
        happening.message_id,
        happening.campaign_id,
        happening.permanent,
        happening.smtp_code,
        happening.enhanced_code,
        happening.diagnostic,
        happening.provider_code,
    )


def _outcome(happening: Happening) -> Outcome | None:
    """Say what became of the message; a given status that contradicts the given outcome wins (SPEC 1)."""
    outcome, status = happening.outcome, happening.status
    if status is None or (outcome is not None and outcome in _GOES_WITH[status]):
        return outcome
    return TYPOLOGY[status].outcome
