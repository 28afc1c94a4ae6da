"""Orders about contacts, and what the network learns: through the suppress agent, with the table in memory."""

from itertools import permutations

import orjson
import pytest

from agents.gate.preblock import to_bounces
from agents.suppress.agent import make_suppress_agent
from agents.suppress.cells import NO_DAY
from agents.suppress.contact import Contact
from agents.suppress.identity import contact_keys, network_name
from schemas.codec import decode_order, encode
from schemas.command import Retract
from schemas.order import ORDERS, Denial, HardBounce, order_key
from schemas.policy import parse_policy
from schemas.times import parse_time
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, MemoryTable, NoMeter, each
from streams.replay import classify_lines

KEY = contact_keys(b"a secret")
JANE = "jane@example.com"
EARLY, LATE = "2026-11-20T10:00:00.000Z", "2026-11-21T10:00:00.000Z"


class Bench:
    def __init__(self, policy="", table=None):
        self.out, self.table = [], table or MemoryTable()
        parsed = parse_policy(policy)
        self.agent = make_suppress_agent(
            self.table, MemoryPublisher(self.out.append), InOrder(), KEY, parsed, NoMeter()
        )

    async def order(self, *orders):
        for order in orders:
            value = order if isinstance(order, bytes) else encode(order)
            record = MemoryRecord(ORDERS, 0, 0, None, order_key(KEY(JANE), "1"), value)
            await self.agent(each([MemoryBatch([record], beside=True)]))
        return self.said()

    async def report(self, *events):
        for tenant, fields in events:
            payload = {"recipient": JANE, **fields}
            [value] = classify_lines([orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload})])
            await self.agent(each([MemoryBatch([MemoryRecord("delivery-events", 0, 0, None, None, value)])]))

    def said(self):
        return [orjson.loads(one.value) for one in self.out if one.topic == "suppressions"]

    async def network(self):
        batch = MemoryBatch([MemoryRecord("delivery-events", 0, 0, None, None, None)])
        [known] = await self.table.read(batch, [network_name(KEY(JANE))], ())
        return {tenant: bounce.at for tenant, bounce in to_bounces(known.cells.get(NO_DAY)).items()}


def hard(at, status="User unknown"):
    return {"occurred_at": at, "status": status}


async def test_a_denial_for_the_network_blocks_until_a_window_after_the_bounce_and_names_no_attempt():
    [said] = await Bench().order(Denial("acme", JANE, "Preblock", EARLY))
    [reason] = said["reasons"]
    assert reason == {
        "status": "Preblock",
        "category": "network_protection",
        "severity": "none",
        "since": EARLY,
        "expires_at": "2026-12-20T10:00:00.000Z",
        "rule": "check-network",
        "evidence": [],
    }
    assert said["cause"] == "check"


@pytest.mark.parametrize(("status", "since"), [("Preblock", LATE), ("Typofix", EARLY)])
async def test_denials_end_in_the_same_block_in_any_order_and_however_often(status, since):
    orders = [Denial("acme", JANE, status, at) for at in (EARLY, LATE, EARLY)]
    for told in permutations(orders):
        said = await Bench().order(*told)
        assert said[-1]["reasons"][0]["since"] == since
        assert len(said) <= 2


async def test_the_same_denial_again_changes_nothing():
    bench = Bench()
    assert len(await bench.order(*[Denial("acme", JANE, "Typofix", EARLY)] * 3)) == 1


async def test_a_block_by_a_check_does_not_reach_another_tenant_nor_the_network():
    bench = Bench()
    await bench.order(Denial("acme", JANE, "Preblock", EARLY), Denial("acme", JANE, "Typofix", EARLY))
    assert {one["tenant"] for one in bench.said()} == {"acme"}
    assert await bench.network() == {}


async def test_an_order_that_has_been_carried_out_is_deleted_in_its_place_and_a_deleted_one_passed_over():
    bench = Bench()
    await bench.order(Denial("acme", JANE, "Typofix", EARLY))
    [deleted] = [one for one in bench.out if one.topic == ORDERS]
    assert (deleted.key, deleted.value, deleted.partition) == (order_key(KEY(JANE), "1"), None, 0)
    before = len(bench.out)
    record = MemoryRecord(ORDERS, 0, 1, None, deleted.key, None)
    await bench.agent(each([MemoryBatch([record], beside=True)]))
    assert len(bench.out) == before


@pytest.mark.parametrize(
    "value", [b"{", b"[]", b'{"kind":"other"}', encode(Denial("acme", JANE, "Typofix", "yesterday"))]
)
async def test_what_is_no_order_becomes_a_dead_letter(value):
    bench = Bench()
    await bench.order(value)
    assert [one.topic for one in bench.out] == ["dead-letters", ORDERS]


@pytest.mark.parametrize(
    ("narrowed", "falls"),
    [({}, True), ({"domain": "example.com"}, True), ({"tenant": "beta"}, False), ({"provider": "ses"}, False)],
)
def test_a_block_that_knows_a_time_alone_falls_with_an_incident_that_can_mean_no_other_tenant_nor_provider(
    narrowed, falls
):
    contact = Contact()
    contact.network = [HardBounce(parse_time(EARLY))]
    incident = Retract(
        id="r", at=parse_time(LATE), statuses=("User unknown",), start=0, end=parse_time(LATE), **narrowed
    )
    assert contact.retract(incident, "acme") is falls
    assert (contact.network == []) is falls


def test_an_order_is_read_as_it_was_written():
    order = Denial("acme", JANE, "Preblock", EARLY, rests_on=(HardBounce(parse_time(EARLY), "globex", ":", "ses"),))
    assert encode(order).startswith(b'{"kind":"denial","tenant":"acme"')
    assert decode_order(encode(order)) == (order, parse_time(EARLY))
    of_old = encode(order).partition(b',"rests_on"')[0] + b"}"
    assert decode_order(of_old) == (Denial("acme", JANE, "Preblock", EARLY), parse_time(EARLY))


async def test_the_network_learns_each_tenants_latest_hard_bounce_in_any_order():
    told = [("acme", hard(EARLY)), ("acme", hard(LATE, ":")), ("globex", hard(EARLY)), ("acme", hard(EARLY))]
    for events in permutations(told):
        bench = Bench()
        await bench.report(*events)
        assert await bench.network() == {"acme": parse_time(LATE), "globex": parse_time(EARLY)}


async def test_the_network_learns_nothing_of_other_reasons_nor_of_who_does_not_share():
    bench = Bench("[tenants.secret.preblock]\nshare = false\n")
    await bench.report(
        *[("acme", hard(EARLY, status)) for status in ("Spam", "Typofix", "User", "Preblock", "Quota exceeded")],
        ("secret", hard(EARLY)),
    )
    assert await bench.network() == {}


async def test_the_network_forgets_as_event_time_passes():
    bench = Bench()
    events = [("globex", hard("2026-01-01T00:00:00Z")), ("acme", hard(EARLY)), ("acme", hard(LATE))]
    record = []
    for tenant, fields in events:
        payload = {"recipient": JANE, **fields}
        [value] = classify_lines([orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload})])
        record.append(MemoryBatch([MemoryRecord("delivery-events", 0, 0, None, None, value)]))
    await bench.agent(each(record))
    assert await bench.network() == {"acme": parse_time(LATE)}
