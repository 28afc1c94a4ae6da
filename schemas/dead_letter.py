"""The dead letter: a rejected record with its original bytes, its coordinates and the reason (SPEC 2, 3)."""

from typing import NamedTuple

from schemas.rejected import Rejected


class Coordinates(NamedTuple):
    """Where a record stands: topic, partition and offset."""

    topic: str
    partition: int
    offset: int


class DeadLetter(NamedTuple):
    """One rejected element, with the whole original record around it.

    `element` is its place among the elements of the report, from 0 on; None where the record as a whole was rejected.
    """

    key: bytes | None
    value: bytes | None
    source: Coordinates
    rejected: Rejected
    element: int | None

    def headers(self) -> list[tuple[str, bytes]]:
        """Give the record headers, all text in UTF-8; `element` is empty where the whole record was rejected."""
        return [
            ("reason", self.rejected.reason.encode()),
            ("detail", self.rejected.detail.encode(errors="replace")),
            ("source-topic", self.source.topic.encode()),
            ("source-partition", str(self.source.partition).encode()),
            ("source-offset", str(self.source.offset).encode()),
            ("element", b"" if self.element is None else str(self.element).encode()),
        ]
