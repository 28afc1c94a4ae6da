"""What becomes of a provider's payload, for tests of the mappings."""

from pathlib import Path
from typing import Any

import orjson

import schemas
from agents.classify.classification import classify
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report


def classified(provider: str, payload: object) -> list[DeliveryEvent | Rejected]:
    """Give what the elements of a payload are classified to, in order."""
    return [found for _, found in classify(Report(provider, "acme", payload))]


def events(provider: str, payload: object) -> list[DeliveryEvent]:
    """Give the same where nothing may be rejected."""
    found = classified(provider, payload)
    assert not [one for one in found if isinstance(one, Rejected)], found
    return [one for one in found if isinstance(one, DeliveryEvent)]


def one(provider: str, payload: object) -> DeliveryEvent:
    """Give the one event of a payload."""
    [event] = events(provider, payload)
    return event


def rejected(provider: str, payload: object) -> str:
    """Give the reason why the one element of a payload is rejected."""
    [found] = classified(provider, payload)
    assert isinstance(found, Rejected), found
    return found.reason


def examples(provider: str) -> list[Any]:
    """Give all elements of the example reports of a provider."""
    elements: list[Any] = []
    for file in sorted((Path(schemas.__file__).parent / "examples" / "esp-reports").glob("*.json")):
        report = orjson.loads(file.read_bytes())
        if report["provider"] == provider:
            elements += report["payload"] if isinstance(report["payload"], list) else [report["payload"]]
    return elements
