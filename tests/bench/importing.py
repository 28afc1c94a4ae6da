"""How long an import of a million rows takes, and how much memory; prints JSON. No broker: what is measured is reading.

python -m tests.bench.importing
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agents.ports import Outgoing
from streams.lists.importing import Asked, import_list

ROWS = 1_000_000
FEW = 20_000
MOST_MORE_KIB = 16_000
"""By how much the peak may grow from few rows to all of them: the digest, the counts and one chunk do not grow."""


async def nowhere(_outgoing: Sequence[Outgoing]) -> None:
    """Take commands and forget them."""


async def imported(folder: Path, rows: int) -> int:
    """Import a list of so many rows, and give the peak of memory so far, in KiB."""
    file = folder / f"{rows}.csv"
    with file.open("w") as out:
        out.write("email,reason,status,created\n")
        out.writelines(f"a{n}@example.com,550 5.1.1 no such user {n},5.1.1,1700000000\n" for n in range(rows))
    asked = Asked("acme", file, "auto", None, 2_000_000_000_000, None, False, 1, None)
    done = await import_list(asked, nowhere, None, lambda _done, _size: None)
    if done.counts.imported != {"User unknown": rows}:
        sys.exit(f"of {rows} rows this came: {done.counts}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


async def main() -> None:
    """Measure and print; ends with 1 if memory grows with the rows."""
    with tempfile.TemporaryDirectory() as folder:
        few = await imported(Path(folder), FEW)
        began = time.perf_counter()
        all_of_them = await imported(Path(folder), ROWS)
        seconds = round(time.perf_counter() - began, 1)
    figures = {"rows": ROWS, "seconds": seconds, "peak_kib": all_of_them, f"peak_kib_of_{FEW}_rows": few}
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    if all_of_them - few > MOST_MORE_KIB:
        sys.exit("memory grows with the rows")


if __name__ == "__main__":
    asyncio.run(main())
