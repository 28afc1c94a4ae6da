"""Going through the contacts of a partition along its changelog, some at a time.

A place is an offset there, so it is good for ever, whatever becomes of Redis. Whoever was there when the walk began has
a record before its end, or has been written anew since.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import orjson
from aiokafka.structs import ConsumerRecord

from agents.ports import Fenced
from agents.suppress.cells import STANDING
from schemas.times import DAY, SECOND
from streams.partition_reader import read_stretch
from streams.patience import patiently
from streams.settings import Settings
from streams.state.changelog import TAKEN, TOPIC
from streams.state.partitions import RedisPartitions

CONTACTS_PER_STEP: Final = 1_000

RECORDS_PER_STEP: Final = 20_000
"""Where most records are of no contact's name, or of the same ones again: about a quarter of a second."""


class Walks:
    """The walks under way, one a partition."""

    def __init__(self, settings: Settings, partitions: RedisPartitions) -> None:
        """Take where the changelog lies, and which partitions are ours."""
        self._settings = settings
        self._partitions = partitions
        self._walks: dict[int, _Walk] = {}

    async def step(self, partition: int, place: int) -> tuple[Sequence[str], int | None]:
        """Give contacts and the next place (`agents.ports.ContactTable.walk`).

        Raises:
            Fenced: The partition is not ours any more.

        """

        async def step() -> tuple[Sequence[str], int | None]:
            walk = self._walks.pop(partition, None)
            if walk and walk.place != place:
                await walk.stretch.aclose()
                walk = None
            if walk is None:
                owned = self._partitions.owned(partition)
                if owned is None:
                    raise Fenced(f"partition {partition} has been let go of")
                stretch = read_stretch(self._settings, TOPIC, partition, place, owned.offset + 1)
                walk = _Walk(stretch, place)
            names = await walk.step()
            if walk.place is None:
                await walk.stretch.aclose()
            else:
                self._walks[partition] = walk
            return names, walk.place

        return await patiently(step)

    async def stop(self) -> None:
        """Close what is open; where it was in a step, that ends it."""
        walks, self._walks = list(self._walks.values()), {}
        for walk in walks:
            await walk.stretch.aclose()


class _Walk:
    def __init__(self, stretch: AsyncGenerator[list[ConsumerRecord], None], place: int) -> None:
        self.stretch = stretch
        self.place: int | None = place
        self._waiting: list[ConsumerRecord] = []  # newest first

    async def step(self) -> Sequence[str]:
        names: dict[str, None] = {}
        read = 0
        while len(names) < CONTACTS_PER_STEP and read < RECORDS_PER_STEP:
            while not self._waiting:
                found = await anext(self.stretch, None)
                if found is None:
                    self.place = None
                    return list(names)
                self._waiting = found[::-1]
            record = self._waiting.pop()
            self.place = record.offset + 1
            read += 1
            if name := _contact_of(record):
                names[name] = None
        return list(names)


def _contact_of(record: Any) -> str | None:
    """Give the contact that a record names; each that anything is known of has a cell that is no day."""
    if record.key == TAKEN or record.value is None:
        return None
    name, (start, _) = orjson.loads(record.key)
    is_contact = start * SECOND // DAY == STANDING and name[0] not in "*#"
    return str(name) if is_contact else None
