"""What was exported and is imported again stands as it stood."""

import orjson

from agents.ports import Outgoing
from schemas.policy import parse_policy
from schemas.times import DAY, parse_time
from streams.lists.exporting import _standing
from streams.lists.importing import Asked, import_list
from streams.replay import replay

NOW = parse_time("2026-11-29T00:00:00Z")
CHAIN = ("2026-09-10", "2026-10-05", "2026-10-30", "2026-11-20")


async def last_of(commands: list[bytes]) -> bytes:
    records: list[bytes] = []
    await replay(commands, parse_policy(""), records.append, lambda _: None)
    return records[-1]


async def test_a_chain_of_preblocks_ends_after_an_import_when_it_ended_before(tmp_path):
    jane = {"command": "suppress", "tenant": "acme", "recipient": "a@example.com", "status": "Preblock"}
    commands = [orjson.dumps({"id": day, **jane, "at": f"{day}T00:00:00Z"}) for day in CHAIN]
    exported = _standing(await last_of(commands), NOW)
    assert orjson.loads(exported)["since"] == "2026-09-10T00:00:00.000Z"
    file, sent = tmp_path / "out.ndjson", []
    file.write_bytes(exported)

    async def publish(outgoing: list[Outgoing]) -> None:
        sent.extend(one.value for one in outgoing)

    asked = Asked("acme", file, "auto", None, NOW, None, False, 30 * DAY, None)
    done = await import_list(asked, publish, None, lambda _done, _size: None)
    assert (done.counts.imported, done.counts.skipped) == ({"Preblock": 1}, {})
    again = orjson.loads(await last_of(sent))
    assert (again["since"], again["expires_at"]) == ("2026-11-20T00:00:00.000Z", "2026-12-20T00:00:00.000Z")
