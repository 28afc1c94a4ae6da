"""The engine alone: count records by key in a table, as Bounceline's engine and as stock Faust do it.

    python -m tests.bench.counting ours|stock KAFKA REDIS COUNT_FILE

Both read `delivery-events`, add one to their key's value in a tumbling one-day window, write the changelog and commit.
Ours keeps the table in Redis, stock Faust in memory, the fastest store it has. Writes how many records it has counted
so far to COUNT_FILE, twice a second.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop

from agents.ports import Batch, Changed
from streams.app import bind, make_app
from streams.partition_runs import PartitionRuns
from streams.publisher import KafkaPublisher
from streams.settings import from_environment
from streams.state.changelog import Changelog
from streams.state.contacts import RedisContactTable, make_contacts
from streams.state.deliveries import Deliveries
from tests.bench.stock_faust import stock_app

DAY_NUMBER = 20_000


async def ours(count_file: Path) -> None:
    """Count with the engine."""
    settings = from_environment(os.environ)
    app, publisher, counted = make_app(settings), KafkaPublisher(settings), [0]
    store = make_contacts(app, settings.redis, 8).table.data
    deliveries = Deliveries(settings, store.partitions, lambda recipient: recipient)
    changelog = Changelog(settings, store, publisher, deliveries.renote)
    contacts = RedisContactTable(settings, store.partitions, changelog, _stop)

    async def count(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            keys = ["bench\x1f" + (record.key or b"").decode() for record in batch.records]
            counts = dict.fromkeys(keys, 0)
            for key, known in zip(counts, await contacts.read(batch, list(counts), ()), strict=True):
                counts[key] = int(known.cells.get(DAY_NUMBER, b"0"))
            for key in keys:
                counts[key] += 1
            await contacts.write(batch, {key: Changed({DAY_NUMBER: b"%d" % now}) for key, now in counts.items()})
            batch.done()
            counted[0] += len(batch.records)

    bind(app, settings.topic("delivery-events"), "count", PartitionRuns(count, _stop))
    await publisher.start()
    await app.start()
    while True:
        count_file.write_text(str(counted[0]))
        await asyncio.sleep(0.5)


def _stop(error: BaseException) -> None:
    sys.stderr.write(f"{error!r}\n")
    os._exit(1)


def stock(kafka: str, count_file: Path) -> Any:
    """Count with stock Faust."""
    app = stock_app("stock-counting", kafka)
    counted = [0]
    events = app.topic("delivery-events", key_type=str, value_type=bytes, value_serializer="raw")
    table = app.Table("counts", default=int, partitions=8).tumbling(timedelta(days=1), key_index=False)

    @app.agent(events)
    async def count(stream: Any) -> None:
        async for event in stream.events():
            table[event.key] += 1
            counted[0] += 1

    @app.timer(interval=0.5)
    async def tell() -> None:
        count_file.write_text(str(counted[0]))

    return app


if __name__ == "__main__":
    engine, kafka, redis, count_file = sys.argv[1:]
    if engine == "ours":
        os.environ |= {
            "BOUNCELINE_KAFKA": kafka,
            "BOUNCELINE_REDIS": redis,
            "BOUNCELINE_CONTACT_SECRET": "bench",
            "BOUNCELINE_SESSION_TIMEOUT": "4s",
        }
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.run(ours(Path(count_file)))
    else:
        sys.argv[1:] = ["worker", "--loglevel", "warn"]
        stock(kafka, Path(count_file)).main()
