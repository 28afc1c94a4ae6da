"""What another policy would do: the same reports decided by two policies, and the contacts between them."""

import asyncio
from codecs import BOM_UTF8
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import BinaryIO, NamedTuple

import orjson

from agents.classify.classification import classify
from agents.classify.table import RuleTable
from schemas.codec import decode_report, decode_suppression
from schemas.policy import Policy
from schemas.rejected import Rejected
from schemas.suppression import Reason, Suppression
from schemas.times import format_time, parse_time
from schemas.typology import Status
from streams.replay import replay

Contact = tuple[str, str]
"""Tenant and canonical recipient."""


class Moved(NamedTuple):
    """A contact that the two policies decide differently.

    status: the strongest under the new policy; under the old one where the new one frees the contact.
    since: since when that one would block it, in ms.
    delivered: the latest delivery after `since`, in ms, of a contact that is newly blocked; None where there is none.
    """

    tenant: str
    recipient: str
    status: Status
    since: int
    delivered: int | None = None


class Comparison(NamedTuple):
    """What the new policy changes in what stands at the end of the file; each in order of tenant and recipient."""

    newly_blocked: list[Moved]
    freed: list[Moved]
    changed: list[Moved]
    unchanged: int


class _Seen(NamedTuple):
    """What the reports tell beside the decisions: the newest event time, and each contact's latest delivery, in ms.

    A message that was accepted and bounced later on was not delivered.
    """

    newest: int
    delivered: dict[Contact, int]


def compare(
    file: BinaryIO, new: Policy, old: Policy, rules: RuleTable | None, on_rejected: Callable[[bytes], None]
) -> Comparison:
    """Replay a file under two policies, one after the other, and tell what differs.

    Args:
        file: Report envelopes, one a line, in a file that can be read again.
        new: The policy that is being considered.
        old: The one to compare it with.
        rules: The rule table to classify by; the built-in one where None.
        on_rejected: Takes every reject once, as `replay` gives it.

    """
    before, after = _standing(file, old, rules, on_rejected), _standing(file, new, rules, lambda _: None)
    file.seek(0)
    seen = _read(file, rules, before.keys() | after.keys())
    was, now = _holding(before, seen.newest), _holding(after, seen.newest)
    newly = [
        moved._replace(delivered=_after(seen.delivered.get(contact), moved.since))
        for contact, moved in _moved(now, now.keys() - was.keys())
    ]
    freed = [moved for _, moved in _moved(was, was.keys() - now.keys())]
    both = now.keys() & was.keys()
    different = {contact for contact in both if now[contact] != was[contact]}
    return Comparison(newly, freed, [moved for _, moved in _moved(now, different)], len(both) - len(different))


def _standing(
    file: BinaryIO, policy: Policy, rules: RuleTable | None, on_rejected: Callable[[bytes], None]
) -> dict[Contact, tuple[Reason, ...]]:
    """Replay the file; gives the reasons of every contact that is blocked at its end."""
    found: dict[Contact, tuple[Reason, ...]] = {}

    def take(line: bytes) -> None:
        record = decode_suppression(line)
        if isinstance(record, Suppression):
            contact, reasons = (record.tenant, record.recipient), record.reasons
        else:  # an erasure
            told = orjson.loads(line)
            contact, reasons = (told["tenant"], told["recipient"]), ()
        found.pop(contact, None)
        if reasons:
            found[contact] = reasons

    file.seek(0)
    asyncio.run(replay(file, policy, take, on_rejected, rules))
    return found


def _read(lines: Iterable[bytes], rules: RuleTable | None, contacts: Collection[Contact]) -> _Seen:
    """Read the reports once more, for the contacts that were blocked under either policy."""
    newest = 0
    delivered: defaultdict[Contact, dict[str, int]] = defaultdict(dict)
    failed: set[tuple[Contact, str]] = set()
    for line in lines:
        report = decode_report(line.removeprefix(BOM_UTF8).strip())
        for _, event in [] if isinstance(report, Rejected) else classify(report, rules=rules):
            if isinstance(event, Rejected):
                continue
            at, contact = _ms(event.occurred_at), (event.tenant, event.recipient)
            newest = max(newest, at)
            if event.effect == "reset" and contact in contacts:
                delivered[contact][event.attempt_id] = at
            elif event.effect == "count" and contact in contacts:
                failed.add((contact, event.attempt_id))
    latest = {
        contact: max((at for attempt, at in attempts.items() if (contact, attempt) not in failed), default=0)
        for contact, attempts in delivered.items()
    }
    return _Seen(newest, latest)


def _holding(standing: dict[Contact, tuple[Reason, ...]], newest: int) -> dict[Contact, tuple[Reason, ...]]:
    """Leave out reasons that have expired by the newest event of the file, and contacts that have no other."""
    held = {
        contact: tuple(one for one in reasons if one.expires_at is None or _ms(one.expires_at) > newest)
        for contact, reasons in standing.items()
    }
    return {contact: reasons for contact, reasons in held.items() if reasons}


def _moved(standing: dict[Contact, tuple[Reason, ...]], contacts: Iterable[Contact]) -> list[tuple[Contact, Moved]]:
    return [
        (contact, Moved(*contact, standing[contact][0].status, min(_ms(reason.since) for reason in standing[contact])))
        for contact in sorted(contacts)
    ]


def _ms(written: str) -> int:
    at = parse_time(written)
    return at if isinstance(at, int) else 0  # we wrote it ourselves


def _after(delivered: int | None, since: int) -> int | None:
    return delivered if delivered is not None and delivered > since else None


def summary(found: Comparison, contacts: int) -> dict[str, object]:
    """Give a comparison as JSON has it, with up to `contacts` of those newly blocked that later were delivered to."""
    later = [one for one in found.newly_blocked if one.delivered is not None]
    return {
        "newly_blocked": _counted(found.newly_blocked),
        "freed": _counted(found.freed),
        "changed": _counted(found.changed),
        "unchanged": found.unchanged,
        "later_delivered": _counted(later),
        "contacts": [
            {
                "tenant": one.tenant,
                "recipient": one.recipient,
                "status": one.status,
                "since": format_time(one.since),
                "delivered_at": format_time(one.delivered or 0),
            }
            for one in later[:contacts]
        ],
    }


def _counted(moved: list[Moved]) -> dict[str, object]:
    return {
        "total": len(moved),
        "by_status": dict(sorted(Counter(one.status for one in moved).items())),
        "by_tenant": dict(sorted(Counter(one.tenant for one in moved).items())),
    }
