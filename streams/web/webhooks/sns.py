"""Amazon SNS: RSA over the named fields of its message, for topics that are ours alone.

A valid signature proves only that SNS sent it, for anybody can have a topic: so the topic comes first. What is asked of
SNS in return goes to the host that the topic's own name tells, never to one that a message names.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import Certificate

from schemas.times import parse_time
from streams.web.webhooks.post import Why

_ARN: Final = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z]{2}(?:-[a-z]{1,16}){1,3}-[0-9]{1,2}):[0-9]{12}:[A-Za-z0-9_-]{1,256}"
)
_DOMAIN: Final = {"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}
_CERTIFICATE: Final = re.compile(r"/SimpleNotificationService-[0-9a-f]{8,64}\.pem")

# Signed are name and value of each of these, a line each, in this order; `Subject` only where there is one.
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_OPTIONAL: Final = "Subject"
_RAW: Final = "x-amz-sns-rawdelivery"

_ALGORITHMS: Final[Mapping[str, HashAlgorithm]] = {
    "1": SHA1(),  # noqa: S303 - what SNS uses unless the topic asks for version 2
    "2": SHA256(),
}


class Topic:
    """A topic by its ARN, with the host of SNS in its region."""

    __slots__ = ("arn", "host")

    def __init__(self, arn: str) -> None:
        """Take an ARN.

        Raises:
            ValueError: It names no SNS topic.

        """
        found = _ARN.fullmatch(arn)
        if not found:
            raise ValueError("a topic is an ARN such as arn:aws:sns:eu-west-1:111122223333:name")
        self.arn = arn
        self.host = f"sns.{found[2]}.{_DOMAIN[found[1]]}"

    def is_certificate(self, url: str) -> bool:
        """Say whether a URL is that of a signing certificate on this topic's own host, and nothing besides."""
        begin = f"https://{self.host}"
        return url.startswith(begin) and bool(_CERTIFICATE.fullmatch(url[len(begin) :]))

    def confirmation(self, token: str) -> str:
        """Give the URL that confirms a subscription: built from what we know, whatever the message's own URL is."""
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": self.arn, "Token": token})
        return f"https://{self.host}/?{query}"


def read_message(content: Any) -> Mapping[str, str] | None:
    """Give the text fields of an SNS message, None if it is none. A `Subject` of null is no subject."""
    if not isinstance(content, dict):
        return None
    fields = {name: value for name, value in content.items() if isinstance(value, str)}
    wanted = _SIGNED.get(fields.get("Type", ""))
    if wanted is None or any(name not in fields for name in wanted if name != _OPTIONAL):
        return None
    if _OPTIONAL in content and content[_OPTIONAL] is not None and _OPTIONAL not in fields:
        return None
    return fields


def signed_at(message: Mapping[str, str]) -> int | None:
    """Give when SNS published a message, in ms since 1970; None where that can't be read."""
    at = parse_time(message["Timestamp"])
    return at if isinstance(at, int) else None


def is_signed(message: Mapping[str, str], certificate: Certificate) -> bool:
    """Say whether the key of a certificate signed a message, with SHA-1 (version 1) or SHA-256 (version 2)."""
    algorithm = _ALGORITHMS.get(message.get("SignatureVersion", ""))
    key = certificate.public_key()
    if algorithm is None or not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        key.verify(signature, _signed_text(message), padding.PKCS1v15(), algorithm)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def why_not_signed(message: Mapping[str, str]) -> Why:
    """Say what is wrong with a message that the key of no certificate signed."""
    if message.get("SignatureVersion") not in _ALGORITHMS:
        return "unknown-signature-version"
    given = message.get("Signature")
    if not given:
        return "no-signature"
    try:
        base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        return "malformed-signature"
    return "wrong-key"


def why_no_message(headers: Mapping[str, str], content: Any) -> Why:
    """Say what a post is that is no message of SNS: what SNS passes on bare it names so, and SES's own is known."""
    bare = isinstance(content, dict) and "mail" in content and ("notificationType" in content or "eventType" in content)
    named = headers.get(_RAW, "").lower() == "true"
    return "raw-delivery" if bare or named else "no-sns-message"


def _signed_text(message: Mapping[str, str]) -> bytes:
    names = [name for name in _SIGNED[message["Type"]] if name in message]
    return "".join(f"{name}\n{message[name]}\n" for name in names).encode()
