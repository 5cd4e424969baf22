"""What the monitor tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from schemas import codec, topics
from services.monitor.held import Reason
from services.streaming.handler import Record, Send
from services.streaming.metrics import StreamMetrics

_SECONDS = (0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class MonitorMetrics:
    """On a registry of its own, with the engine's metrics beside."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.stream = StreamMetrics(self.registry)
        self.events = Counter(
            "rxvigil_monitor_events_total", "Events and answers applied, by type", ["type"], registry=self.registry
        )
        self.alerts = Counter(
            "rxvigil_monitor_alerts_total",
            "Alert changes sent",
            ["rule", "severity", "change"],
            registry=self.registry,
        )
        self.held = Counter(
            "rxvigil_monitor_held_total",
            "Findings newly held back, by why they reach nobody",
            ["rule", "reason"],
            registry=self.registry,
        )
        self.refused = Counter(
            "rxvigil_monitor_refused_total", "Events that the monitor refused", ["reason"], registry=self.registry
        )
        self.delay = Histogram(
            "rxvigil_monitor_delay_seconds",
            "From the event's broker time stamp to its alerts acknowledged by the broker",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def observe_held(self, rule: str, reason: Reason) -> None:
        """Count one finding that is newly held back."""
        self.held.labels(rule, reason).inc()

    def observe(self, records: Sequence[Record], sends: Sequence[Send]) -> None:
        """Count one batch that was delivered whole."""
        now = datetime.now(UTC).timestamp()
        for record in records:
            self.events.labels(_type(record)).inc()
            self.delay.observe(max(0.0, now - record.timestamp / 1000))
        for send in sends:
            if send.topic == topics.ALERTS and send.value is not None:
                alert = codec.decode_alert(send.value)
                self.alerts.labels(alert.rule, alert.severity, alert.history[-1].change).inc()
            elif send.topic == topics.DEAD_LETTERS:
                self.refused.labels(dict(send.headers)["dl_reason"].decode()).inc()


def _type(record: Record) -> str:
    """``lab_result`` of the header ``ce_type`` ``rxvigil.lab_result.v1``."""
    name = next((value for header, value in record.headers if header == "ce_type"), b"")
    parts = name.decode().split(".")
    return parts[1] if len(parts) == 3 else "unknown"
