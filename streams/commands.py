"""Giving commands: publish one, wait until it took effect, and look what a retraction would do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from redis.exceptions import RedisError

from agents.ports import Outgoing
from agents.suppress.contact import RESTS_ON_OTHERS
from agents.suppress.identity import contact_keys
from agents.suppress.partition import PARTITION, to_partition
from agents.suppress.reasons import reasons
from schemas.codec import decode_suppression, encode
from schemas.command import ContactCommand, Retract
from schemas.rejected import Rejected
from schemas.suppression import Reason
from schemas.topics import catalogue
from schemas.typology import SOFT
from streams.errors import Failed
from streams.installation import has_secret
from streams.publisher import KafkaPublisher
from streams.reading import read_to_end
from streams.settings import Settings
from streams.state.clients import async_client
from streams.state.contacts import CONTACTS
from streams.state.partitions import RedisPartitions
from streams.state.reader import ContactReader
from streams.topics import ensure_topics

WAIT_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.1
CONTACTS_PER_LOOK: Final = 1_000

UNKNOWN_KEYS: Final = (
    "BOUNCELINE_CONTACT_SECRET is not the secret the state was made with, so no contact can be found by its address"
)


class Outcome(NamedTuple):
    """What came of a command. `seen` is None where it took effect, else why that can't be told.

    `reasons` are those that stand now, of a command about a contact.
    """

    seen: str | None
    reasons: Sequence[Reason] = ()


class WouldBe(NamedTuple):
    """A contact that a retraction reaches, with the reasons that stand and those that would."""

    tenant: str
    recipient: str
    before: Sequence[Reason]
    after: Sequence[Reason]


async def give(settings: Settings, command: ContactCommand) -> Outcome:
    """Publish a command, and wait a while until it has taken effect."""
    await ensure_topics(settings)
    publisher = KafkaPublisher(settings)
    await publisher.start()
    try:
        key = (command.recipient or command.id).encode()
        await publisher.publish([Outgoing("contact-commands", key, encode(command))])
    finally:
        await publisher.stop()
    if command.recipient and not await has_secret(settings):
        return Outcome(UNKNOWN_KEYS)
    try:
        async with asyncio.timeout(WAIT_SECONDS), _state(settings) as (partitions, reader):
            while True:
                if command.command == "retract":
                    if await _is_through(partitions, command.id):
                        return Outcome(None)
                else:
                    contact = await reader.contact(command.tenant or "", command.recipient or "")
                    if contact and contact.orders.has_taken(command.id):
                        return Outcome(None, contact.standing)
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        return Outcome(f"it has not taken effect within {WAIT_SECONDS:g} s; is a worker running?")
    except RedisError as error:
        return Outcome(f"Redis can't be asked whether it took effect ({error})")


@asynccontextmanager
async def _state(settings: Settings) -> AsyncIterator[tuple[RedisPartitions, ContactReader]]:
    client = async_client(settings.redis)
    try:
        partitions = RedisPartitions(client, f"{settings.group}:{{{CONTACTS}")
        yield partitions, ContactReader(partitions, contact_keys(settings.contact_secret), _count())
    finally:
        await client.aclose()


def _count() -> int:
    return catalogue()["delivery-events"].partitions


async def _is_through(partitions: RedisPartitions, command_id: str) -> bool:
    """Say whether every contact of every partition has been freed of an incident."""
    for number in range(_count()):
        found = await partitions.peek(number, [PARTITION])
        known = to_partition(found[0]).incidents.values() if found else ()
        if not any(one.retract.id == command_id and one.place is None for one in known):
            return False
    return True


async def would_retract(
    settings: Settings, retract: Retract, on_progress: Callable[[int], None] = lambda _: None
) -> list[WouldBe]:
    """Say whom a retraction would change, from the state as it is; nothing is written.

    Raises:
        Failed: The state can't be read, or the secret is another one.

    """
    if not await has_secret(settings):
        raise Failed(UNKNOWN_KEYS)
    names = await _candidates(settings, retract)
    found: list[WouldBe] = []
    async with _state(settings) as (_, reader):
        for start in range(0, len(names), CONTACTS_PER_LOOK):
            some = names[start : start + CONTACTS_PER_LOOK]
            contacts = await reader.contacts(some)
            if contacts is None:
                raise Failed("the state is being restored, ask again in a moment")
            for (tenant, recipient), contact in zip(some, contacts, strict=True):
                before = contact.standing
                if contact.retract(retract):
                    after = reasons(contact, settings.policy.of(tenant))
                    found.append(WouldBe(tenant, recipient, before, after))
            on_progress(start + len(some))
    return found


async def _candidates(settings: Settings, retract: Retract) -> list[tuple[str, str]]:
    """Give the blocked contacts that a retraction may change, in order of tenant and recipient."""
    statuses = set(retract.statuses)
    if not SOFT.isdisjoint(statuses):
        statuses |= SOFT  # a run of failures goes by the status of its last
    if not RESTS_ON_OTHERS.isdisjoint(statuses):
        statuses.add("Preblock")
    found: dict[tuple[str, str], None] = {}
    async for record in read_to_end(settings, {"suppressions": {}}):
        tenant, _, recipient = (record.key or b"").decode().partition("\x1f")
        found.pop((tenant, recipient), None)
        if record.value is None or not retract.reaches(tenant, recipient):
            continue
        said = decode_suppression(record.value)
        if isinstance(said, Rejected):
            raise Failed(f"a record on suppressions can't be read: {said.detail}")
        if any(reason.status in statuses for reason in said.reasons):
            found[tenant, recipient] = None
    return sorted(found)


def counted(found: Sequence[WouldBe]) -> Mapping[str, Mapping[str, int]]:
    """Count who would be released, by the status lifted, and who would not, by the status that would stand."""
    released = Counter(one.before[0].status for one in found if one.before and not one.after)
    still = Counter(one.after[0].status for one in found if one.after)
    return {"released": dict(sorted(released.items())), "still_blocked": dict(sorted(still.items()))}
