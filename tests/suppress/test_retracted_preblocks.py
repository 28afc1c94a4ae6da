"""Retractions and the network: whose pre-blocks fall, and what the network still knows (SPEC 7, 8)."""

import orjson
import pytest

from agents.gate.check import Known, check
from agents.gate.preblock import to_bounces
from agents.suppress.agent import make_suppress_agent
from agents.suppress.cells import NO_DAY, to_cells, to_contact
from agents.suppress.contact import Contact
from agents.suppress.identity import contact_keys, contact_name, network_name
from agents.suppress.reasons import reasons
from schemas.codec import encode
from schemas.command import Erase, Retract
from schemas.decision import SendRequest
from schemas.order import ORDERS, Denial, HardBounce, Held, order_key
from schemas.policy import parse_policy
from schemas.times import DAY, format_time, parse_time
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, MemoryTable, NoMeter, each
from streams.replay import classify_lines

KEY = contact_keys(b"a secret")
JANE = "jane@example.com"
START = parse_time("2026-11-20T10:00:00.000Z")
POLICY = parse_policy("[tenants.two.preblock]\nmin_tenants = 2\n")


class NeverThere(MemoryTable):
    """Never comes to the end of its contacts, nor to any: they are freed when an event or an order names them."""

    async def walk(self, batch, place):
        return [], place + 1


class Bench:
    def __init__(self, table=None):
        self.out, self.table = [], table or MemoryTable()
        self.agent = make_suppress_agent(
            self.table, MemoryPublisher(self.out.append), InOrder(), KEY, POLICY, NoMeter()
        )

    async def report(self, tenant, day, status="User unknown", provider=None):
        payload = {"recipient": JANE, "occurred_at": format_time(START + day * DAY), "status": status}
        payload |= {"provider": provider, "message_id": f"m{day}"}
        [value] = classify_lines([orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload})])
        await self.agent(each([MemoryBatch([MemoryRecord("delivery-events", 0, 0, None, None, value)])]))

    async def order(self, order):
        record = MemoryRecord(ORDERS, 0, 0, None, order_key("*", "1"), encode(order))
        await self.agent(each([MemoryBatch([record], beside=True)]))

    async def denial(self, tenant, day=9):
        """Ask before a send, and give what the owner is told."""
        request = SendRequest(tenant, (JANE,))
        contact = await self.cells(contact_name(KEY, tenant, JANE))
        known = Known(to_contact(contact).standing, await self.network())
        [block] = check(request, {JANE: known}, POLICY, START + day * DAY).blocks
        return Denial(tenant, JANE, block.status, format_time(block.at), rests_on=block.rests_on)

    async def retract(self, **narrowed):
        told = {"id": "r", "at": START, "statuses": ("User unknown",), "start": START, "end": START + 99 * DAY}
        await self.order(Retract(**{**told, **narrowed}))

    async def cells(self, name):
        [known] = await self.table.read(MemoryBatch([MemoryRecord("", 0, 0, None, None, None)]), [name], ())
        return known.cells

    async def network(self):
        return to_bounces((await self.cells(network_name(KEY(JANE)))).get(NO_DAY))

    def said(self, tenant):
        found = [orjson.loads(one.value) for one in self.out if one.topic == "suppressions"]
        return [(one["action"], one["cause"], one["since"]) for one in found if one["tenant"] == tenant]


def at(day):
    return format_time(START + day * DAY)


async def told_of_two():
    bench = Bench()
    await bench.report("acme", 2, provider="ses")
    await bench.report("beta", 1)
    return bench


@pytest.mark.parametrize(
    ("narrowed", "since"),
    [
        ({}, None),
        ({"tenant": "acme"}, 1),
        ({"tenant": "beta"}, 2),
        ({"provider": "ses"}, 1),
        ({"provider": "normalized"}, 2),
        ({"provider": "mailgun"}, 2),
        ({"domain": "example.com", "tenant": "acme"}, 1),
        ({"domain": "example.org"}, 2),
        ({"tenant": "globex"}, 2),
        ({"start": START + 2 * DAY}, 1),
        ({"statuses": (":", "Preblock")}, 2),
    ],
)
async def test_a_pre_block_stands_with_the_bounces_that_are_left_and_it_is_the_same_if_the_denial_comes_later(
    narrowed, since
):
    before, after = await told_of_two(), await told_of_two()
    await before.order(await before.denial("globex"))
    late = await after.denial("globex")
    await before.retract(**narrowed)
    await after.retract(**narrowed)
    await after.order(late)
    asked = ("suppress", "check", at(2))
    moved = (
        [] if since == 2 else [("release", "retract:r", at(2)) if since is None else ("suppress", "retract:r", at(1))]
    )
    assert before.said("globex") == [asked, *moved]
    assert after.said("globex") == ([("suppress", "check", at(since))] if since else [])


async def test_where_it_takes_two_tenants_one_alone_does_not_hold_a_block():
    bench = await told_of_two()
    await bench.order(await bench.denial("two"))
    await bench.retract(tenant="beta")
    assert bench.said("two")[-1] == ("release", "retract:r", at(2))


async def test_of_what_nothing_is_left_a_late_denial_leaves_no_trace():
    bench = await told_of_two()
    late = await bench.denial("globex")
    await bench.retract()
    await bench.order(late)
    assert await bench.cells(contact_name(KEY, "globex", JANE)) == {}


@pytest.mark.parametrize(
    ("narrowed", "left"),
    [({}, None), ({"provider": "ses"}, 1), ({"start": START + 2 * DAY}, 1), ({"provider": "normalized"}, 2)],
)
@pytest.mark.parametrize("table", [MemoryTable, NeverThere])
async def test_the_network_forgets_a_retracted_bounce_and_knows_the_one_before(narrowed, left, table):
    bench = Bench(table())
    await bench.report("acme", 1)
    await bench.report("acme", 2, provider="ses")
    await bench.retract(**narrowed)
    await bench.report("acme", 0, ":")  # who has not been gone through is freed now, by an event that tells of its own
    left = 0 if left is None else left
    assert {tenant: bounce.at for tenant, bounce in (await bench.network()).items()} == {"acme": START + left * DAY}


async def test_who_is_freed_when_an_order_names_him_is_forgotten_by_the_network_as_well():
    bench = Bench(NeverThere())
    await bench.report("acme", 2)
    await bench.report("beta", 1)
    await bench.retract()
    assert len(await bench.network()) == 2
    await bench.order(Held("acme", JANE))
    assert list(await bench.network()) == ["beta"]


async def test_a_retraction_of_something_else_leaves_what_the_network_knows():
    bench = Bench()
    await bench.report("acme", 2)
    await bench.report("acme", 3, "Spam")
    before = await bench.network()
    await bench.retract(statuses=("Spam", ":"))
    assert await bench.network() == before


@pytest.mark.parametrize("until", [2, 1])
async def test_an_erasure_leaves_no_bounces_up_to_then_and_a_late_denial_brings_none_back(until):
    bench = await told_of_two()
    denial = await bench.denial("globex")
    name = contact_name(KEY, "globex", JANE)
    await bench.order(denial)
    await bench.order(Erase(id="e", at=START + until * DAY, tenant="globex", recipient=JANE))
    for _ in range(2):
        found = to_contact(await bench.cells(name))
        assert found.network == list(denial.rests_on[until:])
        assert any(JANE.encode() in cell for cell in (await bench.cells(name)).values()) is (until == 1)
        await bench.order(denial)


def test_what_a_check_found_in_the_table_of_typos_no_provider_has_told():
    for provider, falls in ((None, True), ("normalized", False), ("ses", False), ("", False)):
        incident = Retract(
            id="r", at=START, statuses=("Typofix",), start=START, end=START + 1, provider=provider, tenant="acme"
        )
        denial = Denial("acme", "jane@gamil.com", "Typofix", at(0))
        contact, late = Contact(), Contact()
        assert contact.carry_out(denial, START, POLICY.of("acme"))
        assert contact.retract(incident, "acme") is falls
        assert late.carry_out(denial, START, POLICY.of("acme"), [incident]) is not falls
        assert (contact.at_once == {}) is (late.at_once == {}) is falls


def test_a_denial_from_before_it_was_kept_blocks_and_is_laid_out_and_read_again():
    contact = Contact()
    contact.recipient = JANE
    assert contact.carry_out(Denial("two", JANE, "Preblock", at(0)), START, POLICY.of("two"))
    assert contact.network == [HardBounce(START)]
    [reason] = reasons(contact, POLICY.of("two"))
    assert (reason.status, reason.since) == ("Preblock", at(0))
    cells = to_cells(contact)
    [day] = [number for number in cells if number >= 0]
    of_old = {**cells, day: b"[[],{},{},null,%d,[]]" % START}
    assert to_contact(of_old).network == to_contact(cells).network == contact.network


def test_bounces_of_several_days_are_laid_out_by_day_and_read_again():
    contact = Contact()
    contact.recipient = JANE
    told = tuple(HardBounce(START + day * DAY, f"t{day}", ":", "ses") for day in range(5))
    assert contact.carry_out(Denial("globex", JANE, "Preblock", at(4), rests_on=told), told[-1].at, POLICY.of("globex"))
    cells = to_cells(contact)
    assert len([number for number in cells if number >= 0]) == 5
    assert to_contact(cells).network == list(told)
