"""Bodies become envelopes byte for byte, keyed by the recipient where there is one."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_report
from schemas.report import Report
from streams.web.webhooks.payload import read_payload, report
from streams.web.webhooks.post import PROVIDERS
from tests.support.webhooks import NOW, post

JANE = b"jane@example.com"


def key(provider: str, content: object) -> bytes | None:
    made = post(provider, orjson.dumps(content))
    return report(made, read_payload(made)).key


def test_an_envelope_holds_the_body_byte_for_byte_and_when_it_came():
    body = b'[ {"event":"sent","MessageID":19421777835146490, "big": 123456789012345678901234567890.50} ]\n'
    made = post("mailjet", body)
    record = report(made, read_payload(made))
    assert record.topic == "esp-reports"
    assert record.value == (
        b'{"provider":"mailjet","tenant":"acme","payload":' + body + b',"received_at":"2026-11-23T10:15:30.000Z"}'
    )
    assert decode_report(record.value) == Report("mailjet", "acme", orjson.loads(body), NOW)


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize("provider", PROVIDERS)
@given(content=st.lists(json, max_size=3) | st.dictionaries(st.text(), json, max_size=3))
def test_any_object_or_array_becomes_a_report_that_can_be_read(provider, content):
    made = post(provider, orjson.dumps(content))
    record = report(made, read_payload(made))
    read = decode_report(record.value)
    assert isinstance(read, Report)
    assert (read.provider, read.tenant, read.received_at) == (provider, "acme", NOW)
    assert read.payload == (made.body.decode() if provider in {"dsn", "arf"} else content)


@pytest.mark.parametrize("provider", PROVIDERS)
@given(body=st.binary())
def test_any_bytes_become_a_report_of_this_tenant_or_none(provider, body):
    made = post(provider, body)
    payload = read_payload(made)
    if payload is not None:
        read = decode_report(report(made, payload).value)
        assert isinstance(read, Report)
        assert (read.provider, read.tenant) == (provider, "acme")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"7",
        b'"text"',
        b"{",
        b"{}{}",
        b'{}, "tenant": "globex"',
        b'{"a":1}, "tenant": "globex", "x": {"b":2}',
        b"[NaN]",
        b'["\\ud800"]',
        b"\xff",
        b'\xef\xbb\xbf\xef\xbb\xbf{"a":1}',
    ],
)
def test_what_is_no_object_and_no_array_is_not_read(body):
    assert read_payload(post("mailjet", body)) is None


def test_a_byte_order_mark_is_no_part_of_the_payload():
    made = post("mailjet", b'\xef\xbb\xbf{"event":"sent"}')
    assert b'"payload":{"event":"sent"}' in report(made, read_payload(made)).value


@pytest.mark.parametrize("provider", ["dsn", "arf"])
def test_a_raw_mail_becomes_text_and_what_nobody_can_decode_is_marked(provider):
    made = post(provider, b"Return-Path: <>\r\nSubject: \xc3\xbcber\r\n\r\nFinal-Recipient: jos\xe9@example.com\r\n")
    read = decode_report(report(made, read_payload(made)).value)
    assert (
        read.payload
        == "Return-Path: <>\r\nSubject: über\r\n\r\nFinal-Recipient: jos\N{REPLACEMENT CHARACTER}@example.com\r\n"
    )
    assert read_payload(post(provider, b" \r\n")) is None


ABOUT_JANE = {
    "mailjet": {"email": "jane@example.com"},
    "sendgrid": [{"email": "jane@example.com"}, {"email": "jane@example.com"}],
    "ses": {"Message": '{"mail":{"destination":["jane@example.com"]}}'},
    "mailgun": {"event-data": {"recipient": "jane@example.com"}},
    "postmark": {"Email": "jane@example.com"},
    "sparkpost": [{"msys": {"message_event": {"rcpt_to": "jane@example.com"}}}],
    "brevo": {"email": "jane@example.com"},
    "normalized": {"recipient": "jane@example.com"},
}


@pytest.mark.parametrize("provider", ABOUT_JANE)
def test_a_report_about_one_recipient_is_keyed_by_it(provider):
    assert key(provider, ABOUT_JANE[provider]) == JANE


def test_the_recipient_is_found_where_else_it_may_be():
    assert key("mailgun", {"recipient": "jane@example.com", "event": "bounced"}) == JANE
    assert key("postmark", {"Recipient": "jane@example.com"}) == JANE


@pytest.mark.parametrize(
    ("provider", "content"),
    [
        ("mailjet", [{"email": "jane@example.com"}, {"email": "john@example.com"}]),
        ("mailjet", [{"email": "jane@example.com"}, {}]),
        ("mailjet", [{"email": "jane@example.com"}, 7]),
        ("mailjet", []),
        ("mailjet", {"email": ["jane@example.com"]}),
        ("mailjet", {"email": ""}),
        ("mailjet", {"email": "x" * 999}),
        ("sparkpost", [{"msys": {}}]),
        ("sparkpost", [{"msys": 7}]),
        ("ses", {"Message": '{"mail":{"destination":["jane@example.com","john@example.com"]}}'}),
        ("ses", {"Message": "Successfully validated SNS topic for Amazon SES event publishing."}),
        ("ses", {"Message": {"mail": 7}}),
        ("ses", {"Message": "[]"}),
        ("mailgun", {"event-data": 7}),
        ("dsn", {"recipient": "jane@example.com"}),
    ],
)
def test_any_other_report_has_no_key(provider, content):
    assert key(provider, content) is None
