"""Commands of a replayed file: each is obeyed at its place, by the contacts in memory."""

from collections.abc import Callable

import orjson

from agents.ports import Changed
from agents.suppress.cells import changes, to_cells, to_contact
from agents.suppress.decision import Obeyed, obey
from agents.suppress.identity import ContactKeys, contact_name
from schemas.codec import encode
from schemas.command import Command, Retract
from schemas.policy import Policy
from streams.memory import MemoryBatch, MemoryRecord, MemoryTable

_BATCH = MemoryBatch([MemoryRecord("contact-commands", 0, 0, None, None, None)])


class ReplayedCommands:
    """Obeys commands, and keeps the incidents that never happened."""

    def __init__(
        self, table: MemoryTable, contact_key: ContactKeys, policy: Policy, say: Callable[[bytes], None]
    ) -> None:
        """Take the contacts, how they are named, the policy, and who takes each record as JSON."""
        self._table = table
        self._contact_key = contact_key
        self._policy = policy
        self._say = say
        self._seen: set[str] = set()
        self.retracted: list[Retract] = []

    async def obey(self, command: Command) -> None:
        """Obey a command, unless one of its id has been obeyed."""
        if command.id in self._seen:
            return
        self._seen.add(command.id)
        if isinstance(command, Retract):
            self.retracted.append(command)
            for name in self._table.names():
                await self._obey(name, None, command)
        else:
            name = contact_name(self._contact_key, command.tenant, command.recipient)
            await self._obey(name, command.recipient, command)

    async def _obey(self, name: str, recipient: str | None, command: Command) -> None:
        """Obey a command for one contact; a retraction names none, so the contact's own state says who it is."""
        [known] = await self._table.read(_BATCH, [name], [name])
        contact = to_contact(known.cells, known.delivered)
        whose = (name.partition("\x1f")[0], recipient or contact.recipient)
        if isinstance(command, Retract) and not command.reaches(*whose):
            return
        obeyed = obey(contact, whose, command, self._policy)
        if obeyed.changed:
            await self._table.write(_BATCH, {name: Changed(changes(known.cells, to_cells(contact)))})
        self._publish(whose, obeyed)

    def _publish(self, whose: tuple[str, str], obeyed: Obeyed) -> None:
        if obeyed.erased:
            self._say(orjson.dumps({"tenant": whose[0], "recipient": whose[1], "action": "erase"}))
        if obeyed.suppression:
            self._say(encode(obeyed.suppression))
