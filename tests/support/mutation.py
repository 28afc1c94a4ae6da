"""Real payloads with something wrong in them, mails with stretches missing or replaced, and JSON out of nothing.

All of it is drawn from a `Random`. Hypothesis gives one that it can shrink (`drawn`), `tests/fuzz/` a plain one, which
is many times as fast.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

SECRET: Final = "s3cr3t"
"""Stands in what was put in, so that a test can see whether it comes out again."""

Maker = Callable[[Random], Any]
"""Makes a payload, or an element of one, out of chance."""

_SCALARS: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 7, 550, 2**31, 2**53, 2**63, 2**64, 10**30, 1e300, 0.5, 1760001000, 1760001000123),
    *(float("nan"), float("inf"), "", " ", "\ud800", "\x00", "\n", "5.1.1", "550", "550 5.1.1 no such user", "4.2.2"),
    *(
        "é",
        "\u0130",
        "jane@example.com",
        "JANE@EXAMPLE.COM",
        "<jane@example.com>",
        "@",
        "a@b",
        "a@xn--a",
        "a@" + "b" * 300,
    ),
    *("2025-10-09T08:53:20Z", "2025-02-30T25:61:61+99:99", "1e400", "-0", "٣", "true", "null", "{", '{"a":1}', "[]"),
    *(SECRET, f"{SECRET}@nowhere", f"5{SECRET}0 5.1.1", "x" * 1_001),
)
_ALPHABET: Final = "abcXYZ019 .@:;<>()[]{}\"'\\/,=+-_#%&\n\r\t\x00é\u00df\u0130\u2028\ufffd\ud800\U0001f4e7"

_PIECES: Final[tuple[str, ...]] = (
    *(
        "\n",
        "\r\n",
        "\n\n",
        "--",
        "--b",
        ":",
        ";",
        ",",
        "<",
        ">",
        "@",
        '"',
        "(",
        ")",
        "=?utf-8?q?",
        "?=",
        "=\n",
        "\x00",
    ),
    *("\ud800", "\ufffd", "é", "boundary=", "Content-Type: multipart/report; boundary=", "message/delivery-status"),
    *("charset=unicode_escape", "charset=idna", "Content-Transfer-Encoding: base64\n", "rfc822;", "utf-8; \\x{110000}"),
    *(
        "Final-Recipient: ",
        "Action: failed\n",
        "boundary*0*=",
        "boundary*1*=utf-8'x'%zz",
        "From: MAILER-DAEMON@x.example\n",
    ),
    *("X-Failed-Recipients: ", "X-Mailer: <SMTP32 v1>\n", "Date: 99 Foo 99999 99:99:99 +9999\n", "Original-Rcpt-To: "),
    *("Status: 5.1.1\n", "Feedback-Type: abuse\n", "message/feedback-report", "message/rfc822", "=?utf-8?b?=C3?="),
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Give every place inside a JSON value, as the container and the key or index in it."""
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield value, key
        yield from places(inner)


def text(random: Random, most: int = 6) -> str:
    """Make a short text of letters that mean something to a parser."""
    return "".join(random.choice(_ALPHABET) for _ in range(random.randint(0, most)))


def anything(random: Random, words: Sequence[str] = (), depth: int = 3) -> Any:
    """Make any JSON value; `words` are names of fields that a parser may look for."""
    match random.randint(0, 5 if depth else 3):
        case 0 | 1 | 2:
            return random.choice(_SCALARS)
        case 3:
            return random.choice(words) if words and random.randint(0, 1) else text(random)
        case 4:
            return [anything(random, words, depth - 1) for _ in range(random.randint(0, 3))]
        case _:
            names = [random.choice(words) if words and random.randint(0, 3) else text(random) for _ in range(4)]
            return {name: anything(random, words, depth - 1) for name in names[: random.randint(0, 4)]}


def mutated(originals: Sequence[Any], repack: Callable[[Any], Any] = lambda value: value) -> Maker:
    """Make copies of the originals in which one to four places were replaced, removed, doubled or exchanged.

    `repack` wraps what was made, for formats that hold JSON inside a text.
    """

    def make(random: Random) -> Any:
        value = copy.deepcopy(random.choice(originals))
        for _ in range(random.randint(1, 4)):
            found = list(places(value))
            if not found:
                break
            _mutate(random, found)
        return repack(value)

    return make


def _mutate(random: Random, found: list[tuple[Any, Any]]) -> None:
    container, key = random.choice(found)
    match random.randint(0, 5):
        case 0 | 1:
            container[key] = anything(random)
        case 2:
            del container[key]
        case 3 if isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        case 4:
            container[key] = [container[key]]
        case _:
            other, elsewhere = random.choice(found)
            container[key] = copy.deepcopy(other[elsewhere])


def from_nothing(originals: Sequence[Any]) -> Maker:
    """Make any JSON, with names and words out of the originals in it, so that it gets past the first look."""
    words = sorted(
        {key for value in originals for _, key in places(value) if isinstance(key, str)}
        | {inner[key] for value in originals for inner, key in places(value) if isinstance(inner[key], str)}
    )
    return lambda random: anything(random, words)


def changed_mail(mails: Sequence[str]) -> Maker:
    """Make mails of which up to six stretches are cut out, doubled, or replaced by something that has a meaning."""

    def make(random: Random) -> str:
        mail = random.choice(mails)
        for _ in range(random.randint(1, 6)):
            begin = random.randint(0, len(mail))
            end = begin + random.choice((0, random.randint(0, 12), random.randint(0, 800)))
            middle = random.choice((random.choice(_PIECES), mail[begin:end] * 2, text(random), ""))
            mail = mail[:begin] + middle + mail[end:]
        return mail

    return make


def pieces(random: Random) -> str:
    """Make a text of pieces of mails."""
    count = random.randint(0, 30)
    return "".join(random.choice(_PIECES) if random.randint(0, 1) else text(random, 20) for _ in range(count))


def one_of(*makers: Maker) -> Maker:
    """Make what one of the makers makes."""
    return lambda random: random.choice(makers)(random)


def drawn(maker: Maker) -> st.SearchStrategy[Any]:
    """Give a maker as a strategy of Hypothesis."""
    return st.randoms(use_true_random=False).map(maker)
