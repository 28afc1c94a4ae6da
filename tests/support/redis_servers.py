"""Redis servers that are more than one: a master with a replica and Sentinels, and a cluster. All on 127.0.0.1."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from streams.dev_server import HOST, Server, free_port
from streams.dev_stack import redis_answers

START_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
SLOTS = 16_384


async def start_redis(binary: str, running: AsyncExitStack, *options: str) -> tuple[Server, int]:
    """Start one server on a free port; it ends with `running`."""
    port = free_port()
    folder = running.enter_context(tempfile.TemporaryDirectory())
    command = [binary, *options, "--bind", HOST, "--port", str(port), "--dir", folder]
    server = Server("A Redis", command)
    running.callback(server.stop)
    await server.ready(lambda: redis_answers(f"redis://{HOST}:{port}/0", server.pid), START_SECONDS)
    return server, port


@asynccontextmanager
async def sentinels(binary: str) -> AsyncIterator[tuple[str, Server]]:
    """Run a master, a replica and three Sentinels; gives the URL, and the master to be killed."""
    memory = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
    async with AsyncExitStack() as running:
        master, port = await start_redis(binary, running, *memory)
        _, replica = await start_redis(binary, running, *memory, "--replicaof", f"{HOST} {port}")
        ports = []
        for _ in range(3):
            folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
            config = folder / "sentinel.conf"  # Sentinels write into it
            config.write_text(
                f"sentinel monitor main {HOST} {port} 2\nsentinel down-after-milliseconds main 1000\n"
                "sentinel failover-timeout main 5000\n"
            )
            _, own = await start_redis(binary, running, str(config), "--sentinel")
            ports.append(own)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for own in ports:
                await _until_sentinel_knows(own)
            await _until_in_step(replica)
        yield f"redis-sentinel://{','.join(f'{HOST}:{own}' for own in ports)}/main", master


async def _until_sentinel_knows(port: int) -> None:
    sentinel: Any
    async with Redis(host=HOST, port=port) as sentinel:
        while True:
            masters: Any = await sentinel.sentinel_masters()
            [known] = masters.values()
            if known["num-slaves"] and known["num-other-sentinels"] == 2:
                return
            await asyncio.sleep(0.1)


async def _until_in_step(port: int) -> None:
    async with Redis(host=HOST, port=port) as replica:
        while (await replica.info("replication"))["master_link_status"] != "up":
            await asyncio.sleep(0.1)


@asynccontextmanager
async def cluster(binary: str, nodes: int = 3) -> AsyncIterator[str]:
    """Run a cluster of masters that share the slots; gives the URL."""
    async with AsyncExitStack() as running:
        ports, buses = [], []
        for _ in range(nodes):
            buses.append(free_port())
            options = ("--cluster-enabled", "yes", "--cluster-port", str(buses[-1]), "--save", "")
            ports.append((await start_redis(binary, running, *options))[1])
        for number, port in enumerate(ports):
            node: Any
            async with Redis(host=HOST, port=port) as node:
                first, last = SLOTS * number // nodes, SLOTS * (number + 1) // nodes - 1
                await node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
                await node.execute_command("CLUSTER", "MEET", HOST, ports[0], buses[0])
        async with asyncio.timeout(PATIENCE_SECONDS):
            for port in ports:
                async with Redis(host=HOST, port=port) as node:
                    while "cluster_state:ok" not in str(await node.execute_command("CLUSTER", "INFO")):
                        await asyncio.sleep(0.1)
        yield f"redis-cluster://{','.join(f'{HOST}:{port}' for port in ports)}"
