"""The store and its changelog: a batch in one round trip each way, fenced, and never trusted when Redis has changed."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from agents.ports import Changed, Fenced
from agents.suppress.attempts import DELIVERED, Mark
from agents.suppress.cells import STANDING
from agents.suppress.identity import contact_keys, contact_name
from schemas.codec import encode
from schemas.times import HOUR
from streams.settings import Settings
from streams.state.partitions import Owned, StateLost, Write
from tests.support.histories import delivery_event
from tests.support.oracle import Event
from tests.support.owner import CONTACT, DAY, PARTITION, Owner, dumped, put_back, recipient_here

HOUR_NUMBER = 480_000


async def test_what_is_written_is_read_and_what_is_deleted_is_gone(owners: list[Owner]) -> None:
    owner = owners[0]
    assert await owner.read("nobody", CONTACT) == [{}, {}]
    await owner.write({CONTACT: {DAY: b"[1]", STANDING: b"[]"}, "other": {DAY: b"[2]"}})
    assert await owner.read("nobody", CONTACT) == [{}, {DAY: b"[1]", STANDING: b"[]"}]
    await owner.write({CONTACT: {DAY: None}})
    assert await owner.read(CONTACT, "other") == [{STANDING: b"[]"}, {DAY: b"[2]"}]


async def test_a_new_owner_finds_what_the_former_one_wrote_and_the_former_can_not_write_any_more(
    owners: list[Owner],
) -> None:
    former, new, _ = owners
    await former.cells()
    await former.put(day0=b"[1]")
    assert await new.cells() == {DAY: b"[1]"}
    with pytest.raises(Fenced):
        await former.put(day0=b"[2]")
    with pytest.raises(Fenced):
        await former.cells()
    assert await new.cells() == {DAY: b"[1]"}


async def test_what_reached_the_changelog_but_not_redis_is_there_for_the_next_owner(owners: list[Owner]) -> None:
    former, new, _ = owners
    await former.cells()
    await former.changelog.write(PARTITION, {CONTACT: {DAY: b"[1]"}})  # and then it was killed
    assert await new.cells() == {DAY: b"[1]"}


@pytest.mark.parametrize("when", ["before a read", "between read and write"])
async def test_a_flushed_redis_is_rebuilt_from_the_changelog(
    when: str, owners: list[Owner], redis: Redis, prefix: str
) -> None:
    owner = owners[0]
    await owner.cells()
    await owner.put(day0=b"[1]", day1=b"[2]", day2=b"[3]")
    await owner.put(day1=None)
    if when == "before a read":
        await put_back(redis, prefix, {})
        assert await owner.cells() == {DAY: b"[1]", DAY + 2: b"[3]"}
    await owner.cells()
    await put_back(redis, prefix, {})
    await owner.put(day3=b"[4]")
    assert await owner.cells() == {DAY: b"[1]", DAY + 2: b"[3]", DAY + 3: b"[4]"}


async def test_a_redis_rolled_back_is_noticed_and_rebuilt(owners: list[Owner], redis: Redis, prefix: str) -> None:
    owner = owners[0]
    await owner.cells()
    await owner.put(day0=b"[1]", day1=b"[2]")
    earlier = await dumped(redis, prefix)
    await owner.put(day0=b"[5]", day1=None)
    await put_back(redis, prefix, earlier)
    with pytest.raises(StateLost):
        await owner.partitions.read(PARTITION, [CONTACT])
    assert await owner.cells() == {DAY: b"[5]"}


async def test_a_redis_rolled_back_to_a_former_owner_is_rebuilt_too(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    former, new, _ = owners
    await former.cells()
    await former.put(day0=b"[1]")
    earlier = await dumped(redis, prefix)
    await new.cells()
    await new.put(day0=b"[2]")
    await put_back(redis, prefix, earlier)
    assert await new.cells() == {DAY: b"[2]"}


async def test_what_a_former_owner_still_writes_to_the_changelog_is_passed_over(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    """Story: a worker is paused just before it writes its changelog, another takes over, the first one wakes up."""
    zombie, new, third = owners
    await zombie.cells()
    await zombie.put(day0=b"[1]")
    await new.cells()
    await new.put(day0=b"[2]")
    with pytest.raises(Fenced):
        await zombie.put(day0=b'["stale"]')
    await put_back(redis, prefix, {})
    assert await new.cells() == {DAY: b"[2]"}
    assert await third.cells() == {DAY: b"[2]"}


async def test_what_only_a_former_owner_has_written_is_kept_and_what_the_new_one_deleted_stays_deleted(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    """Story: a former owner wakes up and writes three windows; of the third, compaction has left nothing else."""
    zombie, new, _ = owners
    await zombie.cells()
    await zombie.put(day0=b"[1]", day1=b"[1]")
    await new.cells()
    await new.put(day0=b"[2]", day1=None)
    await zombie.changelog.write(PARTITION, {CONTACT: {DAY: b"[0]", DAY + 1: b"[0]", DAY + 2: b"[0]"}})
    await put_back(redis, prefix, {})
    assert await new.cells() == {DAY: b"[2]", DAY + 2: b"[0]"}


async def test_a_former_owner_that_finds_redis_lost_does_not_take_it(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    zombie, new, _ = owners
    await zombie.cells()
    await new.cells()
    await new.put(day0=b"[2]")
    await put_back(redis, prefix, {})
    with pytest.raises(Fenced):
        await zombie.cells()
    assert await new.cells() == {DAY: b"[2]"}


async def test_a_write_whose_answer_was_lost_can_be_repeated(owners: list[Owner]) -> None:
    owner = owners[0]
    await owner.cells()
    offset = await owner.changelog.write(PARTITION, {CONTACT: {DAY: b"[1]"}})
    before = owner.partitions.owned(PARTITION)
    write = Write({CONTACT: {DAY: b"[1]"}}, offset, 7, {HOUR_NUMBER: {CONTACT: ['[1,"m"]']}})
    await owner.partitions.write(PARTITION, write)
    owner.partitions._owned[PARTITION] = before  # as if we had never heard that it went through
    await owner.partitions.write(PARTITION, write)
    assert await owner.cells() == {DAY: b"[1]"}


async def test_a_long_changelog_is_restored_whole(owners: list[Owner], redis: Redis, prefix: str) -> None:
    owner = owners[0]
    await owner.cells()
    names = [f"contact{number}" for number in range(5_000)]
    await owner.write({name: {DAY: b"[%d]" % place} for place, name in enumerate(names)})
    await put_back(redis, prefix, {})
    assert await owner.read(*names) == [{DAY: b"[%d]" % place} for place in range(5_000)]


async def test_every_key_begins_with_the_prefix_and_holds_no_address(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    await owners[0].cells()
    await owners[0].put(day0=b"[1]")
    keys = [key.decode() async for key in redis.scan_iter(f"{prefix}*")]
    assert sorted(keys) == [
        f"{prefix}bounceline:{{contacts:{PARTITION}}}",
        f"{prefix}bounceline:{{contacts:{PARTITION}}}:{CONTACT}",
    ]


async def test_changelog_keys_are_those_of_fausts_own_windowed_tables(owners: list[Owner]) -> None:
    table = owners[0].faust_table.table
    window = table.window.current(DAY * 86_400.0)
    assert table.data._encode_key((CONTACT, window)) == table.data.changelog_key(CONTACT, DAY)


async def test_ordinary_table_access_sees_what_a_batch_wrote(owners: list[Owner]) -> None:
    await owners[0].cells()
    await owners[0].put(day0=b"[1]")
    table = owners[0].faust_table.table
    assert table._get_key((CONTACT, table.window.current(DAY * 86_400.0))) == [1]  # values are JSON
    assert CONTACT in {key for key, _ in table.data}


# -- deliveries of healthy contacts -------------------------------------------------------------------------------


def _delivered(minutes: int, message: str) -> Mark:
    return (HOUR_NUMBER * HOUR + minutes * 60_000, message, DELIVERED, "")


async def _note(owner: Owner, *marks: Mark) -> None:
    await owner.table.write(owner.batch(), {CONTACT: Changed({}, marks)})


async def _remembered(owner: Owner) -> list[Mark]:
    return sorted((await owner.table.read(owner.batch(), [CONTACT], [CONTACT]))[0].delivered)


async def test_deliveries_are_noted_once_and_given_only_where_asked_for(owners: list[Owner]) -> None:
    owner = owners[0]
    await owner.cells()
    await _note(owner, _delivered(5, "m1"))
    await _note(owner, _delivered(5, "m1"), _delivered(70, 'm"2\\'))
    assert await _remembered(owner) == [_delivered(5, "m1"), _delivered(70, 'm"2\\')]
    assert await owner.table.read(owner.batch(), [CONTACT], []) == [({}, [])]


async def test_an_hour_of_deliveries_is_dropped_as_event_time_passes_and_not_before(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    owner = owners[0]
    await owner.cells()
    await _note(owner, _delivered(5, "m1"), _delivered(70, "m2"))
    await owner.table.forget(owner.batch(), _delivered(59, "")[0])
    assert len(await _remembered(owner)) == 2
    await owner.table.forget(owner.batch(), _delivered(60, "")[0])
    assert await _remembered(owner) == [_delivered(70, "m2")]
    await _note(owner, _delivered(10, "late"))
    assert await _remembered(owner) == [_delivered(70, "m2")], "an hour that is over does not come back"
    await owner.table.forget(owner.batch(), _delivered(600, "")[0])
    assert [key async for key in redis.scan_iter(f"{prefix}*:notes:*")] == []


async def test_deliveries_cost_the_changelog_one_record_an_hour(owners: list[Owner]) -> None:
    owner = owners[0]
    await owner.cells()
    await _note(owner, _delivered(5, "m1"))
    before = owner.partitions.owned(PARTITION)
    for minute in range(6, 16):
        await _note(owner, _delivered(minute, f"m{minute}"))
    after = owner.partitions.owned(PARTITION)
    assert before
    assert after
    assert after.offset == before.offset
    assert after.source > before.source


async def test_notes_of_a_contact_that_gets_mail_without_end_are_bounded(owners: list[Owner]) -> None:
    owner = owners[0]
    await owner.cells()
    for number in range(40):
        await _note(owner, *[_delivered(5, f"{number}-{place}-{'x' * 100}") for place in range(50)])
    assert 400 < len(await _remembered(owner)) < 700


async def test_slots_of_notes_live_longer_than_reports_and_not_for_ever(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    await owners[0].cells()
    await _note(owners[0], _delivered(5, "m1"))
    [slot] = [key async for key in redis.scan_iter(f"{prefix}*:notes:*")]
    assert 7 * 86_400 < await redis.ttl(slot) <= 8 * 86_400


@pytest.mark.parametrize("loss", ["flushed", "rolled back to before some deliveries"])
async def test_deliveries_are_read_again_from_the_events_after_a_loss_of_redis(
    loss: str, owners: list[Owner], settings: Settings, redis: Redis, prefix: str
) -> None:
    """Story: four deliveries are on delivery-events; three have been noted, the last is still to be decided."""
    owner = owners[0]
    recipient = recipient_here()
    name = contact_name(contact_keys(settings.contact_secret), "acme", recipient)
    history = [Event(_delivered(minutes, "")[0], f"m{minutes}", "delivered") for minutes in (5, 40, 70, 80)]
    records = [(None, encode(delivery_event(event, recipient=recipient)), ()) for event in history]
    publisher = owner.changelog._publisher
    assert await publisher.publish_to("delivery-events", PARTITION, records) == 3
    await owner.cells()
    earlier: dict[bytes, Any] = {}
    for place, event in enumerate(history[:3]):
        owner.at = place
        await owner.table.write(owner.batch(), {name: Changed({}, [(event.at, event.message, DELIVERED, "")])})
        if place == 0 and loss != "flushed":
            earlier = await dumped(redis, prefix)
    await put_back(redis, prefix, earlier)
    owner.at = 3
    known = (await owner.table.read(owner.batch(), [name], [name]))[0]
    assert sorted(known.delivered) == [(e.at, e.message, DELIVERED, "") for e in history[:3]]


async def test_a_redis_flushed_amid_a_restore_does_not_pass_for_whole(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    partitions = owners[0].partitions
    await partitions.begin_restore(PARTITION, 7, 9)
    await partitions.restore(PARTITION, 7, 9, {CONTACT: {DAY: b"[1]"}})
    await put_back(redis, prefix, {})
    with pytest.raises(StateLost):
        await partitions.restore(PARTITION, 7, 9, {"other": {DAY: b"[1]"}})
    with pytest.raises(StateLost):
        await partitions.end_restore(PARTITION, 9, Owned(7, 9, 0), 0)
    assert partitions.owned(PARTITION) is None


async def test_two_restores_do_not_mix(owners: list[Owner]) -> None:
    partitions = owners[0].partitions
    await partitions.begin_restore(PARTITION, 7, 9)
    await partitions.begin_restore(PARTITION, 8, 10)
    with pytest.raises(Fenced):
        await partitions.restore(PARTITION, 7, 9, {CONTACT: {DAY: b"[1]"}})
    await partitions.begin_restore(PARTITION, 8, 11)
    with pytest.raises(StateLost):
        await partitions.end_restore(PARTITION, 10, Owned(8, 10, 0), 0)


async def test_who_lets_go_amid_taking_leaves_no_mark_behind_the_new_owners(owners: list[Owner]) -> None:
    """Story: a partition is given to another worker before it is whole; that one then works on it."""
    former, new, third = owners
    for _ in range(20):
        former.table.assigned([PARTITION])
        await asyncio.sleep(0.002)
        await former.table.revoked()
        former.partitions.let_go(PARTITION)
        await new.cells()
        await new.put(day0=b"[1]")
        await new.put(day0=b"[2]")
        await asyncio.sleep(0.01)
        assert await new.cells() == {DAY: b"[2]"}, "nobody has fenced it, and nothing was passed over"
        new.partitions.let_go(PARTITION)
        assert await third.cells() == {DAY: b"[2]"}
        third.partitions.let_go(PARTITION)
    assert former.crashes == []


async def test_a_mark_that_comes_too_late_takes_nothing_from_the_owner(
    owners: list[Owner], redis: Redis, prefix: str
) -> None:
    """Story: a worker is paused before its mark, another takes over and writes; the mark comes; the owner writes on."""
    paused, owner, third = owners
    await owner.cells()
    await owner.put(day0=b"[1]")
    await paused.changelog.restore(PARTITION, 0, lambda: True)  # it does not know yet that it has let go
    with pytest.raises(Fenced):
        await owner.put(day0=b"[2]", day1=b"[2]")  # which is on the changelog by now
    owner.table.fenced(PARTITION)
    assert await owner.cells() == {DAY: b"[2]", DAY + 1: b"[2]"}
    await put_back(redis, prefix, {})
    assert await third.cells() == {DAY: b"[2]", DAY + 1: b"[2]"}


async def test_a_flush_noticed_when_an_hour_is_dropped_loses_nothing(
    owners: list[Owner], settings: Settings, redis: Redis, prefix: str
) -> None:
    """Story: Redis is flushed after a batch was written and before the hour that it left behind is dropped."""
    owner = owners[0]
    recipient = recipient_here()
    name = contact_name(contact_keys(settings.contact_secret), "acme", recipient)
    history = [Event(_delivered(minutes, "")[0], f"m{minutes}", "delivered") for minutes in (5, 200)]
    records = [(None, encode(delivery_event(event, recipient=recipient)), ()) for event in history]
    await owner.changelog._publisher.publish_to("delivery-events", PARTITION, records)
    await owner.cells()
    for place, event in enumerate(history):
        owner.at = place
        batch = owner.batch()
        await owner.table.write(batch, {name: Changed({}, [(event.at, event.message, DELIVERED, "")])})
    await put_back(redis, prefix, {})
    await owner.table.forget(batch, _delivered(60, "")[0])
    known = (await owner.table.read(owner.batch(), [name], [name]))[0]
    assert list(known.delivered) == [(history[1].at, history[1].message, DELIVERED, "")]


async def test_what_a_former_owner_wrote_late_is_not_brought_back_to_a_redis_that_was_whole(
    owners: list[Owner],
) -> None:
    """Story: the owner deletes a window; a former one wakes up and writes it; the next owner reads what is new."""
    zombie, owner, third = owners
    await zombie.cells()
    await zombie.put(day0=b"[1]", day1=b"[1]")
    await owner.cells()
    await owner.put(day0=b"[2]", day1=None)
    await zombie.changelog.write(PARTITION, {CONTACT: {DAY + 1: b"[0]"}})
    assert await third.cells() == {DAY: b"[2]"}
