"""How many events a second are classified, per provider. JSON.

    make bench

Elements of the example reports, half of them as they are and half with something gone astray, and the mails of
tests/classify/. Decoding the report and encoding the events are part of it, as in the agent. Nothing is asserted.
"""

import json
import platform
import sys
import time
from random import Random
from typing import Any

import msgspec
import orjson

from agents.classify.classification import classify
from schemas.codec import decode_report, encode
from schemas.rejected import Rejected
from tests.support.mutation import changed_mail
from tests.support.parsers import MAILS, ORIGINALS, PAYLOADS, SPOILT, TEXTS

REPORTS = 5_000


def values(provider: str, number: int, seed: int = 1) -> list[bytes]:
    """Make report values of one element each: originals and spoilt ones in turn."""
    random = Random(seed)
    originals, spoil = (MAILS, changed_mail(MAILS)) if provider in TEXTS else (ORIGINALS[provider], SPOILT[provider])
    made: list[bytes] = []
    while len(made) < number:
        payload = spoil(random) if len(made) % 2 else random.choice(originals)
        try:
            made.append(orjson.dumps({"provider": provider, "tenant": "acme", "payload": payload}))
        except (orjson.JSONEncodeError, TypeError):
            continue  # half a surrogate pair, or a number too large for JSON: no record can hold it
    return made


def measured(provider: str) -> dict[str, Any]:
    """Classify the reports once to warm up and once for the figures."""
    made = values(provider, REPORTS)
    for value in made[:500]:
        _classified(value)
    began = time.perf_counter()
    counts = [_classified(value) for value in made]
    took = time.perf_counter() - began
    events, rejected = sum(count for count, _ in counts), sum(count for _, count in counts)
    return {
        "reports_per_second": round(len(made) / took),
        "events_per_second": round(events / took),
        "events": events,
        "rejected": rejected,
        "bytes_per_report": sum(map(len, made)) // len(made),
    }


def _classified(value: bytes) -> tuple[int, int]:
    report = decode_report(value)
    if isinstance(report, Rejected):
        return 0, 1
    found = [event for _, event in classify(report)]
    written = [encode(event) for event in found if isinstance(event, msgspec.Struct)]
    return len(written), len(found) - len(written)


def main() -> None:
    """Measure and print."""
    figures = {provider: measured(provider) for provider in PAYLOADS}
    sys.stdout.write(json.dumps({"providers": figures, "python": platform.python_version()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
