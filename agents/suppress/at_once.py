"""Events that block at once, and where all that is known of a contact was first told."""

from collections.abc import Callable, Sequence
from typing import Final

from agents.suppress.attempts import Mark
from agents.suppress.coordinates import Coordinates, First
from schemas.typology import Status

AtOnce = tuple[int, str, str, str]
"""An event that blocks at once: (event time in ms, attempt id, rule, provider).

The attempt id is empty where there was no attempt: the check has denied one.
"""

Events = dict[Status, list[AtOnce]]
"""Status -> its events, sorted."""

Told = Mark | AtOnce | tuple[str]
"""What coordinates belong to: a mark, an event, the consent or the network's hard bounce."""

CONSENT: Final = ("consent",)
NETWORK: Final = ("network",)


class Firsts(dict[Told, Coordinates]):
    """Where what is known of a contact was first told; may hold what has been forgotten meanwhile."""

    def put(self, told: Told, first: First) -> None:
        """Keep where something new was told, if that is known, in place of where its like was that is forgotten."""
        if first:
            self[told] = first
        else:
            self.pop(told, None)


Counts = Callable[[Status, AtOnce], bool]
"""Says whether an event that blocks at once still counts."""


def counting(events: Events, counts: Counts) -> Events:
    """Leave out the events that no longer count, and the statuses that none speaks for."""
    left = {status: [event for event in known if counts(status, event)] for status, known in events.items()}
    return {status: known for status, known in left.items() if known}


def dispensable(events: Sequence[AtOnce], window: int) -> int:
    """Find a pre-block between two that are near enough to be one chain without it."""
    near = (n for n in range(1, len(events) - 1) if events[n + 1][0] - events[n - 1][0] <= window)
    return next(near, 1)
