"""What becomes of a provider's payload, for tests of the mappings."""

from collections.abc import Callable
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


class Varied:
    """Reports of one provider, each made of one event with some fields changed; None leaves a field out."""

    def __init__(self, provider: str, event: dict[str, Any], wrap: Callable[[dict[str, Any]], object] = dict) -> None:
        """Take the event, and how the provider wraps it (not at all, if left out)."""
        self.provider = provider
        self.event = event
        self._wrap = wrap

    def payload(self, **fields: object) -> object:
        """Give the payload of the event with these fields."""
        return self._wrap({name: value for name, value in {**self.event, **fields}.items() if value is not None})

    def classified(self, payload: object) -> list[DeliveryEvent | Rejected]:
        """Give what the elements of a payload of that provider are classified to, in order."""
        return classified(self.provider, payload)

    def one(self, **fields: object) -> DeliveryEvent:
        """Give what the event with these fields means."""
        return one(self.provider, self.payload(**fields))

    def rejected(self, **fields: object) -> str:
        """Give why the event with these fields is rejected."""
        return rejected(self.provider, self.payload(**fields))
