"""Random histories of one contact, and arrival orders that stay within the allowed lateness. Seeded."""

from random import Random
from typing import cast

from schemas.delivery import DeliveryEvent
from schemas.times import format_time
from schemas.typology import TYPOLOGY, Effect, Outcome, Status
from tests.support.oracle import HOUR, Event

_WITHOUT_STATUS: dict[str, Effect] = {"delivered": "reset", "resubscribed": "lift"}

START = 1_760_000_000_000 // HOUR * HOUR


def history(random: Random, *, length: int, step: int, messages: int, kinds: list[str]) -> list[Event]:
    """Make a history in order of event time: up to `step` ms between events, `messages` ids drawn again and again.

    Times fall on a grid of a tenth of an hour half of the time, so that ties and exact edges come up.
    """
    at, found = START, []
    for _ in range(length):
        at += random.randrange(step)
        when = at // (HOUR // 10) * (HOUR // 10) if random.random() < 0.5 else at
        found.append(Event(when, f"m{random.randrange(messages)}", random.choice(kinds)))
    return sorted(found)


def arrival(random: Random, events: list[Event], lateness: int) -> list[Event]:
    """Repeat some events and bring all into an order in which none is more than `lateness` behind the newest."""
    copies = events + [e for e in events if random.random() < 0.3]
    delayed = sorted(copies, key=lambda e: e.at + random.choice((0, 0, random.uniform(0, lateness), lateness)))
    newest = 0
    for event in delayed:
        newest = max(newest, event.at)
        assert event.at >= newest - lateness, "the arrival order must keep to the contract it tests"
    return delayed


def delivery_event(event: Event, tenant: str = "acme", recipient: str = "jane@example.com") -> DeliveryEvent:
    """Write an event as it stands on `delivery-events`."""
    uid = f"{event.at}-{event.message}-{event.what}"
    told = TYPOLOGY.get(cast("Status", event.what))
    status = cast("Status", event.what) if told else None
    outcome = told.outcome if told else cast("Outcome", event.what)
    effect = told.effect if told else _WITHOUT_STATUS[event.what]
    return DeliveryEvent(
        uid, tenant, recipient, format_time(event.at), outcome, status, effect, "a-rule", message_id=event.message
    )
