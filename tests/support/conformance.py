"""The conformance histories, and standing decisions in a form that compares."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).parent.parent / "conformance"
NAMES = sorted(file.name.removesuffix(".ndjson") for file in HERE.glob("*.ndjson"))

Standing = dict[tuple[str, str], dict[str, dict[str, Any]]]
"""(tenant, recipient) -> status -> since, evidence and, where it expires, expires_at."""


def lines(name: str) -> list[bytes]:
    """Give a history's report envelopes, one a line."""
    return (HERE / f"{name}.ndjson").read_bytes().splitlines()


def expected(name: str) -> Standing:
    """Give what must stand after a history."""
    found = orjson.loads((HERE / f"{name}.expected.json").read_bytes())
    return {(c["tenant"], c["recipient"]): c["reasons"] for c in found}


def standing(records: Iterable[Mapping[str, Any]]) -> Standing:
    """Give what stands after suppression records, read in order: the last one of each contact."""
    last = {(record["tenant"], record["recipient"]): record for record in records}
    return {
        contact: {
            reason["status"]: {
                field: reason[field]
                for field in ("since", "evidence", "expires_at")
                if field != "expires_at" or reason[field] is not None
            }
            for reason in record["reasons"]
        }
        for contact, record in last.items()
        if record["action"] == "suppress"
    }
