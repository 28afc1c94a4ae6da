"""What is known of one contact, and how delivery events and commands change it. Pure, event time only.

Every part is a summary that order and repetition can't change: sets of events, the latest consent, times up to which
something was released. So a batch that is read twice, or in another order, ends in the same state. What a command takes
away is taken away both from what is known and from what comes later: it is the same before and after.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from agents.gate.preblock import bounded, without
from agents.suppress import attempts
from agents.suppress.at_once import CONSENT, NETWORK, AtOnce, Counts, Events, Firsts, counting, dispensable
from agents.suppress.attempts import DELIVERED, Mark
from agents.suppress.coordinates import First
from agents.suppress.orders import BY_HAND, NETWORK_RULE, SOFT_BOUNCE_RULE, TYPO_RULE, Orders
from schemas.command import Erase, Release, Retract, Suppress
from schemas.delivery import DeliveryEvent
from schemas.order import Denial, HardBounce
from schemas.policy import TenantPolicy
from schemas.suppression import Reason
from schemas.typology import HARD, SOFT, Status

MAX_EVENTS: Final = 256
"""Events kept of one status: the earliest, which decides, and the newest, which take over when it is taken away."""

_KIND: Final = {name: kind for kind, name in enumerate(attempts.KINDS)}


class Contact:
    """The state of one contact, small and bounded.

    recipient: the canonical recipient, "" where nobody has been named yet or the person is forgotten.
    marks: soft bounces and deliveries that can still matter, sorted.
    at_once: status -> its events, sorted; at most `MAX_EVENTS`. All but the two soft statuses.
    by_hand: status -> the reasons that commands added, in the same form; any status.
    consent: event time in ms of the latest `resubscribed`, or None.
    network: the hard bounces of others for which checks have denied a send, sorted (`agents.gate.preblock.bounded`).
    orders: what commands left behind.
    standing: the reasons as last published, so that a record is written only when they differ.
    unsaid: whether the brake holds back the record of what stands.
    coordinates: where what is known was first told, as far as that is known; nothing is decided by it. It may hold
        those of what has been forgotten meanwhile, until the contact is written.
    dropped: how many events and attempts were dropped for there were too many; not kept.
    """

    __slots__ = (
        "at_once",
        "by_hand",
        "consent",
        "coordinates",
        "dropped",
        "marks",
        "network",
        "orders",
        "recipient",
        "standing",
        "unsaid",
    )

    def __init__(self) -> None:
        """Make a contact of whom nothing is known."""
        self.recipient = ""
        self.marks: list[Mark] = []
        self.at_once: Events = {}
        self.by_hand: Events = {}
        self.consent: int | None = None
        self.network: list[HardBounce] = []
        self.orders = Orders()
        self.standing: tuple[Reason, ...] = ()
        self.unsaid = False
        self.coordinates = Firsts()
        self.dropped = 0

    @property
    def newest(self) -> int:
        """The newest event time still known of this contact, in ms; 0 where nothing is known.

        Checks are no events: they may come long before the reports of their time are read.
        """
        newest = self.marks[-1][0] if self.marks else 0
        if self.consent is not None:
            newest = max(newest, self.consent)
        for events in self.at_once.values():
            newest = max(newest, next((event[0] for event in reversed(events) if event[1]), 0))
        return newest

    @property
    def is_kept(self) -> bool:
        """Whether anything is known beside deliveries, which say nothing by themselves."""
        return bool(
            self.at_once
            or self.by_hand
            or self.consent is not None
            or self.network
            or self.standing
            or self.orders.is_kept
            or attempts.any_failed(self.marks)
        )

    @property
    def soft_released(self) -> int:
        """Up to which event time, in ms, failed attempts have been released; -1 for never."""
        return self.orders.released_until("Quota exceeded", SOFT_BOUNCE_RULE)

    @property
    def is_forgotten(self) -> bool:
        """Whether the person has been erased, and nothing has been told of it since."""
        known = self.at_once or self.by_hand or self.standing or self.network
        return self.orders.erased is not None and not (known or attempts.any_failed(self.marks))

    @property
    def is_typo_exempt(self) -> bool:
        """Whether a release has exempted this contact from the table of typos, which holds for good."""
        return self.orders.released_until("Typofix", TYPO_RULE) >= 0

    @property
    def network_until(self) -> int:
        """Up to which event time, in ms, the network's hard bounces do not count for this contact; -1 for never."""
        return max(self.orders.released_until("Preblock", NETWORK_RULE), self.orders.erased or -1)

    def events_of(self, status: Status) -> list[AtOnce]:
        """Give what speaks for a status, sorted: events that block at once, and reasons added by hand."""
        return sorted([*self.at_once.get(status, ()), *self.by_hand.get(status, ())])

    # -- events -------------------------------------------------------------------------------------------------

    def apply(
        self,
        event: DeliveryEvent,
        at: int,
        policy: TenantPolicy,
        watermark: int,
        retracted: Sequence[Retract] = (),
        first: First = None,
    ) -> bool:
        """Take one delivery event in.

        Args:
            event: A classified event of this contact.
            at: Its event time, in ms.
            policy: The policy of the contact's tenant.
            watermark: The partition's watermark (`Watermark.newest`), in ms.
            retracted: Incidents that never happened, and that reach this contact.
            first: Where the event lies, to be kept if it is the first to tell of this; None where that is not known.

        Returns:
            Whether anything was learnt. A repeat, and an event that can't matter, change nothing.

        """
        provider = event.provider or ""
        if event.status and any(one.voids(event.tenant, event.status, at, provider) for one in retracted):
            return False
        if self.orders.is_forgotten(at):
            return self.orders.deny(event.status, event.rule, at, self.consent)
        match event.effect:
            case "reset" | "count":
                return self._attempt(event, at, policy, watermark, first)
            case "block" if event.status:
                found = (at, event.attempt_id, event.rule, provider)
                return self._add(self.at_once, event.status, found, policy, first)
            case "lift" if self.consent is None or at > self.consent:
                self._consent(at)
                self.coordinates.put(CONSENT, first)
                return True
            case _:
                return False

    def _attempt(self, event: DeliveryEvent, at: int, policy: TenantPolicy, watermark: int, first: First) -> bool:
        if event.status in SOFT:
            mark = (at, event.attempt_id, _KIND[event.status], event.provider or "")
        else:
            mark = (at, event.attempt_id, DELIVERED, "")
        if not attempts.add(self.marks, mark):
            return False
        self.coordinates.put(mark, first)
        # The contact's own newest event is a bound as well, and one that other contacts' reports can't move.
        settled = min(self.newest, watermark)
        before = len(self.marks)
        self.marks = attempts.settle(self.marks, settled, policy.soft_bounce, self.soft_released)
        if before > attempts.MAX_ATTEMPTS:
            self.dropped += before - len(self.marks)
        return True

    def carry_out(
        self,
        denial: Denial,
        at: int,
        policy: TenantPolicy,
        retracted: Sequence[Retract] = (),
        first: First = None,
    ) -> bool:
        """Take in what a check has found; `at` is its `since` in ms. Says whether anything changed.

        What a release or a retraction has taken away meanwhile stays so: the check was asked before. `retracted` and
        `first` are as of `apply`.
        """
        match denial.status:
            case "Typofix":
                void = any(one.voids(denial.tenant, "Typofix", at, None) for one in retracted)
                if void or self.is_typo_exempt or self.orders.is_forgotten(at):
                    return False
                return self._add(self.at_once, "Typofix", (at, "", TYPO_RULE, ""), policy, first)
            case "Preblock":
                counts = without(self._unreleased(denial.rests_on or [HardBounce(at)]), retracted)
                before, self.network = self.network, bounded([*self.network, *counts], policy.preblock)
                if before[-1:] != self.network[-1:]:
                    self.coordinates.put(NETWORK, first)
                return before != self.network

    def _add(self, events: Events, status: Status, found: AtOnce, policy: TenantPolicy, first: First) -> bool:
        """Add an event that blocks at once, unless it is known or has been taken away."""
        at, _, rule, _ = found
        known = events.get(status, [])
        if found in known or self.orders.lifted(status, rule, at) or self._is_consented(status, at):
            return False
        self.coordinates.put(found, first)
        kept = sorted([*known, found])
        if len(kept) > MAX_EVENTS:
            self.dropped += 1
            del kept[dispensable(kept, policy.preblock.window) if status == "Preblock" else 1]
        events[status] = kept
        return kept != known

    def _is_consented(self, status: Status, at: int) -> bool:
        return status == "User" and self.consent is not None and at < self.consent

    def _consent(self, at: int) -> None:
        self.consent = at
        if self.orders.denied.get("User", at) < at:
            del self.orders.denied["User"]
        self._keep(lambda status, event: not self._is_consented(status, event[0]))

    def _keep(self, counts: Counts) -> None:
        self.at_once, self.by_hand = counting(self.at_once, counts), counting(self.by_hand, counts)

    def _unreleased(self, bounces: Iterable[HardBounce]) -> list[HardBounce]:
        return [bounce for bounce in bounces if bounce.at > self.network_until]

    # -- commands -----------------------------------------------------------------------------------------------

    def obey(self, command: Release | Suppress | Erase, policy: TenantPolicy, first: First = None) -> bool:
        """Take a command in; say whether it is one that had not been taken."""
        if not self.orders.first(command.id):
            return False
        match command:
            case Release():
                self.orders.release(command.statuses, command.rules, command.at, command.record)
                self._keep(lambda status, event: not self.orders.lifted(status, event[2], event[0]))
                self.network = self._unreleased(self.network)
            case Suppress():
                self._suppress(command, policy, first)
            case Erase():
                self._erase(command.at)
        return True

    def _suppress(self, command: Suppress, policy: TenantPolicy, first: First) -> None:
        rule = command.rule or BY_HAND
        if self.orders.is_forgotten(command.at):
            self.orders.deny(command.status, rule, command.at, self.consent)
        else:
            self._add(self.by_hand, command.status, (command.at, command.id, rule, ""), policy, first)

    def _erase(self, at: int) -> None:
        self.orders.erased = max(at, self.orders.erased or 0)
        self.orders.lifts = [lift for lift in self.orders.lifts if lift.at > at]
        self.coordinates.pop(CONSENT, None)
        for events in (self.at_once, self.by_hand):
            for status, known in events.items():
                for event in known:
                    if event[0] <= at:
                        self.orders.deny(status, event[2], event[0], self.consent)
        self._keep(lambda _, event: event[0] > at)
        self.network = self._unreleased(self.network)
        self.marks = [mark for mark in self.marks if mark[0] > at]
        self.standing, self.unsaid = (), False

    def retract(self, incident: Retract, tenant: str) -> bool:
        """Take away what an incident that reaches this contact of a tenant brought; say whether there was anything.

        Reasons by hand are no events, so they stay. What a check has found out about the domain no provider has told.
        """

        def is_void(status: str, at: int, provider: str | None) -> bool:
            return incident.voids(tenant, status, at, provider)

        before = self.at_once, self.marks, self.network
        self.at_once = counting(self.at_once, lambda s, event: not is_void(s, event[0], event[3] if event[1] else None))
        self.marks = [m for m in self.marks if m[2] == DELIVERED or not is_void(attempts.KINDS[m[2]], m[0], m[3])]
        self.network = without(self.network, [incident])
        return before != (self.at_once, self.marks, self.network)

    def latest_hard_bounce(self, tenant: str) -> HardBounce | None:
        """Give the latest hard bounce that is known, of the contact's tenant."""
        return max(
            (HardBounce(e[0], tenant, status, e[3]) for status in HARD for e in self.at_once.get(status, ())),
            default=None,
        )
