"""Whatever fails while reports come in, the standing decisions end the same."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from streams.dev import RunningWorker, run_workers
from streams.dev_stack import Endpoints
from tests.support.conformance import expected, lines, standing
from tests.support.topics_io import Topics, topics_of

HISTORY = "disorder-and-repeats"
CAUSE = re.compile(rb'"cause":"[a-z-]+"')
PAUSE_SECONDS = 7.0  # the session is 4 s, and the other one needs some to take over
CUT_OFF_SECONDS = 20.0
ROUNDS = 3  # faults of each kind, spread over the history; a worker's start takes most of the time


# At one stroke, as no worker may see a half of it. A snapshot is keys and values in turn.
DUMP = """
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    found[#found + 1] = key
    found[#found + 1] = redis.call('DUMP', key)
end
return found
"""
REPLACE = """
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end
for at = 2, #ARGV, 2 do redis.call('RESTORE', ARGV[at], 0, ARGV[at + 1]) end
"""


class Installation:
    """Workers, and the broker and Redis below them, with the ways to hurt them."""

    def __init__(self, stack: Endpoints, prefix: str, redis: Redis) -> None:
        """Start with no worker; `environ` is what those to come find beside the names of topics."""
        self.environ: dict[str, str] = {}
        self._stack = stack
        self._prefix = prefix
        self._redis = redis
        self._workers: list[tuple[RunningWorker, AsyncExitStack]] = []
        self._snapshot: list[bytes] = []

    async def start_worker(self) -> None:
        running = AsyncExitStack()
        environ = {"BOUNCELINE_TOPIC_PREFIX": self._prefix, **self.environ}
        workers = await running.enter_async_context(run_workers(self._stack, 1, **environ))
        self._workers.append((workers[0], running))

    async def stop_worker(self) -> None:
        """Stop the oldest worker gracefully."""
        _, running = self._workers.pop(0)
        await running.aclose()

    async def kill_worker(self) -> None:
        """Kill the oldest worker and start another in its place."""
        worker, running = self._workers.pop(0)
        worker.server.stop()
        await running.aclose()
        await self.start_worker()

    async def exchange_worker(self) -> None:
        """Let one join, then the oldest leave."""
        await self.start_worker()
        await self.stop_worker()

    async def pause_worker(self) -> None:
        """Stop the oldest worker for longer than its session, as a virtual machine that is moved; then let it go on."""
        worker, _ = self._workers[0]
        os.kill(worker.server.pid, signal.SIGSTOP)
        await asyncio.sleep(PAUSE_SECONDS)
        os.kill(worker.server.pid, signal.SIGCONT)

    async def flush(self) -> None:
        """Lose all that Redis holds of us."""
        await self._replace([])

    async def roll_back(self) -> None:
        """Put Redis back to what it was at the last call, as a failover to a stale replica does."""
        now = await self._redis.eval(DUMP, 0, f"{self._prefix}*")
        if self._snapshot:
            await self._replace(self._snapshot)
        self._snapshot = now

    async def cut_off(self) -> None:
        """Let Redis answer nobody for a while, as behind a broken network; what it holds stays."""
        await self._redis.client_pause(round(CUT_OFF_SECONDS * 1_000))
        await asyncio.sleep(CUT_OFF_SECONDS)

    async def _replace(self, keys_and_values: list[bytes]) -> None:
        """Put other keys in the place of ours at one stroke, as a flush and a failover do: workers may be restoring."""
        await self._redis.eval(REPLACE, 0, f"{self._prefix}*", *keys_and_values)

    async def close(self) -> None:
        while self._workers:
            await self.stop_worker()


@pytest.fixture
async def installation(
    stack: Endpoints, prefix: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Installation]:
    """Give an installation with two workers; the parameter, if there is one, is their policy."""
    async with Redis.from_url(stack.redis) as redis:
        found = Installation(stack, prefix, redis)
        if policy := getattr(request, "param", None):
            file = tmp_path / "policy.toml"
            file.write_text(policy)
            found.environ["BOUNCELINE_POLICY"] = str(file)
        await asyncio.gather(found.start_worker(), found.start_worker())
        yield found
        await found.close()


@asynccontextmanager
async def _publishing(topics: Topics) -> AsyncIterator[asyncio.Task[None]]:
    """Publish the history little by little until the block ends; then the rest at once."""
    history = [(orjson.loads(line)["payload"]["recipient"].encode(), line) for line in lines(HISTORY)]
    hurry = asyncio.Event()

    async def publish() -> None:
        for key, line in history:
            await topics.publish([line], [key])
            if not hurry.is_set():
                await asyncio.sleep(0.15)  # longer than any story's faults take

    task = asyncio.create_task(publish())
    yield task
    hurry.set()
    await task


Faults = list[Callable[[Installation], Awaitable[None]]]

STORIES: dict[str, Faults] = {
    "a worker is killed again and again": [Installation.kill_worker] * ROUNDS,
    "Redis is flushed again and again": [Installation.flush] * ROUNDS,
    "Redis is cut off": [Installation.cut_off],
    "Redis is rolled back again and again": [Installation.roll_back] * (ROUNDS + 1),
    "a worker is paused again and again": [Installation.pause_worker] * ROUNDS,
    "workers come and go": [Installation.exchange_worker] * 3,
    "all of it": [
        Installation.roll_back,
        Installation.kill_worker,
        Installation.flush,
        Installation.exchange_worker,
        Installation.pause_worker,
        Installation.cut_off,
        Installation.roll_back,
        Installation.kill_worker,
        Installation.flush,
    ],
}


@pytest.mark.parametrize("story", STORIES)
async def test_the_standing_decisions_end_as_if_nothing_had_happened(
    story: str, installation: Installation, stack: Endpoints, prefix: str
) -> None:
    async with topics_of(stack, prefix) as topics:
        async with _publishing(topics) as publishing:
            for fault in STORIES[story]:
                await asyncio.sleep(1.0)
                assert not publishing.done(), "a fault must land on work in flight"
                await fault(installation)
        await topics.decided()
        await topics.carried_out()
        assert expected(HISTORY) == standing(await topics.suppressions())
        assert_repeats_are_equal([record.value for record in await topics.read("suppressions")])


HOLD_MOST = '[brake]\nenabled = true\nfloor = 1\nfactor = 1\nhold = "3s"'


@pytest.mark.parametrize("installation", [HOLD_MOST], indirect=True, ids=["a brake"])
async def test_a_brake_that_holds_all_but_the_first_of_a_minute_changes_nothing_of_that(
    installation: Installation, stack: Endpoints, prefix: str
) -> None:
    async with topics_of(stack, prefix) as topics:
        async with _publishing(topics) as publishing:
            for fault in STORIES["all of it"]:
                await asyncio.sleep(1.0)
                assert not publishing.done(), "a fault must land on work in flight"
                await fault(installation)
        await topics.decided()
        await topics.carried_out()
        assert expected(HISTORY) == standing(await topics.suppressions())
        assert_repeats_are_equal([record.value for record in await topics.read("suppressions")])


def assert_repeats_are_equal(values: list[bytes]) -> None:
    """Assert that records about the same reasons of one contact are the same bytes, but for the cause."""
    told: dict[bytes, set[bytes]] = {}
    for value in values:
        parsed = orjson.loads(value)
        said = [parsed[field] for field in ("tenant", "recipient", "action", "status", "since", "reasons")]
        told.setdefault(orjson.dumps(said), set()).add(CAUSE.sub(b"", value))
    assert len(told) > 1
    assert [same for same in told.values() if len(same) > 1] == []
