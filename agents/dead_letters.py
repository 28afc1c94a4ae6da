"""A rejected element as a record on `dead-letters`: original key and bytes, reason and coordinates in the headers."""

from agents.budget import Budget
from agents.ports import Meter, Outgoing, Record
from schemas.dead_letter import Coordinates, DeadLetter
from schemas.rejected import Rejected


def dead_letter(record: Record, rejected: Rejected, element: int | None) -> Outgoing:
    """Give the dead letter for one rejected element of a record, or (element None) for the record as a whole."""
    source = Coordinates(record.topic, record.partition, record.offset)
    letter = DeadLetter(record.key, record.value, source, rejected, element)
    return Outgoing("dead-letters", letter.key, letter.value, letter.headers())


def reject(record: Record, rejected: Rejected, meter: Meter, budget: Budget | None) -> Outgoing:
    """Count a record that can't be read at all, against the budget too where there is one; give its dead letter.

    Raises:
        BudgetSpent: As `agents.budget.Budget.spend` does.

    """
    meter.count("rejected", label=rejected.reason)
    if budget:
        budget.spend(record)
    return dead_letter(record, rejected, None)
