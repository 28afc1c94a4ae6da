"""Putting rejected records back on their topics, each once: when a mapping was mended, or a producer's mistake undone.

A batch is first written down as being under way, with the ends of its topics; then its records are published, each with
a header that names it; then they are written down as put back. After a crash in between, the next run looks behind
those ends for the headers, and so knows which of the batch got there. Hence a record is put back once, however often
this is run and wherever it is stopped. Three things can still do it twice: two runs at the same moment, a broker whose
answer is lost, and a run that goes on after a crash when the source topic has already forgotten the records (7 days).
All are harmless, since what is reported twice is decided once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from agents.ports import Outgoing
from schemas.topics import catalogue
from streams.dead_letters import Letter, Wanted, read_letters
from streams.publisher import KafkaPublisher
from streams.reading import ends_of, read_to_end
from streams.settings import Settings

TOPIC: Final = "bounceline-redriven"
UNDER_WAY: Final = b"under-way"
HEADER: Final = "redriven-from"
DONE: Final = b"true"

MOST_RECORDS: Final = 500
MOST_BYTES: Final = 8_388_608

HOPELESS: Final = "too-large"
"""What was rejected for its size is so again, whatever was mended."""


class UnderWay(msgspec.Struct, frozen=True):
    """A batch being put back: its marks, and where its topics ended before."""

    marks: list[str]
    ends: dict[str, dict[int, int]]


class Ledger:
    """Which records are back on their topics."""

    def __init__(self, settings: Settings, publisher: KafkaPublisher) -> None:
        """Take where to keep it; `open` before anything else."""
        self._settings = settings
        self._publisher = publisher
        self._done: set[str] = set()

    async def open(self, *, repair: bool) -> None:
        """Read what is known; where a run was cut off, find out how far it got, and with `repair` write that down."""
        under_way = None
        async for record in read_to_end(self._settings, {TOPIC: {}}):
            if record.key == UNDER_WAY:
                under_way = msgspec.json.decode(record.value, type=UnderWay)
            elif record.value is not None:
                self._done.add(record.key.decode())
        if under_way and (unknown := set(under_way.marks) - self._done):
            found = set()
            async for record in read_to_end(self._settings, under_way.ends):
                mark = (dict(record.headers).get(HEADER) or b"").decode(errors="replace")
                if mark in unknown:
                    found.add(mark)
            self._done |= found
            if repair:
                await self._write_done(found)

    def has(self, letter: Letter) -> bool:
        """Say whether the record of a dead letter is back on its topic."""
        return letter.mark in self._done

    async def put_back(self, letters: Sequence[Letter]) -> None:
        """Put records back, none of which is back yet; at most `MOST_RECORDS`."""
        topics = {letter.mark: self._topic(letter) for letter in letters}
        ends = await ends_of(self._settings, sorted(set(topics.values())))
        under_way = msgspec.json.encode(UnderWay(list(topics), ends))
        await self._publisher.publish([Outgoing(TOPIC, UNDER_WAY, under_way)])
        await self._publisher.publish(
            [
                Outgoing(topics[one.mark], one.letter.key, one.letter.value, [(HEADER, one.mark.encode())])
                for one in letters
            ]
        )
        await self._write_done(topics)

    def _topic(self, letter: Letter) -> str:
        return letter.letter.source.topic.removeprefix(self._settings.topic_prefix)

    async def _write_done(self, marks: Iterable[str]) -> None:
        await self._publisher.publish([Outgoing(TOPIC, mark.encode(), DONE) for mark in marks])
        self._done.update(marks)


class Redriven:
    """What came of a run, by reason and provider: records put back (or, in a dry run, to be), and those left."""

    def __init__(self) -> None:
        """Start with none."""
        self.put_back: Counter[tuple[str, str]] = Counter()
        self.before = 0
        self.hopeless = 0
        self.elsewhere = 0


async def redrive(settings: Settings, wanted: Wanted, *, dry_run: bool) -> Redriven:
    """Put the records of the wanted dead letters back on the topics they came from, with their key and bytes."""
    publisher = KafkaPublisher(settings)
    await publisher.start()
    try:
        ledger = Ledger(settings, publisher)
        await ledger.open(repair=not dry_run)
        return await _redrive(settings, wanted, ledger, dry_run=dry_run)
    finally:
        await publisher.stop()


async def _redrive(settings: Settings, wanted: Wanted, ledger: Ledger, *, dry_run: bool) -> Redriven:
    outcome = Redriven()
    ours = {settings.topic(topic.name) for topic in catalogue().values() if not topic.internal}
    seen: set[str] = set()
    batch: list[Letter] = []

    async def flush() -> None:
        if batch and not dry_run:
            await ledger.put_back(batch)
        batch.clear()

    async for letter in read_letters(settings, wanted):
        if letter.mark in seen:
            continue  # another element of the same record
        seen.add(letter.mark)
        if ledger.has(letter):
            outcome.before += 1
        elif letter.letter.rejected.reason == HOPELESS:
            outcome.hopeless += 1
        elif letter.letter.source.topic not in ours:
            outcome.elsewhere += 1
        else:
            outcome.put_back[letter.letter.rejected.reason, letter.provider()] += 1
            batch.append(letter)
            if len(batch) >= MOST_RECORDS or sum(len(one.letter.value or b"") for one in batch) > MOST_BYTES:
                await flush()
    await flush()
    return outcome
