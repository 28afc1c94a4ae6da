"""The same job as users of stock Faust would write it: one record at a time, a windowed table, `topic.send`.

    python -m tests.bench.stock_faust KAFKA SECRET_HEX COUNT_FILE

Classification and fold are Bounceline's own functions, so that what differs is the engine. The table is in memory, the
fastest store stock Faust has; it writes its changelog, as ours does. Writes how many delivery events it has decided so
far to COUNT_FILE, twice a second.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import faust

from agents.classify.classification import classify
from agents.suppress.cells import to_cells, to_contact, to_deliveries
from agents.suppress.decision import decide
from agents.suppress.identity import contact_keys, contact_name
from schemas.codec import decode_delivery_event, decode_report, encode
from schemas.delivery import DeliveryEvent
from schemas.policy import parse_policy
from schemas.rejected import Rejected
from schemas.suppression import Suppression, suppression_key


def stock_app(name: str, kafka: str) -> Any:
    """Make an app with stock Faust's transport and its fastest store."""
    return faust.App(
        name,
        broker=f"aiokafka://{kafka}",
        store="memory://",
        value_serializer="raw",
        topic_partitions=8,
        topic_disable_leader=True,
        web_enabled=False,
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        stream_wait_empty=False,
    )


def make_app(kafka: str, secret: bytes, count_file: Path) -> Any:
    """Make the app."""
    app = stock_app("stock", kafka)
    contact_key, policy, decided = contact_keys(secret), parse_policy(""), [0]
    reports = app.topic("esp-reports", value_type=bytes, value_serializer="raw")
    events = app.topic("delivery-events", key_type=bytes, key_serializer="raw", value_serializer="raw")
    suppressions = app.topic("suppressions", key_type=bytes, key_serializer="raw", value_serializer="raw")
    table = app.Table("contacts", default=dict, partitions=8).tumbling(timedelta(days=1), key_index=False)

    @app.agent(reports)
    async def classified(stream: Any) -> None:
        async for value in stream:
            report = decode_report(value)
            assert not isinstance(report, Rejected)
            for _, event in classify(report):
                if isinstance(event, DeliveryEvent):
                    await events.send(key=contact_key(event.recipient).encode(), value=encode(event))

    @app.agent(events)
    async def suppressed(stream: Any) -> None:
        async for value in stream:
            decoded = decode_delivery_event(value)
            assert not isinstance(decoded, Rejected)
            event, at = decoded
            if event.effect == "ignore":
                continue
            name = contact_name(contact_key, event.tenant, event.recipient)
            # One day of the contact is all that a tumbling window gives: less than what Bounceline looks at.
            window = table[name]
            kept = window.value() or {}
            cells = {int(day): cell.encode() for day, cell in kept.get("cells", {}).items()}
            contact = to_contact(cells, [tuple(mark) for mark in kept.get("delivered", ())])
            decision = decide({(event.tenant, event.recipient): contact}, [decoded], policy, at)
            for said in decision.said:
                assert isinstance(said, Suppression)
                await suppressions.send(key=suppression_key(said.tenant, said.recipient), value=encode(said))
            after = {str(day): cell.decode() for day, cell in to_cells(contact).items()}
            table[name] = {"cells": after, "delivered": list(to_deliveries(contact))}
            decided[0] += 1

    @app.timer(interval=0.5)
    async def count() -> None:
        count_file.write_text(str(decided[0]))

    return app


if __name__ == "__main__":
    kafka, secret, count_file = sys.argv[1:]
    sys.argv[1:] = ["worker", "--loglevel", "warn"]
    make_app(kafka, bytes.fromhex(secret), Path(count_file)).main()
