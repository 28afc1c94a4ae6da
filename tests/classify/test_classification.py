"""The way in: times, uids, elements, and that nothing a producer writes makes it raise."""

import hashlib
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.classify.classification import classify
from agents.classify.providers import MAPPINGS
from agents.classify.providers.mailjet import ERRORS, EVENTS
from schemas.codec import encode
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.typology import OUTCOMES, STATUSES

NOW = 1_760_000_000_000
TEN_MINUTES = 600_000
EVENT = {"recipient": "jane@example.com", "occurred_at": NOW, "outcome": "bounced"}


def found(received_at=None, record_timestamp=None, **fields):
    [(_, event)] = classify(Report("normalized", "acme", {**EVENT, **fields}, received_at), record_timestamp)
    return event


def uid(**fields) -> str:
    event = found(**fields)
    assert isinstance(event, DeliveryEvent), event
    return event.event_uid


def test_ten_minutes_ahead_is_plausible():
    assert isinstance(found(received_at=NOW - TEN_MINUTES), DeliveryEvent)


def test_a_millisecond_more_is_not():
    assert found(received_at=NOW - TEN_MINUTES - 1).reason == "implausible-time"


def test_without_received_at_the_records_own_time_is_the_measure():
    assert isinstance(found(record_timestamp=NOW - TEN_MINUTES), DeliveryEvent)
    assert found(record_timestamp=NOW - TEN_MINUTES - 1).reason == "implausible-time"


def test_received_at_comes_before_the_records_own_time():
    assert isinstance(found(received_at=NOW, record_timestamp=0), DeliveryEvent)
    assert found(received_at=0, record_timestamp=NOW).reason == "implausible-time"


def test_without_either_no_time_is_implausible():
    assert isinstance(found(occurred_at="9999-12-31T23:59:59Z"), DeliveryEvent)


def test_long_ago_is_plausible():
    assert isinstance(found(occurred_at="1999-12-31T23:59:59Z", received_at=NOW), DeliveryEvent)


def test_an_unknown_provider_is_rejected_as_a_whole():
    [(element, rejected)] = classify(Report("carrier-pigeon", "acme", [EVENT, EVENT]))
    assert (element, rejected.reason) == (None, "unknown-provider")


def canonical_hash(*fields) -> str:
    written = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()


def test_the_uid_with_an_event_id_is_over_these_bytes():
    expected = canonical_hash("ses", "acme", 'é"\\\n\x01', "jane@example.com", "bounced", None)
    assert uid(provider="ses", event_id='é"\\\n\x01', diagnostic="whatever") == expected


def test_the_uid_without_an_event_id_is_over_these_bytes():
    told = {
        "message_id": "m",
        "campaign_id": "c",
        "permanent": True,
        "smtp_code": "550",
        "enhanced_code": "5.1.1",
    }
    expected = canonical_hash(
        None, "acme", "jane@example.com", NOW, "bounced", None, "m", "c", True, "550", "5.1.1", "d", "p"
    )
    assert uid(**told, diagnostic="d", provider_code="p") == expected


CHANGES = {
    "recipient": "joe@example.com",
    "occurred_at": NOW + 1,
    "outcome": "blocked",
    "status": "User unknown",
    "provider": "ses",
    "message_id": "m",
    "campaign_id": "c",
    "permanent": False,
    "smtp_code": "550",
    "enhanced_code": "5.1.1",
    "diagnostic": "d",
    "provider_code": "p",
}


@pytest.mark.parametrize("name", CHANGES)
def test_without_an_event_id_every_field_makes_another_event(name):
    assert uid(**{name: CHANGES[name]}) != uid()


@pytest.mark.parametrize("name", CHANGES)
def test_with_an_event_id_only_what_names_it_makes_another_event(name):
    changed = uid(event_id="e", **{name: CHANGES[name]}) != uid(event_id="e")
    assert changed == (name in ("recipient", "outcome", "status", "provider"))


def test_the_tenant_makes_another_event():
    [(_, other)] = classify(Report("normalized", "other", EVENT))
    assert other.event_uid != uid()


def test_one_spelling_of_a_field_or_another_makes_the_same_event():
    assert uid(recipient="Jane <JANE@example.com.>") == uid()
    assert uid(occurred_at="2025-10-09T10:53:20+02:00") == uid()
    assert uid(message_id=7) == uid(message_id="7")
    assert uid(status="Spam", outcome=None) == uid(status="Spam", outcome="complained")
    assert uid(message_id="", permanent=None, colour="red") == uid()


def test_neighbouring_fields_do_not_run_into_each_other():
    assert uid(message_id="a", campaign_id="bc") != uid(message_id="ab", campaign_id="c")
    assert uid(message_id='a","b') != uid(message_id="a", campaign_id="b")
    assert uid(diagnostic="x") != uid(provider_code="x")


FIELDS = {
    "recipient": st.sampled_from(["jane@example.com", "Jane <j@b.example>", "nobody", ""]),
    "occurred_at": st.one_of(st.integers(0, 2 * NOW), st.just("2025-10-09T10:53:20Z"), st.text(max_size=5)),
    "outcome": st.sampled_from([*OUTCOMES, "x", ""]),
    "status": st.sampled_from([*STATUSES, None, None, "x"]),
    "message_id": st.one_of(st.text(max_size=5), st.integers()),
    "event_id": st.one_of(st.none(), st.text(max_size=5)),
    "permanent": st.sampled_from([None, True, False, "true"]),
    "diagnostic": st.text(max_size=30),
    "enhanced_code": st.from_regex(r"[245]\.[0-7]\.[0-9]{1,2}", fullmatch=True),
}
NORMALIZED = st.fixed_dictionaries({}, optional=FIELDS)
MAILJET = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from([*EVENTS, "x"]),
        "email": FIELDS["recipient"],
        "time": FIELDS["occurred_at"],
        "MessageID": FIELDS["message_id"],
        "mj_campaign_id": st.sampled_from([0, "", 7, None]),
        "hard_bounce": st.sampled_from([True, False, "true", "false", "", None]),
        "error": st.sampled_from([*ERRORS, "", None, 7]),
        "error_related_to": st.sampled_from([*ERRORS.values(), *ERRORS, "", None, 7]),
        "comment": st.text(max_size=30),
    },
)
ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=10,
)
SPOILED = st.builds(
    lambda event, name, value: {**event, name: value},
    st.one_of(NORMALIZED, MAILJET),
    st.sampled_from([*FIELDS, "tenant", "event", "email", "time", "hard_bounce", "MessageID", "error"]),
    st.one_of(ANY_JSON, st.text(alphabet=st.characters(), max_size=5)),
)
PAYLOADS = st.one_of(
    ANY_JSON,
    NORMALIZED,
    MAILJET,
    SPOILED,
    st.lists(st.one_of(NORMALIZED, MAILJET, SPOILED, ANY_JSON), max_size=4),
)

MAILS = ("dsn", "arf")  # their payload is the text of one mail


@settings(max_examples=1500)
@given(st.sampled_from([*MAPPINGS, "x"]), PAYLOADS, st.one_of(st.none(), st.integers(0, 2 * NOW)))
def test_any_payload_gives_events_or_rejections_in_element_order(provider, payload, received_at):
    answer = classify(Report(provider, "acme", payload, received_at))
    elements = list(dict.fromkeys(element for element, _ in answer))  # each once: it may tell of several recipients
    if isinstance(payload, list) and provider not in ("x", *MAILS):
        assert elements == list(range(len(payload)))
    else:
        assert len(elements) == 1
    for element, event in answer:
        if isinstance(event, Rejected):
            assert event.detail
        else:
            assert element is not None
            assert event.tenant == "acme"
            assert len(event.event_uid) == 64
            assert (event.status is None) == (event.effect in ("reset", "lift", "ignore"))
            assert msgspec.json.decode(encode(event), type=DeliveryEvent) == event


@settings(max_examples=300)
@given(st.sampled_from([*MAPPINGS]), PAYLOADS, st.randoms(use_true_random=False))
def test_the_same_report_again_gives_the_same_events_whatever_the_order_of_its_keys(provider, payload, chance):
    def shuffled(value):
        if isinstance(value, list):
            return [shuffled(one) for one in value]
        if isinstance(value, dict):
            pairs = list(value.items())
            chance.shuffle(pairs)
            return {name: shuffled(one) for name, one in pairs}
        return value

    once = classify(Report(provider, "acme", payload))
    assert classify(Report(provider, "acme", payload), 10**15) == once
    assert repr(classify(Report(provider, "acme", shuffled(payload), 10**15))) == repr(once)


@given(st.lists(NORMALIZED, min_size=1, max_size=4))
def test_the_place_in_the_report_does_not_matter(events):
    together = [event for _, event in classify(Report("normalized", "acme", events))]
    apart = [classify(Report("normalized", "acme", event))[0][1] for event in events]
    assert together == apart


@pytest.mark.parametrize(
    "name", ["message_id", "campaign_id", "diagnostic", "smtp_code", "enhanced_code", "provider_code"]
)
@pytest.mark.parametrize("event_id", [None, "e"])
def test_half_a_surrogate_pair_is_rejected(name, event_id):
    assert found(event_id=event_id, **{name: "\ud800"}).reason == "wrong-type"


def test_a_rejection_never_tells_what_stood_in_the_record():
    spoiled = [{name: "secret"} for name in FIELDS] + [{"tenant": "secret"}, {"permanent": "secret"}]
    for fields in spoiled:
        event = found(**fields)
        if isinstance(event, Rejected):
            assert "secret" not in event.detail


def test_the_three_best_known_examples():
    assert found(diagnostic="550 5.1.1 user unknown").status == "User unknown"
    assert found(diagnostic="452 4.2.2 mailbox full").status == "Quota exceeded"
    assert found(diagnostic="421 4.4.2 connection timed out").status == "Connection issue"
