"""Seven contacts of the made-up day whose endings are known; each shows one rule at work."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final, Literal, NamedTuple

from schemas.times import SECOND
from schemas.typology import Status
from streams.demo.happenings import Happening
from streams.demo.mailings import ATELIER, GAZETTE, PULSE, Tenant, clock, happening
from streams.demo.wordings import Kind, wordings

Name = Literal[
    "five-failures",
    "accepted-then-bounced",
    "saved-by-a-delivery",
    "released-by-a-late-report",
    "refused-by-policy",
    "back-again",
    "two-reasons",
]


class Scene(NamedTuple):
    """One happening of a story.

    at: when, `HH:MM:SS`.
    mailing: the place in the tenant's day of the mailing whose message it is about; -1 for what is about no message and
        told by the platform itself.
    reported_after: seconds until it is reported.
    """

    at: str
    what: Kind
    mailing: int
    reported_after: int = 3


class Story(NamedTuple):
    """One contact, what happens to it and how that ends.

    ending: the statuses for which it is blocked at the end of the day, strongest first; empty for not blocked.
    released: whether it was blocked and released again.
    """

    name: Name
    tenant: Tenant
    recipient: str
    script: Sequence[Scene]
    ending: tuple[Status, ...] = ()
    released: bool = False


STORIES: Final = (
    Story(
        "five-failures",
        ATELIER,
        "marta.kovacs@lindenhof.example",
        [
            Scene("08:06:12", "full", 0),
            Scene("11:04:40", "full", 1),
            Scene("14:09:03", "full", 2),
            Scene("18:02:27", "full", 3),
            Scene("21:07:51", "full", 4),
        ],
        ending=("Quota exceeded",),
    ),
    Story(
        "accepted-then-bounced",
        ATELIER,
        "ingrid.berg@uni.test",
        [
            Scene("08:03:30", "unreachable", 0),
            Scene("11:08:15", "unreachable", 1),
            Scene("14:02:44", "unreachable", 2),
            Scene("18:11:09", "unreachable", 3),
            Scene("21:04:20", "delivered", 4),
            Scene("21:37:45", "unreachable", 4),
        ],
        ending=("Connection issue",),
    ),
    Story(
        "two-reasons",
        GAZETTE,
        "luc.martin@example.net",
        [
            Scene("06:37:14", "delivered", 0),
            Scene("06:52:40", "complained", 0),
            Scene("06:53:01", "unsubscribed", 0),
            Scene("12:20:15", "resubscribed", -1),
        ],
        ending=("Spam",),
    ),
    Story(
        "saved-by-a-delivery",
        ATELIER,
        "jonas.weber@nordwind.example",
        [
            Scene("08:09:58", "unreachable", 0),
            Scene("11:02:31", "unreachable", 1),
            Scene("14:12:17", "full", 2),
            Scene("18:05:36", "unreachable", 3),
            Scene("21:05:05", "delivered", 4),
        ],
    ),
    Story(
        "released-by-a-late-report",
        PULSE,
        "amelie.durand@papeterie.example",
        [
            Scene("01:04:10", "unreachable", 0),
            Scene("04:03:22", "unreachable", 1),
            Scene("07:06:48", "unreachable", 2),
            Scene("10:02:05", "unreachable", 3),
            # Their server was back for a moment, ours that reports had a hitch: reported after the next failure.
            Scene("13:05:30", "deferred", 4),
            Scene("15:48:20", "delivered", 4, reported_after=50 * 60),
            Scene("16:03:40", "unreachable", 5),
        ],
        released=True,
    ),
    Story(
        "refused-by-policy",
        ATELIER,
        "tomas.silva@hopital.example",
        [
            Scene("08:08:19", "refused", 0),
            Scene("11:06:55", "refused", 1),
            Scene("14:04:11", "refused", 2),
            Scene("18:09:42", "refused", 3),
            Scene("21:10:08", "refused", 4),
        ],
    ),
    Story(
        "back-again",
        ATELIER,
        "noor.haddad@example.org",
        [
            Scene("08:02:50", "delivered", 0),
            Scene("09:12:33", "opened", 0),
            Scene("09:13:02", "unsubscribed", 0),
            Scene("19:40:26", "resubscribed", -1),
        ],
        released=True,
    ),
)


def happenings_of(story: Story, messages: "count[int]") -> Iterator[Happening]:
    """Give everything that happens to the contact of a story; its kinds take their wordings in turn."""
    numbers: dict[int, int] = {}
    told: Counter[Kind] = Counter()
    for at, what, mailing, reported_after in story.script:
        # Mailjet knows of no new consent: the platform, whose page it was given on, reports that in our words.
        tenant = story.tenant if mailing >= 0 else story.tenant._replace(written="normalized")
        name = tenant.mailings[mailing].name if mailing >= 0 else "preferences"
        message = numbers.setdefault(mailing, next(messages))
        ways = wordings(tenant.written, what)
        wording = ways[told[what] % len(ways)]
        told[what] += 1
        yield happening(tenant, name, story.recipient, clock(at), reported_after * SECOND, message, wording)
