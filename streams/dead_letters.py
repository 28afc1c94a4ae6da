"""Dead letters as a work list: read, chosen, grouped; addresses masked."""

import hashlib
import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from schemas.codec import decode_json
from schemas.dead_letter import DeadLetter, read_dead_letter
from schemas.times import format_time
from streams.log import masked
from streams.reading import read_to_end
from streams.settings import Settings

TOPIC: Final = "dead-letters"
SAMPLE_CHARACTERS: Final = 200

_PROVIDER: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class Letter(NamedTuple):
    """A dead letter where it lies: when it was written (ms since 1970), and its partition and offset."""

    at: int
    partition: int
    offset: int
    letter: DeadLetter

    @property
    def mark(self) -> str:
        """What names the rejected record: all dead letters of one record have one mark.

        The hash tells it from another one of a topic that was made anew.
        """
        topic, partition, offset = self.letter.source
        return f"{topic}/{partition}/{offset}/{hashlib.sha256(self.letter.value or b'').hexdigest()[:16]}"

    def provider(self) -> str:
        """Give what the record says its provider is; `?` where it says none, or nothing that could be one."""
        named = self._envelope().get("provider")
        return named if isinstance(named, str) and _PROVIDER.fullmatch(named) else "?"

    def _envelope(self) -> dict[str, Any]:
        decoded = decode_json(self.letter.value)
        return decoded if isinstance(decoded, dict) else {}

    def sample(self) -> dict[str, Any]:
        """Give a few words of the rejected element, where they are from, and why it was rejected; no address."""
        source = self.letter.source
        return {
            "detail": masked(self.letter.rejected.detail),
            "content": self._words(),
            "source": f"{source.topic}/{source.partition}/{source.offset}",
            "element": self.letter.element,
            "dead_letter": f"{self.partition}/{self.offset}",
        }

    def _words(self) -> str:
        value: Any = self._envelope()
        payload, element = value.get("payload"), self.letter.element
        if element is not None:
            value = payload[element] if isinstance(payload, list) and element < len(payload) else payload
        # Decoded and written again, so that an address that was escaped is seen.
        text = orjson.dumps(value).decode() if value else (self.letter.value or b"").decode(errors="replace")
        cut = masked(text[: 20 * SAMPLE_CHARACTERS].replace("\\u0040", "@"))
        return cut if len(cut) <= SAMPLE_CHARACTERS else cut[:SAMPLE_CHARACTERS] + "…"


@dataclass(frozen=True)
class Wanted:
    """Which dead letters: those of all that is named, and all where nothing is. Times are of rejection, in ms."""

    reasons: Collection[str] = ()
    providers: Collection[str] = ()
    since: int | None = None
    until: int | None = None

    def includes(self, letter: Letter) -> bool:
        """Say whether a dead letter is one of them."""
        return (
            (not self.reasons or letter.letter.rejected.reason in self.reasons)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (not self.providers or letter.provider() in self.providers)
        )


async def read_letters(settings: Settings, wanted: Wanted) -> AsyncIterator[Letter]:
    """Read the dead letters that are wanted, as many as there are now, each partition in order."""
    async for record in read_to_end(settings, {TOPIC: {}}):
        found = read_dead_letter(record.key, record.value, record.headers)
        if found is not None:
            letter = Letter(record.timestamp, record.partition, record.offset, found)
            if wanted.includes(letter):
                yield letter


@dataclass
class Group:
    """Dead letters of one reason, topic and provider.

    topic: where the rejected records stand, prefix and all.
    provider: what they say it is; `?` where they say none, which is all that records of other topics can say.
    count: elements rejected.
    put_back: those among them whose record is back on its topic.
    first, last: when they were rejected, in ms since 1970.
    """

    reason: str
    provider: str
    topic: str
    count: int = 0
    put_back: int = 0
    first: int = 0
    last: int = 0
    sample: dict[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Say in words where they come from."""
        return f"from {self.topic}" if self.provider == "?" else f"provider {self.provider}"

    def shown(self) -> dict[str, Any]:
        """Give it as it is written in JSON."""
        return {**self.__dict__, "first": format_time(self.first), "last": format_time(self.last)}


class Groups:
    """Dead letters by reason, topic and provider."""

    def __init__(self) -> None:
        """Start with none."""
        self._groups: dict[tuple[str, str, str], Group] = {}

    def add(self, letter: Letter, *, put_back: bool) -> None:
        """Add one; the newest one that is not put back is the sample."""
        key = letter.letter.rejected.reason, letter.provider(), letter.letter.source.topic
        group = self._groups.setdefault(key, Group(*key))
        group.first = min(group.first or letter.at, letter.at)
        if not group.sample or (letter.at >= group.last and not put_back):
            group.sample = letter.sample()
        group.last = max(group.last, letter.at)
        group.count += 1
        group.put_back += put_back

    def largest_first(self) -> list[Group]:
        """Give the groups, those with most left to do first."""
        return sorted(self._groups.values(), key=lambda one: (one.put_back - one.count, one.reason, one.origin))
