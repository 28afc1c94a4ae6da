"""The made-up day as reports, in the order in which they arrive. The same seed gives the same bytes."""

from collections.abc import Iterator, Sequence
from itertools import count, groupby
from random import Random
from typing import Final, NamedTuple

import orjson

from schemas.times import HOUR, MINUTE, SECOND, format_time
from streams.demo.happenings import Happening, Intended, payload
from streams.demo.mailings import END, MIDNIGHT, mail
from streams.demo.poison import poison
from streams.demo.stories import STORIES, Story, happenings_of

SEED: Final = 20

_REPEATED: Final = 120  # of 10,000 reports
_LATE: Final = 12  # reports that come more than the allowed lateness of an hour after the fact
_POISON_BETWEEN: Final = (MIDNIGHT + 6 * HOUR, MIDNIGHT + 23 * HOUR)


class Arrival(NamedTuple):
    """One record for `esp-reports`.

    received_at: ms since 1970; the record's timestamp.
    key: the recipient, where there is only one; else None.
    value: the report envelope, or what was to be one.
    intended: what is to become of each of its elements, in order.
    late: whether it comes, on purpose, more than the allowed lateness after what it tells of.
    """

    received_at: int
    key: bytes | None
    value: bytes
    intended: tuple[Intended, ...]
    late: bool = False


class Day(NamedTuple):
    """A day of mail: its reports in order of arrival, and the contacts whose endings are known."""

    arrivals: Sequence[Arrival]
    stories: Sequence[Story]


class _Post(NamedTuple):
    """What a provider posts at once: happenings of one tenant, as one object or as an array."""

    received_at: int
    happenings: Sequence[Happening]

    def arrival(self) -> Arrival:
        first = self.happenings[0]
        recipients = {happening.recipient for happening in self.happenings}
        payloads = [payload(happening) for happening in self.happenings]
        envelope = {
            "provider": "normalized" if first.written == "normalized" else "mailjet",
            "tenant": first.tenant,
            "payload": payloads if first.written == "mailjet-grouped" else payloads[0],
            "received_at": format_time(self.received_at),
        }
        return Arrival(
            self.received_at,
            first.recipient.encode() if len(recipients) == 1 else None,
            orjson.dumps(envelope),
            tuple(happening.wording.intended for happening in self.happenings),
            any(happening.delay > HOUR for happening in self.happenings),
        )


def make_day(seed: int = SEED) -> Day:
    """Make the day: about 20,000 reports from three tenants, a few of them unreadable."""
    chance = Random(seed)
    messages = count(1)
    happenings = _with_late_ones(list(mail(chance, messages)), chance)
    for story in STORIES:
        happenings += happenings_of(story, messages)
    posts = list(_posts(happenings))
    arrivals = [post.arrival() for post in (*posts, *_repeats(posts, chance))]
    arrivals += _poison(chance)
    return Day(sorted(arrivals, key=lambda arrival: arrival.received_at), STORIES)


def _with_late_ones(happenings: list[Happening], chance: Random) -> list[Happening]:
    """Make some reports come hours after the fact: of messages that arrived, which changes no decision."""
    delivered = [
        place
        for place, happening in enumerate(happenings)
        if happening.wording.intended == "reset" and happening.at < END - 4 * HOUR
    ]
    for place in chance.sample(delivered, _LATE):
        happenings[place] = happenings[place]._replace(delay=chance.randrange(90 * MINUTE, 3 * HOUR))
    return happenings


def _posts(happenings: Sequence[Happening]) -> Iterator[_Post]:
    """Post each happening when it is reported; where reports are grouped, those of one tenant and second at once."""
    for happening in happenings:
        if happening.written != "mailjet-grouped":
            yield _Post(happening.arrives, [happening])
    grouped = sorted(
        (happening for happening in happenings if happening.written == "mailjet-grouped"),
        key=lambda happening: happening.arrives,
    )
    for _, group in groupby(grouped, key=lambda happening: (happening.tenant, happening.arrives // SECOND)):
        together = list(group)
        yield _Post(together[-1].arrives, together)


def _repeats(posts: Sequence[_Post], chance: Random) -> Iterator[_Post]:
    """Post some a second time: the answer to the first was lost, so the provider tries again."""
    for post in posts:
        if chance.randrange(10_000) < _REPEATED:
            yield post._replace(received_at=post.received_at + chance.randrange(30 * SECOND, 8 * MINUTE))


def _poison(chance: Random) -> Iterator[Arrival]:
    """Spread the unreadable reports over the day, each as it would be written just then."""
    for place, kind in enumerate(poison(MIDNIGHT)):
        for _ in range(kind.copies):
            at = chance.randrange(*_POISON_BETWEEN)
            written = poison(at)[place]
            yield Arrival(at, None, written.value, written.intended)
