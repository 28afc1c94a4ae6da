"""Orders to the owner of a contact's partition, on `bounceline-contact-orders`: what is to be done about one contact.

Whoever does not own the partition can't change the contact; so it says what is to be done, where the owner reads it
between batches of delivery events. A retraction is for every partition, and stands in each. An order may come twice
and late, and must mean the same then.
"""

from typing import Final, Literal, NamedTuple

import msgspec

from schemas.command import Erase, Release, Retract, Suppress
from schemas.suppression import Suppression

ORDERS: Final = "bounceline-contact-orders"
"""Name of the topic in the catalogue."""


class HardBounce(NamedTuple):
    """A hard bounce of an address, as the network knows it: its event time in ms, whose it was, and what was told.

    The texts are "" where they are not known: once nothing was kept but the time. It is for the inside alone: whose
    bounce it was is told to nobody. Of two at one time the greater in text order is the later.
    """

    at: int
    tenant: str = ""
    status: str = ""
    provider: str = ""


class Denial(msgspec.Struct, frozen=True, tag_field="kind", tag="denial"):
    """A check has denied a send for a typo or for the network: the contact is blocked for that (SPEC 8).

    `recipient` is canonical. `since`, RFC 3339, is the time of the check for Typofix, and for Preblock that of the
    network's latest hard bounce. `record` is where the order stands, partition and offset: the owner adds it.
    `rests_on` are the hard bounces of others that count for Preblock, sorted; empty where they are not known.
    """

    tenant: str
    recipient: str
    status: Literal["Typofix", "Preblock"]
    since: str
    record: tuple[int, int] | None = None
    rests_on: tuple[HardBounce, ...] = ()

    @property
    def name(self) -> tuple[str, str]:
        """Tenant and recipient."""
        return self.tenant, self.recipient


class Restatement(msgspec.Struct, frozen=True, tag_field="kind", tag="restatement"):
    """A worker has said or written something of a contact after it had lost the partition: the owner has the last word.

    `contact` is the table key. `said` is what that worker published last, null where it published nothing: where the
    standing is another one, the owner says it again. `cells` are the table's windows that it wrote to the changelog:
    the owner writes them again, so that its own are the last ones there.
    """

    contact: str
    cells: tuple[int, ...]
    said: Suppression | None

    @property
    def name(self) -> tuple[str, str] | None:
        """Tenant and recipient, where anything was said."""
        return (self.said.tenant, self.said.recipient) if self.said else None


class Held(msgspec.Struct, frozen=True, tag_field="kind", tag="held"):
    """The brake has held back the record of a block: now the owner says what stands, unless it has said it since.

    `recipient` is canonical. `usual` is how many blocks a minute were usual at its domain, in the whole installation.
    """

    tenant: str
    recipient: str
    usual: float = 0.0

    @property
    def name(self) -> tuple[str, str]:
        """Tenant and recipient."""
        return self.tenant, self.recipient


Order = Denial | Restatement | Held | Release | Suppress | Erase | Retract
"""What stands on the topic, told apart by `kind`. Commands stand there as they were understood: times in ms."""


def order_key(contact_key: str, order_id: str) -> bytes:
    """Give the record key of an order: contact key, unit separator, order id.

    The topic is compacted, so two orders about one contact need two keys, or the first may be gone before it is read.
    An order that has been carried out is deleted by its key.
    """
    return f"{contact_key}\x1f{order_id}".encode()
