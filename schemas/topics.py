"""The topic catalogue as types: parses the text of `topics.toml` and refuses what does not fit together."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Literal

import msgspec

from schemas.times import parse_duration

Cleanup = Literal["delete", "compact", "compact,delete"]


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One topic of the catalogue.

    `retention` and `tombstones` are text such as `7d`; the first is absent on topics that are compacted only.
    """

    name: str
    description: str
    key: str
    value: str
    partitions: int
    cleanup: Cleanup
    max_bytes: int
    retention: str | None = None
    tombstones: str | None = None
    internal: bool = False

    def configs(self) -> dict[str, str]:
        """Give the broker's topic configs that the catalogue fixes."""
        configs = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_bytes)}
        if self.retention:
            configs["retention.ms"] = str(parse_duration(self.retention))
        if self.tombstones:
            configs["delete.retention.ms"] = str(parse_duration(self.tombstones))
        return configs


class _Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topic: list[Topic]


def parse_catalogue(text: str) -> Mapping[str, Topic]:
    """Read a catalogue from TOML text, by topic name.

    Raises:
        ValueError: Not TOML, an unknown or missing key, a name twice, or a retention that is none or does not go
            with the cleanup.

    """
    topics = msgspec.convert(tomllib.loads(text), _Catalogue).topic
    for topic in topics:
        if ("delete" in topic.cleanup) != (topic.retention is not None):
            raise ValueError(f"topic {topic.name}: retention goes with cleanup `delete`, and only with it")
        for duration in (topic.retention, topic.tombstones):
            if duration is not None:
                parse_duration(duration)
    catalogue = {topic.name: topic for topic in topics}
    if len(catalogue) != len(topics):
        raise ValueError("a topic name stands twice")
    return catalogue


def catalogue() -> Mapping[str, Topic]:
    """Give the catalogue of this version."""
    return parse_catalogue((resources.files("schemas") / "topics.toml").read_text("utf-8"))
