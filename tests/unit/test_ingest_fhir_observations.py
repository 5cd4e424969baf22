"""FHIR Observations: results and bedside measurements, components, values of every kind, and status."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.events import LabResult, Observation, Patient, Pregnancy, ReferenceRange, Specimen
from schemas.values import UNSET, Coding
from services.ingest.formats import Ignored, Refusal
from tests.support.fhir import (
    AT,
    HL7,
    PHI,
    concept,
    decoded,
    event,
    ignored,
    observation,
    quantity,
    refusal,
    without,
)

EIGHT = datetime(2026, 11, 2, 7, tzinfo=UTC)
LOINC = "http://loinc.org"


def part(loinc: str, **more: Any) -> dict[str, Any]:
    return {"code": concept(loinc, LOINC)} | more


# --- results


def test_a_result_as_it_stands() -> None:
    found = event(
        observation(
            valueQuantity=quantity(5.9, "mmol/L") | {"unit": "mmol per litre"}, issued="2026-11-02T09:00:00Z",
            interpretation=[concept("HH", f"{HL7}/v3-ObservationInterpretation", "Critical high")],
            referenceRange=[{"low": quantity(3.5, "mmol/L"), "high": quantity(5.1, "mmol/L"), "text": "3.5-5.1"}],
            specimen={"reference": "Specimen/7", "display": "serum"}, basedOn=[{"reference": "ServiceRequest/lab-3"}],
            encounter={"reference": "Encounter/e1"},
        )
    )  # fmt: skip
    assert isinstance(found, LabResult)
    assert (found.status, found.codings, found.patient_id) == ("final", (Coding("LOINC", "2823-3"),), "p1")
    assert (found.value, found.comparator, found.unit, found.text) == (5.9, None, "mmol/L", "")
    assert (found.occurred_at, found.resulted_at) == (EIGHT, datetime(2026, 11, 2, 9, tzinfo=UTC))
    assert found.recorded_at == found.resulted_at
    assert (found.flag, found.reference_range) == ("HH", ReferenceRange(low=3.5, high=5.1, text="3.5-5.1"))
    assert (found.specimen, found.order_id, found.encounter_id) == (Specimen(kind="serum"), "lab-3", "e1")


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        ({"valueInteger": 4}, 4.0, ""),
        ({"valueString": "haemolysed"}, UNSET, "haemolysed"),
        ({"valueString": "<0.2"}, UNSET, "<0.2"),
        ({"valueCodeableConcept": concept("260385009", display="Negative")}, UNSET, "Negative"),
        ({"valueBoolean": False}, UNSET, "false"),
        ({"valueRange": {"low": quantity(2, "/HPF"), "high": quantity(5, "/HPF")}}, UNSET, "2 /HPF-5 /HPF"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, UNSET, "1:128"),
        ({"valueTime": "08:00:00"}, UNSET, "08:00:00"),
        ({"valueDateTime": "2026-11"}, UNSET, "2026-11"),
        ({"valueQuantity": {"unit": "mmol/L"}}, None, ""),
        (
            {"dataAbsentReason": concept("not-performed", f"{HL7}/data-absent-reason", "Not performed")},
            None,
            "Not performed",
        ),
        ({}, UNSET, ""),
    ],
)
def test_values_of_every_kind(value: dict[str, Any], number: Any, text: str) -> None:
    found = event(observation(**value))
    assert isinstance(found, LabResult)
    assert (found.value, found.text) == (number, text)


@pytest.mark.parametrize("sign", ["<", "<=", ">=", ">"])
def test_a_comparator_stands_beside_the_number(sign: str) -> None:
    found = event(observation(valueQuantity=quantity(0.2, "ng/mL", comparator=sign)))
    assert (found.value, found.comparator) == (0.2, sign)


def test_a_sampled_signal_is_not_used() -> None:
    signal = {"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2"}
    assert ignored(observation(valueSampledData=signal)) == "Observation/SampledData"


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("preliminary", "preliminary"), ("final", "final"), ("amended", "corrected"), ("corrected", "corrected"),
        ("cancelled", "cancelled"), ("entered-in-error", "entered_in_error"), ("unknown", "preliminary"),
    ],
)  # fmt: skip
def test_the_status_of_a_result(status: str, read: str) -> None:
    assert event(observation(status=status)).status == read


def test_a_result_that_is_only_awaited_is_ignored() -> None:
    assert ignored(observation(status="registered")) == "Observation/registered"


@pytest.mark.parametrize(
    ("times", "at"),
    [
        ({"effectivePeriod": {"start": AT, "end": "2026-11-03T07:00:00Z"}}, datetime(2026, 11, 3, 7, tzinfo=UTC)),
        ({"effectivePeriod": {"start": AT}}, EIGHT),
        ({"effectiveInstant": AT}, EIGHT),
        ({"issued": AT, "meta": {"lastUpdated": "2030"}}, EIGHT),
        ({"meta": {"lastUpdated": AT}}, EIGHT),
    ],
)
def test_when_it_was_so(times: dict[str, Any], at: datetime) -> None:
    assert event(without(observation(), "effectiveDateTime") | times).occurred_at == at


def test_without_any_time_there_is_no_result() -> None:
    assert refusal(without(observation(), "effectiveDateTime")).place == "Observation.effective"


# --- which is which


@pytest.mark.parametrize(
    ("loinc", "category", "kind"),
    [
        ("29463-7", "vital-signs", "weight"), ("8302-2", "vital-signs", "height"), ("8867-4", "vital-signs", "heart_rate"),
        ("9279-1", "exam", "respiratory_rate"), ("59408-5", "laboratory", "oxygen_saturation"), ("8310-5", "odd", "temperature"),
        ("76634-5", "procedure", "qtc"), ("11884-4", "exam", "gestational_age"), ("39156-5", "vital-signs", "other"),
    ],
)  # fmt: skip
def test_bedside_measurements_by_their_code_then_by_their_category(loinc: str, category: str, kind: str) -> None:
    found = event(observation(loinc, category, valueQuantity=quantity(70, "kg"), status="preliminary"))
    assert isinstance(found, Observation)
    assert (found.kind, found.value, found.unit, found.status) == (kind, 70, "kg", "final")
    assert found.codings == (Coding("LOINC", loinc),)


def test_how_it_was_measured() -> None:
    assert event(observation("76635-2", method=concept("x", display="by hand"))).method == "Bazett"
    assert event(observation("3142-7")).method == "stated"
    assert event(observation("8302-2", method={"text": "lying"})).method == "lying"


def test_a_bound_is_not_a_measurement() -> None:
    found = event(observation("29463-7", valueQuantity=quantity(200, "kg", comparator=">")))
    assert (found.value, found.text) == (UNSET, ">200 kg")


@pytest.mark.parametrize(
    "category", ["social-history", "survey", "imaging", "procedure", "exam", "therapy", "activity"]
)
def test_what_is_neither_result_nor_vital_sign_is_ignored(category: str) -> None:
    assert ignored(observation("72166-2", category)) == f"Observation/{category}"


def test_a_result_of_no_category_is_a_result() -> None:
    assert isinstance(event(without(observation(), "category")), LabResult)
    assert isinstance(event(observation(category="of-the-house")), LabResult)
    assert event(observation(code={"text": "Potassium"})).codings == (Coding("text", "Potassium", "Potassium"),)


# --- components


def test_the_two_pressures_are_one_measurement() -> None:
    both = [part("8462-4", valueQuantity=quantity(80, "mm[Hg]")), part("8480-6", valueQuantity=quantity(120, "mm[Hg]"))]
    found = event(observation("85354-9", "vital-signs", component=both))
    assert isinstance(found, Observation)
    assert (found.kind, found.value, found.second_value, found.unit) == ("blood_pressure", 120, 80, "mm[Hg]")
    alone = event(observation("8462-4", "vital-signs", valueQuantity=quantity(80, "mm[Hg]")))
    assert (alone.kind, alone.value, alone.second_value) == ("blood_pressure", UNSET, 80)
    unread = event(observation("55284-4", "vital-signs", dataAbsentReason={"text": "refused"}))
    assert (unread.kind, unread.value, unread.text) == ("blood_pressure", UNSET, "refused")


def test_each_component_of_a_panel_is_a_result_with_an_id_that_stays() -> None:
    panel = observation(
        "24326-1",
        component=[
            part("2823-3", valueQuantity=quantity(4, "mmol/L")), part("2951-2", valueString="haemolysed"),
            part("2823-3", valueInteger=5), part("8867-4", valueInteger=60), {"code": {"text": "comment"}, "valueString": "ok"},
        ],
    )  # fmt: skip
    items = decoded(panel)
    results = [item.end for item in items if isinstance(item.end, LabResult | Observation)]
    assert [each.record_id for each in results] == ["r1#2823-3", "r1#2951-2", "r1#2823-3.2", "r1#8867-4", "r1#comment"]
    assert [each.value for each in results] == [4, UNSET, 5, 60, UNSET]
    assert [type(each) for each in results] == [LabResult, LabResult, LabResult, Observation, LabResult]
    assert [item.position for item in items] == [0, 1, 2, 3, 4]
    corrected = decoded(panel | {"component": [part("1751-7"), *panel["component"]]})
    assert "r1#2951-2" in [item.end.record_id for item in corrected if isinstance(item.end, LabResult)]


def test_a_value_beside_components_is_a_result_too() -> None:
    items = decoded(observation("9269-2", valueInteger=15, component=[part("9267-6", valueInteger=4)]))
    assert [(item.end.record_id, item.end.value) for item in items if isinstance(item.end, LabResult)] == [
        ("r1", 15), ("r1#9267-6", 4),
    ]  # fmt: skip


def test_a_panel_whose_members_are_resources_of_their_own_is_no_result() -> None:
    members = {"hasMember": [{"reference": "Observation/k"}, {"reference": "Observation/na"}]}
    assert ignored(observation("24323-8", **members)) == "Observation/panel"
    assert isinstance(event(observation("24323-8", **members, valueString="see members")), LabResult)


def test_a_bad_component_refuses_itself() -> None:
    parts = [part("2823-3", valueInteger=4, valueString=PHI), part("2951-2", valueInteger=140), {"code": {}}]
    ends = [item.end for item in decoded(observation("24326-1", component=parts))]
    assert [type(each) for each in ends] == [Refusal, LabResult, Refusal]
    assert [each.place for each in ends if isinstance(each, Refusal)] == [
        "Observation.component[0].valueInteger", "Observation.component[2].code",
    ]  # fmt: skip


# --- pregnancy


@pytest.mark.parametrize(
    ("answer", "status", "read"),
    [
        (concept("77386006"), "final", Pregnancy(pregnant=True)),
        (concept("LA15173-0", LOINC), "final", Pregnancy(pregnant=True)),
        (concept("60001007"), "final", Pregnancy(pregnant=False)),
        (concept("LA26683-5", LOINC), "final", Pregnancy(pregnant=False)),
        (concept("LA4489-6", LOINC), "final", None),
        (concept("77386006"), "entered-in-error", None),
    ],
)
def test_the_status_of_pregnancy_is_the_patients(answer: Any, status: str, read: Pregnancy | None) -> None:
    found = event(observation("82810-3", "social-history", valueCodeableConcept=answer, status=status))
    assert isinstance(found, Patient)
    assert (found.pregnancy, found.patient_id, found.occurred_at) == (read, "p1", EIGHT)
    assert found.allergies is UNSET


def test_what_is_ignored_is_not_looked_into() -> None:
    (item,) = decoded(observation("72166-2", "survey", valueInteger=1, valueString="x"))
    assert item.end == Ignored("Observation/survey")
