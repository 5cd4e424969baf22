"""The one path from an input to canonical events: identities, what ingest fills, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from knowledge.loader import Knowledge, load
from schemas.dead_letters import DeadLetter
from schemas.events import Administration, Dispensing, LabResult, Patient, Prescription
from schemas.identity import event_id
from schemas.topics import MAX_RECORD_BYTES
from schemas.values import UNSET, Origin
from services.ingest.formats import Ignored, Refusal
from services.ingest.pipeline import Pipeline, Taken

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
RECEIVED = datetime(2026, 11, 3, 11, 59, tzinfo=UTC)
HERE = Origin("hospital.messages", 2, 41, received_at=RECEIVED)


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load()


@pytest.fixture
def pipeline(knowledge: Knowledge) -> Pipeline:
    return Pipeline(knowledge, lambda: NOW)


def order(**more: Any) -> dict[str, Any]:
    fields = {
        "type": "prescription", "patient_id": "p1", "source": "cpoe", "record_id": "o1", "status": "ordered",
        "occurred_at": "2026-11-02T08:00:00Z", "drug": {"text": "Warfarin 5 mg tablet"},
    }  # fmt: skip
    return fields | more


def potassium(**more: Any) -> dict[str, Any]:
    fields = {
        "type": "lab_result", "patient_id": "p1", "source": "lab", "record_id": "k1", "status": "final", "value": 7.4,
        "unit": "mmol/L", "occurred_at": "2026-11-02T08:00:00Z", "codings": [{"system": "LOINC", "code": "2823-3"}],
    }  # fmt: skip
    return fields | more


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def one(taken: Taken) -> Any:
    assert (taken.refused, taken.ignored) == ([], {})
    (event,) = taken.events
    return event


def test_an_event_gets_its_id_its_time_of_receipt_and_its_origin(pipeline: Pipeline) -> None:
    event = one(pipeline.take(dumped(order()), HERE))
    assert (event.event_id, event.ingested_at, event.origin) == (event_id(HERE), NOW, HERE)


def test_every_unit_of_a_record_has_an_id_of_its_own_that_a_second_reading_gives_again(pipeline: Pipeline) -> None:
    value = dumped([order(), {"type": "horoscope"}, potassium()])
    first, again = pipeline.take(value, HERE), pipeline.take(value, HERE)
    assert first == again
    assert [event.origin.index for event in first.events if event.origin] == [0, 2]
    assert [letter.index for letter in first.refused] == [1]
    assert [event.event_id for event in first.events] == [event_id(HERE), event_id(replace(HERE, index=2))]
    elsewhere = pipeline.take(value, replace(HERE, offset=42))
    assert not {e.event_id for e in first.events} & {e.event_id for e in elsewhere.events}


def test_what_ingest_fills_is_overwritten_whatever_was_sent(pipeline: Pipeline) -> None:
    claimed = {
        "event_id": "mine", "ingested_at": "1999-01-01T00:00:00Z",
        "origin": {"topic": "mine", "partition": 9, "offset": 9, "index": 9},
    }  # fmt: skip
    filled = {"analyte": "sodium", "canonical_value": 1.0, "canonical_unit": "x", "remark": "implausible"}
    result = one(pipeline.take(dumped(potassium(**claimed, **filled)), HERE))
    assert (result.event_id, result.ingested_at, result.origin) == (event_id(HERE), NOW, HERE)
    assert (result.analyte, result.canonical_value, result.canonical_unit) == ("potassium", 7.4, "mmol/L")
    assert result.remark == ""
    unknown = potassium(codings=[{"system": "LOINC", "code": "0-0"}], analyte="potassium", canonical_value=7.4)
    result = one(pipeline.take(dumped(unknown), HERE))
    assert (result.analyte, result.canonical_value) == ("", None)
    drug = {"text": "Warfarin 5 mg tablet", "resolution": "unresolved", "ingredients": [{"name": "Coumadin"}]}
    named = one(pipeline.take(dumped(order(drug=drug)), HERE))
    assert [i.name for i in named.drug.ingredients] == ["warfarin"]
    assert named.drug.resolution == "name"


def test_drugs_become_ingredients_wherever_an_event_names_one(pipeline: Pipeline) -> None:
    for kind, status in (("prescription", "ordered"), ("dispensing", "dispensed"), ("administration", "given")):
        event = one(pipeline.take(dumped(order(type=kind, status=status)), HERE))
        assert isinstance(event, Prescription | Dispensing | Administration)
        assert [i.name for i in event.drug.ingredients] == ["warfarin"]
        assert event.drug.text == "Warfarin 5 mg tablet", "what was received stays"
    patient = {
        "type": "patient", "patient_id": "p1", "source": "adt", "record_id": "p1", "occurred_at": "2026-11-02T08:00:00Z",
        "allergies": [{"substance": {"text": "warfarin"}}, {"substance": {"text": "a food"}}],
    }  # fmt: skip
    event = one(pipeline.take(dumped(patient), HERE))
    assert isinstance(event, Patient)
    assert isinstance(event.allergies, tuple)
    assert [allergy.substance.resolution for allergy in event.allergies] == ["name", "unresolved"]
    assert one(pipeline.take(dumped(patient | {"allergies": None}), HERE)).allergies is None
    assert one(pipeline.take(dumped({k: v for k, v in patient.items() if k != "allergies"}), HERE)).allergies is UNSET


def test_the_substance_of_an_allergy_entry_becomes_ingredients(pipeline: Pipeline) -> None:
    entry = {
        "type": "allergy", "patient_id": "p1", "source": "ehr", "record_id": "a1", "occurred_at": "2026-11-02T08:00:00Z",
        "allergy": {"substance": {"text": "warfarin"}},
    }  # fmt: skip
    resource = {
        "resourceType": "AllergyIntolerance", "id": "a1", "patient": {"reference": "Patient/p1"},
        "recordedDate": "2026-11-02T08:00:00Z", "code": {"text": "Warfarin"},
    }  # fmt: skip
    for sent in (entry, resource):
        event = one(pipeline.take(dumped(sent), HERE))
        assert [i.name for i in event.allergy.substance.ingredients] == ["warfarin"]


def test_a_resource_without_a_time_is_of_the_time_of_its_receipt(pipeline: Pipeline) -> None:
    resource = {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "patient": {"reference": "Patient/p"},
        "code": {"text": "x"},
    }
    assert one(pipeline.take(dumped(resource), HERE)).occurred_at == RECEIVED


def test_a_drug_that_nobody_knows_is_kept_as_received(pipeline: Pipeline) -> None:
    drug = {"text": "XR-417 study capsule", "codings": [{"system": "RxNorm", "code": "99999999", "display": "XR"}]}
    event = one(pipeline.take(dumped(order(drug=drug)), HERE))
    assert event.drug.resolution == "unresolved"
    assert event.drug.ingredients == ()
    assert (event.drug.text, event.drug.codings[0].code) == (drug["text"], "99999999")


def test_a_result_keeps_what_was_received_beside_the_canonical_value(pipeline: Pipeline) -> None:
    # 1 mmol of a univalent ion is 1 mEq
    event = one(pipeline.take(dumped(potassium(unit="mEq/L", comparator=">")), HERE))
    assert isinstance(event, LabResult)
    assert (event.value, event.unit, event.comparator) == (7.4, "mEq/L", ">")
    assert (event.analyte, event.canonical_value, event.canonical_unit) == ("potassium", 7.4, "mmol/L")


@pytest.mark.parametrize(
    ("odd", "analyte", "canonical", "remark"),
    [
        ({"unit": "furlongs"}, "potassium", None, "unknown_unit"),
        ({"unit": ""}, "potassium", None, "no_unit"),
        ({"value": None}, "potassium", None, "no_value"),
        ({"value": 75}, "potassium", 75, "implausible"),
        ({"value": -7.5}, "potassium", None, "implausible"),
        ({"codings": [{"system": "LOINC", "code": "2828-2"}]}, "", None, "no_analyte"),
        ({"codings": [{"system": "LOINC", "code": c} for c in ("2823-3", "2951-2")]}, "", None, "no_analyte"),
    ],
)
def test_a_result_says_why_rules_cannot_use_it_as_it_is(
    pipeline: Pipeline, odd: dict[str, Any], analyte: str, canonical: float | None, remark: str
) -> None:
    event = one(pipeline.take(dumped(potassium(**odd)), HERE))
    assert (event.analyte, event.canonical_value, event.remark) == (analyte, canonical, remark)


def test_a_refusal_is_a_dead_letter_with_place_time_and_bytes(pipeline: Pipeline) -> None:
    bad = dumped(order(version="three"))
    (letter,) = pipeline.take(bad, HERE).refused
    assert letter == DeadLetter(
        reason="schema", detail="Expected `int`, got `str`", place="$.version", topic="hospital.messages", partition=2,
        offset=41, original=bad, received_at=RECEIVED, refused_at=NOW, refused_by="ingest",
    )  # fmt: skip


def test_one_bad_element_is_refused_with_its_own_bytes_and_its_neighbours_are_taken(pipeline: Pipeline) -> None:
    taken = pipeline.take(b"[" + dumped(order()) + b', {"type": "horoscope"}, ' + dumped(potassium()) + b"]", HERE)
    assert [event.record_id for event in taken.events] == ["o1", "k1"]
    assert [(letter.index, letter.original) for letter in taken.refused] == [(1, b'{"type": "horoscope"}')]


def test_nothing_and_an_empty_list(pipeline: Pipeline) -> None:
    for value in (None, b"", b"  "):
        (letter,) = pipeline.take(value, HERE).refused
        assert (letter.reason, letter.original) == ("empty", value or b"")
    taken = pipeline.take(b"[]", HERE)
    assert (taken.events, taken.refused, taken.ignored) == ([], [], {"empty_list": 1})


def test_a_record_above_the_limit_is_refused_and_one_at_the_limit_is_read(pipeline: Pipeline) -> None:
    at_the_limit = dumped(order()) + b" " * (MAX_RECORD_BYTES - len(dumped(order())))
    assert one(pipeline.take(at_the_limit, HERE)).record_id == "o1"
    (letter,) = pipeline.take(at_the_limit + b" ", HERE).refused
    assert letter.reason == "too_large"
    assert str(MAX_RECORD_BYTES) in letter.detail


@pytest.mark.parametrize("by", ["event", "refusal", "ignored"])
def test_a_unit_that_a_format_told_apart_ends_as_the_format_said(pipeline: Pipeline, by: str) -> None:
    row = Origin("LABS.csv", 0, 17)
    event = one(pipeline.take(dumped(potassium()), HERE))
    ends = {"event": event, "refusal": Refusal("mapping", "not a number", "VALUE"), "ignored": Ignored("LABS.csv")}
    taken = pipeline.take_unit(ends[by], b"1,2\n", row)
    assert len(taken.events) + len(taken.refused) + taken.ignored.total() == 1
    if by == "event":
        assert (taken.events[0].event_id, taken.events[0].origin) == (event_id(row), row)
        assert pipeline.take_event(event, row) == taken.events[0]
    elif by == "refusal":
        (letter,) = taken.refused
        assert (letter.reason, letter.place, letter.offset, letter.original) == ("mapping", "VALUE", 17, b"1,2\n")
    else:
        assert taken.ignored == {"LABS.csv": 1}
