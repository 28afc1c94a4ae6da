"""Amazon SES through SNS: the gate, and the answer to SNS's question whether we want to be told."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
import structlog
from cryptography.x509 import Certificate
from msgspec import Meta

from schemas.policy import Duration
from schemas.times import HOUR
from streams.web.webhooks.certificates import Certificates, Fetch
from streams.web.webhooks.limits import Buckets, Rate
from streams.web.webhooks.payload import read_json
from streams.web.webhooks.post import Look, Payload, Post, Refused, Unauthorized
from streams.web.webhooks.secret import is_fresh
from streams.web.webhooks.sns import Topic, is_signed, read_message, signed_at, why_no_message, why_not_signed

FRESHNESS: Final = Duration(2 * HOUR)
"""A retry keeps the time at which the message was published; SNS retries for an hour at most."""

TOLD: Final = Rate(each_second=1 / 3600, burst=1)
"""How often the log says the same of a topic: SNS may send a hundred a second, and strangers more."""

_log = structlog.get_logger()


class Ses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which topics may post, and how their messages are checked.

    topics: ARNs.
    certificates: PEM files, beside the configuration or by full path; fetched from SNS where none is given.
    confirm: Whether to confirm subscriptions to these topics; else that is done by hand.
    sha1: Whether to take signatures of version 1 (SHA-1) too, which a topic makes until it is told to make version 2.
    """

    topics: Annotated[list[Topic], Meta(min_length=1)]
    certificates: list[Certificate] = []
    confirm: bool = True
    sha1: bool = True
    freshness: Duration = FRESHNESS


class SesGate:
    """Lets posts in that SNS has signed for one of a tenant's topics (`Gate`)."""

    def __init__(self, section: Ses, certificates: Certificates, fetch: Fetch) -> None:
        """Take a tenant's topics, where certificates come from, and what confirms a subscription."""
        self._section = section
        self._topics = {topic.arn: topic for topic in section.topics}
        self._certificates = certificates
        self._fetch = fetch
        self._told = Buckets(TOLD)

    def look(self, headers: Mapping[str, str]) -> Look:
        """Leave it to the body: topic and signature are in there."""
        return "open"

    async def admit(self, post: Post) -> Payload | Refused:
        """Check topic, signature and time; a subscription is confirmed, and its question passed on if that fails."""
        read = self._read(post)
        if isinstance(read, Unauthorized):
            return read
        payload, message, topic = read
        url = message.get("SigningCertURL", "")
        certificates = await self._certificates.of(topic, url, self._section.certificates, post.at)
        if certificates is None:
            return "unavailable"
        signing = next((one for one in certificates if is_signed(message, one)), None)
        if signing is None:
            if not certificates:
                self._tell("sns-no-valid-certificate", topic, post, "give a valid one, or reach SNS")
            return Unauthorized(why_not_signed(message) if certificates else "no-valid-certificate")
        if message["SignatureVersion"] == "1":
            self._tell("sns-signature-version-1", topic, post, "set SignatureVersion to 2 on the topic")
            if not self._section.sha1:
                return "unavailable"  # genuine, and to be sent again until the topic is told to use version 2
        if not self._section.certificates:
            self._certificates.prove(url, signing)
        at = signed_at(message)
        if at is None or not is_fresh(at, post.at, self._section.freshness):
            return "stale"
        if message["Type"] == "SubscriptionConfirmation" and await self._confirmed(topic, message["Token"]):
            return "confirmed"
        return payload

    def _read(self, post: Post) -> tuple[Payload, Mapping[str, str], Topic] | Unauthorized:
        """Read a message of SNS that names a topic of ours."""
        payload = read_json(post.body)
        message = read_message(payload.content) if payload else None
        if payload is None or message is None:
            return Unauthorized(why_no_message(post.headers, payload and payload.content))
        topic = self._topics.get(message["TopicArn"])
        return (payload, message, topic) if topic else Unauthorized("topic-not-listed")

    async def settled(self, post: Post, payload: Payload) -> None:
        """Keep nothing."""

    async def _confirmed(self, topic: Topic, token: str) -> bool:
        confirmed = self._section.confirm and await self._fetch(topic.confirmation(token)) is not None
        if confirmed:
            _log.info("sns-subscription-confirmed", topic=topic.arn)
        else:
            # The token stays out of the log, since who has it may confirm: it is on esp-reports with its message.
            _log.warning("sns-subscription-waits", topic=topic.arn, advice="open its SubscribeURL, on esp-reports")
        return confirmed

    def _tell(self, what: str, topic: Topic, post: Post, advice: str) -> None:
        """Say in the log what an operator can change."""
        if not self._told.wait((what, topic.arn), post.at / 1000):
            _log.warning(what, topic=topic.arn, advice=advice)
