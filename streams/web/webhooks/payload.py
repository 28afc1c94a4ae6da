"""From the body of a post to its payload, and from the payload to the record on `esp-reports`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from agents.classify.mail_bytes import mail_text
from agents.ports import Outgoing
from schemas.times import format_time
from streams.web.webhooks.post import Payload, Post

RAW_MAILS: Final = frozenset({"dsn", "arf"})
"""Providers whose payload is a raw mail, as text."""

LONGEST_KEY: Final = 998  # as the longest recipient there is


def read_payload(post: Post) -> Payload | None:
    """Read a body as its provider writes it: a raw mail, or JSON that is an object or an array. None if it is not."""
    if post.provider in RAW_MAILS:
        return read_mail(post.body)
    return read_json(post.body)


def read_json(body: bytes) -> Payload | None:
    """Read a JSON object or array; its bytes stay as they are, so that no number loses a digit."""
    text = body.removeprefix(b"\xef\xbb\xbf")
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return Payload(text, content) if isinstance(content, (dict, list)) else None


def read_mail(body: bytes) -> Payload | None:
    """Read a raw mail as text, each part in its own charset."""
    text = mail_text(body)
    return Payload(orjson.dumps(text), text) if text.strip() else None


def report(post: Post, payload: Payload) -> Outgoing:
    """Make the record: the report envelope (SPEC 3), keyed by the recipient where there is one."""
    envelope = {
        "provider": post.provider,
        "tenant": post.tenant,
        "payload": orjson.Fragment(payload.json),
        "received_at": format_time(post.at),
    }
    return Outgoing("esp-reports", _key(post.provider, payload.content), orjson.dumps(envelope))


def _key(provider: str, content: Any) -> bytes | None:
    """Give the recipient that all elements are about, None where there is none or more than one."""
    read = _RECIPIENT.get(provider)
    if read is None:
        return None
    elements = content if isinstance(content, list) else [content]
    found = [read(element) if isinstance(element, dict) else None for element in elements]
    recipient = found[0] if found else None
    # Asked first: what is nested a thousand deep can't be compared.
    if not isinstance(recipient, str) or not 0 < len(recipient) <= LONGEST_KEY:
        return None
    return recipient.encode() if all(one == recipient for one in found) else None


def _sparkpost(element: dict[str, Any]) -> Any:
    inside = element.get("msys")
    kinds = [kind for kind in inside.values() if isinstance(kind, dict)] if isinstance(inside, dict) else []
    return kinds[0].get("rcpt_to") if len(kinds) == 1 else None


def _mailgun(element: dict[str, Any]) -> Any:
    event = element.get("event-data")
    return (event if isinstance(event, dict) else element).get("recipient")


def _ses(element: dict[str, Any]) -> Any:
    """Give the one recipient of the message, which is in JSON within a text."""
    try:
        message = orjson.loads(element.get("Message") or b"")
        [recipient] = message["mail"]["destination"]
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    return recipient


_RECIPIENT: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    "mailjet": lambda element: element.get("email"),
    "sendgrid": lambda element: element.get("email"),
    "brevo": lambda element: element.get("email"),
    "postmark": lambda element: element.get("Email") or element.get("Recipient"),
    "normalized": lambda element: element.get("recipient"),
    "sparkpost": _sparkpost,
    "mailgun": _mailgun,
    "ses": _ses,
}
