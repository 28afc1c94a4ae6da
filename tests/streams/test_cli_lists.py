"""The commands over lists and policies: what they show, and how they end."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from streams.cli import lists

ROOT = Path(__file__).parents[2]


def bounceline(*words: object) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCELINE_")}
    command = [sys.executable, "-m", "streams", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "list.csv"
    found.write_text("recipient,status,since\na@example.com,User,2026-01-01\nb@example.com,Hard,2026-01-01\n")
    return found


def test_a_dry_run_counts_and_names_the_lines_that_can_not_be_read(file):
    done = bounceline("import", "acme", file, "--dry-run")
    assert done.returncode == 1
    assert "2 rows of list.csv (bounceline)" in done.stdout
    assert "would import" in done.stdout
    assert done.stderr.splitlines() == [
        "line 3: unknown-status: status is none of the eight labels",
        "bounceline: 1 row could not be read and was left out; --rejected FILE writes them down",
    ]
    assert [one.name for one in file.parent.iterdir()] == ["list.csv"]


def test_json_tells_the_same(file):
    done = bounceline("import", "acme", file, "--dry-run", "--json", "--rejected", file.parent / "no")
    told = orjson.loads(done.stdout)
    assert (told["rows"], told["imported"], told["rejected"]) == (2, {"User": 1}, {"unknown-status": 1})
    assert orjson.loads((file.parent / "no").read_bytes())["line"] == 3
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("import", "a b", "{file}"),
        ("import", "acme", "{file}", "--format", "csv"),
        ("import", "acme", "{file}", "--at", "yesterday"),
        ("import", "acme", "{file}", "--rejected", "{file}"),
        ("import", "acme"),
        ("import", "acme", "-"),
        ("import", "acme", "--no-such"),
        ("import", "acme", "{file}", "--dry-run", "--resume"),
        ("export", "acme", "--no-such"),
        ("export", "a b"),
        ("replay", "--compare", "built-in"),
        ("replay", "{file}", "--contacts", "3"),
    ],
)
def test_wrong_use_ends_with_2_and_a_sentence(words, file):
    done = bounceline(*(word.replace("{file}", str(file)) for word in words))
    assert done.returncode == 2
    assert done.stderr.startswith("bounceline: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_not_there_fails_with_a_sentence(tmp_path):
    done = bounceline("import", "acme", tmp_path / "none.csv")
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_an_export_to_a_folder_that_is_not_there_names_the_file_that_was_asked_for(tmp_path):
    done = bounceline("export", "acme", tmp_path / "none" / "x.csv")
    assert done.returncode == 1
    assert done.stderr == f"bounceline: {tmp_path}/none/x.csv: No such file or directory\n"


@pytest.mark.parametrize("words", [("replay", "{pipe}", "--compare", "built-in"), ("import", "acme", "{pipe}")])
def test_what_is_read_twice_can_be_no_pipe(words, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", f"echo > {pipe}"]):
        done = bounceline(*(word.replace("{pipe}", str(pipe)) for word in words))
    assert done.returncode == 2
    assert done.stderr.startswith(f"bounceline: {pipe} can't be read twice, as ")


def test_an_import_that_is_stopped_says_how_it_goes_on(file, monkeypatch, capsys):
    async def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(lists, "_sent", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lists.import_("acme", file)
    assert capsys.readouterr().err == (
        "bounceline: stopped; what was imported stays, and the same command with --resume goes on where it was\n"
    )


def test_replay_compares_two_policies(tmp_path):
    (tmp_path / "new.toml").write_text("[soft_bounce]\nlimit = 1\n")
    event = {"recipient": "a@example.com", "occurred_at": "2026-01-01T00:00:00Z", "status": "Quota exceeded"}
    line = orjson.dumps({"provider": "normalized", "tenant": "acme", "payload": event})
    (tmp_path / "reports").write_bytes(line + b"\n")
    words = ("replay", tmp_path / "reports", "--policy", tmp_path / "new.toml", "--compare", "built-in")
    told = orjson.loads(bounceline(*words, "--json").stdout)
    assert told["newly_blocked"] == {"total": 1, "by_status": {"Quota exceeded": 1}, "by_tenant": {"acme": 1}}
    assert (told["freed"]["total"], told["contacts"]) == (0, [])
    shown = bounceline(*words)
    assert shown.returncode == 0
    assert "newly blocked" in shown.stdout
