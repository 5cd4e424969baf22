"""What the monitor tells of itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas import codec, topics
from services.monitor.canaries.metrics import CanaryMetrics
from services.monitor.held import Reason
from services.monitor.reload import Reload
from services.monitor.rules.failure import place_of
from services.streaming.handler import Record, Send
from services.streaming.metrics import StreamMetrics

LOG_AGAIN_SECONDS = 60.0
"""A rule that raises at one place is logged so often; every time is counted."""

log = structlog.get_logger(__name__)

_SECONDS = (0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class MonitorMetrics:
    """On a registry of its own, with the engine's metrics beside. Synthetic patients count there, in ``canaries``, and where a
    rule raises for them, and nowhere else."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.stream = StreamMetrics(self.registry)
        self.canaries = CanaryMetrics(self.registry)
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
        self.rule_errors = Counter(
            "rxvigil_rule_errors_total",
            "Times that a rule raised and was passed over; what it had found before stands",
            ["rule"],
            registry=self.registry,
        )
        self.reloads = Counter(
            "rxvigil_knowledge_reloads_total",
            "Changes of the site's files that were read, by what came of it",
            ["outcome"],
            registry=self.registry,
        )
        self.stale = Gauge(
            "rxvigil_knowledge_stale",
            "1 while the site's newest files cannot be used and an older version is in force",
            registry=self.registry,
        )
        self.knowledge = Gauge(
            "rxvigil_knowledge_info", "1 for the version of the knowledge in force", ["version"], registry=self.registry
        )
        self._logged: dict[tuple[str, str, str], float] = {}
        self.delay = Histogram(
            "rxvigil_monitor_delay_seconds",
            "From the event's broker time stamp to its alerts acknowledged by the broker",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def observe_held(self, rule: str, reason: Reason) -> None:
        """Count one finding that is newly held back."""
        self.held.labels(rule, reason).inc()

    def observe_failed(self, rule: str, error: Exception) -> None:
        """Count one rule that raised, and log where. What it says is not logged: it may hold facts of a patient."""
        self.rule_errors.labels(rule).inc()
        what, now = (rule, type(error).__name__, place_of(error)), time.monotonic()
        if now - self._logged.get(what, -LOG_AGAIN_SECONDS) >= LOG_AGAIN_SECONDS:
            self._logged[what] = now
            log.error("a rule failed and was passed over", rule=rule, error=what[1], place=what[2])

    def observe_reload(self, outcome: Reload) -> None:
        """The site's files have changed."""
        self.reloads.labels(outcome).inc()
        self.stale.set(outcome == "failed")

    def observe_knowledge(self, version: str) -> None:
        """From now on this version is in force."""
        self.knowledge.clear()
        self.knowledge.labels(version).set(1)

    def observe(self, records: Sequence[Record], sends: Sequence[Send]) -> None:
        """Count one batch that was delivered whole."""
        now = datetime.now(UTC).timestamp()
        for record in records:
            if record.topic == topics.CANARY_EVENTS:
                continue
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
