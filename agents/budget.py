"""The dead-letter budget: how many elements may be rejected within a time before a worker stops (SPEC 6).

A worker that rejects nearly everything has met a broken producer or a wrong mapping, and would turn a topic into dead
letters before anybody looks. What counts is the time of the records, so that a backlog is measured as it came; and each
topic for itself, since one may be a week behind another.
"""

import heapq
from collections import defaultdict
from typing import Final

from agents.ports import Record
from schemas.policy import Policy

NOBODY: Final = ""
"""Stands for the tenants without a budget of their own, and for what names no tenant; no tenant has this name."""


class BudgetSpent(Exception):
    """More was rejected than the policy permits: the worker stops, and the batch in work is not committed."""


class Budget:
    """Counts a topic's rejected elements: those of tenants with a budget of their own apart, all others together."""

    def __init__(self, policy: Policy) -> None:
        """Start with nothing spent; what was before the worker started does not count."""
        self._policy = policy
        # By topic and tenant: a heap of record timestamps, and the newest of all.
        self._spent: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._newest: dict[tuple[str, str], int] = {}
        # By topic and partition: the last offset, since a rebalance makes us read some again.
        self._counted: dict[tuple[str, int], int] = {}

    def spend(self, record: Record, tenant: str = NOBODY, elements: int = 1) -> None:
        """Count rejected elements of a record; `tenant` is the one it names, `NOBODY` where that can't be read.

        Raises:
            BudgetSpent: They are more than may be rejected within the time that the policy names.

        """
        who = tenant if self._policy.of(tenant).dead_letters != self._policy.of(NOBODY).dead_letters else NOBODY
        limit = self._policy.of(who).dead_letters.limit()
        place, account = (record.topic, record.partition), (record.topic, who)
        again = record.offset <= self._counted.get(place, -1)
        if limit is None or record.timestamp is None or again:
            return
        self._counted[place] = record.offset
        most, window = limit
        spent, newest = self._spent[account], max(record.timestamp, self._newest.get(account, 0))
        self._newest[account] = newest
        for _ in range(min(elements, most + 1)):
            heapq.heappush(spent, record.timestamp)
        while spent and spent[0] <= newest - window:
            heapq.heappop(spent)
        if len(spent) > most:
            whose = f"of tenant {who} " if who else ""
            permitted = self._policy.of(who).dead_letters.budget
            raise BudgetSpent(
                f"of {record.topic}, more than {permitted} elements {whose}were rejected: "
                "bounceline dead-letters list shows them; [dead_letters] budget in the policy permits more"
            )
