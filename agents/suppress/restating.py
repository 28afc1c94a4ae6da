"""What a worker does that finds out too late that another has its partition: it asks the owner for the last word.

Nothing keeps a worker that was paused from appending to `suppressions` and to the changelog behind what the new owner
has written there meanwhile: not every broker has transactions. But it learns of it when it comes to Redis, and then
it tells the owner what it did.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from agents.ports import Changed, Known, Outgoing
from agents.suppress.decision import Decision, Erased, Name, TimedOrder
from agents.suppress.needed import of_cells
from schemas.codec import encode
from schemas.order import ORDERS, Restatement, order_key
from schemas.policy import Policy


def restatements(decision: Decision, names: Mapping[Name, str], changed: Mapping[str, Changed]) -> Sequence[Outgoing]:
    """Give the orders that ask for the last word about everything that was said and written."""
    last = {names[one.tenant, one.recipient]: one for one in decision.said}
    said = {contact: one for contact, one in last.items() if not isinstance(one, Erased)}
    written = {contact: tuple(one.cells) for contact, one in changed.items() if one.cells}
    orders = [Restatement(contact, written.get(contact, ()), said.get(contact)) for contact in {**said, **written}]
    return [_outgoing(order) for order in orders]


def _outgoing(order: Restatement) -> Outgoing:
    value, contact_key = encode(order), order.contact.split("\x1f")[1]
    key = order_key(contact_key, hashlib.sha256(value).hexdigest())  # a repeat is the same order
    return Outgoing(ORDERS, key, value, place=contact_key.encode())


def asked_of(orders: Iterable[TimedOrder]) -> dict[str, None]:
    """Give the table keys whose cells orders ask for again."""
    return {order.contact: None for order, _ in orders if isinstance(order, Restatement)}


def with_asked(
    changed: Mapping[str, Changed], orders: Iterable[TimedOrder], found: Mapping[str, Known], policy: Policy
) -> dict[str, Changed]:
    """Give what is to be remembered: what has changed, and beside it the cells that orders ask for again, as found."""
    all_of_it = dict(changed)
    for order, _ in orders:
        if isinstance(order, Restatement):
            known = found[order.contact].cells
            own = all_of_it.get(order.contact) or Changed({}, (), of_cells(order.contact, known, policy))
            again = {day: known.get(day) for day in order.cells}
            all_of_it[order.contact] = own._replace(cells={**again, **own.cells})
    return all_of_it
