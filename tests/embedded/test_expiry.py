"""Keys that Redis may let go of by itself: long after anything can need them, never what blocks anybody (SPEC 5)."""

import time

import orjson
import pytest
from redis.asyncio import Redis

from agents.ports import Changed, Fenced, Needed
from agents.suppress.agent import make_suppress_agent
from agents.suppress.cells import NO_DAY, STANDING
from agents.suppress.identity import contact_keys, contact_name, network_name
from schemas.codec import encode
from schemas.policy import parse_policy
from schemas.times import DAY as DAY_MS
from schemas.times import HOUR, MINUTE, SECOND
from streams.memory import InOrder, MemoryBatch, MemoryPublisher, MemoryRecord, NoMeter, each
from streams.settings import Settings
from streams.state.contacts import NET_SECONDS
from streams.state.partitions import Write
from tests.support.histories import delivery_event
from tests.support.oracle import Event
from tests.support.owner import CONTACT, DAY, PARTITION, Owner, put_back, recipient_here

NOW = int(time.time() * SECOND)
SOME = Needed(NOW, 100 * DAY_MS)
SOME_SECONDS = 100 * 86_400 + NET_SECONDS
FOR_GOOD = -1
SLACK = 300  # seconds that a test may take
WINDOW = 365 * 86_400 + 2 * 3_600 + NET_SECONDS
PREBLOCK = 30 * 86_400 + 2 * 3_600 + NET_SECONDS


class Worker:
    """The agent on the real table, one batch at a time."""

    def __init__(self, owner: Owner, settings: Settings, redis: Redis) -> None:
        self.owner, self.redis = owner, redis
        self.recipient = recipient_here()
        keys = contact_keys(settings.contact_secret)
        self.contact = contact_name(keys, "acme", self.recipient)
        self.network = network_name(keys(self.recipient))
        self.said: list[tuple[str, str]] = []
        self._agent = make_suppress_agent(
            owner.table, MemoryPublisher(self._take), InOrder(), keys, parse_policy(""), NoMeter()
        )

    def _take(self, outgoing: object) -> None:
        told = orjson.loads(outgoing.value)  # type: ignore[attr-defined]
        self.said.append((told["action"], told["status"]))

    async def decide(self, *events: Event) -> None:
        values = [encode(delivery_event(event, recipient=self.recipient)) for event in events]
        records = [
            MemoryRecord("delivery-events", PARTITION, self.owner.at + place, None, None, value)
            for place, value in enumerate(values)
        ]
        self.owner.at += len(records)
        await self._agent(each([MemoryBatch(records)]))

    async def ttl(self, name: str) -> int:
        return await ttl(self.owner, self.redis, name)


async def ttl(owner: Owner, redis: Redis, name: str) -> int:
    """Give how long Redis keeps a key, in seconds; -1 for good, -2 where there is none."""
    return int(await redis.ttl(owner.partitions.key(PARTITION, name)))


@pytest.fixture
async def worker(owners: list[Owner], settings: Settings, redis: Redis) -> Worker:
    return Worker(owners[0], settings, redis)


def soft(minutes: int) -> Event:
    return Event(NOW - HOUR + minutes * MINUTE, f"m{minutes}", "Connection issue")


async def test_a_contact_is_kept_for_good_while_it_is_blocked_and_not_before_nor_after(
    worker: Worker, prefix: str
) -> None:
    """Story: five failures block; a delivery from between them, reported late, frees; Redis is flushed twice."""
    await worker.decide(*[soft(minutes) for minutes in (1, 2, 3, 4)])
    assert WINDOW - SLACK < await worker.ttl(worker.contact) <= WINDOW
    await worker.decide(soft(6))
    assert worker.said == [("suppress", "Connection issue")]
    assert await worker.ttl(worker.contact) == FOR_GOOD
    await put_back(worker.redis, prefix, {})
    await worker.owner.cells()
    assert await worker.ttl(worker.contact) == FOR_GOOD, "the last record decides, not the first"
    await worker.decide(Event(NOW - HOUR + 5 * MINUTE, "m5", "delivered"))
    assert worker.said[1:] == [("release", "Connection issue")]
    assert WINDOW - SLACK < await worker.ttl(worker.contact) <= WINDOW
    await put_back(worker.redis, prefix, {})
    await worker.owner.cells()
    assert WINDOW - SLACK < await worker.ttl(worker.contact) <= WINDOW


async def test_what_the_network_knows_of_an_address_is_let_go_of_and_the_hard_bounce_is_not(worker: Worker) -> None:
    await worker.decide(Event(NOW, "m", "User unknown"))
    assert PREBLOCK - SLACK < await worker.ttl(worker.network) <= PREBLOCK
    assert await worker.ttl(worker.contact) == FOR_GOOD


async def test_a_contact_that_has_expired_is_no_loss_and_is_named_anew_by_its_next_bounce(worker: Worker) -> None:
    await worker.decide(soft(1))
    before = worker.owner.partitions.owned(PARTITION)
    await worker.redis.delete(worker.owner.partitions.key(PARTITION, worker.contact))  # its time has come
    assert await worker.owner.read(worker.contact) == [{}]
    await worker.decide(Event(NOW + 400 * DAY_MS, "later", "Connection issue"))
    [cells] = await worker.owner.read(worker.contact)
    assert sorted(cells) == [STANDING, (NOW + 400 * DAY_MS) // DAY_MS]
    after = worker.owner.partitions.owned(PARTITION)
    assert before
    assert after
    assert after.offset == before.offset + 2, "nothing has been rebuilt: there are two cells more on the changelog"


async def test_events_ahead_of_the_clock_are_kept_as_long_after_their_time(worker: Worker) -> None:
    """Story: a provider's clock is two years ahead."""
    now = int(time.time() * SECOND)  # not `NOW`: tests may have run for long since then
    await worker.decide(Event(now + 730 * DAY_MS, "m", "Connection issue"))
    assert 730 * 86_400 + WINDOW - SLACK < await worker.ttl(worker.contact) <= 730 * 86_400 + WINDOW


async def test_events_of_long_ago_are_kept_as_long_from_now_on(worker: Worker) -> None:
    """Story: years of reports are read in again, old ones first: what they lead to must not go amid it."""
    await worker.decide(Event(NOW - 3_000 * DAY_MS, "m", "Connection issue"))
    assert WINDOW - SLACK < await worker.ttl(worker.contact) <= WINDOW


async def test_what_stands_beside_contacts_is_kept_for_good(worker: Worker) -> None:
    await worker.decide(Event(NOW, "m", "delivered"))
    assert await worker.ttl("deliveries") == FOR_GOOD


async def put(owner: Owner, needed: Needed | None, **cells: bytes | None) -> None:
    """Write cells of `CONTACT`, and until when what is left may be needed."""
    changed = {DAY + int(name.removeprefix("day")): cell for name, cell in cells.items()}
    await owner.table.write(owner.batch(), {CONTACT: Changed(changed, (), needed)})


async def test_the_next_owner_takes_what_redis_lacks_with_how_long_it_is_kept(
    owners: list[Owner], redis: Redis
) -> None:
    former, new, third = owners
    await former.cells()
    await put(former, None, day0=b"[1]")
    await former.changelog.write(PARTITION, {CONTACT: {DAY + 1: b"[2]"}}, {CONTACT: 1_000})  # and then it was killed
    assert await new.cells() == {DAY: b"[1]", DAY + 1: b"[2]"}
    assert 1_000 - SLACK < await ttl(new, redis, CONTACT) <= 1_000
    await new.changelog.write(PARTITION, {CONTACT: {DAY + 2: b"[3]"}})
    assert await third.cells() == {DAY: b"[1]", DAY + 1: b"[2]", DAY + 2: b"[3]"}
    assert await ttl(third, redis, CONTACT) == FOR_GOOD


async def test_what_only_a_former_owner_has_written_is_kept_for_good(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    """Story: a paused worker blocks a contact behind its new owner's back; its record is all there is of that."""
    zombie, new, _ = owners
    await zombie.cells()
    await new.cells()
    await put(new, SOME, day0=b"[1]")
    await zombie.changelog.write(PARTITION, {CONTACT: {NO_DAY: b'["blocked"]'}})
    await put_back(redis, prefix, {})
    assert await new.cells() == {DAY: b"[1]", NO_DAY: b'["blocked"]'}
    assert await ttl(new, redis, CONTACT) == FOR_GOOD


async def test_what_a_former_owner_wrote_behind_the_new_one_shortens_nothing(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    zombie, new, _ = owners
    await zombie.cells()
    await new.cells()
    await put(new, None, day0=b"[1]")
    await zombie.changelog.write(PARTITION, {CONTACT: {DAY: b"[0]"}}, {CONTACT: 1_000})
    await put_back(redis, prefix, {})
    assert await new.cells() == {DAY: b"[1]"}
    assert await ttl(new, redis, CONTACT) == FOR_GOOD


async def test_a_write_that_is_refused_or_repeated_leaves_how_long_a_key_is_kept(
    owners: list[Owner], redis: Redis
) -> None:
    zombie, owner, _ = owners
    await zombie.cells()
    await owner.cells()
    await put(owner, None, day0=b"[1]")
    with pytest.raises(Fenced):
        await put(zombie, SOME, day0=b"[0]")
    assert await ttl(owner, redis, CONTACT) == FOR_GOOD
    before = owner.partitions.owned(PARTITION)
    offset = await owner.changelog.write(PARTITION, {CONTACT: {DAY: b"[2]"}}, {CONTACT: 1_000})
    write = Write({CONTACT: {DAY: b"[2]"}}, offset, 7, seconds={CONTACT: 1_000})
    await owner.partitions.write(PARTITION, write)
    await redis.expire(owner.partitions.key(PARTITION, CONTACT), 500)  # as if half of it had gone by
    owner.partitions._owned[PARTITION] = before  # type: ignore[assignment]  # as if its answer had been lost
    await owner.partitions.write(PARTITION, write)
    assert 500 - SLACK < await ttl(owner, redis, CONTACT) <= 500
    assert await owner.cells() == {DAY: b"[2]"}


async def test_thousands_of_contacts_come_back_each_with_its_own_time(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    """More than a restore gives to Redis at a time, and half of them known for good since."""
    owner = owners[0]
    await owner.cells()
    names = [f"contact{number}" for number in range(5_000)]
    await owner.table.write(owner.batch(), {name: Changed({DAY: b"[1]"}, (), SOME) for name in names})
    await owner.table.write(owner.batch(), {name: Changed({NO_DAY: b"[2]"}) for name in names[::2]})
    await put_back(redis, prefix, {})
    await owner.cells()
    kept = [await ttl(owner, redis, name) for name in names]
    assert set(kept[::2]) == {FOR_GOOD}
    assert all(SOME_SECONDS - SLACK < one <= SOME_SECONDS for one in kept[1::2])
