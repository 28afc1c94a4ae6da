"""The command that a row becomes: `suppress` on `contact-commands` (SPEC 7)."""

import hashlib
from typing import Final, Literal

import msgspec

from agents.lists.entry import Entry
from schemas.times import format_time
from schemas.typology import Status

ACTOR: Final = "bounceline import"


class Suppress(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One `suppress` command, in the order of the wire. `rule` is there where a release by rule must find it again."""

    id: str
    command: Literal["suppress"]
    tenant: str
    recipient: str
    at: str
    actor: str
    note: str
    status: Status
    rule: str | None = None


def command_of(tenant: str, entry: Entry, source: str) -> Suppress:
    """Give the command for an entry whose recipient is canonical and whose time is known.

    Its id is SHA-256 (hex) over tenant, recipient, status, time, source and the rule where there is one: the same list
    imported twice gives the same commands, and the same id twice is one command.
    """
    at = format_time(entry.at or 0)
    parts = (tenant, entry.recipient, entry.status, at, source, *filter(None, (entry.rule,)))
    name = hashlib.sha256("".join(f"{part}\x1f" for part in parts).encode()).hexdigest()
    note = f"{source}: {entry.note}" if entry.note else source
    return Suppress(name, "suppress", tenant, entry.recipient, at, ACTOR, note, entry.status, entry.rule)
