"""How many reports a second: the pure parts alone, one worker from end to end, and stock Faust doing the same. JSON.

    make bench

Machines differ and are shared: compare figures of one run with each other, never across runs. Nothing is asserted.
Reports lie on the topic before a worker starts, so that publishing them costs it nothing; time is taken from the first
decided event to the last one.
"""

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer

from agents.classify.classification import classify
from agents.suppress.cells import to_cells, to_contact
from agents.suppress.decision import Name, decide
from agents.suppress.identity import contact_keys
from schemas.codec import decode_delivery_event, decode_report, encode
from schemas.delivery import DeliveryEvent
from schemas.policy import parse_policy
from schemas.rejected import Rejected
from streams.dev import run_workers, running
from streams.dev_server import Server
from streams.dev_stack import Endpoints
from streams.settings import DEV_SECRET

REPORTS = 100_000
STOCK_REPORTS = 10_000  # stock Faust takes about as long for these
CONTACTS_PER_REPORT = 0.5
SECONDS_APART = 0.05  # 20 reports a second
LIMIT_SECONDS = 300.0


def reports(number: int, seed: int = 1) -> list[tuple[bytes, bytes]]:
    """Make Mailjet reports, keyed by recipient: 65 % accepted, 25 % opened, 8 % soft, 2 % hard bounces."""
    random = Random(seed)
    made = []
    for place in range(number):
        email = f"contact{random.randrange(int(number * CONTACTS_PER_REPORT))}@example.com"
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


def relevant(made: Sequence[tuple[bytes, bytes]]) -> int:
    """Count those that lead to a decided event: an open is ignored."""
    return sum(b'"open"' not in value for _, value in made)


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
    table: dict[Name, dict[int, bytes]] = {}
    policy, said = parse_policy(""), 0
    for start in range(0, len(values), batch):
        decoded = [decode_delivery_event(value) for value in values[start : start + batch]]
        events = [event for event in decoded if not isinstance(event, Rejected) and event[0].effect != "ignore"]
        names = {(event.tenant, event.recipient) for event, _ in events}
        contacts = {name: to_contact(table.get(name, {})) for name in names}
        decision = decide(contacts, events, policy, 0)
        table.update((name, to_cells(contacts[name])) for name in decision.changed)
        said += len(decision.said)
    return said


async def _publish(endpoints: Endpoints, made: Sequence[tuple[bytes, bytes]], topic: str = "esp-reports") -> None:
    producer = AIOKafkaProducer(bootstrap_servers=endpoints.kafka, linger_ms=20, max_batch_size=500_000)
    await producer.start()
    await asyncio.gather(*[await producer.send(topic, value, key) for key, value in made])
    await producer.stop()


async def _rate(decided: Callable[[], Awaitable[float]], total: int, pid: int) -> tuple[float, float]:
    """Give decided events a second and the process's CPU us for each, from the first look at which there are some."""
    began, at_first, spent = 0.0, 0.0, 0.0
    async with asyncio.timeout(LIMIT_SECONDS):
        while (now := await decided()) < total:
            if now and not began:
                began, at_first, spent = time.perf_counter(), now, _cpu_seconds(pid)
            await asyncio.sleep(0.02)
    took = time.perf_counter() - began
    return (total - at_first) / took, (_cpu_seconds(pid) - spent) / (total - at_first) * 1e6


async def one_worker(number: int) -> tuple[float, float]:
    """Let one worker decide reports that are already there; gives reports a second, and its CPU us per report."""
    made = reports(number)
    async with running(0) as dev, aiohttp.ClientSession() as session:
        await _publish(dev.endpoints, made)
        async with run_workers(dev.endpoints, 1) as [worker]:

            async def decided() -> float:
                async with session.get(f"{worker.http}/metrics") as response:
                    for line in (await response.text()).splitlines():
                        if line.startswith("bounceline_delivery_events_total"):
                            return float(line.split()[1])
                return 0.0

            rate, spent = await _rate(decided, relevant(made), worker.server.pid)
    share = relevant(made) / number
    return rate / share, spent * share


async def counted_by(module: str, number: int, topic: str, *arguments: str) -> tuple[float, float]:
    """Let a program of this folder take reports, or what they are classified as; gives what `one_worker` does.

    Args:
        module: The program; it writes how far it is to a file.
        number: How many reports.
        topic: `esp-reports` or `delivery-events`; on the latter every record counts, on the former what is decided.
        arguments: The program's arguments: `KAFKA` and `REDIS` stand for the addresses, `COUNT` for the file.

    """
    made = reports(number)
    total = relevant(made)
    if topic == "delivery-events":
        contact_key = contact_keys(DEV_SECRET)
        made = [(contact_key(key.decode()).encode(), classified([value])[0]) for key, value in made]
        total = number
    with tempfile.TemporaryDirectory() as folder:
        count = Path(folder, "count")
        count.write_text("0")
        async with running(0) as dev:
            await _publish(dev.endpoints, made, topic)
            named = {"KAFKA": dev.endpoints.kafka, "REDIS": dev.endpoints.redis, "COUNT": str(count)}
            command = [sys.executable, "-m", module, *(named.get(argument, argument) for argument in arguments)]
            server = Server(module, command, environ=os.environ | {"FAUST_DATADIR": folder})
            try:

                async def done() -> float:
                    if server.ended is not None:
                        raise server.failure("ended")
                    return float(count.read_text() or 0)

                rate, spent = await _rate(done, total, server.pid)
            finally:
                server.stop()
    share = total / number
    return rate / share, spent * share


def _cpu_seconds(pid: int) -> float:
    """Give what a process has spent since it started (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    values = [value for _, value in reports(REPORTS)]
    began = time.perf_counter()
    events = classified(values)
    classifying = time.perf_counter() - began
    began = time.perf_counter()
    said = folded(events)
    folding = time.perf_counter() - began
    stock, stock_cpu = asyncio.run(
        counted_by("tests.bench.stock_faust", STOCK_REPORTS, "esp-reports", "KAFKA", DEV_SECRET.hex(), "COUNT")
    )
    ours, ours_cpu = asyncio.run(one_worker(REPORTS))
    counting = ("tests.bench.counting", "delivery-events")
    stock_engine, _ = asyncio.run(
        counted_by(counting[0], 2 * STOCK_REPORTS, counting[1], "stock", "KAFKA", "-", "COUNT")
    )
    engine, _ = asyncio.run(counted_by(counting[0], 2 * REPORTS, counting[1], "ours", "KAFKA", "REDIS", "COUNT"))
    figures = {
        "reports": REPORTS,
        "suppressions": said,
        "classify_reports_per_second": round(REPORTS / classifying),
        "fold_events_per_second": round(len(events) / folding),
        "one_worker_reports_per_second": round(ours),
        "one_worker_cpu_us_per_report": round(ours_cpu),
        "stock_faust_reports_per_second": round(stock),
        "stock_faust_cpu_us_per_report": round(stock_cpu),
        "times_stock_faust": round(ours / stock, 1),
        "engine_records_per_second": round(engine),
        "stock_engine_records_per_second": round(stock_engine),
        "times_stock_engine": round(engine / stock_engine, 1),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
