"""How many reports a second: classifying and folding alone, and one worker from end to end. Writes JSON.

    make bench

Machines differ and are shared: compare figures of one run with each other, never across runs. Nothing is asserted.
"""

import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from random import Random

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer

from agents.classify.classification import classify
from agents.suppress.cells import to_cells, to_contact
from agents.suppress.decision import decide
from schemas.codec import decode_delivery_event, decode_report, encode
from schemas.delivery import DeliveryEvent
from schemas.policy import parse_policy
from schemas.rejected import Rejected
from streams.dev import running

REPORTS = 40_000
CONTACTS = 20_000
SECONDS_APART = 0.05  # 20 reports a second, so 40,000 are half an hour: within the allowed lateness however read


def reports(number: int, seed: int = 1) -> list[tuple[bytes, bytes]]:
    """Make Mailjet reports, keyed by recipient: 65 % accepted, 25 % opened, 8 % soft, 2 % hard bounces."""
    random = Random(seed)
    made = []
    for place in range(number):
        email = f"contact{random.randrange(CONTACTS)}@example.com"
        event = {"time": int(1_760_000_000 + place * SECONDS_APART), "MessageID": 10**17 + place, "email": email}
        drawn = random.random()
        if drawn < 0.65:
            event |= {"event": "sent", "smtp_reply": "sent (250 2.0.0 OK)"}
        elif drawn < 0.90:
            event |= {"event": "open", "ip": "192.0.2.1", "agent": "Mozilla/5.0"}
        else:
            hard = drawn > 0.98
            event |= {"event": "bounce", "hard_bounce": hard, "error_related_to": "recipient"}
            event["error"] = "user unknown" if hard else "quota exceeded"
            event["comment"] = "550 5.1.1 no such user" if hard else "452 4.2.2 mailbox full"
        made.append((email.encode(), orjson.dumps({"provider": "mailjet", "tenant": "acme", "payload": event})))
    return made


def classified(values: Sequence[bytes]) -> list[bytes]:
    """Do what the classify agent does with values, without a broker."""
    found = []
    for value in values:
        report = decode_report(value)
        assert not isinstance(report, Rejected)
        found += [encode(event) for _, event in classify(report) if isinstance(event, DeliveryEvent)]
    return found


def folded(values: Sequence[bytes], batch: int = 1_000) -> int:
    """Do what the suppress agent does with delivery events, the table being a dict; gives the suppressions said."""
    policy, table, said = parse_policy(""), {}, 0
    for start in range(0, len(values), batch):
        decoded = [decode_delivery_event(value) for value in values[start : start + batch]]
        events = [event for event in decoded if not isinstance(event, Rejected) and event[0].effect != "ignore"]
        names = {(event.tenant, event.recipient) for event, _ in events}
        contacts = {name: to_contact(table.get(name, {})) for name in names}
        decision = decide(contacts, events, policy, 0)
        table.update((name, to_cells(contacts[name])) for name in decision.changed)
        said += len(decision.suppressions)
    return said


async def end_to_end(made: Sequence[tuple[bytes, bytes]]) -> float:
    """Publish reports to the embedded stack with one worker; gives seconds until all are decided."""
    relevant = sum(b'"open"' not in value for _, value in made)
    async with running(1) as dev, aiohttp.ClientSession() as session:
        producer = AIOKafkaProducer(bootstrap_servers=dev.endpoints.kafka, linger_ms=5)
        await producer.start()
        began = time.perf_counter()
        await asyncio.gather(*[await producer.send("esp-reports", value, key) for key, value in made])
        while await _decided(session, dev.workers[0].http) < relevant:
            await asyncio.sleep(0.05)
        took = time.perf_counter() - began
        await producer.stop()
        return took


async def _decided(session: aiohttp.ClientSession, address: str) -> float:
    async with session.get(f"{address}/metrics") as response:
        for line in (await response.text()).splitlines():
            if line.startswith("bounceline_delivery_events_total"):
                return float(line.split()[1])
    return 0.0


def main() -> None:
    """Measure and print."""
    made = reports(REPORTS)
    values = [value for _, value in made]
    began = time.perf_counter()
    events = classified(values)
    classifying = time.perf_counter() - began
    began = time.perf_counter()
    said = folded(events)
    folding = time.perf_counter() - began
    whole = asyncio.run(end_to_end(made))
    figures = {
        "reports": REPORTS,
        "suppressions": said,
        "classify_reports_per_second": round(REPORTS / classifying),
        "fold_events_per_second": round(len(events) / folding),
        "one_worker_reports_per_second": round(REPORTS / whole),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
