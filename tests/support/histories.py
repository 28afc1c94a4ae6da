"""Random histories of one contact, and arrival orders that stay within the allowed lateness. Seeded."""

from collections.abc import Sequence
from random import Random
from typing import cast

from schemas.command import Command, Erase, Release, Retract, Suppress
from schemas.delivery import DeliveryEvent
from schemas.times import format_time
from schemas.typology import TYPOLOGY, Effect, Outcome, Status
from tests.support.oracle import DAY, EVENT_RULE, HOUR, Bounce, Event, Order

_WITHOUT_STATUS: dict[str, Effect] = {"delivered": "reset", "resubscribed": "lift"}

PROVIDERS = ("mailjet", "ses", "")
"""The last one is that of events that name none."""

OTHERS = ("beta", "gamma", "globex")
RULES = (EVENT_RULE, "soft-bounce-limit", "by-hand", "check-network")

START = 1_760_000_000_000 // HOUR * HOUR


def history(
    random: Random,
    *,
    length: int,
    step: int,
    messages: int,
    kinds: list[str],
    providers: Sequence[str] = PROVIDERS[:1],
) -> list[Event]:
    """Make a history in order of event time: up to `step` ms between events, `messages` ids drawn again and again.

    Times fall on a grid of a tenth of an hour half of the time, so that ties and exact edges come up.
    """
    at = START
    found: list[Event] = []
    for _ in range(length):
        at += random.randrange(step)
        when = at // (HOUR // 10) * (HOUR // 10) if random.random() < 0.5 else at
        found.append(Event(when, f"m{random.randrange(messages)}", random.choice(kinds), random.choice(providers)))
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


def orders(random: Random, events: list[Event], kinds: list[str]) -> list[Order]:
    """Draw a few commands amid a history, dated about when events are."""
    return [_order(random, f"c{number}", random.choice(events).at, kinds) for number in range(random.randrange(1, 5))]


def denials(random: Random, events: list[Event], window: int) -> list[tuple[Bounce, ...]]:
    """Draw what a few checks have found: of each of some other tenants a hard bounce, about when events are."""
    return [
        tuple(sorted(_bounces(random, random.choice(events).at, window))) for _ in range(random.choice((0, 1, 1, 2, 3)))
    ]


def incidents(random: Random, denied: Sequence[tuple[Bounce, ...]]) -> list[Order]:
    """Draw retractions about some of what checks have found; narrowed down so that some miss it."""
    found = [bounce for one in denied for bounce in one if random.random() < 0.5]
    return [
        Order(
            "retract",
            bounce.at,
            f"i{number}",
            random.choice((("User unknown", ":"), ("User unknown", ":"), (bounce.what,), ("Preblock",))),
            (),
            bounce.at - random.choice((0, HOUR, 40 * DAY)),
            bounce.at + random.choice((0, 1, 1, HOUR)),
            random.choice((None, bounce.provider or "normalized", bounce.provider or "normalized", "mailjet")),
            random.choice((None, bounce.tenant, bounce.tenant, "beta")),
        )
        for number, bounce in enumerate(found)
    ]


def _bounces(random: Random, latest: int, window: int) -> list[Bounce]:
    tenants = random.sample(OTHERS, random.choice((1, 1, 2, 2, 3)))
    ages = (0, random.randrange(5 * HOUR), random.randrange(window))
    return [
        Bounce(latest - random.choice(ages), tenant, random.choice(("User unknown", ":")), random.choice(PROVIDERS))
        for tenant in tenants
    ]


def _order(random: Random, name: str, at: int, kinds: list[str]) -> Order:
    statuses = [kind for kind in kinds if kind in TYPOLOGY]
    some = tuple(random.sample(sorted(set(statuses)), random.randint(1, len(set(statuses)))))
    match random.choice(("release", "release", "suppress", "retract", "retract", "erase")):
        case "release":
            rules = tuple(random.sample(RULES, random.randrange(3)))
            return Order("release", at, name, some if random.random() < 0.8 or not rules else (), rules)
        case "suppress":
            return Order("suppress", at, name, (random.choice(statuses),))
        case "retract":
            start = at - random.randrange(5 * HOUR)
            end = at + random.randrange(1, 5 * HOUR)
            provider = random.choice((None, None, "mailjet", "ses", "normalized"))
            return Order(
                "retract", at, name, some, (), start, end, provider, random.choice((None, None, None, "acme", *OTHERS))
            )
        case _:
            return Order("erase", at, name)


def command(order: Order, tenant: str = "acme", recipient: str = "jane@example.com") -> Command:
    """Write a command as it is decoded."""
    statuses = cast("tuple[Status, ...]", order.statuses)
    match order.what:
        case "release":
            return Release(
                id=order.name,
                at=order.at,
                tenant=tenant,
                recipient=recipient,
                statuses=statuses,
                rules=order.rules,
                consent="signed",
            )
        case "suppress":
            return Suppress(id=order.name, at=order.at, tenant=tenant, recipient=recipient, status=statuses[0])
        case "erase":
            return Erase(id=order.name, at=order.at, tenant=tenant, recipient=recipient)
        case _:
            return Retract(
                id=order.name,
                at=order.at,
                statuses=statuses,
                start=order.start,
                end=order.end,
                provider=order.provider,
                tenant=order.tenant,
            )


def delivery_event(event: Event, tenant: str = "acme", recipient: str = "jane@example.com") -> DeliveryEvent:
    """Write an event as it stands on `delivery-events`."""
    uid = f"{event.at}-{event.message}-{event.what}-{event.provider}"
    told = TYPOLOGY.get(cast("Status", event.what))
    status = cast("Status", event.what) if told else None
    outcome = told.outcome if told else cast("Outcome", event.what)
    effect = told.effect if told else _WITHOUT_STATUS[event.what]
    return DeliveryEvent(
        uid,
        tenant,
        recipient,
        format_time(event.at),
        outcome,
        status,
        effect,
        EVENT_RULE,
        event.provider or None,
        message_id=event.message,
    )
