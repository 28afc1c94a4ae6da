"""One row of the rule table, and the facts of an event that its conditions look at."""

import re
from collections.abc import Callable
from typing import NamedTuple

from agents.classify.evidence import Happening
from agents.classify.status_codes import read_codes
from agents.classify.wordings import MAX_CHARACTERS, Wording, words_of
from schemas.typology import Effect, Outcome, Status


class Verdict(NamedTuple):
    """What a row says: a status or none, the id of the row, and what the event does to the contact."""

    status: Status | None
    rule: str
    effect: Effect


class Row(NamedTuple):
    """One row of the table: its conditions, all of which have to hold (None holds always), and its verdict.

    `given` is the status the producer named; rows without it are for events without one. `bare` asks that
    nothing but that status was given. `enhanced`, `replies` and `codes` hold patterns as `Facts` lists them.
    """

    verdict: Verdict
    outcomes: frozenset[Outcome]
    given: Status | None = None
    bare: bool | None = None
    providers: frozenset[str] | None = None
    permanent: bool | None = None
    temporary: bool | None = None
    enhanced: frozenset[str] | None = None
    replies: frozenset[str] | None = None
    codes: frozenset[str] | None = None
    wordings: tuple[Wording, ...] | None = None
    regex: re.Pattern[str] | None = None

    def matches(self, facts: "Facts") -> bool:
        """Say whether all conditions but outcome and given status hold; those two chose the rows to ask."""
        return self.agrees(facts) and self.is_worded(facts)

    def agrees(self, facts: "Facts") -> bool:
        """Say whether all conditions but the wordings hold."""
        return (
            (self.bare is None or self.bare is facts.bare)
            and (self.providers is None or facts.provider in self.providers)
            and (self.permanent is None or self.permanent is facts.permanent)
            and (self.temporary is None or self.temporary is facts.temporary)
            and (self.enhanced is None or not self.enhanced.isdisjoint(facts.enhanced))
            and (self.replies is None or not self.replies.isdisjoint(facts.replies))
            and (self.codes is None or not self.codes.isdisjoint(facts.codes))
            and (self.regex is None or self.regex.search(facts.text) is not None)
        )

    def is_worded(self, facts: "Facts") -> bool:
        """Say whether one of the wordings stands in the diagnostic, or none is asked for."""
        return self.wordings is None or any(wording.matches(facts.words) for wording in self.wordings)


def covers(first: Row, second: Row) -> bool:
    """Say whether the first row matches all that the second one does; False too where that is not plain to see."""
    return (
        first.given == second.given
        and first.outcomes >= second.outcomes
        and first.bare in (None, second.bare)
        and first.permanent in (None, second.permanent)
        and first.temporary in (None, second.temporary)
        and (first.providers is None or (second.providers is not None and first.providers >= second.providers))
        and _wider(first.enhanced, second.enhanced, _generalised)
        and _wider(first.replies, second.replies, lambda reply: (reply, f"{reply[0]}xx"))
        and _wider(first.codes, second.codes, lambda code: (code, f"{code.partition('/')[0]}/*"))
        and _says_more(first.wordings, second.wordings)
        and (first.regex is None or first.regex == second.regex)
    )


def _wider(
    first: frozenset[str] | None, second: frozenset[str] | None, generalised: Callable[[str], tuple[str, ...]]
) -> bool:
    if first is None or second is None:
        return first is None
    return all(not first.isdisjoint(generalised(pattern)) for pattern in second)


def _says_more(first: tuple[Wording, ...] | None, second: tuple[Wording, ...] | None) -> bool:
    if first is None or second is None:
        return first is None
    return all(any(one.covers(other) for one in first) for other in second)


class Facts:
    """What the conditions of rows look at, read out of a happening once."""

    __slots__ = (
        "bare",
        "codes",
        "enhanced",
        "permanent",
        "provider",
        "replies",
        "temporary",
        "text",
        "words",
    )

    temporary: bool
    """Something says that it may pass: the class of the enhanced code (else of the reply), or the flag."""

    def __init__(self, happening: Happening) -> None:
        """Read a happening; the diagnostic is looked at as far as a cause may stand in it."""
        self.provider = happening.provider
        self.permanent = happening.permanent
        text = happening.diagnostic
        self.text = text[:MAX_CHARACTERS].lower() if text else ""
        self.words = words_of(text) if text else "  "
        reply, enhanced = read_codes(happening.smtp_code, happening.enhanced_code, self.text or None)
        self.temporary = (enhanced or reply or "5")[0] == "4" or happening.permanent is False
        self.replies = (reply, f"{reply[0]}xx") if reply else ()
        self.enhanced = _generalised(enhanced) if enhanced else ()
        code = happening.provider_code
        self.codes = (code.lower(), f"{code.lower().partition('/')[0]}/*") if code else ("",)
        self.bare = happening.permanent is None and not (code or text or happening.smtp_code or happening.enhanced_code)


def _generalised(enhanced: str) -> tuple[str, ...]:
    kind, subject, detail = enhanced.split(".")
    return (
        enhanced,
        f"x.{subject}.{detail}",
        f"{kind}.{subject}.x",
        f"x.{subject}.x",
        f"{kind}.x.x",
    )
