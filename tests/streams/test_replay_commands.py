"""Commands in a replayed file, at their place (SPEC 7, 10)."""

import orjson

from schemas.policy import parse_policy
from streams.replay import replay

JANE = {"tenant": "acme", "recipient": "jane@example.com"}


async def said(*lines):
    records, rejected = [], []
    await replay(map(orjson.dumps, lines), parse_policy(""), records.append, rejected.append)
    return [orjson.loads(line) for line in records], [orjson.loads(line) for line in rejected]


def report(at, status, message="m1", recipient="jane@example.com", provider="mailjet"):
    event = {"recipient": recipient, "occurred_at": at, "status": status, "message_id": message, "provider": provider}
    return {"provider": "normalized", "tenant": "acme", "payload": event}


def command(name, at, id_="c1", **more):
    return {"id": id_, "command": name, "at": at, **(JANE if name != "retract" else {}), **more}


def at(minute):
    return f"2026-11-20T10:{minute:02}:00Z"


async def test_a_release_names_what_it_lifts_and_who_ordered_it():
    [blocked, released], _ = await said(report(at(0), "User unknown"), command("release", at(1)))
    assert (released["action"], released["status"], released["reasons"]) == ("release", "User unknown", [])
    assert released["cause"] == "command:c1"
    assert released["suppression_id"] != blocked["suppression_id"]


async def test_the_same_command_twice_is_one_command():
    again = [
        command("suppress", at(0), "c1", status="User"),
        command("release", at(1), "c2", statuses=["User"], consent="x"),
    ]
    records, _ = await said(*again, *again)
    assert [record["action"] for record in records] == ["suppress", "release"]


async def test_a_release_lifts_what_it_names_and_leaves_the_others():
    reports = [report(at(0), "User unknown"), report(at(1), ":", "m2")]
    *_, last = (await said(*reports, command("release", at(2), statuses=["User unknown"])))[0]
    assert [reason["status"] for reason in last["reasons"]] == [":"]


async def test_a_default_release_leaves_an_unsubscribe_standing():
    *_, last = (await said(report(at(0), "User"), report(at(1), ":", "m2"), command("release", at(2))))[0]
    assert [reason["status"] for reason in last["reasons"]] == ["User"]


async def test_what_came_before_a_release_does_not_block_when_it_comes_again():
    old = report(at(0), "User unknown")
    records, _ = await said(old, command("release", at(1)), old, report(at(1), "User unknown", "m2"))
    assert [record["action"] for record in records] == ["suppress", "release"]


async def test_after_a_release_it_takes_five_new_failures():
    old = [report(at(n), "Quota exceeded", f"m{n}") for n in range(5)]
    new = [report(at(10 + n), "Quota exceeded", f"n{n}") for n in range(5)]
    late = report(at(9), "Quota exceeded", "m4")  # about an attempt that was released
    records, _ = await said(*old, command("release", at(6), statuses=["Connection issue"]), late, *new)
    assert [record["action"] for record in records] == ["suppress", "release", "suppress"]
    assert records[-1]["reasons"][0]["evidence"] == [f"n{n}" for n in range(5)]


async def test_an_erasure_prints_itself_and_what_comes_again_is_ignored():
    records, _ = await said(report(at(0), "Spam"), command("erase", at(1)), report(at(0), "Spam"))
    assert records[1:] == [{**JANE, "action": "erase"}]


async def test_an_incident_is_taken_back_for_everybody_it_reached_and_for_nobody_else():
    incident = [report(at(5), "User unknown", "m1", f"{name}@example.com") for name in ("a", "b")]
    other = report(at(5), "User unknown", "m1", "c@example.org")
    retract = command("retract", at(9), statuses=["User unknown"], domain="example.com", **{"from": at(5), "to": at(6)})
    records, _ = await said(*incident, other, retract, *incident)
    assert [(r["recipient"], r["action"], r["cause"]) for r in records[3:]] == [
        ("a@example.com", "release", "retract:c1"),
        ("b@example.com", "release", "retract:c1"),
    ]


async def test_a_retraction_lets_the_next_event_take_over():
    reports = [report(at(0), ":", "m1"), report(at(20), ":", "m2")]
    retract = command("retract", at(30), statuses=[":"], **{"from": at(0), "to": at(1)})
    *_, last = (await said(*reports, retract))[0]
    assert last["reasons"][0]["evidence"] == ["m2"]
    assert last["cause"] == "retract:c1"


async def test_a_retraction_of_one_provider_leaves_the_failures_of_others():
    failures = [report(at(n), "Connection issue", f"m{n}", provider="ses" if n == 2 else "mailjet") for n in range(6)]
    window = {"from": at(0), "to": at(59)}
    *_, moved = (
        await said(*failures, command("retract", at(30), statuses=["Connection issue"], provider="ses", **window))
    )[0]
    assert moved["reasons"][0]["evidence"] == ["m0", "m1", "m3", "m4", "m5"]


async def test_normalized_is_the_provider_of_the_events_that_name_none():
    reports = [report(at(n), "User unknown", f"m{n}", f"{n}@example.com", p) for n, p in enumerate(("", "ses", None))]
    window = {"from": at(0), "to": at(59)}
    retract = command("retract", at(30), statuses=["User unknown"], provider="normalized", **window)
    records, _ = await said(*reports, retract, *reports)
    assert [r["recipient"] for r in records[3:]] == ["0@example.com", "2@example.com"]
    assert {r["action"] for r in records[3:]} == {"release"}


async def test_a_bad_command_is_rejected_with_its_line():
    _, rejected = await said(report(at(0), "Spam"), command("release", at(1), statuses=["Spam"]))
    assert [(reject["rejected"], reject["line"]) for reject in rejected] == [("missing-field", 2)]
