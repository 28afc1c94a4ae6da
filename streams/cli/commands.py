"""Commands about contacts: release, suppress, erase, retract. Each is a record on contact-commands (SPEC 7)."""

import asyncio
import getpass
import os
import sys
import time
import uuid
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from cyclopts import Parameter

from agents.classify.address import canonical_recipient
from agents.classify.rules import builtin_rules
from agents.suppress.orders import blocking_rules
from schemas.codec import encode
from schemas.command import Command, ContactCommand, Retract
from schemas.command_reading import to_command
from schemas.rejected import Rejected
from schemas.times import MINUTE, format_time
from schemas.typology import STATUSES
from streams import log
from streams.cli.moments import Moment
from streams.cli.outcomes import show_dry_run, show_outcome, show_retracted
from streams.cli.running import reaching
from streams.errors import Failed, WrongUse
from streams.settings import DEV_SECRET, Settings, from_environment

Named = Annotated[list[str] | None, Parameter(negative=())]

CLOCK_TOLERANCE = 10 * MINUTE  # as of reports (SPEC 3)


def release(
    tenant: str,
    recipient: str,
    /,
    *,
    status: Named = None,
    rule: Named = None,
    consent: str | None = None,
    note: str | None = None,
    actor: str | None = None,
    json: bool = False,
) -> None:
    """Lift what blocks a contact: what dates from before now no longer counts.

    Without --status and --rule, everything but User (an unsubscribe) and Spam (a complaint) is lifted; these two must
    be named, with --consent.

    Parameters
    ----------
    tenant
        Whose contact it is.
    recipient
        The address.
    status
        Lift this status alone, such as "User unknown"; may be given several times.
    rule
        Lift what this rule brought, such as import-unverified; may be given several times.
    consent
        The proof that the recipient wants mail again.
    note
        Why; kept with the command for 30 days.
    actor
        Who orders it; your login name if left out.
    json
        Show the outcome as one JSON object.

    """
    more = {"statuses": tuple(status or ()) or None, "rules": tuple(rule or ()) or None, "consent": consent}
    _about(tenant, recipient, "release", note, actor, json, more, rules=rule or ())


def suppress(
    tenant: str,
    recipient: str,
    /,
    *,
    status: str,
    rule: str | None = None,
    note: str | None = None,
    actor: str | None = None,
    json: bool = False,
) -> None:
    """Block a contact by hand, for any of the eight statuses.

    Parameters
    ----------
    tenant
        Whose contact it is.
    recipient
        The address.
    status
        The reason, such as User for who has asked by phone not to be mailed.
    rule
        A name to release it by later; by-hand if left out.
    note
        Why; kept with the command for 30 days.
    actor
        Who orders it; your login name if left out.
    json
        Show the outcome as one JSON object.

    """
    _about(tenant, recipient, "suppress", note, actor, json, {"status": status, "rule": rule})


def erase(
    tenant: str, recipient: str, /, *, note: str | None = None, actor: str | None = None, json: bool = False
) -> None:
    """Forget a person: the state is gone, and what dates from before now is ignored when it comes again.

    An unsubscribe, a complaint or a hard bounce still denies at the check, from a keyed hash without the address. Old
    records leave the logs with their retention, within 30 days.

    Parameters
    ----------
    tenant
        Whose contact it is.
    recipient
        The address.
    note
        Why; kept with the command for 30 days, so leave the address out.
    actor
        Who orders it; your login name if left out.
    json
        Show the outcome as one JSON object.

    """
    _about(tenant, recipient, "erase", note, actor, json, {})


def retract(
    *,
    start: Annotated[Moment, Parameter(name="--from")],
    end: Annotated[Moment, Parameter(name="--to")],
    status: Annotated[list[str], Parameter(negative=())],
    tenant: str | None = None,
    domain: str | None = None,
    provider: str | None = None,
    note: str | None = None,
    actor: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Undo an incident: reports of these statuses from that time never happened, whenever they arrive.

    Every block that rests on them is decided again without them; only what changes is published. Try --dry-run first.

    Parameters
    ----------
    start
        When it began, such as 2026-11-20T10:00:00Z, a day such as 2026-11-20 (its midnight in UTC), or so long ago,
        such as 3h.
    end
        When it was over (exclusive), written in the same ways.
    status
        What the reports said, such as "User unknown"; may be given several times.
    tenant
        Only what was reported for this tenant. Pre-blocks of others that rest on its hard bounces fall as well.
    domain
        Only recipients of this domain.
    provider
        Only what this provider reported; "normalized" is what came as normalized events that name no provider.
    note
        What happened; kept with the command for 30 days.
    actor
        Who orders it; your login name if left out.
    dry_run
        Only show how many and whom it would release, and who would stay blocked.
    json
        Show the outcome as one JSON object, addresses and all.

    """
    more = {"statuses": tuple(status), "domain": domain, "provider": provider, "tenant": tenant}
    more |= {"start": format_time(start), "end": format_time(end)}
    command, understood = _command("retract", note, actor, more)
    if not isinstance(understood, Retract):
        raise TypeError("a retraction is no other command")
    _warn_of_the_future(end)
    from streams.commands import give_retract, would_retract  # aiokafka takes half a second

    with reaching():
        if dry_run:
            show_dry_run(asyncio.run(would_retract(_settings(), understood)), json)
            return
        told, found = asyncio.run(give_retract(_settings(), command, understood))
    show_retracted(command, told, found, json)
    _fail_unless_seen(command, told.seen)


def _warn_of_the_future(end: int) -> None:
    """Warn of an incident that is not over: it can't be taken back, and voids what is still to come."""
    if end > time.time_ns() // 1_000_000 + CLOCK_TOLERANCE:
        said = f"--to {format_time(end)} is in the future: reports of these statuses until then will be void as well"
        print(f"bounceline: {said}", file=sys.stderr)


def _about(
    tenant: str,
    recipient: str,
    name: str,
    note: str | None,
    actor: str | None,
    json: bool,
    more: dict[str, Any],
    rules: Sequence[str] = (),
) -> None:
    canonical = canonical_recipient(recipient)
    if isinstance(canonical, Rejected):
        raise WrongUse(canonical.detail)
    command, _ = _command(name, note, actor, {"tenant": tenant, "recipient": canonical, **more})
    from streams.commands import give  # aiokafka takes half a second

    settings = _settings()
    unknown = set(rules) - blocking_rules(settings.rules or builtin_rules())
    with reaching():
        told = asyncio.run(give(settings, command, unknown))
    show_outcome(command, told, json)
    _fail_unless_seen(command, told.seen)


def _fail_unless_seen(command: ContactCommand, seen: str | None) -> None:
    if seen is not None:
        raise Failed(f"{command.command} {command.id}: published, but {seen}")


def _command(name: Any, note: str | None, actor: str | None, more: dict[str, Any]) -> tuple[ContactCommand, Command]:
    """Make a command, as it is written and as it is understood."""
    for status in (more.get("statuses") or ()) + ((more["status"],) if "status" in more else ()):
        if status not in STATUSES:
            raise WrongUse(f"there is no status {status}; there are {', '.join(STATUSES)}")
    now = format_time(time.time_ns() // 1_000_000)
    command = ContactCommand(
        id=str(uuid.uuid4()), command=name, at=now, actor=actor or _login(), note=note or None, **more
    )
    understood = to_command(orjson.loads(encode(command)), canonical_recipient)
    if isinstance(understood, Rejected):
        raise WrongUse(understood.detail)
    return command, understood


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's number without a name
        return str(os.getuid())


def _settings() -> Settings:
    settings = from_environment(os.environ, default_secret=DEV_SECRET)
    log.set_up(settings.log_level, brief=True)
    return settings
