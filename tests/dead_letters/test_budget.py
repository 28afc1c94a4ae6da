"""Beyond the budget of dead letters a worker stops; what counts is the time of the records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.budget import NOBODY, Budget, BudgetSpent
from agents.classify.agent import make_classify_agent
from agents.command.agent import make_command_agent
from agents.gate.agent import make_check_agent
from agents.ports import Agent, Outgoing
from agents.suppress.agent import make_suppress_agent
from agents.suppress.identity import contact_keys
from schemas.order import ORDERS
from schemas.policy import parse_policy
from schemas.times import DAY, HOUR, MINUTE
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, MemoryTable, NoMeter, each

NOON = 1_795_428_930_000
POLICY = """
[dead_letters]
budget = "3/1h"
[tenants.acme.dead_letters]
budget = "1/1h"
[tenants.umbrella.dead_letters]
budget = "off"
[tenants.globex.soft_bounce]
limit = 4
"""


def record(
    offset: int, at: int | None = NOON, partition: int = 0, value: bytes = b"no JSON", topic: str = "esp-reports"
) -> MemoryRecord:
    return MemoryRecord(topic, partition, offset, at, None, value)


def spent_after(budget: Budget, *spendings: tuple[MemoryRecord, str, int]) -> int | None:
    """Give how many spendings it took to spend the budget, None where there is some left."""
    for number, (of, tenant, elements) in enumerate(spendings, start=1):
        try:
            budget.spend(of, tenant, elements)
        except BudgetSpent:
            return number
    return None


def test_so_many_may_be_rejected_and_not_one_more():
    budget = Budget(parse_policy(POLICY))
    assert spent_after(budget, *((record(number), NOBODY, 1) for number in range(9))) == 4


def test_the_elements_of_one_report_count_each():
    assert spent_after(Budget(parse_policy(POLICY)), (record(0), "globex", 3)) is None
    assert spent_after(Budget(parse_policy(POLICY)), (record(0), "globex", 4)) == 1


def test_what_was_rejected_longer_ago_no_longer_counts():
    budget = Budget(parse_policy(POLICY))
    apart = [(record(number, NOON + number * 20 * MINUTE), NOBODY, 1) for number in range(100)]
    assert spent_after(budget, *apart) is None
    closer = [(record(number, NOON + number * 19 * MINUTE), NOBODY, 1) for number in range(100)]
    assert spent_after(Budget(parse_policy(POLICY)), *closer) == 4


def test_a_tenant_with_a_budget_of_its_own_spends_that_and_all_others_spend_one_together():
    budget = Budget(parse_policy(POLICY))
    assert spent_after(budget, (record(0), "acme", 1), (record(1), "umbrella", 1_000), (record(2), "globex", 2)) is None
    assert spent_after(budget, (record(3), NOBODY, 1)) is None
    assert spent_after(budget, (record(4), "initech", 1)) == 1
    with pytest.raises(BudgetSpent, match="more than 1/1h elements of tenant acme were rejected"):
        budget.spend(record(5), "acme", 1)


def test_a_record_that_is_read_again_counts_once():
    budget = Budget(parse_policy(POLICY))
    assert spent_after(budget, *[(record(0), NOBODY, 1), (record(1), NOBODY, 1)] * 9) is None
    assert spent_after(budget, (record(0, partition=1), NOBODY, 1), (record(2), NOBODY, 1)) == 2


def test_without_a_budget_and_without_a_time_nothing_is_counted():
    assert spent_after(Budget(parse_policy("")), (record(0), NOBODY, 10**9)) is None
    assert spent_after(Budget(parse_policy(POLICY)), (record(0, at=None), NOBODY, 10**9)) is None


@given(st.lists(st.tuples(st.integers(0, 5 * HOUR), st.integers(1, 3)), max_size=30))
def test_a_budget_is_spent_when_more_than_that_lie_within_the_time_before_the_newest(rejected):
    budget = Budget(parse_policy(POLICY))
    spendings = [(record(number, NOON + at), NOBODY, elements) for number, (at, elements) in enumerate(rejected)]
    expected = None
    for number in range(1, len(rejected) + 1):
        newest = max(at for at, _ in rejected[:number])
        if sum(elements for at, elements in rejected[:number] if at > newest - HOUR) > 3:
            expected = number
            break
    assert spent_after(budget, *spendings) == expected


async def test_the_agent_stops_before_it_publishes_the_batch_that_spends_the_budget():
    """Story: three records can't be read, then a batch of one good and two bad ones comes."""
    published: list[Outgoing] = []
    done = []

    class Batch(MemoryBatch):
        def done(self) -> None:
            done.append(len(self.records))

    agent = make_classify_agent(
        MemoryPublisher(published.append), contact_keys(b"k"), NoMeter(), budget=Budget(parse_policy(POLICY))
    )
    good = b'{"provider":"normalized","tenant":"globex","payload":{"recipient":"jane@example.com","status":"Spam",'
    good += b'"occurred_at":"2026-11-20T10:15:30Z"}}'
    bad = good.replace(b"Spam", b"Spum")
    first = Batch([record(0), record(1, value=bad), record(2)])
    second = Batch([record(3, value=good), record(4, value=bad), record(5, value=bad)])
    with pytest.raises(BudgetSpent):
        await agent(each([first, second]))
    assert [outgoing.topic for outgoing in published] == ["dead-letters"] * 3
    assert done == [3]


def test_each_topic_is_measured_by_its_own_time():
    budget = Budget(parse_policy(POLICY))
    now = [(record(number, topic="contact-commands"), NOBODY, 1) for number in range(3)]
    week_old = [(record(number, NOON - 7 * DAY), NOBODY, 1) for number in range(4)]
    assert spent_after(budget, *now) is None
    assert spent_after(budget, *week_old) == 4


async def nobody_asks(_request, _at):
    raise AssertionError("what can't be read is not asked")


def agents(out: MemoryPublisher, budget: Budget) -> dict[str, Agent]:
    """Give the agents that read what others write, by topic, with one budget."""
    policy, keys = parse_policy(POLICY), contact_keys(b"k")
    return {
        "esp-reports": make_classify_agent(out, keys, NoMeter(), budget=budget),
        "contact-commands": make_command_agent(out, keys, 8, NoMeter(), budget),
        "send-requests": make_check_agent(nobody_asks, out, NoMeter(), budget),
        "delivery-events": make_suppress_agent(MemoryTable(), out, InOrder(), keys, policy, NoMeter(), budget=budget),
        ORDERS: make_suppress_agent(MemoryTable(), out, InOrder(), keys, policy, NoMeter(), budget=budget),
    }


@pytest.mark.parametrize("topic", ["esp-reports", "contact-commands", "send-requests", "delivery-events", ORDERS])
async def test_whatever_topic_a_worker_would_drain_it_stops(topic):
    published: list[Outgoing] = []
    agent = agents(MemoryPublisher(published.append), Budget(parse_policy(POLICY)))[topic]
    batches = [MemoryBatch([record(number, topic=topic)], beside=topic == ORDERS) for number in range(9)]
    with pytest.raises(BudgetSpent, match=topic):
        await agent(each(batches))
    assert [one.topic for one in published].count("dead-letters") == 3
