"""The check before a send: may this tenant mail these addresses, and if not, why (SPEC 8). Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import UNSET

from agents.classify.address import canonical_recipient
from agents.gate.preblock import NOTHING, HardBounces, preblocked
from agents.gate.typos import suggestion_for, typo_of
from schemas.decision import Purpose, SendDecision, SendRequest, SendResult
from schemas.order import HardBounce
from schemas.policy import Policy
from schemas.rejected import Rejected
from schemas.suppression import Reason
from schemas.times import format_time
from schemas.typology import STRENGTH


class Known(NamedTuple):
    """What is known of one contact before a send.

    reasons: why it is blocked, as on its suppression, expired ones too; also what an erased contact left behind.
    bounces: the network's hard bounces of this address.
    typo_exempt: whether a release has exempted the contact from the typo table.
    network_exempt_until: up to which event time, in ms, one has exempted it from the network's bounces.
    """

    reasons: tuple[Reason, ...] = ()
    bounces: HardBounces = NOTHING
    typo_exempt: bool = False
    network_exempt_until: int | None = None


NOTHING_KNOWN = Known()


class Block(NamedTuple):
    """A suppression that follows from a denial: the contact's partition writes it, caused by `check`.

    `recipient` is canonical. `at` is its event time in ms: for Typofix that of the check, for Preblock that of the
    network's latest hard bounce, with the bounces it rests on. Written again, it changes nothing.
    """

    recipient: str
    status: Literal["Typofix", "Preblock"]
    at: int
    rests_on: tuple[HardBounce, ...] = ()


class Checked(NamedTuple):
    """The answer to a request and what follows from it, at most one block per recipient."""

    decision: SendDecision
    blocks: tuple[Block, ...]


def contacts_of(request: SendRequest) -> list[str]:
    """Give the canonical recipients of whom `check` wants to know, each once, in the order asked."""
    found = (canonical_recipient(asked) for asked in request.recipients)
    return list(dict.fromkeys(recipient for recipient in found if not isinstance(recipient, Rejected)))


def check(request: SendRequest, known: Mapping[str, Known], policy: Policy, now: int) -> Checked:
    """Answer a request: each recipient by the first that holds of an unusable address, a typo, a reason, the network.

    Args:
        request: The question.
        known: Canonical recipient -> what is known of the contact; nothing of who is not in it.
        policy: The policy of all tenants.
        now: When it was asked, in ms since 1970: the clock for HTTP, the record's timestamp for the topic.

    """
    answered = [_answer(asked, request, known, policy, now) for asked in request.recipients]
    results = tuple(result for result, _ in answered)
    blocks = dict.fromkeys(block for _, block in answered if block)
    return Checked(SendDecision(request.request_id or UNSET, results), tuple(blocks))


def _answer(
    asked: str, request: SendRequest, known: Mapping[str, Known], policy: Policy, now: int
) -> tuple[SendResult, Block | None]:
    recipient = canonical_recipient(asked)
    if isinstance(recipient, Rejected):
        # Nothing stands about what is no address, so there is no time to tell.
        return SendResult(asked, send=False, status=":", since=None, expires_at=None), None
    contact = known.get(recipient, NOTHING_KNOWN)
    if not contact.typo_exempt and (meant := typo_of(recipient)):
        # The suppression that this denial writes is in force from now on; a repeat changes nothing.
        standing = next((reason.since for reason in contact.reasons if reason.status == "Typofix"), None)
        result = SendResult(asked, False, "Typofix", standing or format_time(now), None, meant)
        return result, None if standing else Block(recipient, "Typofix", now)
    if reason := _strongest(contact.reasons, request.purpose, now):
        return SendResult(asked, False, reason.status, reason.since, reason.expires_at), None
    found = preblocked(contact.bounces, request.tenant, policy, now, contact.network_exempt_until)
    if found:
        result = SendResult(asked, False, "Preblock", format_time(found.since), format_time(found.expires_at))
        return result, Block(recipient, "Preblock", found.since, found.rests_on)
    near = None if contact.typo_exempt else suggestion_for(recipient)
    return SendResult(asked, send=True, suggestion=near or UNSET), None


def _strongest(reasons: Sequence[Reason], purpose: Purpose, now: int) -> Reason | None:
    """Give the strongest reason that denies such mail at this time."""
    at = format_time(now)  # all times have one form, so their texts compare as they do
    deny = [
        reason
        for reason in reasons
        if (reason.expires_at is None or reason.expires_at > at)
        and not (reason.status == "User" and purpose == "transactional")
    ]
    return min(deny, key=lambda reason: STRENGTH[reason.status], default=None)
