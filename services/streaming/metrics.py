"""What an engine tells of itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_RECORDS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)


class StreamMetrics:
    """Declared on the registry of the service that runs the engine."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batch_records = Histogram(
            "rxvigil_stream_batch_records", "Records handled in one batch", buckets=_RECORDS, registry=registry
        )
        self.batch_seconds = Histogram(
            "rxvigil_stream_batch_seconds",
            "Time of one batch by stage: handle, send, changelog, store",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.lag = Gauge(
            "rxvigil_stream_lag_records",
            "Records of a partition that are not yet handled",
            ["topic", "partition"],
            registry=registry,
        )
        self.restored = Gauge(
            "rxvigil_stream_restored", "1 when partitions are assigned and their state is restored", registry=registry
        )
        self.refused = Counter(
            "rxvigil_stream_refused_total",
            "Records that the handler raised for and that were refused",
            registry=registry,
        )
        self.retries = Counter(
            "rxvigil_stream_send_retries_total", "Sends repeated because the broker did not answer", registry=registry
        )
