"""Importing as a whole: the commands, that twice is once, rejects with their lines, going on after a kill, memory."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ports import Outgoing
from schemas.times import DAY
from streams.lists.importing import CHUNK_RECORDS, Asked, Imported, import_list

ROOT = Path(__file__).parents[2]
LATEST = 2_000_000_000_000


class Killed(Exception):
    """The power went."""


class Broker:
    """Takes commands, and fails at a call if told so."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.commands: list[bytes] = []
        self._calls, self._fails_at = 0, fails_at

    async def publish(self, outgoing: Sequence[Outgoing]) -> None:
        self._calls += 1
        if self._calls == self._fails_at:
            raise Killed
        assert all((one.topic, one.headers) == ("contact-commands", ()) for one in outgoing)
        self.commands += [one.value for one in outgoing if one.value]


async def run(
    file: Path, broker: Broker, rejected: Path | None = None, *, resume: bool = False, say=lambda _: None
) -> Imported:
    asked = Asked("acme", file, "auto", None, LATEST, rejected, resume, 30 * DAY, "broker contact-commands")
    return await import_list(asked, broker.publish, None, lambda _done, _size: None, say)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Three chunks of rows, every hundredth of which can't be read."""
    lines = [f"a{n}@example.com,User,2026-01-01" if n % 100 else "nobody,User,1" for n in range(2 * CHUNK_RECORDS + 50)]
    file = tmp_path / "many.csv"
    file.write_text("recipient,status,since\n" + "\n".join(lines) + "\n")
    return file


async def test_a_row_becomes_a_suppress_command(tmp_path):
    file = tmp_path / "bounces.csv"
    file.write_text(
        'address,code,error,created_at\nJANE@example.com,550,"5.1.1 unknown\nuser","Fri, 20 Nov 2026 10:15:30 GMT"\n'
    )
    broker = Broker()
    done = await run(file, broker)
    [command] = map(orjson.loads, broker.commands)
    assert len(command.pop("id")) == 64
    assert list(command.items()) == [
        ("command", "suppress"),
        ("tenant", "acme"),
        ("recipient", "jane@example.com"),
        ("at", "2026-11-20T10:15:30.000Z"),
        ("actor", "bounceline import"),
        ("note", "mailgun: 5.1.1 unknown user"),
        ("status", "User unknown"),
    ]
    assert (done.form, done.counts.rows, done.counts.imported) == ("mailgun-bounces", 1, {"User unknown": 1})


async def test_the_same_list_twice_gives_the_same_bytes_and_another_row_another_id(many):
    first, second = Broker(), Broker()
    await run(many, first)
    await run(many, second)
    assert first.commands == second.commands
    assert len({orjson.loads(command)["id"] for command in first.commands}) == len(first.commands)


async def test_what_can_not_be_read_is_written_with_its_line_and_the_rest_is_imported(many, tmp_path):
    broker = Broker()
    done = await run(many, broker, tmp_path / "rejected")
    told = [orjson.loads(line) for line in (tmp_path / "rejected").read_bytes().splitlines()]
    assert [one["line"] for one in told] == list(range(2, 2 * CHUNK_RECORDS + 52, 100))
    assert told[0] == {
        "rejected": "bad-recipient",
        "detail": "the recipient is not one mail address",
        "line": 2,
        "original": "nobody,User,1",
    }
    assert done.counts.rows == len(broker.commands) + len(told)


@pytest.mark.parametrize("call", [1, 2, 3])
async def test_an_import_that_was_cut_off_goes_on_where_it_was(many, tmp_path, call):
    whole, half, rest = Broker(), Broker(call), Broker()
    everything = await run(many, whole, tmp_path / "whole")
    with pytest.raises(Killed):
        await run(many, half, tmp_path / "rejected")
    resumed = await run(many, rest, tmp_path / "rejected", resume=True)
    assert half.commands + rest.commands == whole.commands
    assert (tmp_path / "rejected").read_bytes() == (tmp_path / "whole").read_bytes()
    assert resumed.counts == everything.counts
    assert resumed.resumed_at == (0 if call == 1 else 1 + (call - 1) * CHUNK_RECORDS)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["many.csv", "rejected", "whole"]


async def test_a_list_that_has_changed_since_is_imported_from_the_beginning(many):
    said = []
    with pytest.raises(Killed):
        await run(many, Broker(2))
    many.write_text(many.read_text() + "z@example.com,User,1\n")
    broker = Broker()
    done = await run(many, broker, resume=True, say=said.append)
    assert done.resumed_at == 0
    assert len(broker.commands) == sum(done.counts.imported.values())
    assert said == [
        "--resume: begins anew, since the list, its format, the rules, the policy or the broker are others now"
    ]


async def test_where_an_import_goes_on_is_said(many):
    said = []
    await run(many, Broker(), say=said.append)
    assert said == []
    await run(many, Broker(), say=said.append, resume=True)
    with pytest.raises(Killed):
        await run(many, Broker(2))
    await run(many, Broker(), say=said.append, resume=True)
    assert said == [
        "--resume: begins at the beginning, since no import of this list was cut off here",
        f"--resume: goes on behind line {CHUNK_RECORDS + 1:,}",
    ]


async def test_reasons_of_one_status_and_time_by_different_rules_are_commands_of_their_own(tmp_path):
    reasons = [{"status": "User unknown", "since": "2026-01-01", "rule": rule} for rule in ("of-monday", "of-tuesday")]
    file = tmp_path / "own.ndjson"
    file.write_bytes(orjson.dumps({"recipient": "a@example.com", "status": "User unknown", "reasons": reasons}))
    first, second = Broker(), Broker()
    await run(file, first)
    await run(file, second)
    assert first.commands == second.commands
    assert len({orjson.loads(command)["id"] for command in first.commands}) == 2


NOTES = st.sampled_from(["ok", "", '"full, she says"', '"say ""hi"""', "550 5.1.1 no"])


@st.composite
def spoilt(draw):
    """Give the lines of a list with quotes at any place, mostly at ends of fields, and how many those are."""
    lines = [f"a{n}@example.com,User,2026-01-01,{draw(NOTES)}" for n in range(draw(st.integers(1, 12)))]
    quotes = draw(st.lists(st.integers(0, len(lines) - 1), max_size=6))
    for row in quotes:
        ends = [0, len(lines[row]), *(at + n for at, one in enumerate(lines[row]) if one == "," for n in (0, 1))]
        place = draw(st.sampled_from(ends) | st.integers(0, len(lines[row])))
        lines[row] = f'{lines[row][:place]}"{lines[row][place:]}'
    return lines, len(quotes)


@given(spoilt(), st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_every_row_is_counted_whatever_quotes_are_strewn_in(list_, delimiter, end):
    lines, quotes = list_
    broker = Broker()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "list"
        file.write_text(end.join(["recipient,status,since,note", *lines]).replace(",", delimiter), newline="")
        counts = asyncio.run(run(file, broker, Path(folder) / "rejected")).counts
        told = [orjson.loads(line) for line in (Path(folder) / "rejected").read_bytes().splitlines()]
    assert counts.rows == len(lines)
    assert sum(counts.imported.values()) + sum(counts.rejected.values()) == len(lines)
    assert sum(counts.rejected.values()) == len(told)
    assert all(one["original"] == lines[one["line"] - 2].replace(",", delimiter) for one in told)
    if quotes == 1 and not any('"' in line.replace('"', "", 1) for line in lines):
        assert len(told) <= 1  # the others are imported


MEASURE = """
import asyncio, resource, sys
from pathlib import Path
from streams.lists.importing import Asked, import_list

async def nowhere(outgoing):
    pass

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

async def one(file):
    asked = Asked("acme", Path(file), "auto", None, 2_000_000_000_000, None, False, 1, "x")
    done = await import_list(asked, nowhere, None, lambda a, b: None)
    return done.counts.rows

small = asyncio.run(one(sys.argv[1])), peak()
large = asyncio.run(one(sys.argv[2])), peak()
print(*small, *large)
"""


def test_ten_times_the_rows_take_no_more_memory(tmp_path):
    for name, rows in (("small", 20_000), ("large", 200_000)):
        with (tmp_path / name).open("w") as out:
            out.write("email,reason,status,created\n")
            out.writelines(f"a{n}@example.com,550 5.1.1 no such user {n},5.1.1,1700000000\n" for n in range(rows))
    command = [sys.executable, "-c", MEASURE, tmp_path / "small", tmp_path / "large"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    few, before, many, after = map(int, done.stdout.split())
    assert (few, many) == (20_000, 200_000)
    assert after - before < 8_000 * (1024 if sys.platform == "darwin" else 1)  # KiB; the caches are full by then
