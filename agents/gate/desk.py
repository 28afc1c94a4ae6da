"""Answering who may be mailed: look up, decide, and tell the owners of contacts what follows from a denial (SPEC 8)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol

from msgspec import UNSET
from msgspec.structs import replace

from agents.gate.check import Block, Known, check, contacts_of
from agents.ports import Outgoing, Publisher
from agents.suppress.identity import ContactKeys
from schemas.codec import encode
from schemas.decision import SendDecision, SendRequest, SendResult
from schemas.order import ORDERS, Denial, order_key
from schemas.policy import Policy
from schemas.times import format_time

AT_ONCE: Final = 500
"""Recipients looked up and decided in one go, some 10 ms: then others have a turn."""


class Lookup(Protocol):
    """Knows what stands about contacts, whoever owns their partitions."""

    async def known(self, tenant: str, recipients: Sequence[str]) -> Mapping[str, Known] | None:
        """Give what is known of canonical recipients; None while the state of one of them is not whole."""


Desk = Callable[[SendRequest, int], Awaitable[SendDecision | None]]
"""Answers a request of a time, in ms; None while the state is not whole, so that nothing can be said."""


def make_desk(lookup: Lookup, out: Publisher, contact_key: ContactKeys, policy: Policy) -> Desk:
    """Build what answers requests, over HTTP and on the topic alike."""

    def ordered(tenant: str, block: Block) -> Outgoing:
        since = format_time(block.at)
        denial = encode(Denial(tenant, block.recipient, block.status, since, rests_on=block.rests_on))
        key = contact_key(block.recipient)
        # The same denial has the same id: of copies one is enough.
        return Outgoing(ORDERS, order_key(key, sha256(denial).hexdigest()), denial, place=key.encode())

    async def answer(request: SendRequest, now: int) -> SendDecision | None:
        results: list[SendResult] = []
        blocks: dict[Block, None] = {}
        for start in range(0, len(request.recipients), AT_ONCE):
            part = replace(request, recipients=request.recipients[start : start + AT_ONCE])
            known = await lookup.known(request.tenant, contacts_of(part))
            if known is None:
                return None
            checked = check(part, known, policy, now)
            results += checked.decision.results
            blocks |= dict.fromkeys(checked.blocks)
        if blocks:
            await out.publish([ordered(request.tenant, block) for block in blocks])
        return SendDecision(request.request_id or UNSET, tuple(results))

    return answer
