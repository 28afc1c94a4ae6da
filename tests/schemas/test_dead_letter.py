"""A dead letter holds the record as it was, and tells in its headers why and whence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.dead_letters import dead_letter
from schemas.dead_letter import Coordinates, DeadLetter, read_dead_letter
from schemas.rejected import Rejected
from streams.memory import MemoryRecord

WHY = Rejected("bad-recipient", "the recipient is not one mail address")
WHENCE = Coordinates("esp-reports", 3, 1042)


def test_the_headers_are_those_of_the_specification_in_its_order():
    assert DeadLetter(b"key", b"value", WHENCE, WHY, 7).headers() == [
        ("reason", b"bad-recipient"),
        ("detail", b"the recipient is not one mail address"),
        ("source-topic", b"esp-reports"),
        ("source-partition", b"3"),
        ("source-offset", b"1042"),
        ("element", b"7"),
    ]


@pytest.mark.parametrize(("element", "header"), [(None, b""), (0, b"0"), (999, b"999")])
def test_the_element_counts_from_0_on_and_is_empty_for_a_record_as_a_whole(element, header):
    assert header == dict(DeadLetter(None, b"", WHENCE, WHY, element).headers())["element"]


@pytest.mark.parametrize("detail", ["zu groß", "half a pair: \ud800"])
def test_any_detail_can_be_sent(detail):
    rejected = Rejected("wrong-type", detail)
    sent = dict(DeadLetter(None, None, WHENCE, rejected, None).headers())["detail"]
    assert detail.replace("\ud800", "?") == sent.decode()


@pytest.mark.parametrize("key", [None, b"", b"\xff\x00"])
@pytest.mark.parametrize("value", [None, b"", b"\xff not JSON"])
def test_key_and_value_are_the_bytes_of_the_rejected_record(key, value):
    record = MemoryRecord("t1-esp-reports", 3, 1042, None, key, value)
    sent = dead_letter(record, WHY, 7)
    assert ("dead-letters", key, value) == (sent.topic, sent.key, sent.value)
    assert tuple(header for _, header in sent.headers[2:5]) == (b"t1-esp-reports", b"3", b"1042")


texts = st.text(st.characters(codec="utf-8"))


@given(
    st.none() | st.binary(max_size=9),
    st.none() | st.binary(max_size=9),
    st.builds(Coordinates, texts, st.integers(0, 99), st.integers(0, 2**63)),
    st.builds(
        Rejected,
        st.sampled_from(["not-json", "bad-recipient", "of-another-version"]),
        st.text(st.characters(codec="utf-8")),
    ),
    st.none() | st.integers(0, 9),
)
def test_a_dead_letter_is_read_as_it_was_written(key, value, source, rejected, element):
    letter = DeadLetter(key, value, source, rejected, element)
    assert read_dead_letter(key, value, letter.headers()) == letter


@pytest.mark.parametrize("changed", ["reason", "source-topic", "source-partition", "source-offset", "element"])
def test_a_record_without_our_headers_is_no_dead_letter(changed):
    headers = DeadLetter(b"k", b"v", WHENCE, WHY, 7).headers()
    assert read_dead_letter(b"k", b"v", [(name, text) for name, text in headers if name != changed]) is None
    if changed not in {"reason", "source-topic"}:
        spoilt = [(name, b"x" if name == changed else text) for name, text in headers]
        assert read_dead_letter(b"k", b"v", spoilt) is None
