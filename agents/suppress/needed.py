"""Until when what is kept may be needed: the net below what the fold forgets by itself (SPEC 5). Pure.

The fold forgets at a contact's next event. Of most contacts that bounced softly once there is none: nobody mails them
any more. What can no longer make a difference to whatever event comes is named here, for the table to let go of.
"""

from agents.gate.preblock import HardBounces, to_bounces
from agents.ports import Needed
from agents.suppress.cells import NO_DAY, Cells, to_contact
from agents.suppress.contact import Contact
from agents.suppress.identity import network_name
from agents.suppress.partition import PARTITION
from schemas.policy import Policy


def of_contact(contact: Contact, policy: Policy) -> Needed | None:
    """Say until when a contact may be needed; None for good, where anything but attempts is known of it.

    Attempts alone block nobody, or what stands would say so. They count with others within `window`, and a message's
    reports join within a lateness; the second lateness is for those that arrive late.
    """
    known = contact.standing or contact.at_once or contact.by_hand or contact.orders.is_kept or contact.unsaid
    if known or contact.consent is not None or contact.network:
        return None
    return Needed(contact.newest, policy.longest_window + 2 * policy.longest_lateness)


def of_network(bounces: HardBounces, policy: Policy) -> Needed:
    """Say until when a check may ask for what the network knows of an address."""
    newest = max((bounce.at for bounce in bounces.values()), default=0)
    return Needed(newest, policy.longest_preblock + 2 * policy.longest_lateness)


def of_cells(name: str, cells: Cells, policy: Policy) -> Needed | None:
    """Say the same of whatever lies under a table key."""
    if name == PARTITION:
        return None
    if name.startswith(network_name("")):
        return of_network(to_bounces(cells.get(NO_DAY)), policy)
    return of_contact(to_contact(cells), policy)
