"""Conservation: what is read ends as an event, a refusal or ignored, each unit once, and what comes out is fit to go on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

import schemas
from schemas import cloudevents, codec, topics
from schemas.dead_letters import REASONS, DeadLetter
from schemas.events import AnyEvent, Event
from schemas.values import Origin
from services.ingest.formats import native
from services.ingest.handler import event_send
from services.ingest.pipeline import Pipeline, Taken
from services.monitor.handler import MonitorHandler
from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine
from tests.support.ward import Ward

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
HERE = Origin("hospital.messages", 2, 41, received_at=datetime(2026, 11, 3, 11, 59, tzinfo=UTC))
_LONGEST_DETAIL = 300
_DAYS = 3


def taken(pipeline: Pipeline, value: bytes | None) -> Taken:
    """What a record comes to, checked in all that can be said of it without knowing what it says."""
    found = pipeline.take(value, HERE)
    assert total(found) >= 1, "a record without an end"
    places = [event.origin.index for event in found.events if event.origin] + [letter.index for letter in found.refused]
    assert len(places) == len(set(places)) == len(found.events) + len(found.refused), "two units at one position"
    assert len({event.event_id for event in found.events}) == len(found.events)
    for event in found.events:
        check_event(event)
    for letter in found.refused:
        check_letter(letter, value or b"")
    return found


def total(found: Taken) -> int:
    assert all(count > 0 for count in found.ignored.values())
    return len(found.events) + len(found.refused) + found.ignored.total()


def check_event(event: Event) -> None:
    """It is read back as it was, by a reader and by a writer who is held to the schema, and it fits the published schema."""
    encoded = codec.encode(event)
    assert codec.decode_event(encoded) == event
    assert native.decode_unit(encoded) == event
    _published(str(event.__struct_config__.tag)).validate(json.loads(encoded))
    send = event_send(event)
    assert send.topic == topics.EVENTS
    assert send.key
    assert all(isinstance(name, str) and isinstance(said, bytes) for name, said in send.headers)


def check_letter(letter: DeadLetter, value: bytes) -> None:
    assert letter.reason in REASONS
    assert len(letter.detail) <= _LONGEST_DETAIL
    assert letter.original in value, "the bytes of a refusal are not those that came in"
    assert DeadLetter.from_record(list(letter.headers()), letter.original) == letter


def answered(knowledge: Any, events: Iterable[AnyEvent]) -> Ward:
    """The monitor has taken every one of the events, and each patient stands at the last of theirs. Raises what it refused."""
    told = list(events)
    ward = Ward(knowledge).put(*told).run()
    for patient in {event.patient_id for event in told}:
        state, own = ward.state(patient), sum(event.patient_id == patient for event in told)
        assert state is not None
        assert state.applied[topics.EVENTS] >= own - 1
    _in_time(knowledge, told)
    return ward


def _in_time(knowledge: Any, events: list[AnyEvent]) -> None:
    """Nor does the monitor refuse what falls due of them."""
    engine = MemoryEngine(MonitorHandler(knowledge, lambda _: NOW))
    now = int(NOW.timestamp() * 1000)
    engine.feed([
        Record(topics.EVENTS, 0, number, now, event.patient_id.encode(), codec.encode(event), ())
        for number, event in enumerate(events)
    ])  # fmt: skip
    engine.advance(now + _DAYS * 86_400_000)
    assert not engine.errors, engine.errors


@cache
def _published(kind: str) -> jsonschema_rs.Validator:
    path = Path(schemas.__file__).parent / cloudevents.schema_path(kind)
    return jsonschema_rs.validator_for(json.loads(path.read_text()), validate_formats=True)


def units_of(document: Any) -> tuple[int, int]:
    """The fewest and the most units that a resource can be, or the resources of a bundle with a sound envelope, counted from
    the document alone. Only a panel leaves it open: each component is a unit and so may be the whole, unless the whole is
    refused or ignored."""
    if not isinstance(document, dict):
        return 1, 1
    if document.get("resourceType") == "Bundle":
        inside = [units_of(entry.get("resource")) for entry in document["entry"]]
        return sum(least for least, _ in inside), sum(most for _, most in inside)
    components = document.get("component")
    panel = document.get("resourceType") == "Observation" and isinstance(components, list)
    return (1, len(components) + 1) if panel and components else (1, 1)
