"""The command line: what a newcomer is told, what goes in and out, and how it ends."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from agents.classify import rules as built_in
from streams.cli import app, main

ROOT = Path(__file__).parents[2]

COMMANDS = (
    "check",
    "classify",
    "dead-letters",
    "demo",
    "dev",
    "erase",
    "export",
    "import",
    "release",
    "replay",
    "retract",
    "rules",
    "suppress",
    "topics",
    "why",
    "worker",
)


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[dict]:
        """What it wrote to standard output, as JSON."""
        return [orjson.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(monkeypatch, capsysbinary):
    """Run a command in this process, as the shell would."""
    for name in [name for name in os.environ if name.startswith("BOUNCELINE_")]:
        monkeypatch.delenv(name)

    def command(*words: str | Path, stdin: bytes | None = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["bounceline", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", stdin if stdin is None else io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsysbinary.readouterr()
        return Done(code, out, err.decode())

    return command


def shell(command: str, environ: dict[str, str] | None = None) -> Done:
    """Run a line of shell in which $BOUNCELINE is the command; pipes fail as their first failing part does."""
    environ = {**os.environ, "BOUNCELINE": f"{sys.executable} -m streams", **(environ or {})}
    line = ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr.decode())


def sentence(done: Done) -> str:
    """Give the one sentence on standard error; nothing else may be there."""
    [line] = done.err.splitlines()
    assert line.startswith("bounceline: ")
    return line.removeprefix("bounceline: ")


def envelope(payload: object) -> bytes:
    return orjson.dumps({"provider": "normalized", "tenant": "acme", "payload": payload})


def event(number: int, **fields: object) -> dict:
    at = f"2026-11-{number:02}T10:15:30Z"
    return {"recipient": "jane@example.com", "occurred_at": at, "message_id": f"m{number}", **fields}


def ndjson(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


SPAM = envelope(event(1, status="Spam"))
NO_ADDRESS = envelope([event(1, status="Spam"), event(2, status="Spam", recipient="jane")])
FIVE = [envelope(event(number, status="Quota exceeded")) for number in range(1, 6)]
MIXED = ndjson([*FIVE[:4], b"", b"  ", b"not JSON", NO_ADDRESS, FIVE[4]])


# --- help and wrong use


def test_help_lists_every_command_and_ends_well():
    done = shell("$BOUNCELINE --help")
    assert (done.code, done.err) == (0, "")
    assert [name for name in COMMANDS if f" {name} ".encode() not in done.out] == []
    assert b"Begin with: bounceline demo" in done.out


def test_no_command_at_all_shows_the_help(run):
    assert run() == run("--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(command, run):
    done = run(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Usage: bounceline {command}".encode() in done.out
    assert len(done.out.splitlines()) > 2


def test_no_command_is_without_a_test_here():
    assert set(COMMANDS) == {name for name in app if not name.startswith("-")}


def test_the_version_is_that_of_the_distribution(run):
    assert run("--version").out.decode().split() == [metadata.version("bounceline")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["unblock"], 'Unknown command "unblock". Available commands: '),
        (["replay", "--rule", "x"], 'Invalid value "--rule" for FILE. There is no such option'),
        (["classify", "-x"], 'Invalid value "-x" for FILE. There is no such option'),
        (["dev", "--threads", "3"], "Unknown option: --threads"),
        (["classify", "one", "two"], "Unused Tokens: ['two']."),
        (["replay", "--policy"], 'Command "replay" parameter --policy requires an argument.'),
        (["dev", "--workers", "many"], 'Invalid value for --workers: unable to convert "many" into int.'),
        (["dev", "--workers", "-1"], 'Invalid value "-1" for --workers. Must be >= 0.'),
        (["rules", "test"], "FILE is missing."),
        (["suppress", "acme", "jane@example.com"], "--status is missing."),
        (["suppress", "acme", "jane@example.com", "--status"], 'Command "suppress" parameter --status requires an'),
        (["rules", "check", "x"], 'Unknown command "check". Available commands: test.'),
        (["dead-letters", "purge"], 'Unknown command "purge". Available commands: list, redrive.'),
        (["dead-letters", "list", "--since", "yesterday"], 'Invalid value for --since: "yesterday" is neither a time'),
        (["dead-letters", "redrive", "--until", "1w"], 'Invalid value for --until: "1w" is neither a time'),
        (["dead-letters", "list", "--reason", "nonsense"], 'Invalid value "nonsense" for --reason. Choose from:'),
        (["dead-letters", "redrive", "mailjet"], "Unused Tokens: ['mailjet']."),
        (["worker", "--http-port", "65536"], 'Invalid value "65536" for --http-port. Must be <= 65535.'),
    ],
)
def test_wrong_use_ends_with_2_and_one_sentence(words, expected, run):
    done = run(*words)
    assert (done.code, done.out) == (2, b"")
    assert sentence(done).startswith(expected)
    hint = sentence(done).rpartition("Try: ")[2].split()
    assert (hint[0], hint[-1]) == ("bounceline", "--help")
    assert hint[1:-1] == words[: len(hint) - 2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--http-host", "127.0.0.1"], "--http-host says where to serve HTTP, which takes --http-port too"),
        (
            ["--http-port", "0", "--http-host", "0.0.0.0"],
            "0.0.0.0 is not loopback: set BOUNCELINE_TOKENS to a file that says who may ask over HTTP",
        ),
    ],
)
def test_a_worker_that_others_could_ask_without_a_token_does_not_start(words, expected):
    environ = {"BOUNCELINE_CONTACT_SECRET": "x"}
    done = shell("$BOUNCELINE worker " + " ".join(words), environ)
    assert (done.code, sentence(done)) == (2, expected)


# --- classify


@pytest.mark.parametrize("way", ["file", "left out", "-"])
def test_classify_reads_a_file_or_standard_input(way, run, tmp_path):
    file = tmp_path / "reports.ndjson"
    file.write_bytes(MIXED)
    done = run("classify", file) if way == "file" else run("classify", *["-"][: way == "-"], stdin=MIXED)
    assert (done.code, done.err) == (0, "")
    told = [line.get("rejected") or line["status"] for line in done.lines]
    assert told == [*["Quota exceeded"] * 4, "not-json", "Spam", "bad-recipient", "Quota exceeded"]


def test_a_rejected_element_stands_in_its_place_with_its_reason_and_line(run):
    done = run("classify", stdin=MIXED)
    assert [list(line) for line in done.lines if "rejected" in line] == [["rejected", "detail", "line"]] * 2
    assert [(line["rejected"], line["line"]) for line in done.lines if "rejected" in line] == [
        ("not-json", 7),
        ("bad-recipient", 8),
    ]


@pytest.mark.parametrize("command", ["classify", "replay"])
def test_a_byte_order_mark_before_the_first_line_is_passed_over(command, run, tmp_path):
    file = tmp_path / "reports.ndjson"
    file.write_bytes(b"\xef\xbb\xbf" + MIXED)
    assert run(command, file) == run(command, stdin=MIXED)


def test_a_line_that_is_not_utf_8_is_said_to_be_that(run):
    [found] = run("classify", stdin=SPAM.replace(b"acme", "Müller".encode("latin-1"))).lines
    assert found["rejected"] == "not-json"
    assert found["detail"].startswith("not UTF-8 at byte ")


@pytest.mark.parametrize("stdin", [b"", b"\n\n \n"])
@pytest.mark.parametrize("command", ["classify", "replay"])
def test_nothing_in_nothing_out(command, stdin, run):
    assert run(command, stdin=stdin) == Done(0, b"", "")


def test_a_last_line_needs_no_end_and_windows_line_ends_do_not_matter(run):
    assert len(run("classify", stdin=SPAM).lines) == 1
    assert run("classify", stdin=SPAM + b"\r\n\r\n" + SPAM + b"\r\n") == run("classify", stdin=SPAM + b"\n" + SPAM)


# --- replay


@pytest.mark.parametrize("way", ["file", "left out", "-"])
def test_replay_writes_one_record_a_change_in_file_order(way, run, tmp_path):
    file = tmp_path / "reports.ndjson"
    file.write_bytes(MIXED)
    done = run("replay", file) if way == "file" else run("replay", *["-"][: way == "-"], stdin=MIXED)
    assert done.code == 0
    expected = [["Spam"], ["Spam", "Quota exceeded"]]
    assert expected == [[reason["status"] for reason in line["reasons"]] for line in done.lines]


def test_rejects_are_counted_on_standard_error_and_fail_nothing(run):
    assert run("replay", stdin=MIXED).err == "bounceline: 2 elements could not be read; --rejected FILE shows them\n"
    one = run("replay", stdin=b"{}\n" + SPAM)
    assert sentence(one) == "1 element could not be read; --rejected FILE shows them"
    assert (one.code, len(one.lines)) == (0, 1)


def test_rejects_are_written_to_a_file_where_one_is_named(run, tmp_path):
    file = tmp_path / "rejected.ndjson"
    done = run("replay", "--rejected", file, stdin=MIXED)
    assert (done.code, done.err, len(done.lines)) == (0, "", 2)
    assert file.read_bytes() == ndjson(
        [line for line in run("classify", stdin=MIXED).out.splitlines() if b'"rejected"' in line]
    )
    run("replay", "--rejected", file, stdin=SPAM)
    assert file.read_bytes() == b""


def test_replay_decides_by_the_policy_named(run, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("soft_bounce.limit = 2")
    done = run("replay", "--policy", policy, stdin=ndjson(FIVE))
    assert [line["reasons"][0]["evidence"] for line in done.lines] == [["m1", "m2"]]
    assert run("replay", stdin=ndjson(FIVE[:4])).lines == []


def test_a_policy_with_an_unknown_key_is_wrong_use_and_its_line_is_named(run, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("[soft_bounce]\nlimits = 2\n")
    done = run("replay", "--policy", policy, stdin=SPAM)
    assert (done.code, done.out) == (2, b"")
    assert sentence(done) == f"{policy}: line 2: unknown key `soft_bounce.limits`"
    missing = run("replay", "--policy", tmp_path / "none", stdin=SPAM)
    assert missing.code == 2
    assert sentence(missing) == f"the policy {tmp_path}/none can't be read: No such file or directory"


def test_an_event_of_the_last_days_of_time_fails_nothing(run):
    last = {"recipient": "jane@example.com", "occurred_at": "9999-12-31T23:59:59Z", "status": "Preblock"}
    done = run("replay", stdin=envelope(last))
    assert (done.code, done.err) == (0, "")
    assert [line["expires_at"] for line in done.lines] == ["9999-12-31T23:59:59.999Z"]


# --- rules of one's own

GONE = """
[[rule]]
id = "acme-gone"
text = ["mailbox was retired"]
status = "User unknown"
source = "the postmaster of acme.example"
example = { diagnostic = "550 this mailbox was retired" }
"""
WRONG = f"""{GONE}
[[rule]]
id = "acme-odd"
colour = 1
status = "Spam"
source = ""
example = {{ }}
[[rule]]
id = "acme-spam"
text = ["spam detected"]
status = "User unknown"
source = "a mistake"
example = {{ diagnostic = "550 no such user" }}
"""
RETIRED = envelope(event(1, outcome="bounced", diagnostic="550 this mailbox was retired", permanent=False))


@pytest.fixture
def rules(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(GONE)
    return file


@pytest.mark.parametrize("way", ["option", "variable"])
def test_classify_and_replay_try_the_rules_named_first(way, run, rules, monkeypatch):
    option = ["--rules", rules] if way == "option" else []
    assert run("classify", stdin=RETIRED).lines[0]["rule"] == "reply-5xx-soft"
    if way == "variable":
        monkeypatch.setenv("BOUNCELINE_RULES", str(rules))
    assert run("classify", *option, stdin=RETIRED).lines[0]["rule"] == "acme-gone"
    [record] = run("replay", *option, stdin=RETIRED).lines
    assert record["reasons"][0]["rule"] == "acme-gone"


@pytest.mark.parametrize("command", ["classify", "replay"])
def test_rules_that_can_not_be_used_are_wrong_use_and_their_line_is_named(command, run, rules):
    rules.write_text(WRONG)
    done = run(command, "--rules", rules, stdin=RETIRED)
    assert (done.code, done.out) == (2, b"")
    assert sentence(done).startswith(f"{rules}: line 9: acme-odd: unknown key colour; ")
    assert sentence(run(command, "--rules", "none", stdin=b"")).startswith("the rule file none can't be read: ")


def test_rules_test_shows_what_each_example_hits(run, rules):
    done = run("rules", "test", rules)
    assert (done.code, done.err) == (0, "")
    assert done.out.decode() == "line 2    acme-gone  User unknown      example: acme-gone\n"


def test_rules_test_names_every_fault_before_all_rows_and_ends_with_1(run, rules):
    rules.write_text(WRONG)
    done = run("rules", "test", rules)
    assert (done.code, sentence(done)) == (1, f"{rules} has 3 faults and can't be used")
    lines = done.out.decode().splitlines()
    assert "line 15   acme-spam  User unknown      example: text-user-unknown (User unknown)" in lines
    assert "  spam-refusal  ignored -> User unknown, by acme-spam: counts what was ignored!" in lines
    assert lines[:6] == [
        "Wrong:",
        "  line 9    acme-odd: unknown key colour",
        "  line 9    acme-odd: source is missing: say where the row comes from",
        "  line 15   acme-spam: its example does not match it, and is decided by text-user-unknown",
        "",
        "line 2    acme-gone  User unknown      example: acme-gone",
    ]


def test_rules_test_shows_the_same_as_json(run, rules):
    rules.write_text(WRONG)
    done = run("rules", "test", "--json", rules)
    [found] = done.lines
    assert (done.code, found["ok"]) == (1, False)
    assert [row["rule"] for row in found["rows"]] == ["acme-gone", "acme-spam"]
    assert found["rows"][0] == {
        "rule": "acme-gone",
        "line": 2,
        "status": "User unknown",
        "effect": "block",
        "example": {"rule": "acme-gone", "status": "User unknown", "effect": "block"},
    }
    assert found["faults"][0] == {"rule": "acme-odd", "line": 9, "fault": "unknown key colour"}
    assert found["changes"] == [
        {
            "rule": "spam-refusal",
            "was": {"status": None, "effect": "ignore"},
            "now": {"rule": "acme-spam", "status": "User unknown", "effect": "block"},
        }
    ]
    rules.write_text(GONE)
    assert run("rules", "test", "--json", rules).lines[0]["ok"] is True


def test_rules_test_shows_first_what_counts_now_and_was_ignored(run, rules):
    text = """
[[rule]]
id = "acme-code"
enhanced = ["5.1.1", "X.5.3"]
status = "Quota exceeded"
source = "a mistake"
example = { enhanced_code = "5.1.1" }
"""
    rules.write_text(text)
    lines = run("rules", "test", rules).out.decode().splitlines()
    shown = lines[lines.index("With this file, the examples of these built-in rows are decided in another way:") + 1 :]
    loud = [line.endswith(": counts what was ignored!") for line in shown]
    assert loud == sorted(loud, reverse=True)
    assert {*loud} == {True, False}


def test_rules_test_doubts_a_code_that_no_report_of_the_provider_gives(run, rules):
    text = """
[[rule]]
id = "acme-drop"
provider = "sendgrid"
provider_code = "dropped/never heard of"
status = "Connection issue"
source = "a mistake"
example = { provider = "sendgrid", outcome = "blocked", provider_code = "dropped/never heard of" }
"""
    rules.write_text(text)
    done = run("rules", "test", rules)
    assert (done.code, done.err) == (0, "")
    assert done.out.decode().splitlines()[:2] == [
        "Look again, unless normalized reports say so:",
        "  line 2    acme-drop: no report of sendgrid gives the code dropped/never heard of",
    ]
    [doubt] = run("rules", "test", "--json", rules).lines[0]["doubts"]
    assert (doubt["rule"], doubt["line"]) == ("acme-drop", 2)


@pytest.fixture
def builtin(tmp_path, monkeypatch):
    """Put a file in the place of the built-in rule table."""
    file = tmp_path / "built-in.toml"
    monkeypatch.setattr(built_in, "_builtin", lambda: file)
    built_in.builtin_rules.cache_clear()
    yield file
    built_in.builtin_rules.cache_clear()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WRONG.encode(), "{}: line 9: acme-odd: unknown key colour; source is missing"),
        (b"[[rule", "{}: not TOML: "),
        (b"# \xff", "{} is not UTF-8"),
        (None, "{} can't be read: No such file"),
    ],
)
@pytest.mark.parametrize("command", ["classify", "replay"])
def test_a_broken_built_in_table_fails_with_one_sentence_that_names_the_file(command, text, said, run, rules, builtin):
    if text is not None:
        builtin.write_bytes(text)
    for words in ([command], [command, "--rules", rules], ["rules", "test", rules]):
        done = run(*words, stdin=SPAM)
        assert (done.code, done.out) == (1, b"")
        assert sentence(done).startswith(said.format(builtin))


def test_rules_test_names_the_faults_of_a_broken_built_in_table(run, builtin):
    text = (ROOT / "agents/classify/rules.toml").read_text()
    builtin.write_text(text.replace('effect = "reset"', 'effect = "rest"'))
    done = run("rules", "test", builtin)
    assert (done.code, sentence(done)) == (1, f"{builtin} has 2 faults and can't be used")
    assert "no row decides every delivered event" in done.out.decode()


def test_rules_test_accepts_the_built_in_table(run):
    done = run("rules", "test", ROOT / "agents/classify/rules.toml")
    assert (done.code, done.err) == (0, "")


def test_rules_test_of_what_is_no_text_fails_with_one_sentence(run, rules):
    rules.write_bytes(b"# \xff")
    done = run("rules", "test", rules)
    assert (done.code, sentence(done)) == (1, f"{rules} is not UTF-8")
    assert sentence(run("rules", "test", "none")) == "none: No such file or directory"


# --- files that are none, and readers who have had enough


@pytest.mark.parametrize("command", ["classify", "replay"])
def test_a_file_that_can_not_be_read_fails_with_one_sentence(command, run, tmp_path):
    missing, folder = run(command, tmp_path / "none"), run(command, tmp_path)
    assert (missing.code, missing.out, sentence(missing)) == (1, b"", f"{tmp_path}/none: No such file or directory")
    assert (folder.code, folder.out, sentence(folder)) == (1, b"", f"{tmp_path}: Is a directory")


def test_rejects_that_can_not_be_written_fail_with_one_sentence(run, tmp_path):
    done = run("replay", "--rejected", tmp_path / "none" / "x", stdin=SPAM)
    assert done.code == 1
    assert sentence(done) == f"{tmp_path}/none/x: No such file or directory"


def test_a_reader_who_has_had_enough_is_no_failure(tmp_path):
    file = tmp_path / "reports.ndjson"
    file.write_bytes(ndjson([SPAM.replace(b"jane@", b"jane%d@" % number) for number in range(3_000)]))
    done = shell(f"$BOUNCELINE replay {file} | head -n 1")
    assert (done.code, done.err, len(done.lines)) == (0, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_fails_with_one_sentence(tmp_path):
    file = tmp_path / "reports.ndjson"
    file.write_bytes(SPAM)
    full = shell(f"$BOUNCELINE classify {file} > /dev/full")
    assert (full.code, sentence(full)) == (1, "[Errno 28] No space left on device")


def test_a_closed_standard_input_fails_with_one_sentence(run):
    done = run("replay", stdin=None)
    assert (done.code, sentence(done)) == (1, "standard input is closed")


def test_ctrl_c_ends_a_replay_that_waits_for_input():
    command = [sys.executable, "-m", "streams", "replay"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        # A line more than the buffer of standard input holds: it is being read once this returns.
        process.stdin.write(b" " * 1_000_000 + b"\n")
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) in (-signal.SIGINT, 130)
        assert process.stderr.read() == b""


# --- commands that need servers


def test_a_worker_without_the_contact_secret_is_wrong_use(run):
    done = run("worker")
    assert (done.code, done.out) == (2, b"")
    assert sentence(done).startswith("BOUNCELINE_CONTACT_SECRET is not set; ")


def test_a_webhooks_file_that_can_not_be_used_is_wrong_use_and_quotes_no_secret(run, monkeypatch, tmp_path):
    file = tmp_path / "webhooks.toml"
    file.write_text("[tenants.acme.mailjet]\ncredentials = ['hunter2']\n")
    monkeypatch.setenv("BOUNCELINE_CONTACT_SECRET", "x")
    monkeypatch.setenv("BOUNCELINE_WEBHOOKS", str(file))
    done = run("worker")
    assert done.code == 2
    where = "line 2: tenants.acme.mailjet.credentials[0]"
    assert sentence(done) == f"{file}: {where}: credentials are name:password"


def test_a_misspelt_variable_is_wrong_use(run, monkeypatch):
    monkeypatch.setenv("BOUNCELINE_KAFKAS", "127.0.0.1:9092")
    done = run("topics")
    assert done.code == 2
    assert sentence(done).startswith("BOUNCELINE_KAFKAS is not a setting of bounceline; ")


def test_a_foreign_package_of_our_name_fails_with_one_sentence(run, tmp_path, monkeypatch):
    info = tmp_path / "foreign_kit-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-kit\nVersion: 1.0\n")
    (info / "RECORD").write_text("agents/__init__.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    done = run("worker")
    assert done.code == 1
    assert sentence(done) == "foreign-kit also installs a package called agents: give bounceline its own .venv"


def test_a_broker_that_is_not_there_fails_and_is_named_without_a_traceback():
    done = shell("$BOUNCELINE topics", {"BOUNCELINE_KAFKA": "127.0.0.1:1"})
    assert (done.code, done.out) == (1, b"")
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith("bounceline: the broker can't be used: ")
    assert "127.0.0.1" in done.err.splitlines()[-1]


STUBBORN_WORKER = """
import asyncio
import streams.worker
from streams.cli import running

class Stubborn:
    def __init__(self, settings, http_port, http_host):
        pass

    async def run(self):
        task = asyncio.create_task(self.never_end())
        await asyncio.sleep(0)
        try:
            raise ValueError("no such jane@example.com")
        except ValueError as error:
            raise streams.worker.WorkerFailed("the worker met something unexpected and stopped") from error

    async def never_end(self):
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

streams.worker.Worker = Stubborn
running.worker()
"""


def test_a_failed_worker_ends_at_once_even_where_a_task_of_its_does_not():
    environ = {**os.environ, "BOUNCELINE_CONTACT_SECRET": "x"}
    command = [sys.executable, "-c", STUBBORN_WORKER]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    told = orjson.loads(done.stderr)
    assert (told["level"], told["event"]) == ("critical", "worker-failed")
    assert "ValueError: no such <address>" in told["exception"]
