"""`bounceline demo` runs as a newcomer runs it: it shows what was decided, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.codec import decode_suppression
from schemas.policy import parse_policy
from schemas.typology import STATUSES
from streams.demo.day import Day, make_day
from streams.replay import replay

# It brings its own servers, whatever the other tests run against.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

MARK = "DEMO_TEST_RUN"  # in the environment of the demo, and so of every process that it starts


@pytest.fixture
def run() -> str:
    return uuid4().hex


def started_by(run: str) -> list[int]:
    """The processes, zombies aside, that have the run's mark in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and f"{MARK}={run}".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or is somebody else's
    return found


@pytest.fixture
def demo(run: str) -> Iterator[subprocess.Popen[str]]:
    # What a shell has set for real workers is not for the demo.
    environ = {**os.environ, MARK: run, "BOUNCELINE_TOPIC_PREFIX": "elsewhere-", "COLUMNS": "200"}
    command = [sys.executable, "-m", "streams", "demo"]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(demo: subprocess.Popen[str], words: str) -> None:
    for line in demo.stdout:
        if words in line:
            return
    pytest.fail(f"ended without saying {words!r}: {demo.stderr.read()}")


def worker_of(run: str) -> int:
    found = [pid for pid in started_by(run) if b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(found) == 1
    return found[0]


async def blocked_in_replay(day: Day) -> Counter[str]:
    """How many contacts are blocked by which status when the same day is replayed without broker and Redis."""
    standing = {}

    def take(line: bytes) -> None:
        record = decode_suppression(line)
        standing[record.tenant, record.recipient] = record

    await replay((arrival.value for arrival in day.arrivals), parse_policy(""), take, lambda _: None)
    return Counter(record.status for record in standing.values() if record.action == "suppress")


async def test_it_shows_what_was_blocked_and_why_and_leaves_nothing_behind(demo, run: str) -> None:
    out, err = demo.communicate()
    assert (demo.returncode, err) == (0, "")
    day = make_day()
    shown = {status: int(re.search(rf"^  {re.escape(status)} .* (\d+)$", out, re.MULTILINE)[1]) for status in STATUSES}
    assert shown == await blocked_in_replay(day)
    assert all(shown.values())
    for story in day.stories:
        assert story.recipient in out
    for reason in {one for arrival in day.arrivals for one in arrival.intended} - set(STATUSES):
        assert reason in {"reset", "lift", "ignore"} or re.search(rf"\b{reason}\s\d", out), reason
    assert f"{len(day.arrivals):,} reports with" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert started_by(run) == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_leaves_nothing_behind(demo, run: str, sign: signal.Signals) -> None:
    wait_for(demo, "They are up")
    demo.send_signal(sign)
    _, err = demo.communicate()
    assert demo.returncode == 128 + sign
    assert err == "\nStopped; nothing is left behind.\n"
    assert started_by(run) == []


def test_a_worker_that_dies_is_told_in_one_sentence_with_its_log(demo, run: str) -> None:
    wait_for(demo, "They are up")
    os.kill(worker_of(run), signal.SIGKILL)
    _, err = demo.communicate()
    assert demo.returncode == 1
    assert err.splitlines()[-1] == "bounceline: Worker 1 ended with code -9."
    assert "worker-started" in err
    assert started_by(run) == []


def test_a_nights_outage_is_undone_by_one_command_and_nobody_else_is_freed(run: str) -> None:
    command = [sys.executable, "-m", "streams", "demo", "--outage"]
    done = subprocess.run(
        command, env={**os.environ, MARK: run}, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "8,840 contacts are blocked by the morning." in done.stdout
    assert re.search(r"released +User unknown +8,000", done.stdout)
    assert re.search(r"still blocked +User unknown +300", done.stdout)
    assert "8,000 contacts are back: those of the outage, and nobody else." in done.stdout
    assert started_by(run) == []
