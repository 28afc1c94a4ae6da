"""What state costs: how long a million contacts take to restore, and how many bytes of Redis each takes. Writes JSON.

    make bench

A million contacts with a soft bounce or two are put on the changelog, Redis is empty, and one process restores all
partitions as a worker does. Then notes of deliveries are written, to see what a healthy contact costs.
"""

import asyncio
import hashlib
import json
import sys
import time

from redis.asyncio import Redis

from agents.suppress.attempts import DELIVERED
from agents.suppress.cells import to_cells
from agents.suppress.contact import Contact
from agents.suppress.identity import contact_keys
from schemas.times import DAY, HOUR
from streams.app import make_app
from streams.dev import _environ, running
from streams.publisher import KafkaPublisher, partition_of
from streams.settings import from_environment
from streams.state.changelog import Changelog
from streams.state.contacts import make_contacts
from streams.state.deliveries import Deliveries, to_notes
from streams.state.partitions import Write

CONTACTS = 1_000_000
NOTES = 200_000
PARTITIONS = 8
START = 20_000 * DAY
PER_WRITE = 2_000
KEPT_SECONDS = 380 * 86_400


def _name(number: int) -> str:
    return "acme\x1f" + hashlib.sha256(b"%d" % number).hexdigest()


def _cells(number: int) -> dict[int, bytes]:
    contact = Contact()
    at = START + number * 50
    contact.marks = [(at + n * HOUR, str(10**17 + number * 2 + n), n % 2, "") for n in range(1 + number % 2)]
    return to_cells(contact)


async def measure() -> dict[str, float]:
    """Fill, restore, measure."""
    async with running(0) as dev, Redis.from_url(dev.endpoints.redis) as redis:
        settings = from_environment(_environ(dev.endpoints))
        store = make_contacts(make_app(settings), settings.redis, PARTITIONS).table.data
        publisher = KafkaPublisher(settings)
        await publisher.start()
        deliveries = Deliveries(settings, store.partitions, contact_keys(b"bench"))
        changelog = Changelog(settings, store, publisher, deliveries.renote)
        await asyncio.gather(*(changelog.restore(partition, 0, lambda: True) for partition in range(PARTITIONS)))
        waiting: dict[int, dict[str, dict[int, bytes]]] = {partition: {} for partition in range(PARTITIONS)}
        for number in range(CONTACTS):
            name = _name(number)
            partition = partition_of(name[5:].encode(), PARTITIONS)
            waiting[partition][name] = _cells(number)
            if len(waiting[partition]) >= PER_WRITE:
                await changelog.write(partition, waiting[partition], dict.fromkeys(waiting[partition], KEPT_SECONDS))
                waiting[partition] = {}
        for partition, changes in waiting.items():
            await changelog.write(partition, changes, dict.fromkeys(changes, KEPT_SECONDS))
        await redis.flushall()
        empty = (await redis.info("memory"))["used_memory"]
        for partition in range(PARTITIONS):
            store.partitions.let_go(partition)
        began = time.perf_counter()
        await asyncio.gather(*(changelog.restore(partition, 0, lambda: True) for partition in range(PARTITIONS)))
        took = time.perf_counter() - began
        full = (await redis.info("memory"))["used_memory"]
        for start in range(0, NOTES, PER_WRITE):
            notes = to_notes(
                (_name(number), [(START + number, str(10**17 + number), DELIVERED, "")])
                for number in range(start, start + PER_WRITE)
            )
            await store.partitions.write(0, Write({}, None, start + 1, notes))
        noted = (await redis.info("memory"))["used_memory"]
        await publisher.stop()
        await store.close()
        return {
            "contacts": CONTACTS,
            "restore_seconds": round(took, 1),
            "restored_contacts_per_second": round(CONTACTS / took),
            "redis_bytes_per_contact": round((full - empty) / CONTACTS),
            "redis_bytes_per_noted_delivery": round((noted - full) / NOTES),
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(measure()), indent=1) + "\n")
