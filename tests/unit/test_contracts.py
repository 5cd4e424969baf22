"""Code, JSON Schemas and asyncapi.yaml say the same."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid5

import jsonschema_rs
import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from hypothesis import given
from hypothesis import strategies as st

from schemas import cloudevents, codec, generate, topics
from schemas.dead_letters import REASONS, DeadLetter
from schemas.events import Dosage, Drug, Ingredient, LabResult, Patient, Prescription
from schemas.identity import NAMESPACE, alert_id, event_id, fixed_id
from schemas.values import UNSET, Coding, Origin, Quantity

ROOT = Path(topics.__file__).parent
AT = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


def prescription(**more: Any) -> Prescription:
    fields: dict[str, Any] = {
        "patient_id": "p1",
        "source": "ward",
        "record_id": "o1",
        "occurred_at": AT,
        "status": "ordered",
        "drug": Drug(text="warfarin 5 mg", ingredients=(Ingredient("warfarin", strength=Quantity(5, "mg")),)),
        "dosage": Dosage(text="1 daily", frequency_per_day=1),
    }
    return Prescription(**{**fields, **more})


@pytest.mark.parametrize("message_type", generate.MESSAGES)
def test_the_published_schemas_are_those_of_the_code(message_type: str) -> None:
    published = json.loads((ROOT / cloudevents.schema_path(message_type)).read_text())
    assert published == json.loads(json.dumps(generate.json_schema(message_type)))
    jsonschema_rs.meta.validate(published)


def test_asyncapi_refers_to_every_schema_and_every_schema_is_used() -> None:
    text = (ROOT / "asyncapi.yaml").read_text()
    for message_type in generate.MESSAGES:
        assert f"./{cloudevents.schema_path(message_type)}" in text


def test_asyncapi_names_every_topic_of_the_code_and_no_other() -> None:
    named = {value for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)}
    assert named == set(topics.topics())


def test_references_of_asyncapi_lead_somewhere() -> None:
    document = topics.document()

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            return [value for key, value in node.items() if key == "$ref"] + [
                found for value in node.values() for found in references(value)
            ]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    for reference in references(document):
        if reference.startswith("#/"):
            node = document
            for step in reference[2:].split("/"):
                node = node[step]
        else:
            assert (ROOT / reference).is_file(), reference


def test_co_partitioned_topics_have_the_same_number_of_partitions() -> None:
    found = topics.topics()
    assert (
        found[topics.EVENTS].partitions == found[topics.FEEDBACK].partitions == found[topics.PATIENT_STATE].partitions
    )


def test_source_topics_and_dead_letters_take_sixteen_mebibytes() -> None:
    for name in (*topics.SOURCES, topics.DEAD_LETTERS):
        assert int(topics.topics()[name].config["max.message.bytes"]) > topics.MAX_RECORD_BYTES


def test_an_event_survives_its_json_and_fits_its_schema() -> None:
    event = prescription()
    encoded = codec.encode(event)
    assert codec.decode_event(encoded) == event
    validator = jsonschema_rs.validator_for(generate.json_schema("prescription"))
    validator.validate(json.loads(encoded))
    assert not validator.is_valid(json.loads(encoded) | {"doze": 1})


def test_unknown_no_and_not_asked_are_three_answers() -> None:
    base = {
        "patient_id": "p",
        "source": "s",
        "record_id": "r",
        "occurred_at": "2026-11-02T00:00:00Z",
        "type": "patient",
    }
    not_asked = codec.decode_event(json.dumps(base).encode())
    unknown = codec.decode_event(json.dumps(base | {"allergies": None}).encode())
    none = codec.decode_event(json.dumps(base | {"allergies": []}).encode())
    assert [event.allergies for event in (not_asked, unknown, none) if isinstance(event, Patient)] == [UNSET, None, ()]
    assert len({codec.encode(event) for event in (not_asked, unknown, none)}) == 3


def test_a_reader_passes_by_a_field_of_a_newer_version() -> None:
    encoded = json.loads(codec.encode(prescription())) | {"of_a_later_version": 1}
    assert codec.decode_event(json.dumps(encoded).encode()) == prescription()


def test_a_time_without_an_offset_is_refused() -> None:
    encoded = json.loads(codec.encode(prescription())) | {"occurred_at": "2026-11-02T08:00:00"}
    with pytest.raises(msgspec.ValidationError, match="occurred_at"):
        codec.decode_event(json.dumps(encoded).encode())


def test_reading_a_record_again_gives_the_same_event_id_and_the_next_record_another() -> None:
    origin = Origin(topics.MESSAGES, 2, 41, 0)
    ids = {event_id(origin), event_id(Origin(topics.MESSAGES, 2, 41, 0))}
    others = {event_id(Origin(topics.MESSAGES, 2, 42, 0)), event_id(Origin(topics.MESSAGES, 2, 41, 1))}
    assert len(ids) == 1
    assert not ids & others
    assert len(others) == 2


def test_an_alert_id_does_not_depend_on_where_the_event_was_read() -> None:
    here = prescription(origin=Origin("a", 0, 1), event_id="x", ingested_at=AT)
    there = prescription(origin=Origin("b", 3, 9), event_id="y")
    assert alert_id("r", "p", "s", here) == alert_id("r", "p", "s", there)
    assert alert_id("r", "p", "s", here) != alert_id("r", "p", "s", prescription(version=2))
    assert alert_id("a", "bc", "s", here) != alert_id("ab", "c", "s", here)


def test_cloudevents_headers_are_read_by_the_cloudevents_sdk() -> None:
    event = LabResult(
        patient_id="p1",
        source="lab",
        record_id="r",
        occurred_at=AT,
        status="final",
        codings=(Coding("LOINC", "2823-3"),),
        event_id="e-1",
    )
    headers = dict(cloudevents.event_headers(event))
    read = from_kafka_event(KafkaMessage(headers=headers, key=b"p1", value=codec.encode(event)))
    assert (read.get_id(), read.get_type(), read.get_source()) == ("e-1", "rxvigil.lab_result.v1", "/rxvigil/ingest")
    assert read.get_time() == AT
    assert read.get_data() == json.loads(codec.encode(event))


def test_a_dead_letter_keeps_the_original_bytes_and_survives_its_headers() -> None:
    letter = DeadLetter(
        reason="not_json",
        detail="expected a value",
        topic=topics.MESSAGES,
        partition=1,
        offset=7,
        original=b"\xff{",
        place="$.drug",
        refused_at=AT,
        refused_by="ingest",
    )
    assert letter.reason in REASONS
    assert DeadLetter.from_record(letter.headers(), letter.original) == letter
    assert b"\xff{" not in b"".join(value for _, value in letter.headers())


def test_a_date_is_no_time() -> None:
    event = Patient(patient_id="p", source="s", record_id="r", occurred_at=AT, birth_date=date(9999, 1, 1))
    assert codec.decode_event(codec.encode(event)) == event


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.integers()))
def test_a_fixed_id_is_a_uuid_of_version_5(parts: list[str | int]) -> None:
    assert fixed_id("event", *parts) == str(uuid5(NAMESPACE, "\x1f".join(("event", *map(str, parts)))))
