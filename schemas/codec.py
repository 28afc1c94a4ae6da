"""Bytes to values and back: the one place that knows JSON. Decoding gives a value or `Rejected`, never an exception."""

from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import orjson

from schemas.command import Command
from schemas.command_reading import Canonical, to_command
from schemas.decision import SendRequest, to_send_request
from schemas.delivery import DeliveryEvent
from schemas.order import Denial, Held, Order, Restatement
from schemas.rejected import Rejected
from schemas.report import MAX_REPORT_BYTES, Report, to_report
from schemas.suppression import Suppression
from schemas.times import parse_time
from schemas.typology import TYPOLOGY

_WITHOUT_STATUS = ("reset", "lift", "ignore")

# Most providers tell whole seconds, so a batch has few distinct times.
_parse_time = lru_cache(maxsize=4096)(parse_time)

_delivery_event = msgspec.json.Decoder(DeliveryEvent)
_suppression = msgspec.json.Decoder(Suppression)
_order = msgspec.json.Decoder(Order)
# msgspec writes the fields of a struct in their order and leaves absent ones out, which orjson can't do for its types.
_encode = msgspec.json.Encoder().encode


def decode_json(value: bytes | None) -> Any | Rejected:
    """Decode bytes as UTF-8 JSON (strict: no NaN, no lone surrogates), or say why not."""
    if not value:
        return Rejected("not-json", "the value is empty")
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        try:
            value.decode()
        except UnicodeDecodeError as wrong:
            return Rejected("not-json", f"not UTF-8 at byte {wrong.start}")
        # orjson's message names the place, never the content; nesting deeper than 1,024 is refused as well.
        return Rejected("not-json", f"not UTF-8 JSON: {error.msg} at character {error.pos}")


def decode_report(value: bytes | None) -> Report | Rejected:
    """Decode the value of a record on `esp-reports`."""
    if value is not None and len(value) > MAX_REPORT_BYTES:
        return Rejected("too-large", f"{len(value)} bytes; a report may have {MAX_REPORT_BYTES}")
    decoded = decode_json(value)
    return decoded if isinstance(decoded, Rejected) else to_report(decoded)


def decode_send_request(value: bytes | None) -> SendRequest | Rejected:
    """Decode the value of a record on `send-requests`, or the body of a check over HTTP."""
    decoded = decode_json(value)
    return decoded if isinstance(decoded, Rejected) else to_send_request(decoded)


def decode_command(value: bytes | None, canonical: Canonical) -> Command | Rejected:
    """Decode the value of a record on `contact-commands`; `canonical` gives canonical recipients."""
    decoded = decode_json(value)
    return decoded if isinstance(decoded, Rejected) else to_command(decoded, canonical)


def decode_delivery_event(value: bytes | None) -> tuple[DeliveryEvent, int] | Rejected:
    """Decode the value of a record on `delivery-events`; gives the event and its event time in ms."""
    event = _decode(_delivery_event, value)
    if isinstance(event, Rejected):
        return event
    agrees = event.effect == TYPOLOGY[event.status].effect if event.status else event.effect in _WITHOUT_STATUS
    if not agrees:
        return Rejected("wrong-type", f"effect {event.effect} does not go with its status")
    at = _parse_time(event.occurred_at)
    return at if isinstance(at, Rejected) else (event, at)


def decode_suppression(value: bytes | None) -> Suppression | Rejected:
    """Decode the value of a record on `suppressions` (which is null after an erasure: ask before you decode)."""
    return _decode(_suppression, value)


def decode_order(value: bytes | None) -> tuple[Order, int] | Rejected:
    """Decode the value of a record on `bounceline-contact-orders` (null once carried out: ask before you decode).

    Gives the order and its time in ms, 0 where it has none.
    """
    order = _decode(_order, value)
    if isinstance(order, Rejected):
        return order
    at = time_of(order)
    return at if isinstance(at, Rejected) else (order, at)


def time_of(order: Order) -> int | Rejected:
    """Give the time of an order in ms, 0 where it has none."""
    match order:
        case Denial():
            return parse_time(order.since)
        case Restatement() | Held():
            return 0
        case _:
            return order.at


T = TypeVar("T")


def _decode(decoder: "msgspec.json.Decoder[T]", value: bytes | None) -> T | Rejected:
    try:
        return decoder.decode(value or b"")
    except msgspec.ValidationError as error:
        return Rejected("wrong-type", _without_content(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected("not-json", f"not UTF-8 JSON: {type(error).__name__}")


def _without_content(message: str) -> str:
    """Give what msgspec says, without the value it quotes where one of a closed list was expected."""
    if not message.startswith("Invalid enum value"):
        return message
    return f"Invalid enum value{message[message.rfind(' - at `$') :]}"


def encode(value: msgspec.Struct) -> bytes:
    """Encode a record as compact UTF-8 JSON, fields in the order of the type."""
    return _encode(value)
