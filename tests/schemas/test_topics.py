"""The topic catalogue says what SPEC 2 says, and what does not fit together is refused."""

import pytest

from schemas.report import MAX_REPORT_BYTES
from schemas.topics import catalogue, parse_catalogue

MIB = 1024 * 1024

# SPEC 2, row by row: cleanup and retention.
PUBLIC = {
    "esp-reports": ("delete", "7d"),
    "delivery-events": ("delete", "7d"),
    "suppressions": ("compact", None),
    "contact-commands": ("delete", "30d"),
    "send-requests": ("delete", "1d"),
    "send-decisions": ("delete", "1d"),
    "campaign-alerts": ("compact,delete", "30d"),
    "dead-letters": ("delete", "30d"),
}

TOPIC = {
    "name": '"x"',
    "description": '"d"',
    "key": '"any"',
    "value": '"text"',
    "partitions": "8",
    "cleanup": '"delete"',
    "retention": '"7d"',
    "max_bytes": "1000",
}


def written(**changes: str | None) -> str:
    fields = {name: value for name, value in {**TOPIC, **changes}.items() if value is not None}
    return "[[topic]]\n" + "".join(f"{name} = {value}\n" for name, value in fields.items())


def test_the_public_topics_are_those_of_the_specification():
    public = {t.name: (t.cleanup, t.retention) for t in catalogue().values() if not t.internal}
    assert public == PUBLIC


def test_internal_topics_are_compacted_only():
    internal = [topic for topic in catalogue().values() if topic.internal]
    assert "bounceline-contacts-changelog" in {topic.name for topic in internal}
    assert {("compact", None)} == {(topic.cleanup, topic.retention) for topic in internal}


def test_reports_may_be_as_large_as_promised_and_a_dead_letter_holds_the_largest_with_room_for_its_headers():
    topics = catalogue()
    assert topics["esp-reports"].max_bytes >= 4 * MIB
    for source in ("esp-reports", "delivery-events", "contact-commands", "send-requests"):
        assert topics["dead-letters"].max_bytes >= topics[source].max_bytes + 64 * 1024


def test_a_delivery_event_holds_the_longest_text_a_report_may_bring():
    # Text grows by half at most where JSON is written anew; what else stands in an event is small.
    assert catalogue()["delivery-events"].max_bytes >= 2 * MAX_REPORT_BYTES


def test_a_contacts_state_lies_in_the_partition_of_its_events():
    topics = catalogue()
    assert topics["delivery-events"].partitions == topics["bounceline-contacts-changelog"].partitions


def test_the_broker_is_told_cleanup_size_and_retention_in_milliseconds():
    topics = catalogue()
    assert topics["esp-reports"].configs() == {
        "cleanup.policy": "delete",
        "max.message.bytes": "4259840",
        "retention.ms": "604800000",
    }
    assert topics["suppressions"].configs() == {"cleanup.policy": "compact", "max.message.bytes": "1048588"}


def test_a_catalogue_is_read_by_name_in_its_own_order():
    text = written(name='"b"') + written(name='"a"', cleanup='"compact"', retention=None, internal="true")
    found = parse_catalogue(text)
    assert list(found) == ["b", "a"]
    assert (found["b"].internal, found["a"].internal) == (False, True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (written(retain='"7d"'), "unknown field `retain`"),
        (written(partitions=None), "missing required field `partitions`"),
        (written(partitions='"8"'), "Expected `int`, got `str`"),
        (written(cleanup='"compacted"'), "Invalid enum value 'compacted'"),
        (written(retention=None), "topic x: retention goes with cleanup `delete`"),
        (written(cleanup='"compact"'), "topic x: retention goes with cleanup `delete`"),
        (written(cleanup='"compact,delete"', retention=None), "topic x: retention goes with cleanup `delete`"),
        (written(retention='"1w"'), "'1w' is not a duration"),
        (written() + written(), "a topic name stands twice"),
        ("[[topic]", "Expected"),
        ("", "missing required field `topic`"),
        (written() + "\n[topics]\n", "unknown field `topics`"),
    ],
)
def test_a_catalogue_that_does_not_fit_together_is_refused(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_catalogue(text)
