"""Spoilt payloads for every parser, a million in all, and what was made of them. JSON.

    make fuzz
    python -m tests.fuzz.parsers --count 100000 --seconds 60 --seed 7

Each provider gets an equal share of the count, and of the seconds that are left. The same seed makes the
same payloads. Ends with 1 when anything was found: an exception, what does not hold for every payload, or a payload
that took over a second.
"""

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from random import Random
from typing import Any

from schemas.rejected import Rejected
from tests.support.parsers import PAYLOADS, check

SLOW_SECONDS = 1.0
MOST_SHOWN = 5


def fuzz(provider: str, count: int, seconds: float, seed: int) -> dict[str, Any]:
    """Try payloads on one parser until the count or the time is used up; gives what was seen."""
    make, random, found = PAYLOADS[provider], Random(f"{seed}-{provider}"), []
    began = now = time.perf_counter()
    tried, slowest, seen = 0, 0.0, Counter[str]()
    while tried < count and now - began < seconds:
        payload = make(random)
        tried += 1
        try:
            seen.update(
                "rejected" if isinstance(event, Rejected) else "events" for _, event in check(provider, payload)
            )
        except Exception:  # noqa: BLE001 whatever a parser raises is what is looked for
            found.append({"payload": ascii(payload)[:2_000], "what": traceback.format_exc(limit=-3)})
        before, now = now, time.perf_counter()
        slowest = max(slowest, now - before)
        if now - before > SLOW_SECONDS:
            found.append({"payload": ascii(payload)[:2_000], "what": f"took {now - before:.1f} s"})
    figures = {"payloads": tried, **seen, "slowest_ms": round(slowest * 1e3), "seconds": round(now - began, 1)}
    return figures | {"found": len(found), "first_found": found[:MOST_SHOWN]}


def main() -> int:
    """Try all parsers and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="payloads in all")
    parser.add_argument("--seconds", type=float, default=900, help="time in all")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    ends = time.perf_counter() + asked.seconds
    figures: dict[str, dict[str, Any]] = {}
    for left, name in zip(range(len(PAYLOADS), 0, -1), PAYLOADS, strict=True):
        figures[name] = fuzz(name, asked.count // len(PAYLOADS), (ends - time.perf_counter()) / left, asked.seed)
    total = {name: sum(one[name] for one in figures.values()) for name in ("payloads", "found")}
    sys.stdout.write(json.dumps({**total, "seed": asked.seed, "providers": figures}, indent=1) + "\n")
    return 1 if total["found"] else 0


if __name__ == "__main__":
    sys.exit(main())
