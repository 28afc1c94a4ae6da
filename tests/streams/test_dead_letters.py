"""Dead letters as a work list: grouped by reason and provider, a sample of each, and no address in it."""

import orjson
import pytest

from schemas.dead_letter import Coordinates, DeadLetter
from schemas.rejected import Rejected
from streams.dead_letters import SAMPLE_CHARACTERS, Groups, Letter, Wanted

AT = 1_795_428_930_000


def letter(
    value: object, *, reason: str = "bad-recipient", element: int | None = 0, at: int = AT, offset: int = 7
) -> Letter:
    written = value if isinstance(value, bytes) or value is None else orjson.dumps(value)
    source = Coordinates("t-esp-reports", 3, offset)
    return Letter(
        at, 1, 42, DeadLetter(b"k", written, source, Rejected(reason, "the recipient is no address"), element)
    )


def report(payload: object, provider: object = "mailjet") -> dict:
    return {"provider": provider, "tenant": "acme", "payload": payload}


@pytest.mark.parametrize(
    ("value", "provider"),
    [
        (report({}), "mailjet"),
        (report({}, "pigeon"), "pigeon"),
        (report({}, ""), "?"),
        (report({}, 7), "?"),
        (report({}, "jane@example.com"), "?"),
        (report({}, "x" * 41), "?"),
        ([report({})], "?"),
        (b"{", "?"),
        (b"\xff", "?"),
        (None, "?"),
    ],
)
def test_the_provider_is_what_the_record_says_where_it_says_one(value, provider):
    assert letter(value).provider() == provider


@pytest.mark.parametrize(
    ("value", "element"),
    [
        (report([{"email": "john@example.com"}, {"email": "jane@example.com"}]), 1),
        (report({"email": "jane@example.com"}), 0),
        (report({"email": "Jane <jane@example.com>"}), 0),
        (report([{"to": ["jane%40example.com"], "jane@example.com": 1}]), 0),
        (b'{"provider":"mailjet","payload":[{"email":"jane\\u0040example.com"}]}', 0),
        (b'{"email":"jane\\u0040example.com"', None),
        (b"jane@example.com \xff", None),
        (report("To: jane@example.com"), None),
        (report({"pad": "x" * 5_000, "email": "jane@example.com"}), None),
    ],
)
def test_a_sample_shows_the_rejected_element_and_no_address(value, element):
    shown = letter(value, element=element).sample()
    assert "jane@" not in orjson.dumps(shown).decode()
    assert "example.com" not in shown["content"]
    assert "john" not in shown["content"]
    assert len(shown["content"]) <= SAMPLE_CHARACTERS + 1


def test_a_sample_says_where_it_is_from_and_why_it_was_rejected():
    shown = letter(report([1, {"event": "sent"}]), element=1).sample()
    assert shown == {
        "detail": "the recipient is no address",
        "content": '{"event":"sent"}',
        "source": "t-esp-reports/3/7",
        "element": 1,
        "dead_letter": "1/42",
    }


@pytest.mark.parametrize("element", [0, 5])
@pytest.mark.parametrize("value", [b"", None, b"[]", b"{}", report([]), report(None), report("text"), report({})])
def test_any_record_gives_a_sample(value, element):
    assert isinstance(letter(value, element=element).sample()["content"], str)


def test_groups_are_by_reason_and_provider_those_with_most_left_to_do_first():
    groups = Groups()
    groups.add(letter(report({}), at=AT + 5), put_back=False)
    groups.add(letter(report({}), at=AT), put_back=True)
    for number in range(3):
        groups.add(letter(report({}, "pigeon"), reason="unknown-provider", at=AT + number), put_back=False)
    groups.add(letter(b"{", reason="not-json"), put_back=True)
    told = [group.shown() for group in groups.largest_first()]
    assert [(one["reason"], one["provider"], one["count"], one["put_back"]) for one in told] == [
        ("unknown-provider", "pigeon", 3, 0),
        ("bad-recipient", "mailjet", 2, 1),
        ("not-json", "?", 1, 1),
    ]
    assert (told[1]["first"], told[1]["last"]) == ("2026-11-23T10:15:30.000Z", "2026-11-23T10:15:30.005Z")


def test_the_sample_is_the_newest_that_is_left_to_do():
    groups = Groups()
    for number, put_back in enumerate([True, False, True]):
        groups.add(letter(report({"n": number}), at=AT + number), put_back=put_back)
    assert groups.largest_first()[0].sample["content"] == '{"n":1}'


@pytest.mark.parametrize(
    ("wanted", "included"),
    [
        (Wanted(), True),
        (Wanted(reasons=["not-json", "bad-recipient"]), True),
        (Wanted(reasons=["not-json"]), False),
        (Wanted(providers=["mailjet"]), True),
        (Wanted(providers=["brevo"]), False),
        (Wanted(since=AT), True),
        (Wanted(since=AT + 1), False),
        (Wanted(until=AT + 1), True),
        (Wanted(until=AT), False),
        (Wanted(reasons=["bad-recipient"], providers=["brevo"]), False),
    ],
)
def test_a_letter_is_wanted_if_all_that_is_named_fits(wanted, included):
    assert wanted.includes(letter(report({}))) == included


def test_all_elements_of_a_record_have_one_mark_and_no_other_record_has_it():
    first, second = letter(report([1, 2]), element=0), letter(report([1, 2]), element=1)
    assert first.mark == second.mark
    assert first.mark.startswith("t-esp-reports/3/7/")
    assert letter(report([1, 3])).mark != first.mark
    assert letter(report([1, 2]), offset=8).mark != first.mark
