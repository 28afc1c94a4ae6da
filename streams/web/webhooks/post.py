"""A post and what is answered to it: the words that all of this room shares."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol

PROVIDERS: Final = (
    "mailjet",
    "sendgrid",
    "ses",
    "mailgun",
    "postmark",
    "sparkpost",
    "brevo",
    "dsn",
    "arf",
    "normalized",
)
"""Those of SPEC 3, in its order."""

Answer = Literal[
    "accepted",  # the broker has it
    "duplicate",  # the broker has had it before: the same signed post came again
    "confirmed",  # not a report but the question whether we want any; answered yes
    "unreadable",  # not what this provider posts: no JSON, no object
    "unauthorized",  # no such tenant, no signature or credentials, or wrong ones
    "not-found",  # no such provider
    "slow",  # the body did not come in time
    "stale",  # signed too long ago, or in the future
    "replayed",  # a signature that was used before, with other content
    "too-large",  # over what a report may have
    "encoded",  # compressed: nobody posts so, and a small body could become a large one
    "rate-limited",  # more than this tenant and provider may post
    "overloaded",  # more posts wait for the broker than may
    "unavailable",  # the broker, Redis or a certificate could not be reached
]
"""What became of a post; the `answer` label of the metric, and the `error` of what is not 2xx."""

Why = Literal[
    "no-such-tenant",  # of a name that nobody configured, or that is none
    "provider-not-configured",  # the tenant has no section for this provider
    "not-local",  # nothing is configured, and it does not come from a program on this machine
    "no-credentials",  # no `Authorization`
    "other-scheme",  # neither Basic nor Bearer, or the one of them that the section has no secret for
    "malformed-credentials",  # Basic, but not base64
    "wrong-credentials",
    "no-signature",  # a header or field of it is missing
    "malformed-signature",  # not base64, or its timestamp or token is none
    "wrong-key",  # well-formed, but made with another key or over other bytes
    "unreadable-body",  # the signature would be in there
    "no-sns-message",  # lacks fields that every message of SNS has
    "raw-delivery",  # what SNS passes on bare and unsigned
    "topic-not-listed",
    "unknown-signature-version",
    "no-valid-certificate",
]
"""Why a post is unauthorized. For the log of operators alone: whoever posts hears the same whatever it was."""


class Unauthorized(NamedTuple):
    """The answer 'unauthorized', with its reason."""

    why: Why


Refused = Answer | Unauthorized
"""Why a post ends here; 'duplicate' and 'confirmed' among it."""


class Post(NamedTuple):
    """One HTTP request that posts a webhook.

    headers: looked up without regard to case.
    body: the raw bytes.
    at: when it came, in ms since 1970.
    """

    provider: str
    tenant: str
    headers: Mapping[str, str]
    body: bytes
    at: int


class Payload(NamedTuple):
    """What a post brings.

    json: the payload as it goes into the envelope, byte for byte as it was posted where that was JSON.
    content: the same, decoded.
    once: the token of a signature that counts for this content alone, and the second it was made in.
    """

    json: bytes
    content: Any
    once: tuple[int, str] | None = None


Look = Literal["known", "open"] | Unauthorized
"""What headers say: who posts is known by them; only the body will tell; or nobody may post so."""


class Gate(Protocol):
    """Lets a post in, or says why not."""

    def look(self, headers: Mapping[str, str]) -> Look:
        """Say what the headers alone tell, before a body is read."""

    async def admit(self, post: Post) -> Payload | Refused:
        """Check a post and read its payload."""

    async def settled(self, post: Post, payload: Payload) -> None:
        """Take note that the broker has a post that was admitted."""
