"""How the made-up day says things: reads `wordings.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final, Literal

import msgspec

from streams.demo.happenings import Wording, Written

Kind = Literal[
    "delivered",
    "opened",
    "clicked",
    "unsubscribed",
    "complained",
    "resubscribed",
    "deferred",
    "gone",  # hard: no such mailbox
    "nowhere",  # hard: no such domain
    "full",  # soft: mailbox full
    "unreachable",  # soft: their server is down
    "refused",  # the sender's own: policy, reputation, content, greylisting
    "preblocked",
    "mistyped",
    "excluded",  # on the sender's own list of those not to mail
    "duplicate",
]
"""What can happen to a message."""

_Format = Literal["mailjet", "normalized"]


def wordings(written: Written, kind: Kind) -> Sequence[Wording]:
    """Give the ways in which this format tells of this kind; at least one.

    Raises:
        KeyError: The format has none: Mailjet reports neither deferrals nor new consents.

    """
    return _WORDINGS["normalized" if written == "normalized" else "mailjet"][kind]


def _load() -> Mapping[_Format, Mapping[Kind, list[Wording]]]:
    text = (resources.files("streams.demo") / "wordings.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[_Format, dict[Kind, list[Wording]]])


_WORDINGS: Final = _load()
