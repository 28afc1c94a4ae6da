"""Commands by the command line: each takes effect, says what came of it, and a dry run changes nothing."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.cli.commands import suppress
from streams.dev import run_workers
from streams.dev_stack import Endpoints
from streams.errors import Failed
from tests.support.topics_io import Topics, eventually, topics_of

ROOT = Path(__file__).parents[2]


class Shell:
    def __init__(self, environ: dict[str, str], topics: Topics, http: str) -> None:
        self.environ, self.topics, self.http = environ, topics, http

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

    async def report(self, recipient: str, at: str, status: str, tenant: str = "acme", provider: str = "") -> None:
        payload = {"recipient": recipient, "occurred_at": at, "status": status, "message_id": "m"}
        payload |= {"provider": provider} if provider else {}
        value = orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload})
        await self.topics.publish([value], [recipient.encode()])


@pytest.fixture
async def shell(stack: Endpoints, prefix: str) -> AsyncIterator[Shell]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCELINE_")}
    own = {"BOUNCELINE_KAFKA": stack.kafka, "BOUNCELINE_REDIS": stack.redis, "BOUNCELINE_TOPIC_PREFIX": prefix}
    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix) as workers, topics_of(stack, prefix) as topics:
        yield Shell(kept | own, topics, workers[0].http)


async def test_release_suppress_and_erase_say_what_stands_afterwards(shell: Shell) -> None:
    told = shell.json("suppress", "acme", "Jane@Example.com", "--status", "User", "--note", "by phone")
    assert (told["took_effect"], told["changed"], told["recipient"]) == (True, True, "jane@example.com")
    assert [reason["status"] for reason in told["reasons"]] == ["User"]
    [command] = [orjson.loads(record.value) for record in await shell.topics.read("contact-commands")]
    assert (command["note"], command["command"], command["status"]) == ("by phone", "suppress", "User")
    assert command["actor"]

    told = shell.json("release", "acme", "jane@example.com")
    assert (told["changed"], bool(told["reasons"])) == (False, True)  # an unsubscribe is not lifted unnamed
    done = shell.run("release", "acme", "jane@example.com", "--status", "User", "--consent", "form of today")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("jane@example.com is not blocked\n")
    done = shell.run("erase", "acme", "jane@example.com", "--actor", "ops")
    assert done.returncode == 0
    assert done.stdout.endswith("jane@example.com is forgotten; nothing of it denies a send\n")
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

    done = shell.json("retract", *incident, "--tenant", "acme")
    assert (done["took_effect"], done["released"], done["still_blocked"]) == (True, {"User unknown": 2}, {"Spam": 1})
    assert done["changed"]
    assert not shell.json("retract", *incident, "--tenant", "acme")["changed"]
    said = await shell.topics.suppressions()
    assert {one["recipient"] for one in said if one["action"] == "release"} == {"p1@example.com", "p2@example.com"}


async def test_a_retraction_says_how_many_it_released_by_tenant_and_by_provider(shell: Shell) -> None:
    at = "2026-11-20T10:05:00.000Z"
    for number in range(3):
        await shell.report(f"p{number}@example.com", at, "User unknown", provider="mailjet")
    await shell.report("other@example.com", at, "User unknown", tenant="globex", provider="mailjet")
    await shell.report("kept@example.com", at, "User unknown", provider="ses")
    await shell.topics.decided()
    incident = ["--from", "2026-11-20", "--to", "2026-11-21", "--status", "User unknown"]
    done = shell.run("retract", *incident, "--provider", "ses")
    assert done.stdout.endswith("Of those it reached, now released: 1 User unknown; still blocked: nobody.\n")
    assert [one["recipient"] for one in await shell.topics.suppressions() if one["action"] == "release"] == [
        "kept@example.com"
    ]
    done = shell.run("retract", *incident, "--tenant", "acme")
    assert done.stdout.endswith("Of those it reached, now released: 3 User unknown; still blocked: nobody.\n")
    released = sorted(one["recipient"] for one in await shell.topics.suppressions() if one["action"] == "release")
    assert released == ["kept@example.com", *(f"p{number}@example.com" for number in range(3))]


async def test_a_retraction_of_one_tenants_bounces_counts_the_pre_blocks_of_others_that_rest_on_them(
    shell: Shell,
) -> None:
    at = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:00:00.000Z")  # the check goes by the clock
    for recipient in ("one@example.com", "both@example.com"):
        await shell.report(recipient, at, "User unknown")
    await shell.report("both@example.com", at, "User unknown", tenant="globex")
    await shell.topics.decided()
    shell.run("check", "initech", "one@example.com", "both@example.com", "--url", shell.http)

    async def denied() -> bool:
        return sum(one["tenant"] == "initech" for one in await shell.topics.suppressions()) == 2

    await eventually(denied)
    incident = ["--from", "2d", "--to", "1h", "--status", "User unknown", "--tenant", "acme"]
    told = shell.json("retract", *incident, "--dry-run")
    assert (told["released"], told["still_blocked"]) == ({"Preblock": 1, "User unknown": 2}, {"Preblock": 1})
    of_others = [(one["tenant"], one["recipient"], one["released"]) for one in told["contacts"][2:]]
    assert of_others == [("initech", "both@example.com", False), ("initech", "one@example.com", True)]
    done = shell.json("retract", *incident)
    assert (done["released"], done["still_blocked"]) == (told["released"], told["still_blocked"])


async def test_an_erasure_says_what_still_denies_and_an_import_of_the_old_list_changes_nothing(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("recipient,status,since\nleft@example.com,User,2026-01-01\n")
    assert shell.json("import", "acme", str(file))["imported"] == {"User": 1}
    url = ["--url", shell.http]
    await eventually(lambda: _denied(shell, url))
    done = shell.run("erase", "acme", "left@example.com")
    assert done.stdout.endswith("is forgotten; still denies a send: User, by a hash without the address\n")
    assert shell.json("import", "acme", str(file))["imported"] == {"User": 1}
    file.write_text("recipient,status,since\nleft@example.com,Spam,2026-01-02\n")  # another list, which tells more
    shell.json("import", "acme", str(file))
    found = await eventually(lambda: _denied(shell, url, "Spam"))
    assert (found["send"], found["status"]) == (False, "Spam")
    last = {record.key: record.value for record in await shell.topics.read("suppressions")}
    assert last == {b"acme\x1fleft@example.com": None}

    done = shell.run("release", "acme", "left@example.com")
    assert "not blocked; still denied at a check, by what an erasure left: Spam, User" in done.stdout
    assert "as before: Spam and User are lifted" in done.stdout
    done = shell.run("release", "acme", "left@example.com", "--status", "Spam", "--status", "User", "--consent", "form")
    assert done.stdout.endswith("left@example.com is not blocked\n")


async def test_a_command_that_nobody_carries_out_ends_with_1_and_stands_on_its_topic(
    stack: Endpoints, prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Story: no worker is running. A script must not take the contact for blocked; the next worker blocks it."""
    monkeypatch.setattr("streams.commands.WAIT_SECONDS", 1.0)
    monkeypatch.setattr("streams.log.set_up", lambda *_, **__: None)  # it would last for the tests that follow
    for name, value in {"KAFKA": stack.kafka, "REDIS": stack.redis, "TOPIC_PREFIX": prefix}.items():
        monkeypatch.setenv(f"BOUNCELINE_{name}", value)
    with pytest.raises(Failed, match="published, but it has not taken effect within 1 s: is a worker running"):
        await asyncio.to_thread(suppress, "acme", "a@example.com", status="User", json=True)
    assert orjson.loads(capsys.readouterr().out)["took_effect"] is False
    async with run_workers(stack, 1, BOUNCELINE_TOPIC_PREFIX=prefix), topics_of(stack, prefix) as topics:
        assert await eventually(topics.suppressions)


async def _denied(shell: Shell, url: list[str], status: str = "User") -> dict[str, Any] | None:
    done = await asyncio.to_thread(shell.json, "check", "acme", "left@example.com", *url)
    found: dict[str, Any] = done["results"][0]
    return None if found.get("status") != status else found


async def test_a_release_by_a_rule_that_blocked_nobody_is_refused_and_one_that_matches_nothing_says_so(
    shell: Shell,
) -> None:
    shell.json("suppress", "acme", "a@example.com", "--status", ":", "--rule", "of-monday")
    done = shell.run("release", "acme", "a@example.com", "--rule", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "bounceline: no rule called nonsense has blocked anybody; what blocks this contact goes by of-monday\n"
    )
    done = shell.run("release", "acme", "a@example.com", "--rule", "import-unverified")
    assert "is blocked: : since" in done.stdout
    assert done.stdout.endswith("(as before: the release matched nothing that stood)\n")
    done = shell.run("release", "acme", "a@example.com", "--rule", "of-monday")
    assert done.stdout.endswith("a@example.com is not blocked\n")
    assert len(await shell.topics.read("contact-commands")) == 3


async def test_a_release_by_the_rule_of_a_complaint_says_that_only_its_name_lifts_it(shell: Shell) -> None:
    await shell.report("jane@example.com", "2026-11-20T10:05:00.000Z", "Spam")
    await shell.topics.decided()
    [reason] = shell.json("why", "acme", "jane@example.com", "--url", shell.http)["reasons"]
    done = shell.run("release", "acme", "jane@example.com", "--rule", reason["rule"])
    assert done.returncode == 0
    assert done.stdout.endswith("(as before: Spam is lifted by --status with --consent alone)\n")


async def test_an_incident_that_is_not_over_is_warned_of(shell: Shell) -> None:
    done = shell.run("retract", "--from", "2026-11-20", "--to", "2999-01-01", "--status", "Spam", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith("Nobody would be released. Reasons by hand")
    assert done.stderr.startswith("bounceline: --to 2999-01-01T00:00:00.000Z is in the future: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["release", "acme", "nobody"], "the recipient is not one mail address"),
        (["release", "acme", "a@example.com", "--status", "Bogus"], "there is no status Bogus"),
        (["release", "acme", "a@example.com", "--status", "Spam"], "consent is missing"),
        (["suppress", "a b", "a@example.com", "--status", "User"], "tenant"),
        (["retract", "--from", "2h", "--to", "3h", "--status", "Spam"], "from is not before to"),
        (["retract", "--from", "2026-11-31", "--to", "3h", "--status", "Spam"], "is neither a time"),
        (["why", "acme", "bad"], "the recipient is not one mail address"),
        (["why", "a b", "a@example.com"], "tenant"),
        (["check", "a b", "a@example.com"], "tenant"),
        (["check", "acme", "a@example.com", "--url", "nonsense"], "--url nonsense is no http:// or https:// address"),
        (["check", "acme", "a@example.com", "--url", "http://"], "--url http:// is no http:// or https:// address"),
        (["why", "acme", "a@example.com", "--url", "http://a:b"], "--url http://a:b is no http:// or https:// address"),
    ],
)
def test_wrong_use_is_one_sentence_and_publishes_nothing(words: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
