"""What the demo prints: progress while the worker decides, and afterwards what was decided. 80 columns, or fewer."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from schemas.typology import TYPOLOGY, Status
from streams.demo.day import Day
from streams.demo.mailings import TENANTS
from streams.demo.telling import known_of, tell
from streams.demo.watch import Seen

WIDTH: Final = 80
PLAIN_LINES: Final = 5  # of progress, where there is no terminal

_RULES: Final[dict[Status, str]] = {
    "Spam": "at once, for good",
    "User": "at once",
    "User unknown": "at once",
    ":": "at once",
    "Typofix": "at once, before sending",
    "Quota exceeded": "at the 5th failure in a row",
    "Connection issue": "at the 5th failure in a row",
    "Preblock": "before sending, for 30 days",
}
_IN_WORDS: Final[dict[Status, str]] = {"User": "User (unsubscribed)", ":": ": (no such address)"}

OnLook = Callable[[int, Seen], None]
"""Shows progress: how many reports are published, and what has been seen of them."""


def make_console() -> Console:
    """Make a console on standard output that is not wider than people read."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console


def say(console: Console, markup: str, indent: int = 0) -> None:
    """Print a paragraph, wrapped and indented; unlike rich's own it has no spaces at the ends of lines."""
    for line in Text.from_markup(markup).wrap(console, console.width - indent):
        line.rstrip()
        console.print(Text(" " * indent) + line, soft_wrap=True)


@contextmanager
def progress(console: Console, day: Day) -> Iterator[OnLook]:
    """Show progress through a day until the block ends: a bar on a terminal, else a line now and then."""
    total = sum(intended in TYPOLOGY or intended in {"reset", "lift"} for a in day.arrivals for intended in a.intended)
    if console.is_terminal and not console.is_dumb_terminal and sys.stdout.isatty():
        with _bar(console, total) as on_look:
            yield on_look
    else:
        yield _lines(console, total)


@contextmanager
def _bar(console: Console, total: int) -> Iterator[OnLook]:
    text = "{task.fields[published]:,} reports  {task.completed:,.0f} decided  {task.fields[said]} suppressions"
    with Progress(BarColumn(bar_width=None), TextColumn(text), console=console, expand=True) as bar:
        task = bar.add_task("", total=total, published=0, said=0)

        def on_look(published: int, seen: Seen) -> None:
            bar.update(task, published=published, completed=_decided(seen), said=seen.suppressions)

        yield on_look


def _lines(console: Console, total: int) -> OnLook:
    told = 0

    def on_look(published: int, seen: Seen) -> None:
        nonlocal told
        if (share := _decided(seen) * PLAIN_LINES // total) > told:
            told = share
            counts = f"{published:7,} reports {_decided(seen):7,} decided {seen.suppressions:4} suppressions"
            console.print(counts, soft_wrap=True)

    return on_look


def _decided(seen: Seen) -> int:
    return seen.metrics.get("delivery_events", 0)


def show_plan(console: Console, day: Day) -> None:
    """Say what is going to happen."""
    say(console, "[bold]Bounceline demo[/]: one day of mail, and whom not to mail again after it.\n")
    for tenant in TENANTS:
        mails = f"{len(tenant.mailings)} mailings to {tenant.contacts:,} contacts"
        console.print(f"  {tenant.name:9}{tenant.sells:30}{mails}")
    say(
        console,
        f"\n{len(day.arrivals):,} reports on what became of that mail, most of them as Mailjet writes them, all "
        "made up. Starting a Kafka broker, Redis and one worker on this machine ...",
    )


def show_blocked(console: Console, seen: Seen) -> None:
    """Show how many contacts are blocked, by the status of the strongest reason."""
    blocked = Counter(record.status for record in seen.standing.values() if record.action == "suppress")
    released = len(seen.standing) - blocked.total()
    say(
        console,
        f"\n[bold]{blocked.total()} contacts are blocked[/]; {released} were, and are no longer. From the topic "
        "suppressions, the last record of each contact:\n",
    )
    console.print(f"  {'Status':22}{'Severity':11}{'Blocked':30}Contacts", style="dim")
    for status, meaning in TYPOLOGY.items():
        name = _IN_WORDS.get(status, status)
        console.print(f"  {name:22}{meaning.severity:11}{_RULES[status]:30}{blocked[status]:8}")


def show_stories(console: Console, day: Day, seen: Seen) -> None:
    """Show what became of the contacts of the stories, and why, in the words of `tell`."""
    say(console, "\n[bold]Why, or why not[/], for seven of them:\n")
    for story in day.stories:
        known = known_of(story, seen)
        statuses = ", ".join(reason.status for reason in known.reasons)
        verdict = f"[red]blocked: {statuses}[/]" if statuses else "[green]not blocked[/]"
        say(console, f"[bold]{story.recipient}[/]  {verdict}", 2)
        say(console, tell(story, known), 6)
    spared = sum(contact in seen.standing for contact in seen.spared)
    say(
        console,
        f"\n{seen.spared.total()} failures of {len(seen.spared)} contacts were the sender's own: policy, content, "
        f"greylisting. They blocked {spared or 'nobody'}.",
    )


def show_dead_letters(console: Console, seen: Seen) -> None:
    """Show how many parts of reports could not be read, by reason."""
    say(
        console,
        f"\n[bold]{seen.dead.total()} could not be read[/] and are on dead-letters, with their bytes and the reason; "
        "what stood beside them was decided:\n",
    )
    say(console, ", ".join(f"{reason} {number}" for reason, number in seen.dead.most_common()), 2)


def show_end(console: Console, day: Day, seen: Seen, deciding: float, in_all: float) -> None:
    """Show how long it took, in seconds, and what to try next."""
    reports = len(day.arrivals)
    say(
        console,
        f"\n{reports:,} reports with {seen.events + seen.dead.total():,} events in {deciding:.1f} s: "
        f"[bold]{reports / deciding:,.0f} reports/s[/] with one worker, from the first one published to the last "
        f"suppression read. {in_all:.1f} s in all.\n",
    )
    say(console, "[bold]Next[/]:\n")
    for arguments, meaning in (
        ("dev", "the same stack, for reports of yours"),
        ("replay FILE", "what a file of reports leads to"),
        ("--help", "the rest; README.md explains it"),
    ):
        console.print(f"  {_command()} {arguments:13}{meaning}", soft_wrap=True)


def _command() -> str:
    """How to call us from here."""
    return "bounceline" if shutil.which("bounceline") else os.path.relpath(Path(sys.executable).with_name("bounceline"))
