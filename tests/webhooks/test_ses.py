"""The SES gate: certificates pinned or fetched once, subscriptions confirmed, strangers kept out."""

import asyncio

import orjson
import pytest
from cryptography.x509 import load_pem_x509_certificate
from structlog.testing import capture_logs

from schemas.times import DAY, HOUR, SECOND
from streams.web.webhooks.answers import status_of
from streams.web.webhooks.certificates import FETCHES, Certificates
from streams.web.webhooks.post import Payload, Refused, Unauthorized
from streams.web.webhooks.ses import Ses, SesGate
from streams.web.webhooks.sns import Topic
from tests.support.webhooks import NOW, PEM_URL, TOPIC, post, sns_message, sns_signer

AWS = load_pem_x509_certificate(sns_signer("aws").pem)
NEXT = load_pem_x509_certificate(sns_signer("next").pem)


class Net:
    """What lies outside: URLs and what they give. It writes down whatever is asked for."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    async def fetch(self, url: str) -> bytes | None:
        self.asked.append(url)
        await asyncio.sleep(0)
        return self.pages.get(url)


class Installation:
    """A gate and the net around it."""

    def __init__(self, net: Net | None = None, **section: object) -> None:
        self.net = net or Net({PEM_URL: sns_signer("aws").pem})
        made = Ses(**{"topics": [Topic(TOPIC)], **section})
        self.gate = SesGate(made, Certificates(self.net.fetch), self.net.fetch)

    async def admit(self, message: object, at: int = NOW) -> Payload | Refused:
        return await self.gate.admit(post("ses", orjson.dumps(message), at=at))


@pytest.mark.parametrize("pinned", [[], [AWS], [NEXT, AWS]])
async def test_a_signed_message_of_our_topic_gets_in_whole(pinned):
    message = sns_message()
    admitted = await Installation(certificates=pinned).admit(message)
    assert isinstance(admitted, Payload)
    assert orjson.loads(admitted.json) == message


async def test_a_certificate_is_fetched_once_however_many_messages_come_at_once():
    installation = Installation()
    admitted = await asyncio.gather(*(installation.admit(sns_message()) for _ in range(20)))
    assert all(isinstance(one, Payload) for one in admitted)
    assert installation.net.asked == [PEM_URL]


async def test_a_topic_that_signs_as_sns_does_by_default_gets_in_and_the_log_says_what_is_better():
    installation = Installation()
    with capture_logs() as told:
        for _ in range(3):
            assert isinstance(await installation.admit(sns_message(version="1")), Payload)
    assert [(one["event"], one["topic"]) for one in told] == [("sns-signature-version-1", TOPIC)]
    with capture_logs() as told:
        await installation.admit({**sns_message(version="1"), "SigningCertURL": "https://evil.example/x.pem"})
        await installation.admit({**sns_message(version="1"), "SigningCertURL": "https://evil.example/y.pem"})
    assert [one["event"] for one in told] == ["sns-no-valid-certificate"]
    assert await installation.admit(sns_message("somebody", version="1")) == Unauthorized("wrong-key")
    foreign = sns_message(version="1", TopicArn=TOPIC + "-his")
    assert await installation.admit(foreign) == Unauthorized("topic-not-listed")


async def test_where_version_1_is_refused_sns_is_to_send_it_again_and_a_stranger_is_not():
    installation = Installation(sha1=False)
    with capture_logs() as told:
        assert status_of("ses", await installation.admit(sns_message(version="1"))) == 503
        assert await installation.admit(sns_message("somebody", version="1")) == Unauthorized("wrong-key")
        assert isinstance(await installation.admit(sns_message()), Payload)
    assert [one["event"] for one in told] == ["sns-signature-version-1"]


async def test_where_one_is_pinned_nothing_is_fetched_and_no_other_counts():
    installation = Installation(certificates=[NEXT])
    assert await installation.admit(sns_message()) == Unauthorized("wrong-key")
    assert installation.net.asked == []


async def test_a_valid_signature_of_a_foreign_topic_is_refused_before_anything_is_fetched():
    installation = Installation()
    foreign = sns_message(TopicArn="arn:aws:sns:eu-west-1:999999999999:his")
    assert await installation.admit(foreign) == Unauthorized("topic-not-listed")
    assert installation.net.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        "https://127.0.0.1/latest/meta-data",
        "",
    ],
)
async def test_a_certificate_of_another_host_is_not_fetched_though_it_would_fit(url):
    installation = Installation(Net({url: sns_signer("evil").pem}))
    assert await installation.admit(sns_message("evil", SigningCertURL=url)) == Unauthorized("no-valid-certificate")
    assert installation.net.asked == []


@pytest.mark.parametrize(
    "page", [None, b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
async def test_where_the_certificate_can_not_be_had_sns_is_asked_to_come_again(page):
    installation = Installation(Net({} if page is None else {PEM_URL: page}))
    assert await installation.admit(sns_message()) == "unavailable"


async def test_a_stranger_can_not_make_us_fetch_again_and_again():
    installation = Installation(Net({}))
    for number in range(50):
        url = PEM_URL.replace("0123456789abcdef.pem", f"{number:016x}.pem")
        assert await installation.admit(sns_message("evil", SigningCertURL=url)) == "unavailable"
    assert len(installation.net.asked) == FETCHES.burst


def forged(number: int) -> str:
    return PEM_URL.replace("0123456789abcdef.pem", f"{number:016x}.pem")


async def test_forged_urls_crowd_no_certificate_out_that_has_signed_something():
    # Worse than it gets: whatever the forger names is there, and is a certificate.
    installation = Installation(Net({forged(number): sns_signer("evil").pem for number in range(500)}))
    installation.net.pages[PEM_URL] = sns_signer("aws").pem
    assert isinstance(await installation.admit(sns_message()), Payload)
    for number in range(500):
        message = sns_message("somebody", at=NOW, SigningCertURL=forged(number))
        assert await installation.admit(message, NOW + number * 10 * SECOND) == Unauthorized("wrong-key")
    assert isinstance(await installation.admit(sns_message()), Payload)
    assert installation.net.asked.count(PEM_URL) == 1


async def test_forged_urls_can_not_use_up_what_a_known_certificate_needs():
    installation = Installation()
    assert isinstance(await installation.admit(sns_message()), Payload)
    for number in range(100):
        assert await installation.admit(sns_message("evil", SigningCertURL=forged(number))) == "unavailable"
    assert isinstance(await installation.admit(sns_message()), Payload)


async def test_old_certificates_that_anybody_may_name_are_not_kept_without_end():
    installation = Installation(Net({forged(number): sns_signer("evil").pem for number in range(50)}))
    for number in range(50):
        message = sns_message("somebody", SigningCertURL=forged(number))
        assert await installation.admit(message, NOW + number * 10 * SECOND) == Unauthorized("wrong-key")
    before = len(installation.net.asked)
    again = sns_message("somebody", SigningCertURL=forged(0))
    assert await installation.admit(again, NOW + DAY) == Unauthorized("wrong-key")
    assert len(installation.net.asked) == before + 1


async def test_a_fetch_that_takes_its_time_holds_up_no_message_with_another_certificate():
    slow = asyncio.Event()
    net = Net({PEM_URL: sns_signer("aws").pem})

    async def fetch(url: str) -> bytes | None:
        if url != PEM_URL:
            await slow.wait()
        return await Net.fetch(net, url)

    certificates = Certificates(fetch)
    gate = SesGate(Ses(topics=[Topic(TOPIC)]), certificates, fetch)
    evil = sns_message("evil", SigningCertURL=forged(1))
    waiting = [asyncio.create_task(gate.admit(post("ses", orjson.dumps(evil)))) for _ in range(3)]
    await asyncio.sleep(0)
    assert isinstance(await gate.admit(post("ses", orjson.dumps(sns_message()))), Payload)
    waiting[1].cancel()
    await asyncio.sleep(0)
    slow.set()
    assert [await waiting[0], await waiting[2]] == ["unavailable", "unavailable"]
    assert net.asked == [PEM_URL, forged(1)]


@pytest.mark.parametrize(("days_ago", "valid"), [(0, True), (90, True), (91, False), (-1, False)])
async def test_a_certificate_counts_while_it_is_valid(days_ago, valid):
    signer = sns_signer("aws", days_ago)
    for installation in (
        Installation(certificates=[load_pem_x509_certificate(signer.pem)]),
        Installation(Net({PEM_URL: signer.pem})),
    ):
        admitted = await installation.admit(sns_message())
        assert isinstance(admitted, Payload) if valid else admitted == Unauthorized("no-valid-certificate")


@pytest.mark.parametrize(
    ("seconds_ago", "stale"),
    [(0, False), (7200, False), (7201, True), (-300, False), (-301, True), (30 * 24 * 3600, True)],
)
async def test_a_message_counts_for_longer_than_retries_go_on_and_hardly_into_the_future(seconds_ago, stale):
    admitted = await Installation().admit(sns_message(at=NOW - seconds_ago * SECOND))
    assert admitted == "stale" if stale else isinstance(admitted, Payload)


async def test_the_time_in_which_a_message_counts_can_be_chosen():
    installation = Installation(freshness=int(DAY))
    assert isinstance(await installation.admit(sns_message(at=NOW - 20 * HOUR)), Payload)


@pytest.mark.parametrize("body", [b"", b"[]", b"no JSON", b'{"Type": "Notification"}', b'"text"'])
async def test_what_is_no_message_of_sns_is_refused(body):
    assert await Installation().gate.admit(post("ses", body)) == Unauthorized("no-sns-message")


RAW = sns_message()["Message"].encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [(RAW, {}), (RAW.replace(b"notificationType", b"eventType"), {}), (b"hello", {"X-Amz-Sns-RawDelivery": "true"})],
)
async def test_that_raw_delivery_is_on_is_told_apart(body, headers):
    assert await Installation().gate.admit(post("ses", body, headers)) == Unauthorized("raw-delivery")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"SignatureVersion": "3"}, "unknown-signature-version"),
        ({"SignatureVersion": None}, "unknown-signature-version"),
        ({"Signature": None}, "no-signature"),
        ({"Signature": ""}, "no-signature"),
        ({"Signature": "!"}, "malformed-signature"),
        ({"Signature": "AAAA"}, "wrong-key"),
    ],
)
async def test_what_is_wrong_with_a_signature_is_told_apart(fields, why):
    assert await Installation().admit({**sns_message(), **fields}) == Unauthorized(why)


# --- subscriptions


def asked_to_confirm(**fields: object) -> dict:
    return sns_message(
        Type="SubscriptionConfirmation", Token="a token", SubscribeURL="https://evil.example/?confirm", **fields
    )


async def test_a_subscription_is_confirmed_at_sns_and_never_at_the_url_that_the_message_names():
    confirmation = Topic(TOPIC).confirmation("a token")
    net = Net({PEM_URL: sns_signer("aws").pem, confirmation: b"<ConfirmSubscriptionResponse/>"})
    assert await Installation(net).admit(asked_to_confirm()) == "confirmed"
    assert net.asked == [PEM_URL, confirmation]


@pytest.mark.parametrize("confirm", [True, False])
async def test_a_subscription_that_is_not_confirmed_is_passed_on_so_that_somebody_can(confirm):
    installation = Installation(confirm=confirm, certificates=[AWS])
    message = asked_to_confirm()
    admitted = await installation.admit(message)
    assert isinstance(admitted, Payload)
    assert orjson.loads(admitted.json)["SubscribeURL"] == message["SubscribeURL"]
    assert len(installation.net.asked) == confirm


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (asked_to_confirm(TopicArn="arn:aws:sns:eu-west-1:999999999999:his"), "topic-not-listed"),
        ({**asked_to_confirm(), "Token": "another token"}, "wrong-key"),
        ({**sns_message(), "Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "u"}, "wrong-key"),
    ],
)
async def test_a_subscription_that_nobody_signed_for_our_topic_is_not_confirmed(message, why):
    installation = Installation(certificates=[AWS])
    assert await installation.admit(message) == Unauthorized(why)
    assert installation.net.asked == []


async def test_a_stale_question_is_not_answered():
    installation = Installation(certificates=[AWS])
    assert await installation.admit(asked_to_confirm(at=NOW - DAY)) == "stale"
    assert installation.net.asked == []
