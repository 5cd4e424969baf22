"""What an engine tells of itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_RECORDS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)


class StreamMetrics:
    """Declared on the registry of the service that runs the engine."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"rxvigil_stream_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"rxvigil_stream_{name}", meaning, labels, registry=registry)

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
        self.queue = gauge("queue_records", "Records fetched and not yet taken into a batch")
        self.lag = gauge("lag_records", "Records of a partition that are not yet handled", "topic", "partition")
        self.lag_time = gauge(
            "lag_seconds", "Age of the last record handled of a partition that is behind, else 0", "partition"
        )
        self.refused = counter("refused_total", "Records that the handler raised for and that were refused")
        self.retries = counter("send_retries_total", "Sends repeated because the broker did not answer")

        self.restored = gauge("restored", "1 when partitions are assigned and their state is restored")
        self.restore_left = gauge("restore_left_records", "Records of the changelog that a restore has yet to read")
        self.restore_records = counter("restore_records_total", "Records of the changelog read, as owner or standby")
        self.rebalances = counter("rebalances_total", "Assignments of partitions to this worker, empty ones included")
        self.fenced = counter(
            "fenced_total",
            "Writes of former owners that had no effect (skipped, overwritten), and lanes of this worker ended (lost)",
            "outcome",
        )

        self.cache_hits = counter("cache_hits_total", "States found decoded")
        self.cache_misses = counter("cache_misses_total", "States read from the store")
        self.cache_size = gauge("cache_bytes", "Decoded states held, by their encoded size")
        self.state_size = gauge("state_bytes", "State on disk, without the log of the newest writes")
