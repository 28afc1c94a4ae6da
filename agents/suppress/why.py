"""Why a contact is blocked or not: its state in the words of the wire, and the events that led there (SPEC 8). Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec.structs import asdict, replace

from agents.gate.preblock import standing_since
from agents.suppress.at_once import CONSENT, NETWORK, AtOnce, Told
from agents.suppress.attempts import DELIVERED, KINDS, Attempt, Mark, attempts, unreleased
from agents.suppress.contact import Contact
from agents.suppress.coordinates import COMMANDS, TOPICS
from agents.suppress.orders import BY_HAND, NETWORK_RULE, SOFT_BOUNCE_RULE, TYPO_RULE
from agents.suppress.reasons import denying
from schemas.command import Retract
from schemas.contact import ContactEvent, ContactOrder, ContactState, RecordAt, Run, RunAttempt, StandingReason
from schemas.policy import Policy
from schemas.suppression import Reason
from schemas.times import format_time, parse_time
from schemas.typology import SOFT, Status

RUN: Final = "run"
"""What an event counts for that is of the run so far, and of no reason."""

TEXTS: Final[Mapping[str, str]] = {
    TYPO_RULE: "Typofix when a check finds the domain in the table of known typos",
    NETWORK_RULE: "Preblock when a check finds hard bounces of other tenants for this address",
    BY_HAND: "a suppress command added it",
}
"""The rules that are in no table of classification rules."""

REPORTS: Final = "esp-reports"


class Teller:
    """Tells of contacts."""

    def __init__(self, policy: Policy, rules: Mapping[str, str], topic: Callable[[str], str] = str) -> None:
        """Take the policy, the classification rules in words by id, and how a topic of the catalogue is called."""
        self._policy = policy
        self._rules = {**TEXTS, **rules}
        self._topic = topic

    def state(
        self, tenant: str, recipient: str, contact: Contact, now: int, incidents: Sequence[Retract] = ()
    ) -> ContactState:
        """Tell what is known of a contact.

        Args:
            tenant: Whose contact it is.
            recipient: Its canonical address.
            contact: Its state.
            now: The time to which a pre-block may have expired, in ms.
            incidents: Incidents that never happened, and that reach the contact.

        """
        rule = self._policy.of(tenant).soft_bounce
        counting = unreleased(contact.marks, rule, contact.soft_released)
        joined = attempts(counting, rule)
        run: list[Attempt] = []
        for attempt in joined:
            run = [*run, attempt] if attempt.failed else []
        stands = {reason.status: reason for reason in contact.standing}
        told = standing_since(contact.network, self._policy.of(tenant).preblock)
        expired = {status for status, reason in stands.items() if _has_expired(reason, now)}
        return ContactState(
            tenant=tenant,
            recipient=recipient,
            blocked=len(expired) < len(stands),
            reasons=tuple(
                StandingReason(**asdict(reason), expired=reason.status in expired) for reason in contact.standing
            ),
            run=Run(
                len(run), rule.limit, tuple(RunAttempt(a.attempt_id, _status(a.kind), format_time(a.at)) for a in run)
            ),
            policy=self._policy.hash_of(tenant),
            events=tuple(self._events(contact, counting, _evidence(joined, run, stands), stands, expired, told)),
            commands=tuple(self._commands(contact, incidents)),
            denied=tuple(reason for reason in denying(contact) if reason not in contact.standing),
            held=contact.unsaid,
        )

    def _events(
        self,
        contact: Contact,
        counting: Sequence[Mark],
        evidence: Mapping[Mark, str],
        stands: Mapping[Status, Reason],
        expired: set[Status],
        told: int | None,
    ) -> list[ContactEvent]:
        found = [self._mark(contact, mark, evidence.get(mark), mark not in counting) for mark in contact.marks]
        for own, by_hand in ((contact.at_once, False), (contact.by_hand, True)):
            for status, events in own.items():
                for event in events:
                    reason = _spoken_for(status, event, stands, by_hand=by_hand)
                    found.append(self._at_once(contact, status, event, reason, expired, by_hand=by_hand))
        if told is not None:  # whose bounces they were is told to nobody
            event = (told, "", NETWORK_RULE, "")
            preblock = stands.get("Preblock")
            counts_for: Status | None = "Preblock" if preblock and preblock.rule == NETWORK_RULE else None
            found.append(self._at_once(contact, "Preblock", event, counts_for, expired, told=NETWORK))
        if contact.consent is not None:
            found.append(
                self._event(
                    contact,
                    CONSENT,
                    ContactEvent(at=format_time(contact.consent), outcome="resubscribed", effect="lift"),
                )
            )
        return sorted(found, key=lambda event: (event.at, event.attempt_id or event.command_id or ""))

    def _mark(self, contact: Contact, mark: Mark, counts_for: str | None, released: bool) -> ContactEvent:
        at, attempt_id, kind, provider = mark
        delivered = kind == DELIVERED
        return self._event(
            contact,
            mark,
            ContactEvent(
                at=format_time(at),
                status=None if delivered else _status(kind),
                outcome="delivered" if delivered else None,
                attempt_id=attempt_id,
                effect="reset" if delivered else "count",
                provider=provider or None,
                counts_for=counts_for,
                released=released,
            ),
        )

    def _at_once(
        self,
        contact: Contact,
        status: Status,
        event: AtOnce,
        counts_for: Status | None,
        expired: set[Status],
        *,
        by_hand: bool = False,
        told: Told | None = None,
    ) -> ContactEvent:
        at, named, rule, provider = event
        return self._event(
            contact,
            told or event,
            ContactEvent(
                at=format_time(at),
                status=status,
                attempt_id=None if by_hand else named or None,
                command_id=named if by_hand else None,
                rule=rule,
                effect="block",
                provider=provider or None,
                counts_for=counts_for,
                expired=counts_for in expired,
            ),
        )

    def _event(self, contact: Contact, told: Told, event: ContactEvent) -> ContactEvent:
        """Add where an event was first told of, and what its rule says."""
        first = contact.coordinates.get(told)
        rule = event.rule or (first and first.rule) or None
        told_by = replace(event, rule=rule, rule_text=self._rules.get(rule or ""))
        if not first:
            return told_by
        record = self._place(TOPICS[first.topic], (first.partition, first.offset))
        report = self._place(REPORTS, first.report)
        return replace(told_by, policy=first.policy.hex(), record=record, report=report)

    def _commands(self, contact: Contact, incidents: Sequence[Retract]) -> list[ContactOrder]:
        found = [
            ContactOrder(
                command="release",
                at=format_time(lift.at),
                statuses=lift.statuses,
                rules=lift.rules,
                record=self._place(TOPICS[COMMANDS], lift.record),
            )
            for lift in contact.orders.lifts
        ]
        found += [
            ContactOrder(
                command="retract",
                id=one.id,
                at=format_time(one.at),
                statuses=one.statuses,
                provider=one.provider,
                start=format_time(one.start),
                end=format_time(one.end),
                record=self._place(TOPICS[COMMANDS], one.record),
            )
            for one in incidents
        ]
        return sorted(found, key=lambda order: order.at)

    def _place(self, topic: str, record: tuple[int, int] | None) -> RecordAt | None:
        return record and RecordAt(self._topic(topic), *record)


def _has_expired(reason: Reason, now: int) -> bool:
    until = parse_time(reason.expires_at) if reason.expires_at else None
    return isinstance(until, int) and until <= now


def _status(kind: int) -> Status:
    return KINDS[kind]  # type: ignore[return-value]  # of a soft bounce it is a status


def _evidence(joined: Sequence[Attempt], run: Sequence[Attempt], stands: Mapping[Status, Reason]) -> dict[Mark, str]:
    """Say of the marks that decided an attempt what they count for: the soft-bounce reason, else the run so far."""
    found = {_decisive(attempt): RUN for attempt in run}
    for reason in (stands[status] for status in SOFT if status in stands):
        if reason.rule == SOFT_BOUNCE_RULE:
            own = {a.attempt_id: a for a in joined if a.failed and format_time(a.at) <= reason.since}  # the latest wins
            found |= {_decisive(own[name]): reason.status for name in reason.evidence if name in own}
    return found


def _decisive(attempt: Attempt) -> Mark:
    return next(mark for mark in attempt.marks if mark[0] == attempt.at and mark[2] == attempt.kind)


def _spoken_for(status: Status, event: AtOnce, stands: Mapping[Status, Reason], *, by_hand: bool) -> Status | None:
    """Give the standing reason that an event speaks for."""
    if status in SOFT:
        alike = (stands[soft] for soft in SOFT if soft in stands)
        return next((reason.status for reason in alike if by_hand and event[1] in reason.evidence), None)
    reason = stands.get(status)
    if reason is None or (status == "Preblock" and format_time(event[0]) < reason.since):
        return None
    return None if reason.rule == NETWORK_RULE else status
