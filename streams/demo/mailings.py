"""The made-up day's mail: three senders, what they send when, and what becomes of each message."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from random import Random
from typing import Final, NamedTuple

from schemas.times import DAY, HOUR, MINUTE, SECOND
from schemas.typology import SOFT, TYPOLOGY
from streams.demo.happenings import Happening, Wording, Written
from streams.demo.wordings import Kind, wordings

MIDNIGHT: Final = 1_795_132_800_000
"""When the day begins, in ms since 1970: 2026-11-20T00:00:00Z, a Friday on which people shop."""

END: Final = MIDNIGHT + DAY


def clock(time: str) -> int:
    """Give a time of the day, `HH:MM` or `HH:MM:SS`, in ms since 1970."""
    hours, minutes, seconds = map(int, f"{time}:00".split(":")[:3])
    return MIDNIGHT + hours * HOUR + minutes * MINUTE + seconds * SECOND


class Mailing(NamedTuple):
    """One message to everybody: its name, when the first goes out (ms since 1970) and over how many ms it is sent."""

    name: str
    at: int
    lasts: int


class Tenant(NamedTuple):
    """A client of the platform: how its reports come, how many contacts it has and what it sends that day."""

    name: str
    sells: str
    written: Written
    contacts: int
    mailings: Sequence[Mailing]


def _mailings(lasts: int, **times: str) -> Sequence[Mailing]:
    return [Mailing(name.replace("_", "-"), clock(time), lasts) for name, time in times.items()]


GAZETTE: Final = Tenant(
    "gazette",
    "a newsletter for businesses",
    "mailjet-grouped",
    4_000,
    _mailings(40 * MINUTE, morning_edition="06:30", evening_edition="17:00"),
)
ATELIER: Final = Tenant(
    "atelier",
    "a shop with a sale on",
    "mailjet",
    1_550,
    _mailings(
        20 * MINUTE,
        sale_opens="08:00",
        sale_picks="11:00",
        sale_second_round="14:00",
        sale_evening="18:00",
        sale_last_hours="21:00",
    ),
)
PULSE: Final = Tenant(
    "pulse",
    "a monitoring service",
    "normalized",
    520,
    _mailings(
        15 * MINUTE,
        **{f"digest_{hour:02}": f"{hour:02}:00" for hour in (1, 4, 7, 10, 13, 16, 19, 22)},
    ),
)
TENANTS: Final = (GAZETTE, ATELIER, PULSE)

_Fate = tuple[Kind, ...]
"""What becomes of a contact's messages, one after the other; the last one goes on until it blocks."""

# How many in 10,000 contacts meet which fate; all others get everything. Rather a bad day: its mail shows every status.
_FATES: Final[Mapping[_Fate, int]] = {
    ("gone",): 70,
    ("nowhere",): 25,
    ("preblocked",): 30,
    ("mistyped",): 20,
    ("excluded",): 8,
    ("full",): 110,
    ("unreachable",): 70,
    ("full", "full", "delivered"): 60,
    ("unreachable", "delivered"): 90,
    ("refused",): 100,
    ("refused", "delivered"): 60,
    ("duplicate", "delivered"): 40,
    ("delivered", "gone"): 15,
}

# Of messages delivered, in 10,000; opens come in the hour or hours after.
_OPENED: Final = 2_400
_THEN: Final[Sequence[tuple[Kind, int]]] = (("clicked", 350), ("unsubscribed", 14), ("complained", 5))

_DEFERRED: Final = 300  # of pulse's messages, in 10,000: its own relay tells of every retry

_DOMAINS: Final = (
    "example.com", "example.org", "example.net", "lindenhof.example", "nordwind.example", "papeterie.example",
    "hopital.example", "kestrel.test", "uni.test", "mairie.example",
)  # fmt: skip
_MISTYPED: Final = ("gmial.example", "hotmial.example", "gmaill.example")
_FIRST: Final = (
    "anna", "ben", "chloe", "david", "elif", "farid", "greta", "hugo", "irma", "jan", "karin", "leo", "mia", "nils",
    "olga", "pavel", "rosa", "sven", "tina", "yusuf",
)  # fmt: skip
_LAST: Final = (
    "adler", "bianchi", "costa", "dupont", "eriksson", "fischer", "garcia", "hansen", "ivanov", "jansen", "keller",
    "lopez", "moreau", "novak", "olsen", "petit", "rossi", "schmidt", "toth", "weiss",
)  # fmt: skip


def mail(chance: Random, messages: "count[int]") -> Iterator[Happening]:
    """Give everything that becomes of the mail of all tenants, in no particular order.

    Args:
        chance: The day's chance.
        messages: Numbers for the messages.

    """
    for tenant in TENANTS:
        for number in range(tenant.contacts):
            yield from _contact(tenant, number, chance, messages)


def _contact(tenant: Tenant, number: int, chance: Random, messages: "count[int]") -> Iterator[Happening]:
    fate = _fate(chance)
    recipient = _address(fate, number, chance)
    failures = 0
    for place, mailing in enumerate(tenant.mailings):
        kind = fate[min(place, len(fate) - 1)]
        sent = mailing.at + chance.randrange(mailing.lasts)
        blocked = False
        for happening in _message(tenant, mailing.name, recipient, kind, sent, next(messages), chance):
            yield happening
            intended = happening.wording.intended
            failures = failures + 1 if intended in SOFT else 0 if intended == "reset" else failures
            # The platform knows within the hour whom not to mail again; a pre-block ends by itself.
            blocked |= failures == 5 or (intended in TYPOLOGY and intended not in SOFT)
        if blocked:
            return


def _fate(chance: Random) -> _Fate:
    left = chance.randrange(10_000)
    for fate, share in _FATES.items():
        left -= share
        if left < 0:
            return fate
    return ("delivered",)


def _address(fate: _Fate, number: int, chance: Random) -> str:
    match fate[0]:
        case "nowhere":
            domain = f"{chance.choice(_LAST)}.invalid"
        case "mistyped":
            domain = chance.choice(_MISTYPED)
        case _:
            domain = chance.choice(_DOMAINS)
    return f"{chance.choice(_FIRST)}.{chance.choice(_LAST)}{number}@{domain}"


def _message(
    tenant: Tenant, mailing: str, recipient: str, kind: Kind, sent: int, message: int, chance: Random
) -> Iterator[Happening]:
    def happens(what: Kind, at: int) -> Happening:
        wording = chance.choice(wordings(tenant.written, what))
        return happening(tenant, mailing, recipient, at, delay(chance), message, wording)

    at = sent + int(chance.expovariate(1 / (20 * SECOND)))
    if tenant.written == "normalized" and chance.randrange(10_000) < _DEFERRED:
        yield happens("deferred", at)
        at += chance.randrange(2 * MINUTE, 20 * MINUTE)
    yield happens(kind, at)
    if kind != "delivered":
        return
    read = at + SECOND + int(chance.lognormvariate(3.4, 1.2) * MINUTE)
    if read > END - HOUR or chance.randrange(10_000) >= _OPENED:
        return
    yield happens("opened", read)
    then = chance.randrange(10_000)
    for what, share in _THEN:
        if then < share * 10_000 // _OPENED:
            yield happens(what, read + chance.randrange(3 * SECOND, 2 * MINUTE))
            return
        then -= share * 10_000 // _OPENED


def happening(
    tenant: Tenant, mailing: str, recipient: str, at: int, delay: int, message: int, wording: Wording
) -> Happening:
    """Make a happening of this tenant; its time is cut to whole seconds."""
    at -= at % SECOND
    return Happening(tenant.name, tenant.written, recipient, at, delay, message, mailing, wording)


def delay(chance: Random) -> int:
    """Draw how long after the fact a report comes, in ms: seconds, sometimes minutes, rarely most of an hour."""
    match chance.randrange(1_000):
        case rare if rare < 8:
            return chance.randrange(10 * MINUTE, 45 * MINUTE)
        case some if some < 60:
            return chance.randrange(30 * SECOND, 10 * MINUTE)
        case _:
            return SECOND + int(chance.expovariate(1 / (2 * SECOND))) % MINUTE
