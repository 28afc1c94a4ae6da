"""A dead letter holds the record as it was, and tells in its headers why and whence."""

import pytest

from agents.dead_letters import dead_letter
from schemas.dead_letter import Coordinates, DeadLetter
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
