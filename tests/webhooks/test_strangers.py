"""Whatever a stranger posts is answered 4xx, and 2xx or 4xx where everything is open: no body is an error of ours."""

import asyncio
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.codec import decode_report
from streams.web.webhooks.answers import answer_of, status_of
from streams.web.webhooks.gates import Gates, configured_gates, open_gates
from streams.web.webhooks.payload import report
from streams.web.webhooks.post import PROVIDERS, Payload
from tests.support.webhooks import (
    NOW,
    PEM_URL,
    basic,
    configuration,
    mailgun_body,
    mailgun_signature,
    post,
    sendgrid_headers,
    sendgrid_public,
    settings,
    sns_message,
    sns_signer,
)

MULTIPART = "multipart/form-data; boundary=xYz"
FORM = "application/x-www-form-urlencoded"


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def multipart(disposition: str) -> bytes:
    return f"--xYz\r\nContent-Disposition: form-data; {disposition}\r\n\r\nx\r\n--xYz--\r\n".encode()


KEYS = st.sampled_from(
    [
        *("signature", "timestamp", "token", "parent-signature", "event-data", "event", "email", "recipient", "msys"),
        *("Type", "TopicArn", "Message", "MessageId", "Timestamp", "Signature", "SignatureVersion", "SigningCertURL"),
        *("mail", "destination", "Email", "Recipient", "RecordType", "Token", "SubscribeURL", "Subject", "items"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=6)
)
# What is signed well by somebody else, and then spoiled or not.
STRANGERS = st.builds(
    lambda message, spoiled: {**message, **spoiled},
    st.sampled_from(
        [
            sns_message("somebody"),
            sns_message("somebody", Type="SubscriptionConfirmation", Token="t", SubscribeURL="u"),
            orjson.loads(mailgun_body("somebody's")),
            mailgun_signature("somebody's"),
        ]
    ),
    st.dictionaries(KEYS, JSON, max_size=3),
).map(lambda message: {**message, "SigningCertURL": PEM_URL} if "TopicArn" in message else message)
BODIES = (
    st.binary(max_size=60)
    | (JSON | STRANGERS).map(orjson.dumps)
    | st.dictionaries(KEYS, st.text(max_size=8), max_size=4).map(lambda fields: urlencode(fields).encode())
    | st.sampled_from(
        [
            *(deep(200), deep(300), deep(1_000), deep(1_100), b'{"email":' + deep(1_000) + b"}"),
            b'[{"email":' + deep(1_000) + b'},{"email":' + deep(1_000) + b"}]",
            b'{"signature":' + deep(1_000) + b',"recipient":' + deep(900) + b"}",
            *(multipart("name=x; filename*=idna''%ff"), multipart("name*=x; name*0=y"), multipart("name*=idna''%ff")),
            b"--xYz\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 2_000,
            *(b"\xef\xbb\xbf{}", b"1e999", b"[1e999]", b"-", b'"', b'{"a":' * 2_000, b"\x00", b"=" * 5_000),
        ]
    )
)
# As aiohttp gives them: bytes that are no UTF-8 are surrogates.
TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("\udcff\udc80"), max_size=20)
HEADERS = st.fixed_dictionaries(
    {"Host": st.just("127.0.0.1:8080")},
    optional={
        "Content-Type": st.sampled_from([MULTIPART, FORM, "text/json", "multipart/form-data; boundary*=idna''%ff"])
        | TEXT,
        "Authorization": st.sampled_from(["Basic", "Basic =", "Bearer", "Basic YWNtZQ==", "Bearer é\udcff", "Basic é"])
        | TEXT.map(lambda text: f"Bearer {text}")
        | st.just(basic("somebody:else")["Authorization"]),
        "X-Twilio-Email-Event-Webhook-Signature": TEXT | st.just("AAAA"),
        "X-Twilio-Email-Event-Webhook-Timestamp": TEXT | st.just(str(NOW // 1000)),
    },
)


@pytest.fixture(scope="module")
def configured(tmp_path_factory) -> Gates:
    """Give the gates of a tenant that uses every provider; SNS has its certificate, and Redis is not there."""
    signing = {"sendgrid", "mailgun", "ses"}
    unsigned = "".join(
        f"""
    {provider}.credentials = ["name:secret"]
    {provider}.tokens = ["secret"]"""
        for provider in PROVIDERS
        if provider not in signing
    )
    text = f"""
    [tenants.acme]
    sendgrid.public_keys = ["{sendgrid_public("acme")}"]
    mailgun.signing_keys = ["secret"]
    ses.topics = ["{sns_message()["TopicArn"]}"]
    {unsigned}
    """

    async def fetch(url: str) -> bytes | None:
        return sns_signer("aws").pem if url == PEM_URL else None

    return configured_gates(configuration(text, tmp_path_factory.mktemp("webhooks")), settings(), fetch)[0]


@pytest.mark.parametrize("provider", PROVIDERS)
@given(body=BODIES, headers=HEADERS)
@example(multipart("name=x; filename*=idna''%ff"), {"Content-Type": MULTIPART})
@example(multipart("name*=x; name*0=y"), {"Content-Type": MULTIPART})
@example(b"--xYz\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 2_000, {"Content-Type": MULTIPART})
@example(b"--xYz\r\n", {"Content-Type": "multipart/form-data; boundary*=idna''%ff"})
@example(b"{}", sendgrid_headers("somebody", b"{}"))
@example(deep(1_000), {})
def test_a_stranger_is_answered_4xx_whatever_he_posts(configured, provider, body, headers):
    answer = asyncio.run(configured(provider, "acme").admit(post(provider, body, headers)))
    assert not isinstance(answer, Payload)
    assert 400 <= status_of(provider, answer_of(answer)) < 500


@pytest.mark.parametrize("provider", PROVIDERS)
@given(body=BODIES, headers=HEADERS)
@example(b'[{"email":' + deep(1_000) + b'},{"email":' + deep(1_000) + b"}]", {"Host": "localhost"})
def test_where_everything_is_open_any_body_becomes_a_report_or_is_answered_4xx(provider, body, headers):
    made = post(provider, body, headers)
    answer = asyncio.run(open_gates(provider, "acme").admit(made))
    if isinstance(answer, Payload):
        decode_report(report(made, answer).value)  # a report or a dead letter, never an exception
    else:
        assert 400 <= status_of(provider, answer_of(answer)) < 500
