"""Giving commands: publish one, wait until it took effect, and look what a retraction would do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from redis.exceptions import RedisError

from agents.ports import Outgoing
from agents.suppress.brake import HELD
from agents.suppress.contact import Contact
from agents.suppress.identity import contact_keys
from agents.suppress.partition import PARTITION, to_partition
from agents.suppress.reasons import reasons
from schemas.codec import decode_order, decode_suppression, encode
from schemas.command import ContactCommand, Retract
from schemas.order import Held
from schemas.rejected import Rejected
from schemas.suppression import Reason
from schemas.topics import catalogue
from schemas.typology import HARD, SOFT, Status
from streams.errors import Failed, WrongUse
from streams.installation import has_other_secret
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

    Of a command about a contact, `reasons` are those that stand now, `before` those that stood when it was given
    (None where that is not known); `denied` are the statuses that still deny a send of who is forgotten, and
    `denied_before` those that did.
    """

    seen: str | None
    reasons: Sequence[Reason] = ()
    before: Sequence[Reason] | None = None
    denied: Sequence[Status] = ()
    denied_before: Sequence[Status] = ()

    @property
    def changed(self) -> bool | None:
        """Whether anything stands otherwise than before; None where that is not known."""
        if self.before is None:
            return None
        return (list(self.before), list(self.denied_before)) != (list(self.reasons), list(self.denied))


class WouldBe(NamedTuple):
    """A contact that a retraction reaches, with the reasons that stand and those that would."""

    tenant: str
    recipient: str
    before: Sequence[Reason]
    after: Sequence[Reason]


async def give(settings: Settings, command: ContactCommand, unknown_rules: Collection[str] = ()) -> Outcome:
    """Publish a command, and wait a while until it has taken effect.

    `unknown_rules` are those it names that only another command can have made up.

    Raises:
        WrongUse: Nothing of the contact goes by one of them; nothing is published.

    """
    await ensure_topics(settings)
    known = not command.recipient or not await has_other_secret(settings)
    was = await _contact_now(settings, command) if known and command.recipient else None
    if was and (wrong := sorted(set(unknown_rules) - _rules_of(was))):
        rules = ", ".join(dict.fromkeys(reason.rule for reason in was.standing))
        stands = f"what blocks this contact goes by {rules}" if rules else "this contact is not blocked"
        raise WrongUse(f"no rule called {', '.join(wrong)} has blocked anybody; {stands}")
    await _publish(settings, command)
    if not known:
        return Outcome(UNKNOWN_KEYS)
    before = was.standing if was else None
    denied = sorted(was.orders.denied) if was else ()
    try:
        async with asyncio.timeout(WAIT_SECONDS), _state(settings) as (partitions, reader):
            while True:
                if command.command == "retract":
                    if await _is_through(partitions, command.id):
                        return Outcome(None)
                else:
                    contact = await reader.contact(command.tenant or "", command.recipient or "")
                    if contact and contact.orders.has_taken(command.id):
                        return Outcome(None, contact.standing, before, sorted(contact.orders.denied), denied)
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        return Outcome(f"it has not taken effect within {WAIT_SECONDS:g} s: is a worker running, and Redis there?")
    except RedisError as error:
        return Outcome(f"Redis can't be asked whether it took effect ({error})")


async def _publish(settings: Settings, command: ContactCommand) -> None:
    publisher = KafkaPublisher(settings)
    await publisher.start()
    try:
        key = (command.recipient or command.id).encode()
        await publisher.publish([Outgoing("contact-commands", key, encode(command))])
    finally:
        await publisher.stop()


async def _contact_now(settings: Settings, command: ContactCommand) -> Contact | None:
    """Give a contact as it is before a command; None where that can't be told."""
    try:
        async with _state(settings) as (_, reader):
            return await reader.contact(command.tenant or "", command.recipient or "")
    except RedisError:
        return None


def _rules_of(contact: Contact) -> set[str]:
    by_hand = {event[2] for events in contact.by_hand.values() for event in events}
    return by_hand | {reason.rule for reason in contact.standing}


async def give_retract(
    settings: Settings, command: ContactCommand, retract: Retract
) -> tuple[Outcome, list[WouldBe] | None]:
    """Give a retraction, and look what it did: whom it reached, with the reasons of before and of afterwards.

    None where they can't be counted. What else came to these contacts meanwhile shows in it too.
    """
    try:
        await ensure_topics(settings)
        reached = await would_retract(settings, retract)
    except (Failed, RedisError):
        reached = None  # the retraction itself needs no state that can be read from here
    outcome = await give(settings, command)
    if reached is None or outcome.seen is not None:
        return outcome, None
    found: list[WouldBe] = []
    try:
        async with _state(settings) as (_, reader):
            for start in range(0, len(reached), CONTACTS_PER_LOOK):
                some = reached[start : start + CONTACTS_PER_LOOK]
                contacts = await reader.contacts([(one.tenant, one.recipient) for one in some])
                if contacts is None:
                    return outcome, None
                found += [one._replace(after=now.standing) for one, now in zip(some, contacts, strict=True)]
    except RedisError:
        return outcome, None
    return outcome, found


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
    if await has_other_secret(settings):
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
                if contact.retract(retract, tenant):
                    after = reasons(contact, settings.policy.of(tenant))
                    found.append(WouldBe(tenant, recipient, before, after))
            on_progress(start + len(some))
    return found


async def _candidates(settings: Settings, retract: Retract) -> list[tuple[str, str]]:
    """Give the blocked contacts that a retraction may change, in order of tenant and recipient."""
    statuses = set(retract.statuses)
    if not SOFT.isdisjoint(statuses):
        statuses |= SOFT  # a run of failures goes by the status of its last
    if not HARD.isdisjoint(statuses):
        statuses.add("Preblock")  # it may rest on hard bounces of other tenants
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
    found |= await _held_back(settings, retract)
    return sorted(found)


async def _held_back(settings: Settings, retract: Retract) -> dict[tuple[str, str], None]:
    """Give the contacts whose block the brake holds back, so that `suppressions` does not tell of it yet."""
    found: dict[bytes, tuple[str, str]] = {}
    async for record in read_to_end(settings, {HELD: {}}):
        if record.value is None:
            found.pop(record.key, None)
        elif not isinstance(held := decode_order(record.value), Rejected) and isinstance(held[0], Held):
            found[record.key] = held[0].name
    return {name: None for name in found.values() if retract.reaches(*name)}
