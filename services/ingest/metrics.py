"""What ingest tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from schemas.events import Administration, Dispensing, Event, LabResult, Prescription
from schemas.topics import CANARIES
from services.ingest.pipeline import Taken
from services.ingest.sources import Silence, Sources
from services.streaming.handler import Record, Send
from services.streaming.metrics import StreamMetrics

_SECONDS = (0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class IngestMetrics:
    """On a registry of its own, with the engine's metrics beside. Of synthetic patients only events and refusals are counted."""

    def __init__(self, silence: Silence = Silence()) -> None:  # noqa: B008 - a tuple
        self.registry = CollectorRegistry()
        self.stream = StreamMetrics(self.registry)
        self.sources = Sources(self.registry, silence)
        self.events = Counter(
            "rxvigil_ingest_events_total",
            "Canonical events, by source topic and event type",
            ["source", "type"],
            registry=self.registry,
        )
        self.refused = Counter(
            "rxvigil_ingest_refused_total",
            "Inputs refused as dead letters, by reason",
            ["reason"],
            registry=self.registry,
        )
        self.ignored = Counter(
            "rxvigil_ingest_ignored_total", "Inputs of a known kind that is not used", ["kind"], registry=self.registry
        )
        self.drugs = Counter(
            "rxvigil_ingest_drugs_total",
            "Medicines by how they were resolved to ingredients: code, name, vehicle, given, unresolved",
            ["resolution"],
            registry=self.registry,
        )
        self.unusable_results = Counter(
            "rxvigil_ingest_unusable_results_total",
            "Laboratory results that rules cannot use as they are, by reason: no_analyte, no_value, no_unit, unknown_unit, "
            "implausible",
            ["reason"],
            registry=self.registry,
        )
        self.unread_instructions = Counter(
            "rxvigil_ingest_unread_instructions_total",
            "Dosage instructions that were not understood as a whole, by reason: unread, partly_read, contradictory",
            ["reason"],
            registry=self.registry,
        )
        self.delay = Histogram(
            "rxvigil_ingest_delay_seconds",
            "From the source record's broker time stamp to its events acknowledged by the broker",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.http_requests = Counter(
            "rxvigil_ingest_http_requests_total",
            "Requests to POST /fhir, by outcome: accepted, ignored, refused, malformed, too_large, wrong_type, forbidden, "
            "unavailable, failed",
            ["outcome"],
            registry=self.registry,
        )
        self.http_seconds = Histogram(
            "rxvigil_ingest_http_request_seconds",
            "Time from a request to POST /fhir to its answer, the broker's acknowledgement included",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def watch(self, record: Record, taken: Taken) -> None:
        """Count what one record came to; again when its batch is repeated."""
        for event in taken.events:
            self.events.labels(record.topic, event.__struct_config__.tag).inc()
            if record.topic == CANARIES:
                continue
            self.sources.heard(event, record.timestamp / 1000)
            if (resolution := resolution_of(event)) is not None:
                self.drugs.labels(resolution).inc()
            if isinstance(event, Prescription | Dispensing) and event.dosage.remark:
                self.unread_instructions.labels(event.dosage.remark).inc()
            if isinstance(event, LabResult) and event.remark:
                self.unusable_results.labels(event.remark).inc()
        for letter in taken.refused:
            self.refused.labels(letter.reason).inc()
        for kind, count in taken.ignored.items():
            self.ignored.labels(kind).inc(count)

    def observe(self, records: Sequence[Record], sends: Sequence[Send]) -> None:
        """Time one batch that was delivered whole."""
        now = datetime.now(UTC).timestamp()
        for record in records:
            self.delay.observe(max(0.0, now - record.timestamp / 1000))


def resolution_of(event: Event) -> str | None:
    """How the medicine of an event was resolved; None when it names none."""
    if isinstance(event, Prescription | Dispensing | Administration):
        return event.drug.resolution or "unresolved"
    return None
