"""The dead letter: a rejected record with its original bytes, its coordinates and the reason (SPEC 2, 3)."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple, cast

import msgspec

from schemas.rejected import Reason, Rejected

_Number = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[0-9]+$"})]
_NumberOrEmpty = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[0-9]*$"})]


class DeadLetterHeaders(msgspec.Struct, frozen=True, rename="kebab"):
    """The record headers of a dead letter, all text in UTF-8.

    `element` is the place of the rejected element in its report, from 0 on; empty where the whole record was rejected.
    """

    reason: Reason
    detail: str
    source_topic: str
    source_partition: _Number
    source_offset: _Number
    element: _NumberOrEmpty


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


def read_dead_letter(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> DeadLetter | None:
    """Read a record of `dead-letters`; None where its headers are not those of a dead letter.

    A reason that is not in our list is kept as it is: another version of us knows it.
    """
    texts = {name: (text or b"").decode(errors="replace") for name, text in headers}
    try:
        source = Coordinates(texts["source-topic"], int(texts["source-partition"]), int(texts["source-offset"]))
        rejected = Rejected(cast("Reason", texts["reason"]), texts["detail"])
        element = int(texts["element"]) if texts["element"] else None
    except (KeyError, ValueError):
        return None
    return DeadLetter(key, value, source, rejected, element)
