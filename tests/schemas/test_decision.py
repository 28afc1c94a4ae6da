"""What a platform asks before a send, and the answer on the wire."""

import orjson
import pytest
from msgspec import UNSET, convert

from schemas.codec import decode_send_request, encode
from schemas.decision import (
    MAX_RECIPIENTS,
    SendDecision,
    SendError,
    SendRequest,
    SendResult,
    request_id_of,
    to_send_request,
)
from schemas.rejected import Rejected

ASKED = {"tenant": "acme", "recipients": ["a@gamil.com", "Jane <jane@example.com>"]}


def decoded(**changes):
    return decode_send_request(orjson.dumps({**ASKED, **changes}))


def test_a_request_is_for_marketing_unless_it_says_otherwise():
    expected = SendRequest("acme", ("a@gamil.com", "Jane <jane@example.com>"), "marketing", None, None)
    assert expected == decoded() == decoded(purpose=None) == decoded(purpose="") == decoded(purpose="marketing")
    assert decoded(purpose="transactional").purpose == "transactional"


def test_unknown_fields_are_dropped():
    assert decoded() == decoded(urgent=True, shard=3)


def test_ids_are_text_and_numbers_become_text():
    found = decoded(campaign_id="c1", request_id=93449692684977441)
    assert (found.campaign_id, found.request_id) == ("c1", "93449692684977441")
    assert (decoded(campaign_id="", request_id="").campaign_id, decoded(request_id=None).request_id) == (None, None)


def test_recipients_are_taken_as_asked_be_they_addresses_or_not():
    recipients = ["", "nobody", "a@b", "a@gamil.com", "a@gamil.com", "x" * 5_000]
    assert decoded(recipients=recipients).recipients == tuple(recipients)


def test_a_request_may_have_ten_thousand_recipients():
    assert len(decoded(recipients=["a@example.com"] * MAX_RECIPIENTS).recipients) == 10_000
    found = decoded(recipients=["a@example.com"] * (MAX_RECIPIENTS + 1))
    assert found == Rejected("too-large", "10001 recipients; a request may have 10000")


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"tenant": None}, "missing-field", "tenant is missing"),
        ({"tenant": ""}, "missing-field", "tenant is missing"),
        ({"tenant": 7}, "wrong-type", "tenant is not text"),
        ({"tenant": "a b"}, "bad-tenant", "tenant is not 1 to 64 of A-Z a-z 0-9 . _ -"),
        ({"tenant": "x" * 65}, "bad-tenant", "tenant is not 1 to 64 of A-Z a-z 0-9 . _ -"),
        ({"recipients": None}, "missing-field", "recipients is missing or empty"),
        ({"recipients": []}, "missing-field", "recipients is missing or empty"),
        ({"recipients": "a@example.com"}, "wrong-type", "recipients is not an array"),
        ({"recipients": {"a@example.com": 1}}, "wrong-type", "recipients is not an array"),
        ({"recipients": ["a@example.com", None]}, "wrong-type", "recipient 1 (counted from 0) is not text"),
        ({"recipients": [["a@example.com"]]}, "wrong-type", "recipient 0 (counted from 0) is not text"),
        ({"purpose": "Marketing"}, "unknown-purpose", "purpose is neither marketing nor transactional"),
        ({"purpose": ["marketing"]}, "unknown-purpose", "purpose is neither marketing nor transactional"),
        ({"purpose": 0}, "unknown-purpose", "purpose is neither marketing nor transactional"),
        ({"purpose": False}, "unknown-purpose", "purpose is neither marketing nor transactional"),
        ({"campaign_id": True}, "wrong-type", "campaign_id is neither text nor an integer"),
        ({"campaign_id": 1.5}, "wrong-type", "campaign_id is neither text nor an integer"),
        ({"request_id": {}}, "wrong-type", "request_id is neither text nor an integer"),
    ],
)
def test_a_request_that_can_not_be_read_is_rejected_with_what_is_wrong(changes, reason, said):
    assert decoded(**changes) == Rejected(reason, said)


@pytest.mark.parametrize("value", [None, b"", b"{", b"nil", b'{"tenant": "\xff"}'])
def test_what_is_not_json_is_rejected_as_that(value):
    assert decode_send_request(value).reason == "not-json"


@pytest.mark.parametrize("value", [b"[]", b'"acme"', b"null", b"3"])
def test_a_request_is_an_object(value):
    assert decode_send_request(value) == Rejected("wrong-type", "a request is a JSON object")


def test_a_bad_request_is_answered_under_its_id_where_it_has_one():
    assert request_id_of({"request_id": "r1"}) == "r1"
    assert request_id_of({"request_id": 7}) == "7"
    for without in ({}, {"request_id": None}, {"request_id": ""}, {"request_id": []}, [], "r1", None):
        assert request_id_of(without) is UNSET
    rejected = to_send_request({"request_id": "r1"})
    error = SendError(request_id_of({"request_id": "r1"}), rejected.reason, rejected.detail)
    assert encode(error) == b'{"request_id":"r1","error":"missing-field","detail":"tenant is missing"}'


ANSWERS = {
    "mailed": (SendResult("a@example.com", send=True), b'{"recipient":"a@example.com","send":true}'),
    "near miss": (
        SendResult("a@gmail.fr", send=True, suggestion="a@gmail.com"),
        b'{"recipient":"a@gmail.fr","send":true,"suggestion":"a@gmail.com"}',
    ),
    "typo": (
        SendResult("a@gamil.com", False, "Typofix", "2026-11-20T10:15:30.123Z", None, "a@gmail.com"),
        (
            b'{"recipient":"a@gamil.com","send":false,"status":"Typofix","since":"2026-11-20T10:15:30.123Z",'
            b'"expires_at":null,"suggestion":"a@gmail.com"}'
        ),
    ),
    "unusable": (
        SendResult("nobody", False, ":", None, None),
        b'{"recipient":"nobody","send":false,"status":":","since":null,"expires_at":null}',
    ),
}


@pytest.mark.parametrize(("result", "written"), ANSWERS.values(), ids=ANSWERS)
def test_a_result_is_written_in_the_order_of_the_specification_and_read_back(result, written):
    assert encode(result) == written
    assert convert(orjson.loads(written), SendResult) == result


def test_a_decision_names_the_request_where_it_has_a_name():
    [mailed, *_] = (result for result, _ in ANSWERS.values())
    assert encode(SendDecision(UNSET, (mailed,))) == b'{"results":[{"recipient":"a@example.com","send":true}]}'
    assert encode(SendDecision("r1", ())) == b'{"request_id":"r1","results":[]}'
