"""A partition's book: reads and remembers its contacts, and finishes what was begun before anything else is decided.

Two things may be under way. Commands are written down before they are carried out: a crash between what they say and
what is to be remembered of it must not let an event in between that hides the change. And an incident that never
happened is gone through contact by contact, some with each batch, so that no partition stands still for long.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from agents.gate.preblock import HardBounces
from agents.ports import Batch, Changed, ContactTable, Fenced, Known, Meter, Outgoing, Publisher
from agents.suppress.cells import STANDING, changes, to_cells, to_contact, to_deliveries
from agents.suppress.contact import Contact
from agents.suppress.decision import Decision, Erased, Name, TimedOrder, carry_out, retract
from agents.suppress.identity import ContactKeys, contact_name, network_name
from agents.suppress.needed import of_contact
from agents.suppress.network import NOTHING, learnt, taken_back
from agents.suppress.partition import PARTITION, Incident, Partition, to_partition
from agents.suppress.partition import to_cells as partition_cells
from agents.suppress.restating import asked_of, restatements, with_asked
from schemas.codec import encode, time_of
from schemas.command import Retract
from schemas.order import Denial, Held, Order, Restatement
from schemas.policy import Policy
from schemas.suppression import suppression_key

STEPS_WHEN_IDLE: Final = 10
"""How many steps of going through contacts are taken while nothing comes; else it is one for each batch."""

PENDING_BYTES: Final = 1_000_000
"""What the orders that are written down at a time may come to, roughly; a record of the changelog holds them."""

Found = Mapping[str, Known]
"""What the table knows, by table key."""


class Book:
    """The contacts of the partitions that a worker has, and what each partition remembers beside."""

    def __init__(
        self, contacts: ContactTable, out: Publisher, contact_key: ContactKeys, policy: Policy, meter: Meter
    ) -> None:
        """Take the table, where what is said goes, how contacts are named, the policy, and who counts."""
        self._contacts = contacts
        self._out = out
        self._contact_key = contact_key
        self._policy = policy
        self._meter = meter

    def named(self, names: Iterable[Name]) -> dict[Name, str]:
        """Give the table keys of contacts, each once."""
        return {name: contact_name(self._contact_key, *name) for name in dict.fromkeys(names)}

    async def read(
        self, batch: Batch, asked: Collection[str], failing: Collection[str] = ()
    ) -> tuple[Found, Partition]:
        """Give what is known under table keys, and what the partition remembers; finish first what is pending.

        While an incident is under way, what the network knows of the addresses is among what is found.
        """
        found, partition = await self._read(batch, asked, failing)
        if partition.pending or partition.under_way:
            if partition.pending:
                await self._carry_out(batch, [(order, _time(order)) for order in partition.pending])
            await self._go_through(batch, 1 if batch.records else STEPS_WHEN_IDLE)
            found, partition = await self._read(batch, {**dict.fromkeys(asked), **_networks(asked)}, failing)
        return found, partition

    async def _read(
        self, batch: Batch, asked: Collection[str], failing: Collection[str] = ()
    ) -> tuple[Found, Partition]:
        keys = list(dict.fromkeys([PARTITION, *asked]))
        found = dict(zip(keys, await self._contacts.read(batch, keys, failing), strict=True))
        return found, to_partition(found[PARTITION].cells)

    async def write(
        self, batch: Batch, decision: Decision, names: Mapping[Name, str], changed: Mapping[str, Changed]
    ) -> None:
        """Remember what has been said."""
        try:
            await self._contacts.write(batch, changed)
        except Fenced:
            # What we have just said and written may stand behind what the partition's owner has.
            await self._out.publish(restatements(decision, names, changed))
            raise

    def records(self, decision: Decision) -> list[Outgoing]:
        """Give what a decision says as records."""
        return [
            Outgoing(
                "suppressions",
                suppression_key(said.tenant, said.recipient),
                None if isinstance(said, Erased) else encode(said),
            )
            for said in decision.said
        ]

    def changed(
        self, decision: Decision, names: Mapping[Name, str], found: Found, known: Mapping[Name, Contact]
    ) -> dict[str, Changed]:
        """Give what is to be remembered of the contacts that a decision has changed."""
        changed = {}
        for name in decision.changed:
            key, contact = names[name], known[name]
            cells = changes(found[key].cells, to_cells(contact))
            if contact.is_forgotten:
                cells.setdefault(STANDING, None)  # it names the person, and outlives in the changelog what expires here
            delivered = [mark for mark in to_deliveries(contact) if mark not in found[key].delivered]
            changed[key] = Changed(cells, delivered, of_contact(contact, self._policy))
        return changed

    # -- orders -------------------------------------------------------------------------------------------------

    async def carry_out(self, batch: Batch, orders: Sequence[TimedOrder]) -> None:
        """Carry out a batch of orders, and begin to go through the contacts for the retractions among them."""
        for piece in _pieces(orders):
            found, partition = await self.read(batch, ())
            # What a check has found may be said again later without harm: nothing takes it back. Nor does anything take
            # back what the others ask to be said.
            if any(not isinstance(order, Denial | Restatement | Held) for order, _ in piece):
                pending = partition._replace(pending=[order for order, _ in piece])
                await self._contacts.write(batch, remembered(found, pending))
            await self._carry_out(batch, piece)
        await self._go_through(batch, 1)

    async def _carry_out(self, batch: Batch, orders: Sequence[TimedOrder]) -> None:
        names = self.named(order.name for order, _ in orders if order.name)
        asked = [*names.values(), *asked_of(orders)]
        found, partition = await self._read(batch, {**dict.fromkeys(asked), **_networks(names.values())})
        known = {name: to_contact(*found[key]) for name, key in names.items()}

        under_way = [one.retract for one in partition.under_way.values()]
        decision = carry_out(known, orders, self._policy, partition.retracted, under_way)

        await self._out.publish(self.records(decision))
        for order, _ in orders:
            if isinstance(order, Retract):
                partition = partition.with_incident(order)
        changed = with_asked(self.changed(decision, names, found, known), orders, found, self._policy)
        changed |= self.network(under_way, known, found)
        for key, own in remembered(found, partition._replace(pending=())).items():
            changed[key] = Changed({**changed.get(key, Changed({})).cells, **own.cells})
        await self.write(batch, decision, names, changed)
        self._count(decision)

    # -- incidents that never happened ------------------------------------------------------------------------------

    async def _go_through(self, batch: Batch, steps: int) -> None:
        """Free some contacts of the first incident that not all have been freed of."""
        for _ in range(steps):
            _, partition = await self._read(batch, ())
            if not partition.under_way:
                return
            number, incident = next(iter(partition.under_way.items()))
            await self._step(batch, number, incident)

    async def _step(self, batch: Batch, number: int, incident: Incident) -> None:
        listed, place = await self._contacts.walk(batch, incident.place or 0)
        listed = [name for name in listed if incident.retract.reaches_tenant(name.partition("\x1f")[0])]
        found, partition = await self._read(batch, {**dict.fromkeys(listed), **_networks(listed)})
        known: dict[Name, Contact] = {}
        names: dict[Name, str] = {}
        for key in listed:
            contact = to_contact(*found[key])
            if contact.recipient:
                name = key.partition("\x1f")[0], contact.recipient
                known[name], names[name] = contact, key

        decision = retract(known, incident.retract, self._policy)

        await self._out.publish(self.records(decision))
        after = partition._replace(incidents={**partition.incidents, number: Incident(incident.retract, place)})
        changed = self.changed(decision, names, found, known) | self.network([incident.retract], known, found)
        await self.write(batch, decision, names, changed | remembered(found, after))
        self._count(decision)

    def network(
        self,
        under_way: Sequence[Retract],
        known: Mapping[Name, Contact],
        found: Found,
        told: Mapping[str, HardBounces] = NOTHING,
        newest: int = 0,
    ) -> dict[str, Changed]:
        """Give what the network is to remember: without what these incidents have brought it, and with what is told."""
        return learnt(found, told, newest, self._policy, taken_back(under_way, known, found, self._contact_key))

    def _count(self, decision: Decision) -> None:
        self._meter.count("suppressions", len(decision.said))
        self._meter.count("dropped_events", decision.dropped)


def _networks(names: Iterable[str]) -> dict[str, None]:
    return {network_name(name.split("\x1f")[1]): None for name in names}


def remembered(found: Found, partition: Partition) -> dict[str, Changed]:
    """Give what is to be remembered of the partition itself."""
    changed = changes(found[PARTITION].cells, partition_cells(partition))
    return {PARTITION: Changed(changed)} if changed else {}


def _time(order: Order) -> int:
    at = time_of(order)
    return at if isinstance(at, int) else 0


def _pieces(orders: Sequence[TimedOrder]) -> Iterator[list[TimedOrder]]:
    """Take orders apart into as many as may be written down at a time."""
    piece: list[TimedOrder] = []
    size = 0
    for order in orders:
        own = len(encode(order[0]))
        if piece and size + own > PENDING_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(order)
        size += own
    if piece:
        yield piece
