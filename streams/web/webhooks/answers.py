"""What each answer is in HTTP, so that a provider tries again when that helps and stops when it does not.

Sources: Brevo discards a webhook on any 4xx but 429 and on any 5xx (developers.brevo.com/docs/retry-mechanism). Mailgun
stops on 200 and 406 and tries again on all else, for 8 h (documentation.mailgun.com, webhook retries). SNS tries again
on 5xx and takes every 4xx for its last word (docs.aws.amazon.com, SendMessageToHttp). Postmark tries again on 5xx, 408
and 429 (its bounce webhooks since 2026; before, on everything but 200 and 403). Mailjet tries again on all but 200,
SendGrid and SparkPost on all but 2xx.
"""

from collections.abc import Mapping
from typing import Final

from streams.web.webhooks.post import Answer

_STATUS: Final[Mapping[Answer, int]] = {
    "accepted": 200,
    "duplicate": 200,
    "confirmed": 200,
    "unreadable": 400,
    # Not 403: who gets his secrets right in time loses nothing, since most providers try again after a 401.
    "unauthorized": 401,
    "stale": 401,
    "replayed": 401,
    "not-found": 404,
    "slow": 408,
    "too-large": 413,
    "encoded": 415,
    "rate-limited": 429,
    "overloaded": 503,
    "unavailable": 503,
}

_INSTEAD: Final[Mapping[str, Mapping[Answer, int]]] = {
    "brevo": {"slow": 429, "overloaded": 429, "unavailable": 429},
    # A retry brings the same signature again, so that it can't get better.
    "mailgun": {"unreadable": 406, "stale": 406, "replayed": 406, "encoded": 406},
    "ses": {"slow": 503, "rate-limited": 503},
}

RETRY_AFTER_SECONDS: Final = 5
"""When to come again after an outage or an overload; a rate limit says it to the second."""


def status_of(provider: str, answer: Answer) -> int:
    """Give the HTTP status of an answer to a provider."""
    return _INSTEAD.get(provider, {}).get(answer, _STATUS[answer])


def asks_to_come_again(answer: Answer) -> bool:
    """Say whether the answer goes with a `Retry-After`."""
    return answer in {"rate-limited", "overloaded", "unavailable"}
