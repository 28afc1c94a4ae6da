"""Going through the contacts of a partition: everybody once at least, from any place on, whoever goes on with it."""

from redis.asyncio import Redis

from agents.ports import FIRST_PLACE
from agents.suppress.cells import STANDING
from streams.state import walking
from tests.support.owner import Owner

CONTACTS = 2_500
NAMES = [f"acme\x1f{number:064x}" for number in range(CONTACTS)]


async def test_a_walk_meets_everybody_and_another_owner_goes_on_where_one_was_after_redis_is_lost(
    owners: list[Owner], redis: Redis
) -> None:
    first, second, _ = owners
    await first.cells()
    for start in range(0, CONTACTS, 500):
        await first.write(
            {name: {STANDING: b'["a@example.com"]', 20_000: b"[]"} for name in NAMES[start : start + 500]}
        )
    await first.write({NAMES[0]: {STANDING: None, 20_000: None}})
    met: list[str] = []
    place: int | None = FIRST_PLACE
    for owner in (first, second, second):
        assert place is not None
        if owner is second and len(met) == walking.CONTACTS_PER_STEP:
            await redis.flushall()
            await second.cells()
        names, place = await owner.table.walk(owner.batch(), place)
        assert len(names) <= walking.CONTACTS_PER_STEP
        met += names
    assert place is None
    assert set(NAMES[1:]) <= set(met) <= set(NAMES)
    for owner in owners:
        await owner.table.revoked()


async def test_a_walk_of_a_partition_without_contacts_is_over_at_once(owners: list[Owner]) -> None:
    await owners[0].cells()
    assert await owners[0].table.walk(owners[0].batch(), FIRST_PLACE) == ([], None)
