"""Bytes to values and back: total on whatever comes in, exact in what goes out."""

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import (
    decode_delivery_event,
    decode_json,
    decode_report,
    decode_send_request,
    decode_suppression,
    encode,
)
from schemas.delivery import DeliveryEvent
from schemas.rejected import Reason as Why
from schemas.rejected import Rejected
from schemas.report import MAX_REPORT_BYTES, Report
from schemas.suppression import Reason, Suppression
from schemas.typology import OUTCOMES, STATUSES, TYPOLOGY

DECODERS = (decode_json, decode_report, decode_delivery_event, decode_send_request, decode_suppression)
REASONS = frozenset(Why.__args__)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda within: st.lists(within, max_size=3) | st.dictionaries(TEXTS, within, max_size=3),
    max_leaves=8,
)

EVENT = {
    "event_uid": "u1",
    "tenant": "acme",
    "recipient": "jane@example.com",
    "occurred_at": "2026-11-20T10:15:30.123Z",
    "outcome": "bounced",
    "status": "Quota exceeded",
    "effect": "count",
    "rule": "iana-x.2.2",
}
EVENT_MORE = {
    "provider": "mailjet",
    "event_id": "e1",
    "message_id": "m1",
    "campaign_id": "c1",
    "permanent": False,
    "smtp_code": "452",
    "enhanced_code": "4.2.2",
    "diagnostic": "452 4.2.2 mailbox full",
    "provider_code": "recipient/quota exceeded",
}
REASON = {
    "status": "Quota exceeded",
    "category": "soft_bounce",
    "severity": "low",
    "since": "2026-11-20T10:15:30.123Z",
    "expires_at": None,
    "rule": "soft-bounce-limit",
    "failures": 5,
    "evidence": ["m1", "m2", "m3", "m4", "m5"],
}
SUPPRESSION = {
    "schema": 1,
    "tenant": "acme",
    "recipient": "jane@example.com",
    "action": "suppress",
    "status": "Quota exceeded",
    "category": "soft_bounce",
    "severity": "low",
    "since": "2026-11-20T10:15:30.123Z",
    "expires_at": None,
    "reasons": [REASON],
    "suppression_id": "s1",
    "policy": "p1",
    "cause": "report",
}
REPORT = {"provider": "mailjet", "tenant": "acme", "payload": {"event": "sent"}, "received_at": "2026-11-20T10:15:30Z"}

SEND_REQUEST = {
    "tenant": "acme",
    "recipients": ["jane@example.com"],
    "purpose": "transactional",
    "campaign_id": "c1",
    "request_id": "r1",
}


def raw(fields: dict, **changes) -> bytes:
    return orjson.dumps({**fields, **changes})


def without(fields: dict, name: str) -> bytes:
    return orjson.dumps({key: value for key, value in fields.items() if key != name})


def changed_in_one_place(fields: dict) -> st.SearchStrategy[bytes]:
    """What nearly is a record: one field replaced by any JSON value, or a piece of the text cut out."""
    replaced = st.builds(lambda name, value: raw(fields, **{name: value}), st.sampled_from([*fields]), JSON)
    whole = orjson.dumps(fields)
    places = st.integers(0, len(whole))
    cut = st.builds(lambda start, end, put: whole[:start] + put + whole[end:], places, places, st.binary(max_size=3))
    return replaced | cut


ANYTHING = st.binary(max_size=60) | JSON.map(orjson.dumps)
NEARLY = st.one_of(*map(changed_in_one_place, (REPORT, EVENT | EVENT_MORE, SEND_REQUEST, SUPPRESSION)))


@settings(max_examples=400, deadline=None)
@given(ANYTHING | NEARLY)
def test_whatever_comes_is_a_value_or_a_rejection_from_the_closed_list(value):
    for decode in DECODERS:
        found = decode(value)
        if isinstance(found, Rejected):
            assert found.reason in REASONS
            assert len(found.detail) < 200


SECRET = "jane.doe@example.com"


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([REPORT, EVENT | EVENT_MORE, SEND_REQUEST, SUPPRESSION, SUPPRESSION | {"reasons": 0}]).flatmap(
        lambda fields: st.builds(lambda name: raw(fields, **{name: SECRET}), st.sampled_from([*fields]))
    )
)
def test_a_rejection_never_quotes_the_record(value):
    for decode in DECODERS:
        found = decode(value)
        if isinstance(found, Rejected):
            assert SECRET not in found.detail


def test_a_value_outside_a_closed_list_is_told_by_its_place_alone():
    expected = Rejected("wrong-type", "Invalid enum value - at `$.outcome`")
    assert expected == decode_delivery_event(raw(EVENT, outcome=f"{SECRET} - at `$.x"))
    expected = Rejected("wrong-type", "Invalid enum value - at `$.reasons[0].status`")
    assert expected == decode_suppression(raw(SUPPRESSION, reasons=[{**REASON, "status": SECRET}]))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" ",
        b"nil",
        b"{",
        b'{"a":1}{"b":2}',
        b"{'a': 1}",
        b"NaN",
        b'{"payload": NaN}',
        b'{"payload": Infinity}',
        b'{"payload": -Infinity}',
        b'"\\ud800"',
        b'{"tenant": "\\udc00\\ud800"}',
        b'{"tenant": "\xff"}',
        b'{"tenant": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        '{"tenant": "acme"}'.encode("utf-16"),
        b'{"tenant": "tab\tinside"}',
        b"[" * 100_000,
        b'{"payload":' * 10_000,
        b"[" * 2_000 + b"]" * 2_000,
        b"1e999",
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_not_json_is_rejected_as_that(value):
    found = [decode_json(value), decode_report(value)]
    assert {"not-json"} == {rejected.reason for rejected in found}
    for decode in (decode_delivery_event, decode_suppression):
        assert decode(value).reason in {"not-json", "wrong-type"}


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ('{"tenant": "Müller"}'.encode("latin-1"), "not UTF-8 at byte 13"),
        (b'{"tenant": "\xed\xa0\x80"}', "not UTF-8 at byte 12"),
        (b'{"tenant": Jane', "not UTF-8 JSON: "),
    ],
)
def test_what_is_not_utf_8_is_said_to_be_that(value, detail):
    assert decode_json(value).detail.startswith(detail)
    assert "Jane" not in decode_json(value).detail


def test_a_report_may_nest_a_thousand_deep():
    payload = b"[" * 1_000 + b"]" * 1_000
    found = decode_report(b'{"provider":"mailjet","tenant":"acme","payload":' + payload + b"}")
    assert isinstance(found, Report)


def test_the_last_of_two_equal_keys_wins():
    assert decode_report(b'{"tenant":"umbrella",' + raw(REPORT)[1:]).tenant == "acme"
    event, _ = decode_delivery_event(b'{"tenant":"umbrella",' + raw(EVENT)[1:])
    assert event.tenant == "acme"
    assert decode_suppression(b'{"tenant":"umbrella",' + raw(SUPPRESSION)[1:]).tenant == "acme"


def test_an_integer_of_any_size_is_read_where_nothing_depends_on_it():
    digits = b"9" * 300
    found = decode_report(b'{"provider":"mailjet","tenant":"acme","payload":{"n":' + digits + b"}}")
    assert isinstance(found, Report)
    for time in (digits, b"1" + digits, b"-" + digits):
        found = decode_report(b'{"provider":"mailjet","tenant":"acme","payload":[],"received_at":' + time + b"}")
        assert found.reason == "bad-time"
    assert isinstance(decode_delivery_event(raw(EVENT)[:-1] + b',"n":' + digits + b"}"), tuple)


# --- reports


def test_a_report_is_read_with_its_time_in_milliseconds_and_unknown_fields_dropped():
    expected = Report("mailjet", "acme", {"event": "sent"}, 1_795_169_730_000)
    assert expected == decode_report(raw(REPORT)) == decode_report(raw(REPORT, source="eu-1", version=3))


@pytest.mark.parametrize("payload", [{}, [], "", {"a": [1, None]}, [{}, 1], "Subject: x\r\n\r\n"])
def test_a_payload_is_an_object_an_array_or_text(payload):
    assert payload == decode_report(raw(REPORT, payload=payload)).payload


@pytest.mark.parametrize(
    ("received_at", "expected"), [(None, None), ("", None), (0, 0), ("1970-01-01T00:00:00Z", 0), (1, 1000)]
)
def test_when_a_report_was_received_may_be_left_open(received_at, expected):
    assert expected == decode_report(raw(REPORT, received_at=received_at)).received_at
    assert decode_report(without(REPORT, "received_at")).received_at is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"[]", "wrong-type"),
        (b"null", "wrong-type"),
        (b"1", "wrong-type"),
        (without(REPORT, "provider"), "missing-field"),
        (raw(REPORT, provider=None), "missing-field"),
        (raw(REPORT, provider=""), "missing-field"),
        (raw(REPORT, provider=1), "wrong-type"),
        (without(REPORT, "tenant"), "missing-field"),
        (raw(REPORT, tenant=""), "missing-field"),
        (raw(REPORT, tenant=["acme"]), "wrong-type"),
        (raw(REPORT, tenant="acme inc"), "bad-tenant"),
        (raw(REPORT, tenant="acme\n"), "bad-tenant"),
        (raw(REPORT, tenant="ac\x1fme"), "bad-tenant"),
        (raw(REPORT, tenant="åcme"), "bad-tenant"),
        (raw(REPORT, tenant="a" * 65), "bad-tenant"),
        (without(REPORT, "payload"), "missing-field"),
        (raw(REPORT, payload=None), "missing-field"),
        (raw(REPORT, payload=0), "wrong-type"),
        (raw(REPORT, payload=False), "wrong-type"),
        (raw(REPORT, received_at="yesterday"), "bad-time"),
        (raw(REPORT, received_at=True), "bad-time"),
        (raw(REPORT, received_at={}), "bad-time"),
    ],
)
def test_an_envelope_that_breaks_the_contract_is_rejected(value, reason):
    assert reason == decode_report(value).reason


def test_a_tenant_has_up_to_64_of_the_allowed_characters():
    for tenant in ("a" * 64, "A.b_c-9", "."):
        assert tenant == decode_report(raw(REPORT, tenant=tenant)).tenant


def test_a_report_of_one_mebibyte_is_read_and_one_byte_more_is_too_large():
    assert MAX_REPORT_BYTES == 1024 * 1024
    empty = raw(REPORT, payload="")
    largest = raw(REPORT, payload="x" * (MAX_REPORT_BYTES - len(empty)))
    assert len(largest) == MAX_REPORT_BYTES
    assert isinstance(decode_report(largest), Report)
    expected = Rejected("too-large", "1048577 bytes; a report may have 1048576")
    assert expected == decode_report(largest + b" ") == decode_report(b"\xff" * (MAX_REPORT_BYTES + 1))


# --- delivery events


def test_a_delivery_event_is_read_with_its_time_in_milliseconds_and_unknown_fields_dropped():
    event, at = decode_delivery_event(raw(EVENT, version=3))
    assert at == 1_795_169_730_123
    assert event == DeliveryEvent(**EVENT)


def test_a_delivery_event_is_written_in_the_order_of_the_specification():
    assert encode(DeliveryEvent(**EVENT, **EVENT_MORE)) == raw(EVENT | EVENT_MORE)
    assert encode(DeliveryEvent(**EVENT_MORE, **EVENT)) == raw(EVENT | EVENT_MORE)


def test_absent_optional_fields_are_left_out_but_the_status_is_always_there():
    event = {**EVENT, "outcome": "delivered", "status": None, "effect": "reset"}
    assert encode(DeliveryEvent(**event)) == raw(event)
    assert b'"status":null' in encode(DeliveryEvent(**event))
    assert encode(DeliveryEvent(**event, permanent=False)) == raw(event, permanent=False)


@pytest.mark.parametrize("name", EVENT)
def test_a_delivery_event_without_a_required_field_is_rejected(name):
    assert decode_delivery_event(without(EVENT, name)).reason == "wrong-type"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"occurred_at": "soon"}, "bad-time"),
        ({"occurred_at": 1_760_000_000}, "wrong-type"),
        ({"message_id": 4711}, "wrong-type"),
        ({"permanent": "false"}, "wrong-type"),
        ({"effect": "block"}, "wrong-type"),
        ({"status": None}, "wrong-type"),
        ({"status": "quota exceeded"}, "wrong-type"),
        ({"outcome": "exploded"}, "wrong-type"),
    ],
)
def test_a_delivery_event_that_breaks_the_contract_is_rejected(changes, reason):
    assert reason == decode_delivery_event(raw(EVENT, **changes)).reason


@pytest.mark.parametrize("effect", ["block", "count", "reset", "lift", "ignore"])
@pytest.mark.parametrize("status", [None, *STATUSES])
def test_an_effect_must_go_with_its_status(status, effect):
    agrees = effect in ("reset", "lift", "ignore") if status is None else effect == TYPOLOGY[status].effect
    found = decode_delivery_event(raw(EVENT, status=status, effect=effect))
    assert agrees == (not isinstance(found, Rejected))


def test_an_attempt_is_named_by_its_message_else_by_its_event():
    assert DeliveryEvent(**EVENT, message_id="m1").attempt_id == "m1"
    assert DeliveryEvent(**EVENT).attempt_id == DeliveryEvent(**EVENT, message_id="").attempt_id == "u1"


# --- suppressions


def test_a_suppression_is_written_as_the_example_of_the_specification():
    record = Suppression(
        **{**SUPPRESSION, "reasons": (Reason(**{**REASON, "evidence": ("m1", "m2", "m3", "m4", "m5")}),)}
    )
    assert encode(record) == raw(SUPPRESSION)
    assert record == decode_suppression(raw(SUPPRESSION)) == decode_suppression(raw(SUPPRESSION, version=3))


def test_failures_stand_on_a_soft_bounce_reason_alone():
    reason = {name: value for name, value in REASON.items() if name != "failures"}
    value = raw(SUPPRESSION, reasons=[reason])
    assert encode(decode_suppression(value)) == value


@pytest.mark.parametrize("name", SUPPRESSION)
def test_a_suppression_without_a_field_is_rejected(name):
    assert decode_suppression(without(SUPPRESSION, name)).reason == "wrong-type"


# --- both ways

UID = st.text("0123456789abcdef", min_size=1, max_size=8)
OPTIONAL = st.none() | TEXTS
TIMES = st.just("2026-11-20T10:15:30.123Z")
MEANINGS = st.sampled_from(
    [*((status, TYPOLOGY[status].effect) for status in STATUSES), (None, "reset"), (None, "lift"), (None, "ignore")]
)
EVENTS = st.builds(
    lambda meaning, **fields: DeliveryEvent(status=meaning[0], effect=meaning[1], **fields),
    meaning=MEANINGS,
    event_uid=UID,
    tenant=UID,
    recipient=TEXTS,
    occurred_at=TIMES,
    outcome=st.sampled_from(OUTCOMES),
    rule=TEXTS,
    permanent=st.none() | st.booleans(),
    **dict.fromkeys(set(EVENT_MORE) - {"permanent"}, OPTIONAL),
)
REASONS_OF_A_CONTACT = st.builds(
    Reason,
    status=st.sampled_from(STATUSES),
    category=st.just("soft_bounce"),
    severity=st.just("low"),
    since=TIMES,
    expires_at=st.none() | TIMES,
    rule=TEXTS,
    failures=st.just(msgspec.UNSET) | st.integers(1, 256),
    evidence=st.lists(TEXTS, max_size=5).map(tuple),
)
SUPPRESSIONS = st.builds(
    Suppression,
    schema=st.just(1),
    tenant=UID,
    recipient=TEXTS,
    action=st.sampled_from(["suppress", "release"]),
    status=st.sampled_from(STATUSES),
    category=st.just("soft_bounce"),
    severity=st.just("low"),
    since=TIMES,
    expires_at=st.none() | TIMES,
    reasons=st.lists(REASONS_OF_A_CONTACT, max_size=3).map(tuple),
    suppression_id=UID,
    policy=UID,
    cause=TEXTS,
)


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_a_delivery_event_written_is_read_back_the_same(event):
    assert (event, 1_795_169_730_123) == decode_delivery_event(encode(event))


@settings(max_examples=300, deadline=None)
@given(SUPPRESSIONS)
def test_a_suppression_written_is_read_back_the_same(record):
    assert record == decode_suppression(encode(record))


@settings(max_examples=200, deadline=None)
@given(EVENTS | SUPPRESSIONS)
def test_what_is_written_is_compact_utf_8_without_needless_escapes(record):
    written = encode(record)
    assert written == orjson.dumps(orjson.loads(written))
