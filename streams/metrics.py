"""What a worker counts, for Prometheus: the closed list of metrics, each with its meaning."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from agents.ports import Metric

_MEANING: Final[dict[Metric, tuple[str, tuple[str, ...]]]] = {
    "reports": ("Reports read from esp-reports.", ()),
    "delivery_events": ("Delivery events decided; opens, clicks and deferrals are not among them.", ()),
    "rejected": ("Elements sent to dead-letters, by reason.", ("reason",)),
    "late_reports": ("Delivery events older than the allowed lateness when they came.", ()),
    "commands": ("Commands read from contact-commands and passed on, each copy counted.", ()),
    "orders": ("Orders about contacts carried out, such as blocks that follow from a check.", ()),
    "checks": ("Recipients asked about before a send.", ()),
    "dropped_events": ("Attempts and events of a contact dropped, oldest first, beyond the 256 that are kept.", ()),
    "suppressions": ("Records written to suppressions, blocks and releases.", ()),
    "held": ("Records of blocks that the brake has held back; a contact that changes while it waits has several.", ()),
}


class PrometheusMeter:
    """Counts for one worker (`agents.ports.Meter`), in a registry of its own."""

    def __init__(self) -> None:
        """Start every metric at zero, so that quiet reads as zero and not as missing."""
        self._registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"bounceline_{name}", help_, labels, registry=self._registry)
            for name, (help_, labels) in _MEANING.items()
        }
        self._webhooks = Counter(
            "bounceline_webhooks",
            "Posted webhooks, by provider and by what became of them.",
            ("provider", "answer"),
            registry=self._registry,
        )

        self._waiting = Gauge(
            "bounceline_held_waiting",
            "Contacts whose blocks the brake holds back now, in this worker's partitions.",
            registry=self._registry,
        )

    def count(self, metric: Metric, amount: int = 1, label: str = "") -> None:
        """Add to a metric; `label` is the value of its one label, where it has one."""
        counter = self._counters[metric]
        (counter.labels(label) if label else counter).inc(amount)

    def webhook(self, provider: str, answer: str) -> None:
        """Count a posted webhook and what became of it; both from closed lists."""
        self._webhooks.labels(provider, answer).inc()

    def waits(self, contacts: int) -> None:
        """Set how many contacts' blocks are held back now."""
        self._waiting.set(contacts)

    def exposition(self) -> bytes:
        """Give all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
