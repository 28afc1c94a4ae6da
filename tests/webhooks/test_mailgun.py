"""Mailgun signs timestamp and token; the content is bound to the token by us (the binding itself: tests/embedded)."""

from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import HOUR, SECOND
from streams.web.webhooks.mailgun import Mailgun, MailgunGate, Signed, check, digest, read
from streams.web.webhooks.post import Refused, Unauthorized
from streams.web.webhooks.secret import Secret
from streams.web.webhooks.tokens import Tokens
from tests.support.webhooks import NOW, mailgun_body, mailgun_signature, post, settings

KEYS = [b"old key", b"new key"]
FRESHNESS = 9 * HOUR
JSON = "application/json"


def checked(content: dict, now: int = NOW) -> Signed | Refused:
    return check(content, KEYS, now, FRESHNESS)


def content(key: str = "new key", **signed: object) -> dict:
    return orjson.loads(mailgun_body(key, **signed))


@pytest.mark.parametrize("key", ["old key", "new key"])
def test_a_post_signed_with_one_of_several_keys_gets_in(key):
    assert checked(content(key, token="t" * 50)) == Signed(NOW // 1000, "t" * 50)


def test_a_post_signed_with_another_key_is_refused():
    assert checked(content("globex key")) == Unauthorized("wrong-key")


@pytest.mark.parametrize("part", ["timestamp", "token", "signature"])
@given(place=st.integers(0, 9), character=st.sampled_from("0123456789abcdefABCDEF é"))
def test_whatever_is_changed_of_a_signature_it_is_refused(part, place, character):
    changed = content()
    text = changed["signature"][part]
    changed["signature"][part] = text[:place] + character + text[place + 1 :]
    if changed["signature"][part] != text:
        assert isinstance(checked(changed), Unauthorized)


@pytest.mark.parametrize("part", ["timestamp", "token", "signature"])
@pytest.mark.parametrize("instead", [None, "", 1795428930, 1795428930.5, [], {}, True, "x" * 10_000])
def test_a_signature_of_another_shape_is_refused(part, instead):
    changed = content()
    changed["signature"][part] = instead
    why = "malformed-signature" if instead else "no-signature"
    assert checked(changed) == Unauthorized(why)


@pytest.mark.parametrize("instead", [None, "x", [], {}, 7])
def test_a_post_without_a_signature_is_refused(instead):
    assert checked({**content(), "signature": instead}) == Unauthorized("no-signature")


def test_of_a_subaccounts_events_the_main_accounts_signature_counts_too():
    signed = content("subaccount's")
    main = mailgun_signature("new key", token=signed["signature"]["token"])
    signed["signature"]["parent-signature"] = main["signature"]
    assert isinstance(checked(signed), Signed)
    signed["signature"]["parent-signature"] = mailgun_signature("new key")["signature"]
    assert checked(signed) == Unauthorized("wrong-key")


def test_digits_can_not_move_between_timestamp_and_token():
    signed = content(token="12" + "t" * 48)
    moved = {**signed["signature"], "timestamp": signed["signature"]["timestamp"] + "12", "token": "t" * 48}
    assert checked({**signed, "signature": moved}) == Unauthorized("malformed-signature")


@pytest.mark.parametrize(
    ("seconds_ago", "stale"),
    [(0, False), (8 * 3600, False), (9 * 3600, False), (9 * 3600 + 1, True), (-300, False), (-301, True)],
)
def test_a_signature_counts_for_as_long_as_retries_go_on_and_hardly_into_the_future(seconds_ago, stale):
    found = checked(content(), NOW + seconds_ago * SECOND)
    assert found == "stale" if stale else isinstance(found, Signed)


def test_a_legacy_form_is_read_as_an_object_of_text_fields_and_its_signature_is_checked():
    fields = {"event": "bounced", "recipient": "jane@example.com", "code": "550", **mailgun_signature("old key")}
    payload = read("application/x-www-form-urlencoded; charset=utf-8", urlencode(fields).encode())
    assert payload is not None
    assert payload.content == orjson.loads(payload.json) == fields
    assert isinstance(checked(payload.content), Signed)
    assert checked({**payload.content, "token": "another"}) == Unauthorized("wrong-key")


def test_json_is_read_whatever_its_content_type_says():
    for content_type in (JSON, "application/x-www-form-urlencoded", "text/plain", ""):
        payload = read(content_type, b'{"event-data": {}}')
        assert payload is not None
        assert payload.content == {"event-data": {}}


@pytest.mark.parametrize("body", [b"", b"[]", b"[{}]", b"7", b"null", b"\xff", b"a=1"])
def test_what_is_neither_an_object_nor_a_form_is_not_read(body):
    assert read(JSON, body) is None


def test_a_token_is_bound_to_the_content_and_not_to_how_it_was_written():
    one = content()
    other = orjson.loads(orjson.dumps(one, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
    assert digest(one) == digest(other)
    other["event-data"]["recipient"] = "john@example.com"
    assert digest(one) != digest(other)
    assert digest(one) != digest({**one, "more": 1})


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"\xff"])
async def test_what_is_no_event_is_unauthorized_since_the_signature_would_be_inside(body):
    gate = MailgunGate(Mailgun(signing_keys=[Secret(b"new key")]), Tokens(settings()))
    assert await gate.admit(post("mailgun", body)) == Unauthorized("unreadable-body")


async def test_content_nested_deeper_than_can_be_hashed_is_unreadable_though_signed():
    # orjson reads 1,024 levels and writes 254; no Redis is asked.
    gate = MailgunGate(Mailgun(signing_keys=[Secret(b"new key")]), Tokens(settings()))
    deep = content() | {"deep": orjson.loads(b"[" * 1_000 + b"]" * 1_000)}
    assert digest(deep) is None
    body = mailgun_body("new key")[:-1] + b', "deep":' + b"[" * 1_000 + b"]" * 1_000 + b"}"
    assert await gate.admit(post("mailgun", body)) == "unreadable"
