"""Reading a command: any JSON value gives a command or `Rejected`, never an exception (SPEC 7)."""

import re
from collections.abc import Callable
from typing import Any, Final

from schemas.command import BY_DEFAULT, WITH_CONSENT, Command, Erase, Release, Retract, Suppress
from schemas.rejected import Rejected
from schemas.report import check_tenant
from schemas.times import parse_time
from schemas.typology import STATUSES, Status

MAX_TEXT: Final = 1_000
"""Characters of an id, an actor, a note or a proof of consent."""

MAX_RULE: Final = 200
"""Characters of a rule."""

MAX_NAMES: Final = 64
"""Statuses or rules of one command."""

Canonical = Callable[[str], str | Rejected]
"""Gives the canonical form of an address: `agents.classify.address.canonical_recipient`."""


def to_command(value: object, canonical: Canonical) -> Command | Rejected:
    """Read a decoded JSON value as a command. Unknown fields are dropped; never raises."""
    if not isinstance(value, dict):
        return Rejected("wrong-type", "a command is a JSON object")
    name = value.get("command")
    if not isinstance(name, str) or name not in _READERS:
        if name is None or name == "":
            return Rejected("missing-field", "command is missing")
        return Rejected("unknown-command", "command is none of release, suppress, erase, retract")
    try:
        return _READERS[name](value, canonical)
    except _Bad as bad:
        return bad.rejected


class _Bad(Exception):
    """Carries a reject out of a field's reader."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.reason)
        self.rejected = rejected


def _said(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": _required(value, "id"),
        "at": _time(value, "at"),
        "actor": _text(value, "actor"),
        "note": _text(value, "note"),
    }


def _whom(value: dict[str, Any], canonical: Canonical) -> dict[str, Any]:
    recipient = value.get("recipient")
    if recipient is None or recipient == "":
        raise _Bad(Rejected("missing-field", "recipient is missing"))
    if not isinstance(recipient, str):
        raise _Bad(Rejected("wrong-type", "recipient is not text"))
    return {"tenant": _ok(check_tenant(value.get("tenant"))), "recipient": _ok(canonical(recipient))}


def _release(value: dict[str, Any], canonical: Canonical) -> Release:
    said, whom = _said(value), _whom(value, canonical)
    statuses, rules, consent = _statuses(value), _rules(value), _text(value, "consent")
    if consent is None and WITH_CONSENT.intersection(statuses):
        raise _Bad(Rejected("missing-field", "consent is missing: Spam and User are lifted with a proof of consent"))
    if not statuses and not rules:
        statuses = BY_DEFAULT
    return Release(**said, **whom, statuses=statuses, rules=rules, consent=consent)


def _suppress(value: dict[str, Any], canonical: Canonical) -> Suppress:
    status = _required(value, "status")
    return Suppress(**_said(value), **_whom(value, canonical), status=_status(status), rule=_rule(value))


def _erase(value: dict[str, Any], canonical: Canonical) -> Erase:
    return Erase(**_said(value), **_whom(value, canonical))


def _retract(value: dict[str, Any], canonical: Canonical) -> Retract:
    statuses = _statuses(value)
    if not statuses:
        raise _Bad(Rejected("missing-field", "statuses is missing or empty"))
    start, end = _time(value, "from"), _time(value, "to")
    if start >= end:
        raise _Bad(Rejected("bad-time", "from is not before to"))
    tenant = value.get("tenant")
    domain = _text(value, "domain")
    return Retract(
        **_said(value),
        statuses=statuses,
        start=start,
        end=end,
        tenant=None if tenant is None or tenant == "" else _ok(check_tenant(tenant)),
        domain=None if domain is None else _domain(domain, canonical),
        provider=_text(value, "provider"),
    )


_READERS: Final[dict[Any, Callable[[dict[str, Any], Canonical], Command]]] = {
    "release": _release,
    "suppress": _suppress,
    "erase": _erase,
    "retract": _retract,
}


def _ok(found: str | Rejected) -> str:
    if isinstance(found, Rejected):
        raise _Bad(found)
    return found


def _domain(text: str, canonical: Canonical) -> str:
    """Give a domain as the canonical recipients under it have it."""
    found = canonical(f"x@{text.removeprefix('@')}")
    if isinstance(found, Rejected):
        raise _Bad(Rejected("bad-recipient", "domain is no mail domain"))
    return found.rpartition("@")[2]


def _text(value: dict[str, Any], name: str) -> str | None:
    found = value.get(name)
    if type(found) is int:  # which true and false are not
        found = str(found)
    if found is None or (isinstance(found, str) and not found.strip()):
        return None
    return _checked(found, name)


def _checked(found: object, name: str) -> str:
    if not isinstance(found, str):
        raise _Bad(Rejected("wrong-type", f"{name} is not text"))
    if len(found) > MAX_TEXT:
        raise _Bad(Rejected("wrong-type", f"{name} is longer than {MAX_TEXT} characters"))
    if _HALF.search(found):
        raise _Bad(Rejected("wrong-type", f"{name} holds half a surrogate pair"))
    return found


_HALF: Final = re.compile("[\ud800-\udfff]")


def _required(value: dict[str, Any], name: str) -> str:
    found = _text(value, name)
    if found is None:
        raise _Bad(Rejected("missing-field", f"{name} is missing"))
    return found


def _time(value: dict[str, Any], name: str) -> int:
    found = value.get(name)
    if found is None or found == "":
        raise _Bad(Rejected("missing-field", f"{name} is missing"))
    time = parse_time(found)
    if isinstance(time, Rejected):
        raise _Bad(Rejected(time.reason, f"{name}: {time.detail}"))
    return time


def _names(value: dict[str, Any], name: str) -> tuple[str, ...]:
    found = value.get(name)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise _Bad(Rejected("wrong-type", f"{name} is not an array"))
    if len(found) > MAX_NAMES:
        raise _Bad(Rejected("too-large", f"{name} has more than {MAX_NAMES} elements"))
    return tuple(_checked(one, f"an element of {name}") for one in found)


def _rules(value: dict[str, Any]) -> tuple[str, ...]:
    return tuple(_short(rule, "an element of rules") for rule in _names(value, "rules"))


def _rule(value: dict[str, Any]) -> str | None:
    found = _text(value, "rule")
    return None if found is None else _short(found, "rule")


def _short(rule: str, name: str) -> str:
    if len(rule) > MAX_RULE:
        raise _Bad(Rejected("wrong-type", f"{name} is longer than {MAX_RULE} characters"))
    return rule


def _statuses(value: dict[str, Any]) -> tuple[Status, ...]:
    return tuple(_status(one) for one in _names(value, "statuses"))


def _status(text: str) -> Status:
    if text not in STATUSES:
        raise _Bad(Rejected("unknown-status", "a status is not one of the eight labels"))
    return text
