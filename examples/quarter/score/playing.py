"""The messages of a quarter through ingest and monitor in this process, as they would have come: by arrival, with the time
between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from knowledge.loader import load
from schemas import codec, topics
from schemas.alerts import Alert
from schemas.cloudevents import event_headers
from schemas.events import Event
from services.ingest.pipeline import Pipeline
from services.local.feed import files, units
from services.local.play import alerts_of, fixed, last_states
from services.monitor.handler import MonitorHandler
from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine

_DAY_AFTER = timedelta(days=1) // timedelta(milliseconds=1)


def played(folder: Path) -> list[Alert]:
    """The last state of every alert that the messages of ``folder/events`` raise.

    Raises ``ValueError`` when a message is refused, and what a rule raised.
    """
    knowledge = load()
    pipeline = Pipeline(knowledge, fixed(datetime.now(UTC)))
    handler = MonitorHandler(knowledge, _time_of)
    by_patient = _events(folder / "events", pipeline)
    return last_states(
        alert for patient in sorted(by_patient) for alert in _lived(by_patient[patient], MemoryEngine(handler))
    )


def _events(folder: Path, pipeline: Pipeline) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for file in files([folder], None):
        for unit in units(file, None):
            taken = pipeline.take_unit(unit.end, unit.original, unit.origin)
            if taken.refused:
                raise ValueError(f"{file.path}, line {unit.origin.offset} was refused: {taken.refused[0].detail}")
            for event in taken.events:
                found[event.patient_id].append(event)
    return found


def _lived(events: Sequence[Event], monitor: MemoryEngine) -> Iterator[Alert]:
    last = 0
    for number, event in enumerate(sorted(events, key=lambda event: (_received(event), event.event_id))):
        record = _record(number, event)
        yield from alerts_of(monitor.advance(record.timestamp - 1))
        yield from alerts_of(monitor.feed([record]))
        last = record.timestamp
    yield from alerts_of(monitor.advance(last + _DAY_AFTER))
    if monitor.errors:
        raise monitor.errors[0]


def _record(number: int, event: Event) -> Record:
    """As the running monitor had it in the quarter: live, received when it was sent."""
    received = _received(event)
    live = replace(event, timing="live", ingested_at=received)
    stamp = round(received.timestamp() * 1000)
    return Record(topics.EVENTS, 0, number, stamp, event.patient_id.encode(), codec.encode(live), event_headers(live))


def _received(event: Event) -> datetime:
    return event.recorded_at or event.occurred_at


def _time_of(record: Record) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
