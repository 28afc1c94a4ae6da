"""`bounceline why`: what stands of a contact, and every event that led there."""

import asyncio
import os
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from cyclopts import Parameter

from agents.classify.address import canonical_recipient
from schemas.order import ORDERS
from schemas.rejected import Rejected
from streams import log
from streams.cli.asking import ask, check_tenant_name
from streams.cli.running import reaching
from streams.errors import WrongUse
from streams.settings import from_environment

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

Shown = dict[str, Any]

SHOWN_CHARACTERS: Final = 2_000
"""Of a record on the terminal; with --json it is shown whole."""

GONE: Final = "gone: past its retention"


def why(
    tenant: str,
    recipient: str,
    /,
    *,
    records: bool = False,
    url: str = "http://127.0.0.1:8080",
    token: Annotated[str | None, Parameter(env_var="BOUNCELINE_TOKEN")] = None,
    json: bool = False,
) -> None:
    """Ask a worker why a contact is blocked or not: what stands, the run so far, and every event that led there.

    Each event comes with the rule that decided it and with where its first record lies, by which anybody can find it.

    Parameters
    ----------
    tenant
        Whose contact it is.
    recipient
        Its address.
    records
        Fetch each of these records from the broker by its offset and show it, as long as it is there.
    url
        Where a worker serves HTTP; `bounceline dev` shows it.
    token
        Token of the tenant, where the worker asks for one.
    json
        Show the answer as one JSON object.

    """
    check_tenant_name(tenant)
    if isinstance(wrong := canonical_recipient(recipient), Rejected):
        raise WrongUse(wrong.detail)
    path = f"/v1/contacts/{urllib.parse.quote(tenant, '')}/{urllib.parse.quote(recipient, '')}"
    state: Shown = orjson.loads(ask(url, path, token))
    if records:
        _add_records(state)
    if json:
        print(orjson.dumps(state).decode())
        return
    for line in _lines(state):
        print(line)


# -- what the records hold ----------------------------------------------------------------------------------------


def _add_records(state: Shown) -> None:
    """Add to all coordinates what lies there: `value`, and `timestamp` in ms; or `"gone": true`."""
    from streams.records import fetch

    settings = from_environment(os.environ, default_secret=b"unused")
    log.set_up(settings.log_level, brief=True)
    shown = [
        one[name] for one in (*state["events"], *state["commands"]) for name in ("record", "report") if name in one
    ]
    places = {(at["topic"], at["partition"], at["offset"]): None for at in shown}
    with reaching():
        found = asyncio.run(fetch(settings, places))
    for at in shown:
        record = found[at["topic"], at["partition"], at["offset"]]
        at.update({"gone": True} if record is None else {"timestamp": record.timestamp, "value": _value(record)})
        if at["topic"].endswith(ORDERS) and isinstance(at.get("value"), dict):
            at["value"].pop("rests_on", None)  # whose hard bounces they were is told to nobody


def _value(record: "ConsumerRecord") -> Any:
    """Give a value as JSON, or as text where it is none."""
    value = record.value or b""
    try:
        return orjson.loads(value)
    except ValueError:
        return value.decode("utf-8", "replace")


# -- on a terminal ------------------------------------------------------------------------------------------------


def _lines(state: Shown) -> Iterator[str]:
    yield f"{state['recipient']} of {state['tenant']} is {'blocked' if state['blocked'] else 'not blocked'}."
    if state.get("held"):
        yield "    The brake holds back the record of it."
    for reason in state["reasons"]:
        until = (
            f", {'expired' if reason.get('expired') else 'until'} {reason['expires_at']}"
            if reason["expires_at"]
            else ""
        )
        failures = f", {reason['failures']} failed attempts" if "failures" in reason else ""
        yield f"    {reason['status']} since {reason['since']}{until} ({reason['rule']}{failures})"
    for reason in state.get("denied", ()):
        yield f"    forgotten, but still not to be mailed: {reason['status']} of {reason['since']}"
    yield f"Failed attempts in a row: {state['run']['failures']} of {state['run']['limit']}. Policy: {state['policy']}"
    for title, told in (("Events", map(_event, state["events"])), ("Commands", map(_command, state["commands"]))):
        listed = list(told)
        if listed:
            yield f"\n{title}, in order of time:"
        for lines in listed:
            yield from lines


def _event(event: Shown) -> Iterator[str]:
    named = f"  attempt {event['attempt_id']}" if "attempt_id" in event else ""
    named = f"  command {event['command_id']}" if "command_id" in event else named
    provider = f"  {event['provider']}" if "provider" in event else ""
    yield f"{event['at']}  {event.get('status') or event['outcome']}{provider}{named}{_weight(event)}"
    if "rule" in event:
        text = event.get("rule_text", "not in the rule table in force")
        yield f"    rule    {event['rule']}: {text}"
    if "policy" in event:
        yield f"    policy  {event['policy']}"
    yield from _places(event)


def _weight(event: Shown) -> str:
    """Say what an event counts for, where that needs saying."""
    if event.get("released"):
        return "  released"
    counts_for = event.get("counts_for")
    if counts_for is None:
        return "" if event["effect"] in ("reset", "lift") else "  counts for nothing that stands"
    if counts_for == "run":
        return "  counts for the run so far"
    return f"  counts for {counts_for}{', which has expired' if event.get('expired') else ''}"


def _command(command: Shown) -> Iterator[str]:
    what = ", ".join([*command["statuses"], *(f"rule {rule}" for rule in command.get("rules", ()))])
    if command["command"] == "release":
        yield f"{command['at']}  release of {what} up to then"
    else:
        what += f" of {command['provider']}" if "provider" in command else ""
        span = f"from {command['from']} to {command['to']}"
        yield f"{command['at']}  retract {command['id']}: {what} {span} never was"
    yield from _places(command)


def _places(told: Shown) -> Iterator[str]:
    for name in ("record", "report"):
        if name not in told:
            continue
        at = told[name]
        yield f"    {name}  {at['topic']}, partition {at['partition']}, offset {at['offset']}"
        if "gone" in at:
            yield f"            {GONE}"
        elif "value" in at:
            value = at["value"] if isinstance(at["value"], str) else orjson.dumps(at["value"]).decode()
            more = " …" if len(value) > SHOWN_CHARACTERS else ""
            yield f"            {''.join(c if c.isprintable() else '·' for c in value[:SHOWN_CHARACTERS])}{more}"
