"""Saying in words what was decided about the contacts of the stories, from the records that were read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.delivery import DeliveryEvent
from schemas.suppression import Reason, Suppression
from schemas.typology import Effect
from streams.demo.stories import Name, Story
from streams.demo.watch import Seen


class Known(NamedTuple):
    """What was read about one contact: its delivery events by event time, and its suppression records in order."""

    events: Sequence[DeliveryEvent]
    records: Sequence[Suppression]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons for which it is blocked now; empty for not blocked."""
        return self.records[-1].reasons if self.records else ()

    def times(self, *effects: Effect) -> str:
        """Give when events of these effects happened, such as `08:06, 11:04`; copies count once."""
        return ", ".join(dict.fromkeys(_hour(event.occurred_at) for event in self.events if event.effect in effects))


def known_of(story: Story, seen: Seen) -> Known:
    """Give what was read about the contact of a story."""
    contact = (story.tenant.name, story.recipient)
    events = {event.event_uid: event for event in seen.histories[contact]}  # a report may have come twice
    return Known(sorted(events.values(), key=lambda event: event.occurred_at), seen.records[contact])


def ends_as_told(story: Story, known: Known) -> bool:
    """Say whether a contact's decisions are those that its story leads to."""
    blocked_for = tuple(reason.status for reason in known.reasons)
    was_released = any(record.action == "release" for record in known.records)
    return blocked_for == story.ending and was_released == story.released


def tell(story: Story, known: Known) -> str:
    """Tell what became of the contact of a story, and why."""
    return _TOLD[story.name](known)


def _hour(time: str) -> str:
    return time[11:16]


def _five_failures(known: Known) -> str:
    return f"Failed at {known.times('count')}: five in a row, so there is no sixth."


def _accepted_then_bounced(known: Known) -> str:
    last = known.events[-1]
    return (
        f"Failed at {known.times('count')}. The last message was first accepted, at {known.times('reset')}, "
        f"and bounced {_minutes(known)} minutes later: it did not arrive, so it counts ({last.status})."
    )


def _minutes(known: Known) -> int:
    accepted, bounced = (_hour(event.occurred_at) for event in known.events[-2:])
    return (int(bounced[:2]) - int(accepted[:2])) * 60 + int(bounced[3:]) - int(accepted[3:])


def _saved(known: Known) -> str:
    return f"Failed at {known.times('count')}, then delivered at {known.times('reset')}: no five in a row."


def _released(known: Known) -> str:
    blocked_at = _hour(known.records[0].since)
    return (
        f"Failed at {known.times('count')} and was blocked at {blocked_at}. Then a report came late: delivered at "
        f"{known.times('reset')}, before the fifth failure. The run is broken, the block released."
    )


def _refused(known: Known) -> str:
    rules = ", ".join(dict.fromkeys(event.rule for event in known.events))
    return (
        f"Refused at {known.times('ignore')}, always for the sender's own reasons (rules {rules}): "
        "a failure that is not the contact's never counts against it."
    )


def _back_again(known: Known) -> str:
    return f"Unsubscribed at {known.times('block')}, subscribed again at {known.times('lift')}: lifted."


def _two_reasons(known: Known) -> str:
    return (
        f"Complained and unsubscribed ({known.times('block')}), subscribed again at {known.times('lift')}: "
        "that lifts the unsubscribe alone, the complaint stays."
    )


_TOLD: Final[Mapping[Name, Callable[[Known], str]]] = {
    "five-failures": _five_failures,
    "accepted-then-bounced": _accepted_then_bounced,
    "saved-by-a-delivery": _saved,
    "released-by-a-late-report": _released,
    "refused-by-policy": _refused,
    "back-again": _back_again,
    "two-reasons": _two_reasons,
}
