"""What commands about contacts show: what stands afterwards, and what a retraction does or would do."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from schemas.command import WITH_CONSENT, ContactCommand
from streams.cli.tables import show_table

if TYPE_CHECKING:
    from streams.commands import Outcome, WouldBe

_NOTHING_MATCHED = "the release matched nothing that stood"

SHOWN = 5
"""Contacts that a dry run lists on the terminal; with --json it is all of them."""


def show_outcome(command: ContactCommand, told: "Outcome", json: bool) -> None:
    """Print what stands of a contact after a command about it."""
    if json:
        shown = _shown(command, told)
        if told.seen is None:
            shown |= {} if told.changed is None else {"changed": told.changed}
            shown |= {"reasons": msgspec.to_builtins(told.reasons), "denied": list(told.denied)}
        print(orjson.dumps(shown).decode())
        return
    if told.seen is None:
        print(f"{command.command} {command.id}: {_sentence(command, told)}")


def _sentence(command: ContactCommand, told: "Outcome") -> str:
    stands = ", ".join(f"{one.status} since {one.since}" for one in told.reasons)
    if command.command == "erase":
        denied = f"still denies a send: {', '.join(told.denied)}, by a hash without the address"
        said = f"{command.recipient} is forgotten; {denied if told.denied else 'nothing of it denies a send'}"
        return f"{said}; blocked since: {stands}" if stands else said
    said = f"{command.recipient} is {f'blocked: {stands}' if stands else 'not blocked'}"
    if told.denied:
        said += f"; still denied at a check, by what an erasure left: {', '.join(told.denied)}"
    if command.command == "release" and told.changed is False:
        of_rules = {one.status for one in told.reasons if one.rule in (command.rules or ())}
        by_name = sorted(WITH_CONSENT & of_rules.union(told.denied) - set(command.statuses or ()))
        many = f"{' and '.join(by_name)} {'is' if len(by_name) == 1 else 'are'}"
        why = f"{many} lifted by --status with --consent alone" if by_name else _NOTHING_MATCHED
        return f"{said} (as before: {why})"
    return said


def _shown(command: ContactCommand, told: "Outcome") -> dict[str, Any]:
    shown = {"id": command.id, "command": command.command, "took_effect": told.seen is None}
    shown |= {} if told.seen is None else {"detail": told.seen}
    shown |= {"tenant": command.tenant, "recipient": command.recipient} if command.recipient else {}
    return shown


def show_retracted(command: ContactCommand, told: "Outcome", found: Sequence["WouldBe"] | None, json: bool) -> None:
    """Print what came of a retraction; `found` is None where its contacts could not be counted."""
    totals = None if found is None or told.seen is not None else counted(found)
    if json:
        changed = {} if totals is None else {"changed": any(one.before != one.after for one in found or ())}
        print(orjson.dumps(_shown(command, told) | changed | (totals or {})).decode())
        return
    if told.seen is None:
        print(f"retract {command.id}: done: every contact has been gone through")
    if totals is not None:
        print(f"Of those it reached, now released: {_listed(totals['released'])}", end="; ")
        print(f"still blocked: {_listed(totals['still_blocked'])}.")


def _listed(by_status: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {status}" for status, number in by_status.items()) or "nobody"


def show_dry_run(found: Sequence["WouldBe"], json: bool) -> None:
    """Print whom a retraction would release, and who would stay blocked."""
    totals = counted(found)
    if json:
        contacts = [
            {
                "tenant": one.tenant,
                "recipient": one.recipient,
                "released": not one.after,
                "status": (one.after or one.before)[0].status,
            }
            for one in found
            if one.before or one.after
        ]
        print(orjson.dumps({"dry_run": True, **totals, "contacts": contacts}).decode())
        return
    rows = [("released", status, f"{number:,}") for status, number in totals["released"].items()]
    rows += [("still blocked", status, f"{number:,}") for status, number in totals["still_blocked"].items()]
    if not rows:
        print("Nobody would be released. Reasons by hand, imported ones among them, are released and not retracted.")
        return
    show_table("What the retraction would do", ("", "status", "contacts"), rows)
    _show_contacts([one for one in found if one.before and not one.after])


def _show_contacts(released: Sequence["WouldBe"]) -> None:
    if not released:
        return
    lines = [(one.tenant, _masked(one.recipient), one.before[0].status) for one in released[:SHOWN]]
    show_table("Would be released", ("tenant", "recipient", "status"), lines)
    if len(released) > SHOWN:
        print(f"and {len(released) - SHOWN:,} more; --json shows all of them, with their addresses")


def _masked(recipient: str) -> str:
    return f"{recipient[:1]}***@{recipient.rpartition('@')[2]}"


def counted(found: Sequence["WouldBe"]) -> dict[str, dict[str, int]]:
    """Count who would be released, by the status lifted, and who would not, by the status that would stand."""
    released = Counter(one.before[0].status for one in found if one.before and not one.after)
    still = Counter(one.after[0].status for one in found if one.after)
    return {"released": dict(sorted(released.items())), "still_blocked": dict(sorted(still.items()))}
