"""Commands by the command line: each takes effect, says what came of it, and a dry run changes nothing."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.dev import run_workers
from streams.dev_stack import Endpoints
from tests.support.topics_io import Topics, topics_of

ROOT = Path(__file__).parents[2]


class Shell:
    def __init__(self, environ: dict[str, str], topics: Topics) -> None:
        self.environ, self.topics = environ, topics

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "streams", *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False, timeout=120
        )

    def json(self, *words: str) -> dict[str, Any]:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = orjson.loads(done.stdout)
        return found

    async def report(self, recipient: str, at: str, status: str, message: str = "m") -> None:
        payload = {"recipient": recipient, "occurred_at": at, "status": status, "message_id": message}
        value = orjson.dumps({"provider": "normalized", "tenant": "acme", "payload": payload})
        await self.topics.publish([value], [recipient.encode()])


@pytest.fixture
async def shell(stack: Endpoints, prefix: str) -> AsyncIterator[Shell]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCELINE_")}
    own = {"BOUNCELINE_KAFKA": stack.kafka, "BOUNCELINE_REDIS": stack.redis, "BOUNCELINE_TOPIC_PREFIX": prefix}
    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix), topics_of(stack, prefix) as topics:
        yield Shell(kept | own, topics)


async def test_release_suppress_and_erase_say_what_stands_afterwards(shell: Shell) -> None:
    told = shell.json("suppress", "acme", "Jane@Example.com", "--status", "User", "--note", "by phone")
    assert (told["took_effect"], told["recipient"]) == (True, "jane@example.com")
    assert [reason["status"] for reason in told["reasons"]] == ["User"]
    [command] = [orjson.loads(record.value) for record in await shell.topics.read("contact-commands")]
    assert (command["note"], command["command"], command["status"]) == ("by phone", "suppress", "User")
    assert command["actor"]

    assert shell.json("release", "acme", "jane@example.com")["reasons"] != []  # an unsubscribe is not lifted unnamed
    done = shell.run("release", "acme", "jane@example.com", "--status", "User", "--consent", "form of today")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("jane@example.com is not blocked\n")
    done = shell.run("erase", "acme", "jane@example.com", "--actor", "ops")
    assert done.returncode == 0
    last = {record.key: record.value for record in await shell.topics.read("suppressions")}
    assert last == {b"acme\x1fjane@example.com": None}


async def test_a_dry_run_tells_what_a_retraction_then_does(shell: Shell) -> None:
    at = "2026-11-20T10:05:00.000Z"
    for number in range(3):
        await shell.report(f"p{number}@example.com", at, "User unknown")
    await shell.report("p0@example.com", at, "Spam")
    await shell.topics.decided()
    incident = ["--from", "2026-11-20T10:00:00Z", "--to", "2026-11-20T11:00:00Z", "--status", "User unknown"]
    before = await shell.topics.suppressions()
    told = shell.json("retract", *incident, "--tenant", "acme", "--dry-run")
    assert (told["released"], told["still_blocked"]) == ({"User unknown": 2}, {"Spam": 1})
    assert [(one["recipient"], one["released"]) for one in told["contacts"]] == [
        ("p0@example.com", False),
        ("p1@example.com", True),
        ("p2@example.com", True),
    ]
    shown = shell.run("retract", *incident, "--dry-run").stdout
    assert "p***@example.com" in shown
    assert "p1@" not in shown
    assert await shell.topics.suppressions() == before

    assert shell.json("retract", *incident, "--tenant", "acme")["took_effect"] is True
    said = await shell.topics.suppressions()
    assert {one["recipient"] for one in said if one["action"] == "release"} == {"p1@example.com", "p2@example.com"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["release", "acme", "nobody"], "the recipient is not one mail address"),
        (["release", "acme", "a@example.com", "--status", "Bogus"], "there is no status Bogus"),
        (["release", "acme", "a@example.com", "--status", "Spam"], "consent is missing"),
        (["suppress", "a b", "a@example.com", "--status", "User"], "tenant"),
        (["retract", "--from", "2h", "--to", "3h", "--status", "Spam"], "from is not before to"),
    ],
)
def test_wrong_use_is_one_sentence_and_publishes_nothing(words: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
