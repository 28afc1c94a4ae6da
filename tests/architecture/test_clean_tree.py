"""Nothing of a developer's own machine is in the tree, and nobody real is in its test data."""

import re
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).parents[2]

# Put together, so that this file is none of those it looks for.
PATHS = re.compile(rb"(?<![\w.}>-])/(?:" + b"|".join([b"home", b"Users", b"root", b"work"]) + rb")/[\w.]")
INDEX = re.compile(
    b"|".join([rb"--(?:extra-)?index-" + rb"url[ =]", rb"://[^\s]+/simp" + rb"le/?(?:\s|$)", rb"pythonhost" + rb"ed"])
)


def tree() -> list[Path]:
    """Give the files of the tree: those that git has, and new ones that it does not ignore."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    files = [ROOT / name.decode() for name in listed if name]
    return [file for file in files if file.is_file()]


def holding(pattern: re.Pattern[bytes]) -> list[str]:
    found = []
    for file in tree():
        for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
            if pattern.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line[:120]!r}")
    return found


def test_no_file_holds_a_path_of_somebodys_home_or_work_directory():
    assert holding(PATHS) == []


def test_no_file_holds_the_address_of_a_package_index():
    assert holding(INDEX) == []


def test_the_patterns_find_what_they_look_for():
    paths = [b"/%s/jane/x" % place for place in (b"home", b"Users", b"root", b"work")]
    assert [bool(PATHS.search(b"open('" + path)) for path in paths] == [True] * 4
    assert not PATHS.search(b"https://example.com/%s/page" % b"home")
    assert INDEX.search(b"pip install --index-" + b"url https://pypi.example")
    assert INDEX.search(b"https://pypi.example/simp" + b"le/")
    assert not INDEX.search(b"pip compile --no-emit-index-url --generate-hashes")


RESERVED = re.compile(r"(?:.+\.)?(?:example\.(?:com|net|org)|example|test|invalid)")


def test_recipients_of_the_histories_are_of_reserved_domains():
    # Other test data is about real wordings and addresses of providers; these files are about contacts alone.
    recipients = {
        orjson.loads(line)["payload"]["recipient"]
        for file in (ROOT / "tests/conformance").glob("*.ndjson")
        for line in file.read_bytes().splitlines()
    }
    assert len(recipients) > 10
    assert [one for one in recipients if not RESERVED.fullmatch(one.rpartition("@")[2].strip("> ").lower())] == []
