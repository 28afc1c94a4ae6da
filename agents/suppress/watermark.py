"""How far event time has surely come: what may be forgotten, and what comes late (SPEC 5). Pure.

Reports arrive in disorder of at most the allowed lateness. Catching up adds to that: partitions of `esp-reports` are
read at different paces, so what arrived hours ago may come after what arrived now. So event time is measured along
arrival: of the reports that arrived before a moment up to which *all* have been read, the newest event time bounds
what can still come.
"""

from schemas.times import SECOND


class Watermark:
    """The watermark of one partition of delivery events.

    newest: newest event time, in ms, among the reports of whose arrival all earlier ones have been read too; 0 before
        there is one. A report that is still to come is older by at most the allowed lateness.
    """

    __slots__ = ("_ahead", "newest")

    def __init__(self) -> None:
        """Know of nothing yet: nothing is forgotten and nothing late."""
        self.newest = 0
        self._ahead: dict[int, int] = {}  # second of arrival -> newest event time among what arrived in it

    def see(self, arrived: int, at: int) -> None:
        """Take note of a report: when it arrived and what time it tells of, in ms."""
        second = arrived // SECOND
        if at > self._ahead.get(second, 0):
            self._ahead[second] = at

    def advance(self, complete_until: int) -> None:
        """Take note that every report that arrived before `complete_until` (ms) has been seen."""
        for second in [s for s in self._ahead if (s + 1) * SECOND <= complete_until]:
            self.newest = max(self.newest, self._ahead.pop(second))
