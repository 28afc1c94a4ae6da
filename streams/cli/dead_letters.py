"""`bounceline dead-letters`: what could not be read, and putting it back once that was mended."""

import asyncio
import os
from typing import Annotated

import orjson
from cyclopts import App, Parameter

from schemas.rejected import Reason
from schemas.times import format_time
from streams import log
from streams.cli.moments import MomentOrNone
from streams.cli.running import reaching
from streams.settings import Settings, from_environment

app = App(name="dead-letters", help="Show what could not be read and why, and put it back once that was mended.")

Reasons = Annotated[list[Reason] | None, Parameter(negative=(), show_choices=False)]
Several = Annotated[list[str] | None, Parameter(negative=())]


@app.command(name="list")
def show(
    *,
    reason: Reasons = None,
    provider: Several = None,
    since: MomentOrNone = None,
    until: MomentOrNone = None,
    json: bool = False,
) -> None:
    """Show dead letters by reason, provider and topic: how many, since when, and one of each with addresses cut out.

    Parameters
    ----------
    reason
        Only those of this reason, such as bad-recipient; may be given several times.
    provider
        Only those of this provider; may be given several times. What names none is of provider "?".
    since
        Only those rejected since then: a time such as 2026-11-20T10:15:30Z, a day (midnight UTC), or so long ago,
        such as 24h.
    until
        Only those rejected before then.
    json
        Show them as one JSON object.

    """
    from streams.dead_letters import Groups, Wanted, read_letters
    from streams.publisher import KafkaPublisher
    from streams.redrive import Ledger

    async def run(settings: Settings) -> Groups:
        ledger = Ledger(settings, KafkaPublisher(settings))
        await ledger.open(repair=False)
        groups = Groups()
        async for letter in read_letters(settings, Wanted(reason or (), provider or (), since, until)):
            groups.add(letter, put_back=ledger.has(letter))
        return groups

    with reaching():
        groups = asyncio.run(run(_settings())).largest_first()
    if json:
        print(orjson.dumps({"groups": [group.shown() for group in groups]}).decode())
        return
    if not groups:
        print(f"No dead letters of provider {', '.join(provider)}." if provider else "No dead letters.")
    for group in groups:
        back = f", {group.put_back} of them put back" if group.put_back else ""
        times = f"{format_time(group.first)} to {format_time(group.last)}"
        print(f"{group.reason}, {group.origin}: {group.count}{back}\n    {times}")
        sample = group.sample
        print(f"    {sample['source']}: {sample['detail']}\n    {_one_line(sample['content'])}\n")


@app.command
def redrive(
    *,
    reason: Reasons = None,
    provider: Several = None,
    since: MomentOrNone = None,
    until: MomentOrNone = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Put rejected records back on the topics they came from, with their key and bytes, each record once.

    Running it again, or after it was stopped half-way, puts nothing back twice. What is rejected again becomes a new
    dead letter. Records that were too large stay where they are.

    Parameters
    ----------
    reason
        Only those of this reason, such as unknown-provider; may be given several times.
    provider
        Only those of this provider; may be given several times. What names none is of provider "?".
    since
        Only those rejected since then: a time such as 2026-11-20T10:15:30Z, a day (midnight UTC), or so long ago,
        such as 24h.
    until
        Only those rejected before then.
    dry_run
        Only say what would be put back.
    json
        Show the outcome as one JSON object.

    """
    from streams.dead_letters import Wanted
    from streams.redrive import redrive as put_back

    with reaching():
        outcome = asyncio.run(
            put_back(_settings(), Wanted(reason or (), provider or (), since, until), dry_run=dry_run)
        )
    groups = [{"reason": r, "provider": p, "records": n} for (r, p), n in sorted(outcome.put_back.items())]
    if json:
        told = {
            "dry_run": dry_run,
            "put_back": outcome.put_back.total(),
            "before": outcome.before,
            "too_large": outcome.hopeless,
            "of_other_topics": outcome.elsewhere,
            "groups": groups,
        }
        print(orjson.dumps(told).decode())
        return
    for group in groups:
        print(f"{group['reason']}, provider {group['provider']}: {group['records']}")
    of = f" of provider {', '.join(provider)}" if provider and not groups else ""
    print(f"{'To be put back' if dry_run else 'Put back'}{of}: {outcome.put_back.total()}")
    for what, number in (
        ("Put back before", outcome.before),
        ("Too large, left where they are", outcome.hopeless),
        ("From topics that are not ours, left where they are", outcome.elsewhere),
    ):
        if number:
            print(f"{what}: {number}")


def _settings() -> Settings:
    settings = from_environment(os.environ, default_secret=b"unused")
    log.set_up(settings.log_level, brief=True)
    return settings


def _one_line(text: str) -> str:
    """Give a text as one line that no terminal takes for commands."""
    return "".join(character if character.isprintable() else "·" for character in text)
