"""Tables and progress bars: what commands over many rows show, on a terminal and elsewhere."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

OnProgress = Callable[[int, int], None]
"""Shows progress: how much is done, of how much."""


@contextmanager
def progress_bar(what: str) -> Iterator[OnProgress]:
    """Give a function that moves a bar on standard error; where that is no terminal, it shows nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def show_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: text to the left, numbers to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for place, head in enumerate(heads):
        numbers = bool(rows) and all(row[place].replace(",", "").isdigit() for row in rows)
        table.add_column(head, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(file=sys.stdout, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 120  # of a file or a pipe nothing is known, and a narrow one would fold addresses
    console.print(table)


def show_import(told: dict[str, Any], json: bool) -> None:
    """Print what came of an import."""
    if json:
        print(orjson.dumps(told).decode())
        return
    rows = [("would import" if told["dry_run"] else "imported", name, f"{n:,}") for name, n in told["imported"].items()]
    rows += [("passed over", _SKIPPED.get(name, name), f"{n:,}") for name, n in told["skipped"].items()]
    rows += [("can't be read", name, f"{n:,}") for name, n in told["rejected"].items()]
    many = "1 row" if told["rows"] == 1 else f"{told['rows']:,} rows"
    show_table(f"{many} of {told['file']} ({told['format']})", ("", "", "rows"), rows)
    if told["unverified"]:
        print(f"{told['unverified']:,} of `:` go by the rule import-unverified: whether they were hard is not known.")


_SKIPPED = {
    "soft": "a soft bounce: no reason to block by itself",
    "not-the-contact": "policy, reputation, content: not the contact's failure",
    "contactable": "may be mailed, says the list",
    "other-channel": "another channel than mail",
    "not-a-block": "tells of no failure",
    "expired": "the block has ended",
}


def show_comparison(told: dict[str, Any], json: bool) -> None:
    """Print what a policy would change."""
    if json:
        print(orjson.dumps(told).decode())
        return
    parts = {
        "newly blocked": "newly_blocked",
        "  later delivered to": "later_delivered",
        "freed": "freed",
        "changed": "changed",
    }
    rows = [(name, "", "", f"{told[part]['total']:,}") for name, part in parts.items()]
    show_table("What the new policy would change", ("", "", "", "contacts"), rows)
    for by, head in (("by_status", "status"), ("by_tenant", "tenant")):
        names = sorted({name for part in parts.values() for name in told[part][by]})
        counted = [(name, *(f"{told[part][by].get(name, 0):,}" for part in parts.values())) for name in names]
        if counted:
            show_table(f"By {head}", (head, *(name.strip() for name in parts)), counted)
    if listed := told["contacts"]:
        lines = [(one["tenant"], one["recipient"], one["status"], one["since"], one["delivered_at"]) for one in listed]
        show_table(
            "Would have been blocked, and were delivered to afterwards",
            ("tenant", "recipient", "status", "blocked since", "delivered at"),
            lines,
        )
