"""What is known of one contact, and how a delivery event changes it. Pure, event time only.

Every part is a summary that order and repetition can't change: the earliest event of a status, the latest consent,
spans that merge, the marks of `attempts`. So a batch that is read twice, or in another order, ends in the same state.
"""

from typing import Final

from agents.suppress import attempts
from agents.suppress.attempts import Mark
from schemas.delivery import DeliveryEvent
from schemas.order import Denial
from schemas.policy import TenantPolicy
from schemas.suppression import Reason
from schemas.typology import SOFT, Status

AtOnce = tuple[int, str, str]
"""An event that blocks at once: (event time in ms, attempt id, rule). A status counts from its smallest one on.

The attempt id is empty where there was no attempt: the check has denied one.
"""

Span = tuple[int, str, str, int]
"""An unbroken chain of pre-blocks: (time of the first, its attempt id, its rule, time of the last), times in ms."""

TYPO_RULE: Final = "check-typo"
"""The rule of a Typofix that a check has found: the table of known typos (`agents.gate.typos`)."""

_KIND: Final = {name: kind for kind, name in enumerate(attempts.KINDS)}


class Contact:
    """The state of one contact, small and bounded.

    marks: soft bounces and deliveries that can still matter, sorted.
    at_once: status -> its earliest event, for Spam, User unknown, `:` and Typofix.
    unsubscribes: the unsubscribes that a consent may still leave standing, sorted.
    consent: event time in ms of the latest `resubscribed`, or None.
    preblocks: chains of pre-blocks, oldest first; more than one only while a late one may join them.
    network: event time in ms of the network's latest hard bounce for which a check has denied a send, or None.
    standing: the reasons as last published, so that a record is written only when they differ.
    """

    __slots__ = ("at_once", "consent", "marks", "network", "preblocks", "standing", "unsubscribes")

    def __init__(self) -> None:
        """Make a contact of whom nothing is known."""
        self.marks: list[Mark] = []
        self.at_once: dict[Status, AtOnce] = {}
        self.unsubscribes: list[AtOnce] = []
        self.consent: int | None = None
        self.preblocks: list[Span] = []
        self.network: int | None = None
        self.standing: tuple[Reason, ...] = ()

    @property
    def newest(self) -> int:
        """The newest event time still known of this contact, in ms; 0 where nothing is known.

        Checks are no events: they may come long before the reports of their time are read.
        """
        newest = self.marks[-1][0] if self.marks else 0
        if self.unsubscribes:
            newest = max(newest, self.unsubscribes[-1][0])
        if self.consent is not None:
            newest = max(newest, self.consent)
        if self.preblocks:
            newest = max(newest, self.preblocks[-1][3])
        for event in self.at_once.values():
            newest = max(newest, event[0] if event[1] else 0)
        return newest

    @property
    def is_kept(self) -> bool:
        """Whether anything is known beside deliveries, which say nothing by themselves."""
        return bool(
            self.at_once
            or self.unsubscribes
            or self.consent is not None
            or self.preblocks
            or self.network is not None
            or self.standing
            or attempts.any_failed(self.marks)
        )

    def standing_unsubscribe(self) -> AtOnce | None:
        """Give the earliest unsubscribe that no strictly newer consent lifts."""
        since = self.consent or 0
        return next((event for event in self.unsubscribes if event[0] >= since), None)

    def apply(self, event: DeliveryEvent, at: int, policy: TenantPolicy, watermark: int) -> bool:
        """Take one delivery event in.

        Args:
            event: A classified event of this contact.
            at: Its event time, in ms.
            policy: The policy of the contact's tenant.
            watermark: The partition's watermark (`Watermark.newest`), in ms.

        Returns:
            Whether anything was learnt. A repeat, and an event that can't matter, change nothing.

        """
        match event.effect:
            case "reset" | "count":
                changed = self._attempt(event, at, policy, watermark)
            case "block":
                changed = self._block(event, at, policy, watermark)
            case "lift":
                changed = self.consent is None or at > self.consent
                if changed:
                    self.consent = at
                    self._forget_lifted(policy, watermark)
            case _:
                changed = False
        return changed

    def obey(self, denial: Denial, at: int) -> bool:
        """Block as a check has found; `at` is its `since` in ms. Says whether anything changed; a repeat does not."""
        match denial.status:
            case "Typofix":
                return self._at_once("Typofix", (at, "", TYPO_RULE))
            case "Preblock":
                later = self.network is None or at > self.network
                self.network = at if later else self.network
                return later

    def _attempt(self, event: DeliveryEvent, at: int, policy: TenantPolicy, watermark: int) -> bool:
        kind = _KIND[event.status if event.status in SOFT else "delivered"]
        if not attempts.add(self.marks, (at, event.attempt_id, kind)):
            return False
        self.marks = attempts.settle(self.marks, self._settled(watermark), policy.soft_bounce)
        return True

    def _block(self, event: DeliveryEvent, at: int, policy: TenantPolicy, watermark: int) -> bool:
        found = (at, event.attempt_id, event.rule)
        match event.status:
            case None:
                return False
            case "User":
                if found in self.unsubscribes:
                    return False
                self.unsubscribes = sorted([*self.unsubscribes, found])
                self._forget_lifted(policy, watermark)
                return True
            case "Preblock":
                before = self.preblocks
                self.preblocks = _merged([*before, (*found, at)], self._settled(watermark), policy)
                return self.preblocks != before
            case status:
                return self._at_once(status, found)

    def _at_once(self, status: Status, found: AtOnce) -> bool:
        known = self.at_once.get(status)
        if known is not None and known <= found:
            return False
        self.at_once[status] = found
        return True

    def _settled(self, watermark: int) -> int:
        """Give the event time that what is still to come is older than by at most the allowed lateness.

        The contact's own newest event is such a bound as well, and one that other contacts' reports can't move.
        """
        return min(self.newest, watermark)

    def _forget_lifted(self, policy: TenantPolicy, watermark: int) -> None:
        """Keep the standing unsubscribe, and those that would stand if a late consent lifted it."""
        standing = self.standing_unsubscribe()
        from_then = self._settled(watermark) - policy.soft_bounce.allowed_lateness
        kept = [e for e in self.unsubscribes if e == standing or e[0] >= from_then]
        # Of too many, the first and the newest: whatever consent comes, the contact stays blocked if it should.
        self.unsubscribes = kept[:1] + kept[1:][-(attempts.MAX_ATTEMPTS - 1) :]


def _merged(spans: list[Span], newest: int, policy: TenantPolicy) -> list[Span]:
    """Join chains whose gap is at most `preblock.window`, and drop old ones that no late pre-block can reach."""
    window, lateness = policy.preblock.window, policy.soft_bounce.allowed_lateness
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span[0] - joined[-1][3] <= window:
            joined[-1] = (*joined[-1][:3], max(joined[-1][3], span[3]))
        else:
            joined.append(span)
    # A chain that ended more than a window before anything that can still come is over, unless it is the latest.
    return [s for s in joined[:-1] if s[3] + window >= newest - lateness] + joined[-1:]
