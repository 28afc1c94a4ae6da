"""Amazon SNS: the envelope around what a topic's publisher, such as Amazon SES, says.

Source: Amazon SNS developer guide, parsing message formats, unless a line says otherwise.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from agents.classify.evidence import Happening
from agents.classify.fields import Told, each_element, folded
from schemas.codec import decode_json
from schemas.rejected import Rejected

ReadMessage = Callable[[dict[str, Any], object], Iterable[Happening | Rejected]]
"""Reads a message and the `Timestamp` of its envelope, which is None where it came without one."""

# What SNS posts to see whether somebody is there, and what SES publishes once its destination is set: no mail at all.
_PROBE_TYPES: Final = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_PROBE_WORDS: Final = "successfully validated sns topic"  # a sentence, no JSON (anymail's captured notification)


def each_message(payload: object, read: ReadMessage) -> Iterable[Told]:
    """Read notifications, or messages without envelope (raw delivery): an object, an array, or their JSON as text.

    SNS posts its JSON as `text/plain`, so it may come here as text. A probe gives nothing.
    """
    if isinstance(payload, str):
        if _is_probe(payload):
            return []
        payload = _decoded(payload)
        if isinstance(payload, Rejected):
            return [(None, payload)]
    return each_element(payload, lambda element: _read(element, read))


def _read(element: dict[str, Any], read: ReadMessage) -> Iterable[Happening | Rejected]:
    if element.get("Type") in _PROBE_TYPES:
        return ()
    if "Message" not in element:
        return read(element, None)
    message = element["Message"]
    if isinstance(message, str):  # JSON inside of JSON, which may end in a newline
        if _is_probe(message):
            return ()
        message = _decoded(message)
        if isinstance(message, Rejected):
            return (Rejected(message.reason, f"Message: {message.detail}"),)
    if not isinstance(message, dict):
        return (Rejected("wrong-type", "Message holds no object"),)
    return read(message, element.get("Timestamp"))


def _is_probe(text: str) -> bool:
    return folded(text[:100]).startswith(_PROBE_WORDS)


def _decoded(text: str) -> Any | Rejected:
    return decode_json(text.encode(errors="surrogatepass"))
