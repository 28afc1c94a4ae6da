"""SendGrid signs timestamp and raw body: whatever is changed of either, or signed by somebody else, is refused."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import HOUR, SECOND
from streams.web.webhooks.post import Payload, Refused, Unauthorized
from streams.web.webhooks.sendgrid import SIGNATURE, TIMESTAMP, SendGrid, SendGridGate, check, read_public_key
from tests.support.webhooks import NOW, post, sendgrid_headers, sendgrid_key, sendgrid_public

BODY = b'[{"email":"kai@example.org","timestamp":1760001000,"event":"bounce","sg_event_id":"Zm9v"}]\r\n'
KEYS = [read_public_key(sendgrid_public("old")), read_public_key(sendgrid_public("new"))]
FRESHNESS = 25 * HOUR


def checked(headers: dict[str, str], body: bytes = BODY, now: int = NOW) -> Refused | None:
    return check(post("sendgrid", body, headers).headers, body, KEYS, now, FRESHNESS)


@pytest.mark.parametrize("name", ["old", "new"])
def test_a_post_signed_with_one_of_several_keys_gets_in(name):
    assert checked(sendgrid_headers(name, BODY)) is None


def test_a_post_signed_with_another_tenants_key_is_refused():
    assert checked(sendgrid_headers("globex", BODY)) == Unauthorized("wrong-key")


@given(place=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_whatever_bit_of_the_body_is_changed_it_is_refused(place, bit):
    changed = bytearray(BODY)
    changed[place] ^= 1 << bit
    assert checked(SIGNED, bytes(changed)) == Unauthorized("wrong-key")


SIGNED = sendgrid_headers("new", BODY)


@given(place=st.integers(0, len(SIGNED[SIGNATURE]) - 1), character=st.sampled_from("AZaz09+/=-_ \udcff"))
def test_whatever_character_of_the_signature_is_changed_it_is_refused(place, character):
    signature = SIGNED[SIGNATURE]
    changed = signature[:place] + character + signature[place + 1 :]
    if _bytes(changed) != _bytes(signature):  # base64 has several ways to write the end of the same
        assert isinstance(checked({**SIGNED, SIGNATURE: changed}), Unauthorized)


def _bytes(signature: str) -> bytes | None:
    try:
        return base64.b64decode(signature, validate=True)
    except ValueError:
        return None


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY[:-1], BODY.replace(b'","', b'", "')])
def test_a_body_that_was_written_anew_is_refused(body):
    assert checked(SIGNED, body) == Unauthorized("wrong-key")


@pytest.mark.parametrize("missing", [SIGNATURE, TIMESTAMP])
def test_a_post_without_signature_or_timestamp_is_refused(missing):
    assert checked({name: value for name, value in SIGNED.items() if name != missing}) == Unauthorized("no-signature")


@pytest.mark.parametrize(
    "timestamp", ["", "0", "-1795428930", "1795428930.0", " 1795428930", "1795428930\n", "9" * 20, "١٧٩٥٤٢٨٩٣٠", "x"]
)
def test_a_timestamp_that_is_no_second_is_refused(timestamp):
    signed = sendgrid_key("new").sign(timestamp.encode() + BODY, ec.ECDSA(_SHA256()))
    headers = {SIGNATURE: base64.b64encode(signed).decode(), TIMESTAMP: timestamp}
    assert checked(headers) == Unauthorized("malformed-signature" if timestamp else "no-signature")


@pytest.mark.parametrize("signature", ["!", "AAA", "=", "\udcff"])
def test_a_signature_that_is_not_base64_is_told_apart_from_one_of_another_key(signature):
    assert checked({**SIGNED, SIGNATURE: signature}) == Unauthorized("malformed-signature")
    assert checked({**SIGNED, SIGNATURE: "AAAA"}) == Unauthorized("wrong-key")


def _SHA256():  # noqa: N802 - stands for the class
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


def test_digits_can_not_move_between_timestamp_and_body():
    body = b"12" + BODY
    headers = sendgrid_headers("new", body)
    moved = {**headers, TIMESTAMP: headers[TIMESTAMP] + "12"}
    assert checked(headers, body) is None
    assert checked(moved, BODY) == Unauthorized("malformed-signature")


@pytest.mark.parametrize(
    ("seconds_ago", "expected"),
    [(0, None), (25 * 3600, None), (25 * 3600 + 1, "stale"), (-300, None), (-301, "stale")],
)
def test_a_signature_counts_for_as_long_as_retries_go_on_and_hardly_into_the_future(seconds_ago, expected):
    assert checked(SIGNED, now=NOW + seconds_ago * SECOND) == expected


async def test_the_gate_reads_what_it_lets_in():
    gate = SendGridGate(SendGrid(public_keys=KEYS))
    admitted = await gate.admit(post("sendgrid", BODY, SIGNED))
    assert isinstance(admitted, Payload)
    assert admitted.json == BODY
    assert await gate.admit(post("sendgrid", b"nothing", sendgrid_headers("old", b"nothing"))) == "unreadable"


def _base64(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "base64 of DER"),
        ("secret!", "base64 of DER"),
        (base64.b64encode(b"secret").decode(), "base64 of DER"),
        (_base64(ec.generate_private_key(ec.SECP384R1()).public_key()), "P-256"),
        (_base64(rsa.generate_private_key(65537, 2048).public_key()), "P-256"),
    ],
)
def test_a_key_that_is_none_is_refused_and_not_quoted(text, said):
    with pytest.raises(ValueError, match=said) as refused:
        read_public_key(text)
    assert "secret" not in str(refused.value)
