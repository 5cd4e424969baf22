"""FHIR's four resources about medicines: status, intent, dosage, the medicine itself, and how orders hang together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.events import Administration, Dispensing, Ingredient, Prescription
from schemas.values import UNSET, Coding, Quantity
from tests.support.fhir import (
    AT,
    HL7,
    RXNORM,
    UCUM,
    WARFARIN,
    bundle,
    concept,
    condition,
    decoded,
    dose,
    entry,
    event,
    ignored,
    order,
    quantity,
    statement,
    supply,
    without,
)

EIGHT = datetime(2026, 11, 2, 7, tzinfo=UTC)
LATER = {"versionId": "2", "lastUpdated": "2026-11-04T10:00:00Z"}
LATER_AT = datetime(2026, 11, 4, 10, tzinfo=UTC)


def taken(*instructions: dict[str, Any], **more: Any) -> Prescription:
    found = event(order(dosageInstruction=list(instructions), **more))
    assert isinstance(found, Prescription)
    return found


# --- status and intent


def test_an_order_as_it_stands() -> None:
    found = event(order(encounter={"reference": "Encounter/e1"}, category=[concept("inpatient")]))
    assert isinstance(found, Prescription)
    assert (found.patient_id, found.record_id, found.encounter_id) == ("p1", "o1", "e1")
    assert (found.status, found.start, found.end, found.setting) == ("ordered", EIGHT, UNSET, "inpatient")
    assert (found.occurred_at, found.recorded_at, found.one_time) == (EIGHT, EIGHT, UNSET)
    assert found.drug.text == "Warfarin 5"
    assert found.drug.codings == (Coding("RxNorm", "855332", "warfarin sodium 5 MG Oral Tablet"),)


@pytest.mark.parametrize("intent", ["proposal", "plan", "option"])
def test_what_is_only_thought_of_is_no_order(intent: str) -> None:
    assert ignored(order(intent=intent)) == f"MedicationRequest/{intent}"


@pytest.mark.parametrize("intent", ["order", "original-order", "reflex-order", "filler-order", "instance-order"])
def test_every_kind_of_order_is_one(intent: str) -> None:
    assert event(order(intent=intent)).status == "ordered"


def test_a_draft_and_what_is_not_to_be_done_are_no_orders() -> None:
    assert ignored(order(status="draft")) == "MedicationRequest/draft"
    assert ignored(order(doNotPerform=True)) == "MedicationRequest/doNotPerform"
    assert event(order(doNotPerform=False)).status == "ordered"


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("active", "ordered"), ("unknown", "ordered"), ("on-hold", "held"), ("stopped", "discontinued"),
        ("cancelled", "discontinued"), ("completed", "discontinued"), ("entered-in-error", "entered_in_error"),
    ],
)  # fmt: skip
def test_the_status_of_an_order(status: str, read: str) -> None:
    assert event(order(status=status, meta=LATER)).status == read


def test_a_stop_is_at_the_time_of_its_version() -> None:
    found = event(order(status="stopped", meta=LATER, statusReason={"text": "bleeding"}))
    assert (found.occurred_at, found.start, found.end, found.reason) == (LATER_AT, EIGHT, UNSET, "bleeding")


@pytest.mark.parametrize(
    "more",
    [
        {"status": "stopped"},
        {"status": "completed"},
        {"status": "stopped", "meta": {"versionId": "1", "lastUpdated": "2026-11-04T10:00:00Z"}},
        {"status": "stopped", "meta": {"versionId": "2", "lastUpdated": "2020-01-01T00:00:00Z"}},
        {"status": "cancelled", "meta": LATER},
    ],
)
def test_an_order_of_which_nobody_says_how_long_it_held_was_never_in_force(more: dict[str, Any]) -> None:
    found = event(order(**more))
    assert (found.status, found.start, found.end, found.one_time) == ("discontinued", EIGHT, EIGHT, False)


def test_a_completed_order_ran_until_the_end_that_its_dosage_sets() -> None:
    course = {"timing": {"repeat": {"boundsPeriod": {"start": AT, "end": "2026-11-03T08:00:00Z"}}}}
    end = datetime(2026, 11, 3, 8, tzinfo=UTC)
    found = taken(course, status="completed", meta=LATER)
    assert (found.status, found.start, found.end) == ("ordered", EIGHT, end)
    early = taken(course, status="completed", meta={"versionId": "2", "lastUpdated": "2026-11-02T12:00:00Z"})
    assert (early.status, early.occurred_at) == ("discontinued", datetime(2026, 11, 2, 12, tzinfo=UTC))


def test_a_later_version_that_sets_no_end_has_none() -> None:
    assert event(order(meta=LATER)).end is None
    assert event(order(meta=LATER, status="on-hold")).end is UNSET


def test_why_where_and_after_what() -> None:
    found = event(
        order(
            category=[concept("community", f"{HL7}/medicationrequest-category")],
            reasonCode=[concept("I48.0", "http://hl7.org/fhir/sid/icd-10"), {"text": "palpitations"}],
            priorPrescription={"reference": "MedicationRequest/o0"},
        )
    )
    assert found.setting == "home"
    assert found.indication == (Coding("ICD-10", "I48.0"), Coding("text", "palpitations", "palpitations"))
    assert found.replaces == "o0"
    document = bundle(kind="transaction")
    document["entry"] = [
        entry("urn:uuid:c", condition()), entry("urn:uuid:prior", order(id="o9")),
        entry("urn:o", order(reasonReference=[{"reference": "urn:uuid:c"}], priorPrescription={"reference": "urn:uuid:prior"})),
    ]  # fmt: skip
    meant = decoded(document)[2].end
    assert isinstance(meant, Prescription)
    assert (meant.indication, meant.replaces) == ((Coding("ICD-10", "N18.3"),), "o9")


# --- the medicine


AMOXICILLIN = {
    "resourceType": "Medication", "id": "med1", "code": {"text": "Amoxicillin suspension"}, "form": {"text": "suspension"},
    "ingredient": [
        {
            "itemCodeableConcept": concept("723", RXNORM, "Amoxicillin"),
            "strength": {"numerator": quantity(250, "mg"), "denominator": quantity(5, "mL")},
        },
        {"itemCodeableConcept": {"text": "sucrose"}, "isActive": False},
        {"itemReference": {"display": "clavulanate"}, "strength": {"numerator": quantity(62.5, "mg")}},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    "piece",
    [{"value": 1, "unit": "tablet", "system": UCUM, "code": "{tbl}"}, {"value": 1, "unit": "Tab"}, {"value": 1}],
)
def test_a_strength_in_each_tablet_is_an_amount(piece: dict[str, Any]) -> None:
    """So that a dose of two tablets has a weight."""
    part = {
        "itemCodeableConcept": {"text": "warfarin"},
        "strength": {"numerator": quantity(5, "mg"), "denominator": piece},
    }
    held = {"resourceType": "Medication", "id": "m", "code": {"text": "warfarin"}, "ingredient": [part]}
    found = event(
        without(order(), "medicationCodeableConcept")
        | {"contained": [held], "medicationReference": {"reference": "#m"}}
    )
    assert isinstance(found, Prescription)
    assert found.drug.ingredients[0].strength == Quantity(5, "mg")


@pytest.mark.parametrize("how", ["contained", "relative", "urn", "url"])
def test_a_medication_that_is_referred_to(how: str) -> None:
    base = without(order(), "medicationCodeableConcept")
    if how == "contained":
        contained = [{"resourceType": "Patient", "id": "med1"}, {"resourceType": "Medication", "id": 7}, AMOXICILLIN]
        found = event(base | {"contained": contained, "medicationReference": {"reference": "#med1"}})
    else:
        url = {"relative": "urn:uuid:x", "urn": "urn:uuid:y", "url": "https://ehr.example/fhir/Medication/med1"}[how]
        reference = {"relative": "Medication/med1", "urn": url, "url": url}[how]
        document = bundle(kind="transaction")
        document["entry"] = [
            entry("urn:o", base | {"medicationReference": {"reference": reference}}),
            entry(url, AMOXICILLIN),
        ]
        found = decoded(document)[0].end
    assert isinstance(found, Prescription)
    assert (found.drug.text, found.drug.form) == ("Amoxicillin suspension", "suspension")
    assert found.drug.ingredients == (
        Ingredient("Amoxicillin", "723", Quantity(50, "mg/mL")), Ingredient("clavulanate", "", Quantity(62.5, "mg")),
    )  # fmt: skip


def test_a_medication_that_is_not_there_is_known_by_what_the_reference_shows() -> None:
    base = without(order(), "medicationCodeableConcept")
    shown = base | {"medicationReference": {"reference": "Medication/7", "display": "Warfarin 5 mg tablet"}}
    assert event(shown).drug.text == "Warfarin 5 mg tablet"
    assert event(base | {"medicationReference": {"reference": "Medication/7"}}).drug.text == "7"
    assert event(base | {"medicationReference": {"reference": "#gone"}}).drug.text == "not named"


def test_what_was_entered_in_error_need_not_name_a_medicine() -> None:
    assert event(without(order(status="entered-in-error"), "medicationCodeableConcept")).status == "entered_in_error"


# --- statements, supplies, doses given


@pytest.mark.parametrize(
    ("status", "read"), [("active", "ordered"), ("stopped", "discontinued"), ("on-hold", "held"), ("unknown", "ordered"),
                         ("not-taken", "discontinued"), ("entered-in-error", "entered_in_error")],
)  # fmt: skip
def test_a_statement_is_an_order_of_the_patients_home(status: str, read: str) -> None:
    found = event(statement(status=status, meta=LATER))
    assert isinstance(found, Prescription)
    assert (found.status, found.setting, found.start) == (read, "home", EIGHT)


def test_a_statement_of_a_time() -> None:
    period = {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
    told = {"effectivePeriod": period, "dateAsserted": AT, "dosage": [{"text": "1 daily"}]}
    found = event(without(statement(**told, status="completed"), "effectiveDateTime"))
    assert (found.status, found.start, found.end) == (
        "ordered", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    assert (found.occurred_at, found.dosage.text) == (EIGHT, "1 daily")
    assert ignored(statement(status="intended")) == "MedicationStatement/intended"


def test_a_supply() -> None:
    found = event(
        supply(
            authorizingPrescription=[{"reference": "MedicationRequest/o1"}], quantity={"value": 30, "unit": "tablet"},
            daysSupply={"value": 4, "unit": "weeks"}, dosageInstruction=[{"text": "1 daily"}],
            location={"reference": "Location/pharmacy-2"},
        )
    )  # fmt: skip
    assert isinstance(found, Dispensing)
    assert (found.status, found.order_id, found.occurred_at) == ("dispensed", "o1", EIGHT)
    assert (found.quantity, found.days_supply) == (Quantity(30, "tablet"), 28)
    assert (found.dosage.text, found.pharmacy) == ("1 daily", "pharmacy-2")


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("cancelled", "cancelled"),
        ("declined", "cancelled"),
        ("stopped", "cancelled"),
        ("entered-in-error", "entered_in_error"),
    ],
)
def test_the_status_of_a_supply(status: str, read: str) -> None:
    assert event(supply(status=status)).status == read


@pytest.mark.parametrize("status", ["preparation", "in-progress", "on-hold"])
def test_what_is_not_handed_over_is_no_supply(status: str) -> None:
    assert ignored(supply(status=status)) == f"MedicationDispense/{status}"
    assert event(supply(status="unknown")).status == "dispensed"
    assert ignored(without(supply(status="unknown", whenPrepared=AT), "whenHandedOver")) == "MedicationDispense/unknown"


@pytest.mark.parametrize(
    ("span", "days"),
    [({"value": 30}, 30), ({"value": 30, "code": "d"}, 30), ({"value": 3, "unit": "bottles"}, UNSET), ({"value": -1}, UNSET)],
)  # fmt: skip
def test_the_days_of_a_supply(span: dict[str, Any], days: Any) -> None:
    assert event(supply(daysSupply=span)).days_supply == days


def test_an_infusion_given() -> None:
    period = {"start": AT, "end": "2026-11-02T09:30:00Z"}
    how = {
        "dose": quantity(1, "g"), "route": {"text": "IV"},
        "rateRatio": {"numerator": quantity(100, "mL"), "denominator": {"value": 1, "unit": "h"}},
    }  # fmt: skip
    told = dose(
        effectivePeriod=period,
        dosage=how,
        request={"reference": "MedicationRequest/o1"},
        context={"reference": "Encounter/e"},
    )
    found = event(without(told, "effectiveDateTime"))
    assert isinstance(found, Administration)
    assert (found.status, found.occurred_at, found.stopped_at) == (
        "given",
        EIGHT,
        datetime(2026, 11, 2, 9, 30, tzinfo=UTC),
    )
    assert (found.dose, found.route, found.rate) == (Quantity(1, "g"), "IV", Quantity(100, "mL/h"))
    assert (found.order_id, found.encounter_id) == ("o1", "e")


@pytest.mark.parametrize(
    ("status", "reason", "read"),
    [
        ("in-progress", None, "given"),
        ("stopped", None, "given"),
        ("on-hold", None, "held"),
        ("entered-in-error", None, "entered_in_error"),
        ("not-done", None, "held"),
        ("not-done", {"text": "blood pressure too low"}, "held"),
        ("not-done", {"text": "Patient refused"}, "refused"),
        ("not-done", concept("105480006"), "refused"),
    ],
)
def test_the_status_of_a_dose(status: str, reason: dict[str, Any] | None, read: str) -> None:
    assert event(dose(status=status, **({"statusReason": [reason]} if reason else {}))).status == read
    assert ignored(dose(status="unknown")) == "MedicationAdministration/unknown"


def test_a_code_system_is_named_as_the_contracts_name_it() -> None:
    systems = {
        "http://hl7.org/fhir/sid/ndc": "NDC", "http://www.whocc.no/atc": "ATC", RXNORM: "RxNorm", "urn:house": "urn:house",
        "http://snomed.info/sct": "SNOMED CT", "urn:oid:2.16.840.1.113883.6.88": "RxNorm",
    }  # fmt: skip
    given = {"coding": [{"system": each, "code": "1"} for each in systems] + [{"code": "2"}, {"display": "x"}]}
    found = event(order(medicationCodeableConcept=given)).drug
    assert [coding.system for coding in found.codings] == [*systems.values(), "local"]
    assert found.text == "x"
    assert event(order(medicationCodeableConcept=WARFARIN)).drug.text == "Warfarin 5"
