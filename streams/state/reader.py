"""Reading contacts of any partition, from any worker: unfenced, for answers that write nothing.

A partition counts only while its bookkeeping is whole: of a Redis that was flushed nothing is believed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from redis.exceptions import RedisError

from agents.gate.check import Known
from agents.gate.preblock import HardBounces, to_bounces
from agents.suppress.cells import NO_DAY, Cells, to_contact
from agents.suppress.contact import Contact
from agents.suppress.identity import ContactKeys, contact_name, network_name
from agents.suppress.partition import PARTITION, to_partition
from agents.suppress.reasons import denying
from schemas.command import Retract
from streams.patience import passes
from streams.publisher import partition_of
from streams.state.partitions import RedisPartitions

KEYS_PER_CALL: Final = 2_000
"""Redis does nothing else meanwhile: some 2 ms."""

PAUSE_SECONDS: Final = 0.2

T = TypeVar("T")


class ContactReader:
    """Gives what is known of contacts (`agents.gate.desk.Lookup`)."""

    def __init__(
        self, partitions: RedisPartitions, contact_key: ContactKeys, count: int, wait_seconds: float = 0
    ) -> None:
        """Take the partitions, how contacts are named, how many partitions there are, and how long to wait for one."""
        self._partitions = partitions
        self._contact_key = contact_key
        self._count = count
        self._wait_seconds = wait_seconds

    async def known(self, tenant: str, recipients: Sequence[str]) -> Mapping[str, Known] | None:
        """Give what is known of canonical recipients; None while the state of one of them is not whole."""
        keys = [self._contact_key(recipient) for recipient in recipients]
        names = [name for key in keys for name in (f"{tenant}\x1f{key}", network_name(key))]
        found = await self._whole(names)
        if found is None:
            return None
        known = {}
        for place, recipient in enumerate(recipients):
            contact, network = found[2 * place], found[2 * place + 1]
            if contact or network:
                known[recipient] = _known(to_contact(contact), to_bounces(network.get(NO_DAY)))
        return known

    async def contact(self, tenant: str, recipient: str) -> Contact | None:
        """Give the state of one contact, but for the latest deliveries; None while it is not whole."""
        found = await self.contacts([(tenant, recipient)])
        return None if found is None else found[0]

    async def why(self, tenant: str, recipient: str) -> tuple[Contact, list[Retract]] | None:
        """Give what `contact` does, and the incidents that never happened and reach this contact.

        Those of another tenant alone are not told of: they would say whose bounce a pre-block rested on.
        """
        name = contact_name(self._contact_key, tenant, recipient)
        partition = partition_of(name.split("\x1f")[1].encode(), self._count)
        found = await self._patiently(lambda: self._partitions.peek(partition, [name, PARTITION]))
        if found is None:
            return None
        own = [one for one in to_partition(found[1]).retracted if one.tenant in (None, tenant)]
        reach = [one for one in own if one.reaches(tenant, recipient)]
        return to_contact(found[0]), reach

    async def contacts(self, names: Sequence[tuple[str, str]]) -> list[Contact] | None:
        """Give the state of contacts, by tenant and canonical recipient, as `contact` does."""
        found = await self._whole([contact_name(self._contact_key, *name) for name in names])
        return None if found is None else [to_contact(cells) for cells in found]

    async def _whole(self, names: Sequence[str]) -> list[Cells] | None:
        """Give the cells of table keys, in the order asked; waits a while for partitions that are not whole."""
        return await self._patiently(lambda: self._cells(names))

    async def _patiently(self, look: Callable[[], Awaitable[list[T] | None]]) -> list[T] | None:
        waited = 0.0
        while True:
            try:
                found = await look()
            except RedisError as error:
                if not passes(error):
                    raise
                found = None
            if found is not None or waited >= self._wait_seconds:
                return found
            await asyncio.sleep(PAUSE_SECONDS)
            waited += PAUSE_SECONDS

    async def _cells(self, names: Sequence[str]) -> list[Cells] | None:
        by_partition: dict[int, list[str]] = {}
        for name in names:
            by_partition.setdefault(partition_of(name.split("\x1f")[1].encode(), self._count), []).append(name)
        calls = [
            (partition, own[start : start + KEYS_PER_CALL])
            for partition, own in by_partition.items()
            for start in range(0, len(own), KEYS_PER_CALL)
        ]
        answers = await asyncio.gather(*(self._partitions.peek(*call) for call in calls))
        cells: dict[str, Cells] = {}
        for (_, own), answer in zip(calls, answers, strict=True):
            if answer is None:
                return None
            cells.update(zip(own, answer, strict=True))
        return [cells[name] for name in names]


def _known(contact: Contact, bounces: HardBounces) -> Known:
    exempt_until = contact.network_until
    return Known(denying(contact), bounces, contact.is_typo_exempt, exempt_until if exempt_until >= 0 else None)
