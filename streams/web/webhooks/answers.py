"""What each answer is in HTTP, so that a provider tries again when that helps and stops when it does not.

Sources: Brevo discards a webhook on any 4xx but 429 and on any 5xx (developers.brevo.com/docs/retry-mechanism). Mailgun
stops on 200 and 406 and tries again on all else, for 8 h (documentation.mailgun.com, webhook retries). SNS tries again
on 5xx and takes every 4xx for its last word (docs.aws.amazon.com, SendMessageToHttp). Postmark tries again on 5xx, 408
and 429 (its bounce webhooks since 2026; before, on everything but 200 and 403). Mailjet tries again on all but 200,
SendGrid and SparkPost on all but 2xx.
"""

from collections.abc import Mapping
from typing import Final

from schemas.report import MAX_REPORT_BYTES
from streams.web.webhooks.payload import RAW_MAILS
from streams.web.webhooks.post import PROVIDERS, Answer, Refused, Unauthorized

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

BODY_SECONDS: Final = 10.0
"""How long a body may take to come."""

_SIGNING: Final = frozenset({"sendgrid", "ses", "mailgun"})
"""Providers that sign and are never asked for credentials."""

_AGAIN: Final = "send it again after the seconds in Retry-After"

_DETAIL: Final[Mapping[Answer, str]] = {
    # One sentence whatever was wrong: a reason would tell a forger how far he has come.
    "unauthorized": "no such tenant, no signature or credentials, or wrong ones; the reason is in the worker's log",
    "stale": "the signature is valid but too old, or from the future: look at the clocks",
    "replayed": "the token of this signature came before, with other content",
    "not-found": f"there is no such provider; there are {', '.join(PROVIDERS)}",
    "slow": f"a body may take {BODY_SECONDS:.0f} s to come, and less while too many are coming",
    "too-large": f"a report may have {MAX_REPORT_BYTES} bytes, its envelope included; send fewer events at once",
    "encoded": "the body must come as it is, without Content-Encoding",
    "rate-limited": f"more posts than this tenant and provider may send; {_AGAIN}",
    "overloaded": f"more posts wait for the broker than may; {_AGAIN}",
    "unavailable": f"what it takes to accept a post can't be had just now; {_AGAIN}",
}

RETRY_AFTER_SECONDS: Final = 5
"""When to come again after an outage or an overload; a rate limit says it to the second."""


def answer_of(refused: Refused) -> Answer:
    """Give what the sender and the metric are told: the answer, without a reason."""
    return "unauthorized" if isinstance(refused, Unauthorized) else refused


def status_of(provider: str, answer: Answer) -> int:
    """Give the HTTP status of an answer to a provider."""
    return _INSTEAD.get(provider, {}).get(answer, _STATUS[answer])


def detail_of(provider: str, answer: Answer) -> str:
    """Give the sentence that goes with an answer that is not 2xx; nothing in it depends on secrets or tenants."""
    return f"the body broke off, or is not {_expected(provider)}" if answer == "unreadable" else _DETAIL[answer]


def _expected(provider: str) -> str:
    if provider in RAW_MAILS:
        return "a raw mail"
    return "a JSON object or a form" if provider == "mailgun" else "a JSON object or array"


def asks_for_credentials(provider: str, answer: Answer) -> bool:
    """Say whether the answer goes with a `WWW-Authenticate`: not where no credentials would help."""
    return answer == "unauthorized" and provider not in _SIGNING


def asks_to_come_again(answer: Answer) -> bool:
    """Say whether the answer goes with a `Retry-After`."""
    return answer in {"rate-limited", "overloaded", "unavailable"}
