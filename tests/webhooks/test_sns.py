"""SNS: topic first, then the signature, and nothing is ever asked of a host that a message names."""

import pytest
from cryptography.x509 import load_pem_x509_certificate

from streams.web.webhooks.sns import Topic, is_signed, read_message, signed_at
from tests.support.webhooks import NOW, PEM_URL, TOPIC, sns_message, sns_signer

AWS = load_pem_x509_certificate(sns_signer("aws").pem)


def signed(message: dict) -> bool:
    read = read_message(message)
    return read is not None and is_signed(read, AWS)


CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "Token": "a" * 64,
    "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
}


@pytest.mark.parametrize(
    "fields", [{}, {"Subject": "Amazon SES"}, {"Subject": None}, {"Message": "é\n\n"}, CONFIRMATION]
)
def test_what_sns_signs_is_signed(fields):
    assert signed(sns_message(**fields))


def test_an_unsubscription_is_signed_as_a_confirmation_is():
    assert signed(sns_message(**{**CONFIRMATION, "Type": "UnsubscribeConfirmation"}))


def test_a_signature_counts_for_the_version_that_the_message_names():
    assert signed(sns_message(version="1"))
    assert not signed({**sns_message(version="1"), "SignatureVersion": "2"})
    assert not signed({**sns_message(), "SignatureVersion": "1"})
    assert not signed({**sns_message(), "SignatureVersion": "3"})


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "Signature"])
def test_whatever_is_changed_of_a_message_it_is_not_signed(field):
    message = sns_message(Subject="Amazon SES")
    assert not signed({**message, field: message[field] + " "})
    assert not signed({**message, field: message[field][:-1] + "x"})


def test_a_subject_that_was_put_in_or_taken_out_is_noticed():
    assert not signed({**sns_message(), "Subject": "x"})
    with_subject = sns_message(Subject="x")
    assert not signed({name: value for name, value in with_subject.items() if name != "Subject"})


def test_another_key_does_not_count():
    assert not signed(sns_message("somebody else"))


def test_content_can_not_be_shifted_from_one_field_into_another_to_name_our_topic():
    """Story: fields are signed one after the other without their lengths; somebody puts our topic in his message."""
    foreign = "arn:aws:sns:eu-west-1:999999999999:his"
    hidden = f"x\nMessageId\nm\nTimestamp\n2026-11-23T10:15:30.000Z\nTopicArn\n{TOPIC}\nType\nNotification"
    message = sns_message(Message=hidden, TopicArn=foreign)
    forged = {
        **message,
        "Message": "x",
        "MessageId": "m",
        "Timestamp": "2026-11-23T10:15:30.000Z",
        "TopicArn": TOPIC,
        "Type": "Notification\n" + _rest(message, foreign),
    }
    assert not signed(forged)
    shifted = {**forged, "Type": "Notification", "TopicArn": f"{TOPIC}\nType\n{_rest(message, foreign)}"}
    assert read_message(shifted)["TopicArn"] != TOPIC


def _rest(message: dict, foreign: str) -> str:
    names = ("MessageId", "Timestamp")
    return "".join(f"{name}\n{message[name]}\n" for name in names) + f"TopicArn\n{foreign}\nType\nNotification"


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "text",
        {},
        {"Type": "Notification"},
        {**sns_message(), "Type": "UnsubscriptionConfirmation"},
        {**sns_message(), "Type": ["Notification"]},
        {**sns_message(), "Message": {"notificationType": "Bounce"}},
        {**sns_message(), "Subject": 7},
        {**sns_message(), "Type": "SubscriptionConfirmation"},
    ],
)
def test_what_is_no_message_of_sns_is_not_read(content):
    assert read_message(content) is None


@pytest.mark.parametrize("signature", ["", "!", "AAAA", "\udcff", "A" * 10_000])
def test_a_signature_that_is_none_is_not_one(signature):
    assert not signed({**sns_message(), "Signature": signature})


def test_the_time_is_that_of_publishing():
    assert signed_at(sns_message(at=NOW - 5)) == NOW - 5
    assert signed_at({"Timestamp": "yesterday"}) is None


# --- which URLs are ours


@pytest.mark.parametrize(
    ("arn", "host"),
    [
        (TOPIC, "sns.eu-west-1.amazonaws.com"),
        ("arn:aws:sns:ap-southeast-2:111122223333:a_b-c", "sns.ap-southeast-2.amazonaws.com"),
        ("arn:aws-cn:sns:cn-north-1:111122223333:ses", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:111122223333:ses", "sns.us-gov-west-1.amazonaws.com"),
    ],
)
def test_a_topic_names_the_host_of_its_region(arn, host):
    assert Topic(arn).host == host


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "ses",
        "arn:aws:sqs:eu-west-1:111122223333:ses",
        "arn:aws:sns:eu-west-1.evil.example/x-1:111122223333:ses",
        "arn:aws:sns:evil@x-1:111122223333:ses",
        "arn:aws:sns::111122223333:ses",
        "arn:aws:sns:eu-west-1:1111:ses",
        "arn:aws:sns:eu-west-1:111122223333:",
        "arn:aws:sns:eu-west-1:111122223333:ses\n",
        "arn:aws:sns:*:111122223333:ses",
        "arn:aws-iso:sns:us-iso-east-1:111122223333:ses",
    ],
)
def test_what_is_no_topic_is_refused(arn):
    with pytest.raises(ValueError, match="a topic is an ARN"):
        Topic(arn)


PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
HOSTILE = [
    "",
    PATH,
    f"http://sns.eu-west-1.amazonaws.com{PATH}",
    f"HTTPS://sns.eu-west-1.amazonaws.com{PATH}",
    f"//sns.eu-west-1.amazonaws.com{PATH}",
    f"https://sns.eu-west-1.amazonaws.com.evil.example{PATH}",
    f"https://sns.eu-west-1.amazonaws.com@evil.example{PATH}",
    f"https://evil.example@sns.eu-west-1.amazonaws.com{PATH}",
    f"https://sns.eu-west-1.amazonaws.com:8443{PATH}",
    f"https://sns.eu-west-1.amazonaws.com:443{PATH}",
    f"https://sns.us-east-1.amazonaws.com{PATH}",
    f"https://sns.eu-west-1.amazonaws.com.cn{PATH}",
    f"https://sns.eu-west-1.amazonaws.com.{PATH}",
    f"https://SNS.eu-west-1.amazonaws.com{PATH}",
    f"https://sns.eu-west-1.amazonaws%2ecom{PATH}",
    f"https://sns。eu-west-1。amazonaws。com{PATH}",
    f"https://sns.eu-west-1.аmazonaws.com{PATH}",
    f"https://evilsns.eu-west-1.amazonaws.com{PATH}",
    f"https://s3.eu-west-1.amazonaws.com{PATH}",
    f"https://evil.sns.eu-west-1.amazonaws.com{PATH}",
    f"https://127.0.0.1{PATH}",
    f"https://169.254.169.254{PATH}",
    f"https://[::1]{PATH}",
    f"https://evil.example/https://sns.eu-west-1.amazonaws.com{PATH}",
    f"https://sns.eu-west-1.amazonaws.com/../evil{PATH}",
    f"https://sns.eu-west-1.amazonaws.com/x{PATH}",
    f"https://sns.eu-west-1.amazonaws.com{PATH}?x=1",
    f"https://sns.eu-west-1.amazonaws.com{PATH}#x",
    f"https://sns.eu-west-1.amazonaws.com{PATH}\n",
    f"https://sns.eu-west-1.amazonaws.com{PATH}/../../x",
    f"https://sns.eu-west-1.amazonaws.com\\@evil.example{PATH}",
    f" https://sns.eu-west-1.amazonaws.com{PATH}",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-%2e%2e%2fx.pem",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-.pem",
    "https://sns.eu-west-1.amazonaws.com/",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_a_certificate_of_any_other_place_is_not_fetched(url):
    assert not Topic(TOPIC).is_certificate(url)


def test_a_certificate_of_the_topics_own_region_is():
    assert Topic(TOPIC).is_certificate(PEM_URL)


def test_a_subscription_is_confirmed_at_a_url_of_our_own_making():
    url = Topic(TOPIC).confirmation("tok&Action=DeleteTopic#@evil.example/")
    assert url.startswith("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn%3Aaws%3Asns%3A")
    assert url.endswith("&Token=tok%26Action%3DDeleteTopic%23%40evil.example%2F")
