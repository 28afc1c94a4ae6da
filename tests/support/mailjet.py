"""A Mailjet event to vary, and what becomes of it."""

from typing import Any, Final

from agents.classify.classification import classify
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report

EVENT: Final[dict[str, Any]] = {
    "event": "bounce",
    "time": 1760000102,
    "email": "gone@example.net",
    "MessageID": 93449692684977442,
}


def classified(payload: object) -> list[DeliveryEvent | Rejected]:
    return [found for _, found in classify(Report("mailjet", "acme", payload))]


def one(**fields: object) -> DeliveryEvent:
    [found] = classified({**EVENT, **fields})
    assert isinstance(found, DeliveryEvent), found
    return found


def rejected(**fields: object) -> str:
    [found] = classified({**EVENT, **fields})
    assert isinstance(found, Rejected), found
    return found.reason
