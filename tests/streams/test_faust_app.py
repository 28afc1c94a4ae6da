"""Faust's own commands know the app; a worker is started by ours alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRON = {
    "BOUNCELINE_KAFKA": "127.0.0.1:1",
    "BOUNCELINE_REDIS": "redis://127.0.0.1:1/0",
    "BOUNCELINE_CONTACT_SECRET": "a secret of some length for tests only",
}


def faust(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faust", "-A", "streams.faust_app", *words]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **ENVIRON}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("command", "shown"), [("agents", ["classify", "esp-reports", "suppress"]), ("tables", ["contacts"])]
)
def test_fausts_commands_show_what_there_is(command, shown):
    done = faust(command)
    assert done.returncode == 0, done.stderr
    assert [word for word in shown if word not in done.stdout] == []


def test_fausts_worker_is_refused_with_the_right_one_named():
    done = faust("worker", "-l", "info")
    assert done.returncode == 1
    assert "bounceline worker" in done.stderr + done.stdout
