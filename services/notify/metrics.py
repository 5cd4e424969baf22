"""What notify tells of itself."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.alerts import Alert

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
_ASKS = frozenset({"opened", "updated", "attention"})


class NotifyMetrics:
    """On a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.alerts = Counter(
            "rxvigil_notify_alerts_total",
            "Alert revisions stored",
            ["severity", "change"],
            registry=self.registry,
        )
        self.stale = Counter(
            "rxvigil_notify_stale_total",
            "Alert revisions read that were not newer than the one stored",
            registry=self.registry,
        )
        self.canaries = Counter(
            "rxvigil_notify_canaries_total",
            "Alert revisions and pictures of synthetic patients read, which have no business here: not stored and told to nobody",
            registry=self.registry,
        )
        self.pictures = Counter(
            "rxvigil_notify_pictures_total",
            "Pictures of patients stored or erased; of several of a patient that are read at once only the newest",
            registry=self.registry,
        )
        self.delay = Histogram(
            "rxvigil_notify_delay_seconds",
            "Event-to-alert time by stage: received_to_stored from the newest source record, detected_to_stored from the"
            " monitor's finding, stored_to_delivered to the receiver's acceptance",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.deliveries = Counter(
            "rxvigil_notify_deliveries_total",
            "Delivery attempts by channel and outcome: accepted, refused, timeout, unreachable",
            ["channel", "outcome"],
            registry=self.registry,
        )
        self.answers = Counter(
            "rxvigil_notify_answers_total", "People's answers by reason", ["reason"], registry=self.registry
        )
        self.waiting = Gauge(
            "rxvigil_notify_outbox_waiting",
            "Rows of the outbox that are not accepted yet, by channel; feedback is the answers on their way to Kafka",
            ["channel"],
            registry=self.registry,
        )
        self.lag = Gauge(
            "rxvigil_notify_lag_records",
            "Records of a partition that are not stored yet",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.refused = Counter(
            "rxvigil_notify_refused_total", "Records that notify refused", ["reason"], registry=self.registry
        )

    def stored(self, alert: Alert, now: datetime) -> None:
        """Count a revision that was stored, once its transaction has been committed."""
        change = alert.history[-1].change
        self.alerts.labels(alert.severity, change).inc()
        if change not in _ASKS:
            return
        received = [origin.received_at for origin in alert.origins if origin.received_at is not None]
        if received:
            self._delay("received_to_stored", max(received), now)
        self._delay("detected_to_stored", alert.detected_at, now)

    def delivered(self, stored_at: datetime, now: datetime) -> None:
        self._delay("stored_to_delivered", stored_at, now)

    def _delay(self, stage: str, since: datetime, now: datetime) -> None:
        self.delay.labels(stage).observe(max(0.0, (now - since).total_seconds()))
