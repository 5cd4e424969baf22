"""Thirty bundles of synthetic patients: everything in them has an end, and what was read is what a plain reading says."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from knowledge.loader import load
from schemas.events import LabResult, Observation, Prescription
from schemas.values import Origin
from services.ingest.pipeline import Pipeline, Taken
from services.local.feed import files, units
from tests.conftest import SHARED

pytestmark = pytest.mark.shared

SYNTHEA = SHARED / "corpus" / "synthea-fhir"
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
BECOMES = {
    "Patient": "patient", "Encounter": "encounter", "Condition": "condition", "AllergyIntolerance": "allergy",
    "MedicationRequest": "prescription",
}  # fmt: skip
REFUSALS: Counter[str] = Counter()
"""Every refusal with its reason: these bundles hold nothing that could not be read."""


@pytest.fixture(scope="module")
def texts() -> list[bytes]:
    return [gzip.decompress(path.read_bytes()) for path in sorted(SYNTHEA.glob("*.json.gz"))]


@pytest.fixture(scope="module")
def resources(texts: list[bytes]) -> list[dict[str, Any]]:
    return [entry["resource"] for text in texts for entry in orjson.loads(text)["entry"]]


@pytest.fixture(scope="module")
def taken(texts: list[bytes]) -> Taken:
    pipeline = Pipeline(load(), lambda: NOW)
    whole = Taken([], [], Counter())
    for number, text in enumerate(texts):
        one = pipeline.take(text, Origin("hospital.messages", 0, number))
        entries = len(orjson.loads(text)["entry"])
        assert len(one.events) + len(one.refused) + one.ignored.total() == entries
        whole.events.extend(one.events)
        whole.refused.extend(one.refused)
        whole.ignored.update(one.ignored)
    return whole


def category(resource: dict[str, Any]) -> str:
    return str(resource["category"][0]["coding"][0]["code"])


def test_every_resource_is_what_its_type_and_category_say(taken: Taken, resources: list[dict[str, Any]]) -> None:
    assert len(resources) == 9022
    expected: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    for resource in resources:
        kind = resource["resourceType"]
        if kind != "Observation":
            expected[BECOMES[kind]] += 1
        elif category(resource) in ("survey", "exam", "imaging", "procedure"):
            ignored[f"Observation/{category(resource)}"] += 1
        else:
            expected["lab_result" if category(resource) == "laboratory" else "observation"] += 1
    assert Counter(str(event.__struct_config__.tag) for event in taken.events) == expected
    assert taken.ignored == ignored
    assert Counter(letter.reason for letter in taken.refused) == REFUSALS


def test_every_event_is_of_the_patient_of_its_bundle(texts: list[bytes]) -> None:
    pipeline = Pipeline(load(), lambda: NOW)
    for text in texts:
        (person,) = (
            e["resource"]["id"] for e in orjson.loads(text)["entry"] if e["resource"]["resourceType"] == "Patient"
        )
        assert {event.patient_id for event in pipeline.take(text, Origin("x", 0, 0)).events} == {person}


def test_values_times_and_units_are_those_of_the_resources(taken: Taken, resources: list[dict[str, Any]]) -> None:
    by_id = {resource["id"]: resource for resource in resources}
    for event in taken.events:
        if isinstance(event, LabResult | Observation):
            resource = by_id[event.record_id]
            assert event.occurred_at == datetime.fromisoformat(resource["effectiveDateTime"])
            if "valueQuantity" in resource:
                assert (event.value, event.unit) in [
                    (resource["valueQuantity"]["value"], resource["valueQuantity"][name]) for name in ("code", "unit")
                ]
    pressures = [each for each in taken.events if isinstance(each, Observation) and each.kind == "blood_pressure"]
    assert len(pressures) == sum("component" in resource for resource in resources)
    for event in pressures:
        parts = {
            p["code"]["coding"][0]["code"]: p["valueQuantity"]["value"] for p in by_id[event.record_id]["component"]
        }
        assert (event.value, event.second_value) == (parts["8480-6"], parts["8462-4"])


def test_doses_a_day_are_those_of_the_timings(taken: Taken, resources: list[dict[str, Any]]) -> None:
    hours = {"h": 1, "d": 24}
    by_id = {resource["id"]: resource for resource in resources}
    found = 0
    for event in (each for each in taken.events if isinstance(each, Prescription)):
        (instruction,) = by_id[event.record_id].get("dosageInstruction") or [{}]
        if "timing" in instruction:
            repeat = instruction["timing"]["repeat"]
            expected = repeat["frequency"] * 24 / (repeat["period"] * hours[repeat["periodUnit"]])
            assert event.dosage.frequency_per_day == pytest.approx(expected)
            found += 1
    assert found == 288


def test_nearly_every_medicine_is_known_by_its_ingredients(taken: Taken) -> None:
    orders = [event for event in taken.events if isinstance(event, Prescription)]
    unknown = Counter(order.drug.text for order in orders if not order.drug.ingredients)
    assert len(orders) == 537
    assert 1 - unknown.total() / len(orders) >= 0.98, unknown


def test_files_are_read_as_the_records_that_they_are(taken: Taken) -> None:
    read = [unit for file in files([Path(SYNTHEA)], None) for unit in units(file, None)]
    assert len(read) == 9022
    assert not any(unit.alone for unit in read), "a resource may need its bundle"
    assert len({(unit.origin.topic, unit.origin.offset) for unit in read}) == 9022
