"""FHIR's patients, stays, problems and allergies."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from schemas.events import AllergyRecord, Condition, ConditionRecord, Drug, EncounterRecord, Patient, Stay
from schemas.values import UNSET, Coding
from tests.support.fhir import (
    AT,
    HL7,
    allergy,
    concept,
    condition,
    encounter,
    event,
    ignored,
    patient,
    refusal,
    without,
)

EIGHT = datetime(2026, 11, 2, 7, tzinfo=UTC)
LATER = {"versionId": "2", "lastUpdated": "2026-11-04T10:00:00Z"}
LATER_AT = datetime(2026, 11, 4, 10, tzinfo=UTC)


# --- who


def test_a_patient_is_of_the_birth_unless_it_says_when_it_was_changed() -> None:
    found = event(patient())
    assert isinstance(found, Patient)
    assert (found.patient_id, found.record_id, found.birth_date, found.sex) == ("p1", "p1", date(1950, 3, 4), "female")
    assert found.occurred_at == datetime(1950, 3, 4, tzinfo=UTC)
    assert event(patient(meta=LATER)).occurred_at == LATER_AT
    assert refusal(without(patient(), "birthDate")).place == "Patient.meta.lastUpdated"


@pytest.mark.parametrize(
    ("gender", "sex"), [("male", "male"), ("female", "female"), ("other", "other"), ("unknown", None), (None, UNSET)]
)
def test_sex(gender: str | None, sex: Any) -> None:
    assert event(patient(gender=gender)).sex == sex


@pytest.mark.parametrize(
    ("text", "born"), [("1950", date(1950, 1, 1)), ("1950-03", date(1950, 3, 1)), ("1750-01-01", date(1750, 1, 1))]
)
def test_a_birth_date_is_kept_as_far_as_it_is_said(text: str, born: date) -> None:
    assert event(patient(birthDate=text)).birth_date == born


def test_a_patient_that_was_replaced_by_another() -> None:
    links = [
        {"other": {"reference": "Patient/p0"}, "type": "replaces"},
        {"other": {"reference": "Patient/p2"}, "type": "replaced-by"},
    ]
    assert event(patient(link=links)).merged_into == "p2"
    assert event(patient(link=links[:1])).merged_into is None
    assert refusal(patient(link=[{"other": {}, "type": "replaced-by"}])).place == "Patient.link.other"


# --- where


def test_a_stay() -> None:
    found = event(
        encounter(
            serviceProvider={"reference": "Organization/north"},
            location=[
                {"location": {"display": "ward-3"}, "status": "completed"},
                {"location": {"reference": "Location/ward-4"}, "status": "active"},
                {"location": {"display": "ward-5"}, "status": "planned"},
            ],
        )
    )
    assert isinstance(found, EncounterRecord)
    assert (found.record_id, found.encounter_id, found.status, found.occurred_at) == ("e1", "e1", "in_progress", EIGHT)
    assert found.stay == Stay(encounter_class="inpatient", facility="north", unit="ward-4", admitted_at=EIGHT)


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("planned", "planned"), ("arrived", "in_progress"), ("triaged", "in_progress"), ("onleave", "in_progress"),
        ("finished", "finished"), ("cancelled", "cancelled"), ("entered-in-error", "entered_in_error"),
    ],
)  # fmt: skip
def test_the_status_of_a_stay(status: str, read: str) -> None:
    assert event(encounter(status=status)).status == read


def test_a_stay_is_told_when_it_changes_and_at_its_end() -> None:
    assert event(encounter(meta=LATER)).occurred_at == LATER_AT
    period = {"start": AT, "end": "2026-11-03T12:00:00Z"}
    found = event(encounter(status="finished", period=period, meta=LATER))
    assert found.occurred_at == found.stay.discharged_at == datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert refusal(without(encounter(), "period")).place == "Encounter.period"
    assert ignored(encounter(status="unknown")) == "Encounter/unknown"


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("IMP", "inpatient"),
        ("ACUTE", "inpatient"),
        ("EMER", "emergency"),
        ("AMB", "outpatient"),
        ("HH", "home"),
        ("X", UNSET),
    ],
)
def test_the_class_of_a_stay(code: str, read: Any) -> None:
    assert event(encounter(**{"class": {"code": code}})).stay.encounter_class == read


# --- problems


def test_a_problem() -> None:
    found = event(
        condition(
            onsetDateTime="2019-05",
            abatementDateTime="2026-10-31T23:00:00-05:00",
            encounter={"reference": "Encounter/e1"},
        )
    )
    assert isinstance(found, ConditionRecord)
    assert (found.status, found.occurred_at, found.encounter_id) == ("recorded", EIGHT, "e1")
    assert found.condition == Condition(
        codings=(Coding("ICD-10", "N18.3"),), status="active", onset=date(2019, 5, 1), ended=date(2026, 10, 31)
    )


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("active", "active"), ("recurrence", "active"), ("relapse", "active"), ("inactive", "inactive"),
        ("remission", "inactive"), ("resolved", "resolved"), ("other", UNSET),
    ],
)  # fmt: skip
def test_whether_it_is_there(code: str, read: Any) -> None:
    assert event(condition(clinicalStatus=concept(code))).condition.status == read


def test_a_problem_that_is_none() -> None:
    refuted = event(condition(verificationStatus=concept("refuted", f"{HL7}/condition-ver-status")))
    assert (refuted.status, refuted.condition.status) == ("recorded", "refuted")
    wrong = condition(verificationStatus=concept("entered-in-error"))
    assert event(wrong).status == "entered_in_error"
    assert event(without(wrong, "code")).status == "entered_in_error"
    assert refusal(without(condition(), "code")).place == "Condition.code"
    assert event(condition(code={"text": "bad kidneys"})).condition.codings == (
        Coding("text", "bad kidneys", "bad kidneys"),
    )


def test_when_a_problem_was_known() -> None:
    undated = without(condition(), "recordedDate")
    assert event(undated | {"onsetDateTime": "2019"}).occurred_at == datetime(2019, 1, 1, tzinfo=UTC)
    assert event(undated | {"onsetPeriod": {"start": "2020"}}).condition.onset == date(2020, 1, 1)
    assert event(undated | {"meta": {"lastUpdated": AT}}).occurred_at == EIGHT
    assert event(condition(meta=LATER)).occurred_at == LATER_AT
    assert refusal(undated).place == "Condition.recordedDate"


# --- allergies


def test_an_allergy() -> None:
    found = event(
        allergy(
            type="allergy", onsetDateTime="2001", verificationStatus=concept("confirmed"),
            code={"coding": [{"system": "http://snomed.info/sct", "code": "372687004"}], "text": "amoxicillin"},
            reaction=[
                {"manifestation": [{"text": "hives"}, {"text": "wheeze"}], "severity": "mild"},
                {"manifestation": [{"text": "hives"}], "severity": "severe"},
            ],
        )
    )  # fmt: skip
    assert isinstance(found, AllergyRecord)
    assert (found.status, found.occurred_at) == ("recorded", EIGHT)
    said = found.allergy
    assert said.substance == Drug(text="amoxicillin", codings=(Coding("SNOMED CT", "372687004"),))
    assert (said.reaction, said.severity, said.kind) == ("hives, wheeze", "severe", "allergy")
    assert (said.verification, said.status, said.onset) == ("confirmed", "active", date(2001, 1, 1))


def test_an_allergy_that_is_over_refuted_or_an_error() -> None:
    assert event(allergy(clinicalStatus=concept("resolved"))).allergy.status == "resolved"
    assert event(allergy(verificationStatus=concept("refuted"))).allergy.verification == "refuted"
    wrong = allergy(verificationStatus=concept("entered-in-error"))
    assert event(wrong).status == event(without(wrong, "code")).status == "entered_in_error"


def test_the_substance_of_a_reaction_where_the_entry_names_none() -> None:
    reaction = [{"substance": {"text": "cefazolin"}, "manifestation": [{"text": "rash"}]}]
    assert event(without(allergy(reaction=reaction), "code")).allergy.substance.text == "cefazolin"
    assert refusal(without(allergy(), "code")).place == "AllergyIntolerance.code"


def test_no_known_allergy_is_none_and_no_known_drug_allergy_is_an_entry() -> None:
    none = allergy(code=concept("716186003"))
    found = event(none)
    assert isinstance(found, Patient)
    assert (found.allergies, found.patient_id, found.birth_date) == ((), "p1", UNSET)
    assert (
        ignored(none | {"verificationStatus": concept("entered-in-error")}) == "AllergyIntolerance/no longer none known"
    )
    assert ignored(none | {"clinicalStatus": concept("inactive")}) == "AllergyIntolerance/no longer none known"
    assert isinstance(event(allergy(code=concept("409137002"))), AllergyRecord)
