"""What another policy would do: who is newly blocked, who freed, and whom it would have cost."""

from io import BytesIO

import orjson

from schemas.policy import parse_policy
from streams.compare import compare, summary

OLD = parse_policy("")
STRICT = parse_policy("[soft_bounce]\nlimit = 2\n")


def line(name: str, day: int, outcome: str, tenant: str = "acme", **fields: object) -> bytes:
    payload = {"recipient": f"{name}@example.com", "occurred_at": f"2026-03-{day:02}T10:00:00Z", "outcome": outcome}
    payload |= {"message_id": f"{name}-{day}", **fields}
    return orjson.dumps({"provider": "normalized", "tenant": tenant, "payload": payload}) + b"\n"


FULL = {"diagnostic": "552 5.2.2 mailbox full"}
HISTORY = [
    *(line("came-back", day, "bounced", **FULL) for day in (1, 2)),
    line("came-back", 9, "delivered"),
    *(line("gone-quiet", day, "bounced", tenant="globex", **FULL) for day in (1, 2, 3)),
    *(line("bounced-late", day, "bounced", **FULL) for day in (1, 2)),
    line("bounced-late", 9, "delivered"),
    line("bounced-late", 9, "bounced", **FULL),
    *(line("dead", day, "bounced", **FULL) for day in (1, 2, 3, 4, 5)),
    line("unknown", 1, "bounced", diagnostic="550 5.1.1 user unknown"),
    line("healthy", 1, "delivered"),
]


def compared(new=STRICT, old=OLD, history=HISTORY):
    rejected = []
    return compare(BytesIO(b"".join(history)), new, old, None, rejected.append), rejected


def test_who_is_newly_blocked_and_was_delivered_to_afterwards():
    found, rejected = compared()
    told = summary(found, 10)
    assert rejected == []
    assert told["newly_blocked"] == {
        "total": 3,
        "by_status": {"Quota exceeded": 3},
        "by_tenant": {"acme": 2, "globex": 1},
    }
    assert told["later_delivered"]["total"] == 1
    assert told["contacts"] == [
        {
            "tenant": "acme",
            "recipient": "came-back@example.com",
            "status": "Quota exceeded",
            "since": "2026-03-02T10:00:00.000Z",
            "delivered_at": "2026-03-09T10:00:00.000Z",
        }
    ]


def test_who_stays_blocked_is_changed_or_not():
    found, _ = compared()
    assert [one.recipient for one in found.changed] == ["dead@example.com"]  # at the second failure, not the fifth
    assert found.unchanged == 1


def test_the_other_way_round_they_are_freed():
    there, back = compared()[0], compared(OLD, STRICT)[0]
    assert [one[:4] for one in back.freed] == [one[:4] for one in there.newly_blocked]
    assert (back.newly_blocked, back.unchanged) == ([], there.unchanged)


def test_the_same_policy_changes_nothing():
    found, _ = compared(OLD, OLD)
    assert (found.newly_blocked, found.freed, found.changed, found.unchanged) == ([], [], [], 2)


def test_a_preblock_that_has_expired_by_the_end_of_the_file_blocks_nobody():
    history = [line("p", 1, "blocked", status="Preblock"), line("q", 20, "delivered")]
    found, _ = compared(parse_policy('[preblock]\nwindow = "7d"\n'), OLD, history)
    assert [(one.recipient, one.status) for one in found.freed] == [("p@example.com", "Preblock")]


def test_a_reject_is_told_once():
    _, rejected = compared(history=[*HISTORY, b"{broken\n"])
    assert [orjson.loads(one)["line"] for one in rejected] == [len(HISTORY) + 1]
