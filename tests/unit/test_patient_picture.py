"""What of a patient's state a pharmacist sees."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from msgspec import UNSET

from schemas.events import (
    Administration,
    Allergy,
    AllergyRecord,
    Condition,
    ConditionRecord,
    Dispensing,
    Dosage,
    Drug,
    EncounterRecord,
    Ingredient,
    Observation,
    Pregnancy,
    Stay,
)
from schemas.patients import Medicine, Observed, PatientPicture
from schemas.values import Coding, Quantity
from services.monitor.evaluate import take_event
from services.monitor.patient.picture import picture
from services.monitor.patient.state import PatientState
from tests.support.clinical import KNOWLEDGE, at, lab, order, patient


def shown(*story: Any) -> PatientPicture:
    state: PatientState | None = None
    for event in story:
        state, _ = take_event(state, event, KNOWLEDGE, event.occurred_at)
    assert state is not None
    return picture(state)


def fields(of: type, record_id: str, hours: float, /, **more: Any) -> Any:
    base: dict[str, Any] = {"patient_id": "p", "source": "ward", "record_id": record_id, "occurred_at": at(hours)}
    return of(**(base | more))


def drug(name: str) -> Drug:
    return Drug(text=name, ingredients=(Ingredient(name),), resolution="name")


def given(name: str, hours: float, **more: Any) -> Administration:
    return fields(Administration, f"g-{name}-{hours}", hours, **({"status": "given", "drug": drug(name)} | more))


def supply(name: str, hours: float, **more: Any) -> Dispensing:
    return fields(Dispensing, f"d-{name}-{hours}", hours, **({"status": "dispensed", "drug": drug(name)} | more))


def by_label(found: PatientPicture) -> dict[str, Medicine]:
    return {medicine.label: medicine for medicine in found.medicines}


def test_medicines_say_what_they_rest_on_and_when_they_were_last_given() -> None:
    found = by_label(
        shown(
            order("warfarin", 0, dosage=Dosage(text="5 mg daily", route="oral")),
            given("warfarin", 1, order_id="warfarin", dose=Quantity(5, "mg")),
            given("warfarin", 25, order_id="warfarin", dose=Quantity(2.5, "mg")),
            supply("ibuprofen", 2, days_supply=5),
            given("morphine", 24, dose=Quantity(2, "mg", high=4)),
            order("digoxin", 0, status="held"),
            order("metformin", 0, start=at(48)),
            order("heparin", 0, end=at(3)),
            lab("potassium", 4.0, 26),
        )
    )
    assert {name: one.rests_on for name, one in found.items()} == {
        "digoxin": "order", "ibuprofen": "dispensing", "metformin": "order", "morphine": "administration",
        "warfarin": "order",
    }  # fmt: skip
    warfarin = found["warfarin"]
    assert (warfarin.dosage, warfarin.route, warfarin.last_given, warfarin.last_dose) == (
        "5 mg daily", "oral", at(25), "2.5 mg",
    )  # fmt: skip
    assert (found["ibuprofen"].last_dispensed, found["ibuprofen"].end) == (at(2), at(2 + 5 * 24))
    assert (found["morphine"].last_dose, found["morphine"].end) == ("2-4 mg", None)
    assert (found["digoxin"].held, found["metformin"].start) == (True, at(48))


def test_of_each_analyte_the_newest_result_and_the_one_of_an_earlier_time() -> None:
    found = shown(
        lab("potassium", 4.0, 0),
        lab("potassium", 4.5, 2, value=4.5),
        lab("potassium", 9.9, 3, status="entered_in_error"),
        lab("potassium", 5.0, 6, id="a"),
        lab("potassium", 5.2, 6, id="b", status="preliminary"),
        lab("sodium", None, 1, text="haemolysed", remark="no_value"),
    )
    potassium, sodium = found.labs
    assert (potassium.value, potassium.at, potassium.status) == (5.2, at(6), "preliminary")
    assert potassium.before is not None
    assert (potassium.before.value, potassium.before.at, potassium.before.received) == (4.5, at(2), "4.5 mmol/L")
    assert (sodium.value, sodium.text, sodium.remark, sodium.before) == (None, "haemolysed", "no_value", None)


def test_of_each_measured_kind_the_newest_that_stands() -> None:
    found = shown(
        fields(Observation, "q1", 0, kind="qtc", value=480.0, unit="ms", method="Bazett"),
        fields(Observation, "q2", 6, kind="qtc", value=512.0, unit="ms", method="Fridericia"),
        fields(Observation, "q3", 7, kind="qtc", value=900.0, unit="ms", status="entered_in_error"),
        fields(Observation, "b", 2, kind="blood_pressure", value=120.0, second_value=80.0, unit="mmHg"),
        fields(Observation, "c", 3, kind="child_pugh", text="class C"),
        fields(Observation, "w", 3, kind="weight", value=80.0, unit="kg"),
        fields(Observation, "o", 3, kind="other", value=1.0, text="Pain score"),
    )
    assert found.measured == (
        Observed(kind="blood_pressure", at=at(2), value=120, second_value=80, unit="mmHg"),
        Observed(kind="child_pugh", at=at(3), text="class C"),
        Observed(kind="qtc", at=at(6), value=512, unit="ms", method="Fridericia"),
    )


def test_none_known_is_not_not_asked() -> None:
    silent, none = shown(patient(0)), shown(patient(0, allergies=(), conditions=()))
    assert (silent.allergies, silent.conditions, silent.pregnant, silent.lactating) == (UNSET, UNSET, UNSET, UNSET)
    assert (none.allergies, none.conditions) == ((), ())
    unknown = shown(patient(0, pregnancy=None, lactating=None))
    assert (unknown.pregnant, unknown.lactating) == (None, None)
    said = shown(patient(0, pregnancy=Pregnancy(pregnant=True, due_date=date(2027, 3, 1)), lactating=False))
    assert (said.pregnant, said.due_date, said.lactating) == (True, date(2027, 3, 1), False)


def test_the_person_and_the_place() -> None:
    chronic = Condition(codings=(Coding("ICD-10", "N18.32"), Coding("SNOMED CT", "433144002", "CKD stage 3")))
    past = Condition(codings=(Coding("ICD-10", "A41.9", "Sepsis"),), status="resolved", onset=date(2020, 1, 2))
    rash = Allergy(substance=drug("penicillin v"), reaction="rash", severity="mild", kind="allergy")
    found = shown(
        fields(ConditionRecord, "c1", 0, condition=past),
        fields(ConditionRecord, "c2", 0, condition=chronic),
        fields(ConditionRecord, "c3", 2, condition=chronic),
        fields(AllergyRecord, "a1", 0, allergy=rash),
        fields(Observation, "w1", 0, kind="weight", value=80.0, unit="kg", method="stated"),
        fields(Observation, "w2", 5, kind="weight", value=78.5, unit="kg", method="weighed"),
        fields(Observation, "w3", 6, kind="weight", value=7.85, unit="kg", status="entered_in_error"),
        fields(
            EncounterRecord, "e1", 1, status="in_progress",
            stay=Stay(encounter_class="inpatient", unit="4 West", facility="St Anna", admitted_at=at(1)),
        ),
    )  # fmt: skip
    assert isinstance(found.conditions, tuple)
    assert isinstance(found.allergies, tuple)
    assert [(one.label, one.code, one.status) for one in found.conditions] == [
        ("CKD stage 3", "ICD-10 N18.32", ""),
        ("Sepsis", "ICD-10 A41.9", "resolved"),
    ]
    assert [(one.label, one.reaction, one.severity) for one in found.allergies] == [("penicillin v", "rash", "mild")]
    assert found.weight is not None
    assert (found.weight.value, found.weight.at, found.weight.method, found.height) == (78.5, at(5), "weighed", None)
    assert (found.unit, found.facility, found.encounter, found.admitted_at) == (
        "4 West", "St Anna", "inpatient", at(1),
    )  # fmt: skip


def creatinine(value: float, hours: float, **more: Any) -> Any:
    unit = {"canonical_unit": "mg/dL", "unit": "mg/dL"}
    return lab("creatinine", value, hours, **(unit | more))


ADULT = patient(0, birth_date=date(1976, 11, 2), sex="male")
"""50 years at the time of the tests."""


@pytest.mark.parametrize(
    ("story", "formulas"),
    [
        ((ADULT, creatinine(1.0, 1)), {"CKD-EPI 2021": 142 * (1 / 0.9) ** -1.2 * 0.9938**50}),
        (
            (
                ADULT,
                creatinine(1.0, 1),
                fields(Observation, "w", 0, kind="weight", value=72.0, unit="kg"),
            ),
            {"CKD-EPI 2021": 142 * (1 / 0.9) ** -1.2 * 0.9938**50, "Cockcroft-Gault": 90 * 72 / 72},
        ),
        (
            (
                patient(0, birth_date=date(2018, 11, 2)),
                creatinine(0.5, 1),
                fields(Observation, "h", 0, kind="height", value=128.0, unit="cm"),
            ),
            {"bedside Schwartz": 0.413 * 128 / 0.5},
        ),
        ((ADULT, creatinine(1.0, 1), fields(Observation, "w", 0, kind="weight", value=158.0, unit="lb")),
         {"CKD-EPI 2021": 142 * (1 / 0.9) ** -1.2 * 0.9938**50}),
        ((ADULT, creatinine(0.2, 1, comparator="<")), {}),
        ((ADULT, creatinine(88.0, 1, canonical_unit="umol/L")), {}),
        ((patient(0, sex="male"), creatinine(1.0, 1)), {}),
        ((patient(0, birth_date=date(1976, 11, 2)), creatinine(1.0, 1)), {}),
        ((ADULT,), {}),
    ],
)  # fmt: skip
def test_kidney_function_is_estimated_from_what_is_known_and_not_otherwise(
    story: tuple[Any, ...], formulas: dict[str, float]
) -> None:
    found = {one.formula: one for one in shown(*story).kidney}
    assert {name: one.value for name, one in found.items()} == {
        name: pytest.approx(value, abs=0.051) for name, value in formulas.items()
    }
    assert all(one.at == at(1) for one in found.values())
