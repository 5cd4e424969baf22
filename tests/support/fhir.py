"""Small FHIR R4 resources, valid as they are, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

from schemas.events import Event
from services.ingest.formats import End, Ignored, Item, Refusal, record

AT = "2026-11-02T08:00:00+01:00"
PHI = "Jane-Roe-1950"
"""Stands where a value is wrong; no refusal may repeat it."""
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem"
WARFARIN = {
    "coding": [{"system": RXNORM, "code": "855332", "display": "warfarin sodium 5 MG Oral Tablet"}],
    "text": "Warfarin 5",
}


def concept(code: str, system: str = SNOMED, display: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} | ({"display": display} if display else {})]}


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1950-03-04"} | more


def order(**more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "MedicationRequest", "id": "o1", "status": "active", "intent": "order", "authoredOn": AT,
        "medicationCodeableConcept": WARFARIN, "subject": {"reference": "Patient/p1"},
    }  # fmt: skip
    return fields | more


def statement(**more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "MedicationStatement", "id": "s1", "status": "active", "effectiveDateTime": AT,
        "medicationCodeableConcept": WARFARIN, "subject": {"reference": "Patient/p1"},
    }  # fmt: skip
    return fields | more


def supply(**more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "MedicationDispense", "id": "d1", "status": "completed", "whenHandedOver": AT,
        "medicationCodeableConcept": WARFARIN, "subject": {"reference": "Patient/p1"},
    }  # fmt: skip
    return fields | more


def dose(**more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "MedicationAdministration", "id": "a1", "status": "completed", "effectiveDateTime": AT,
        "medicationCodeableConcept": WARFARIN, "subject": {"reference": "Patient/p1"},
    }  # fmt: skip
    return fields | more


def observation(loinc: str = "2823-3", category: str = "laboratory", **more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "Observation", "id": "r1", "status": "final", "subject": {"reference": "Patient/p1"},
        "category": [concept(category, f"{HL7}/observation-category")], "code": concept(loinc, "http://loinc.org"),
        "effectiveDateTime": AT,
    }  # fmt: skip
    return fields | more


def quantity(value: float, unit: str, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit, **more}


def condition(**more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}, "recordedDate": AT,
        "code": concept("N18.3", "http://hl7.org/fhir/sid/icd-10-cm"),
        "clinicalStatus": concept("active", f"{HL7}/condition-clinical"),
    }  # fmt: skip
    return fields | more


def allergy(**more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "AllergyIntolerance", "id": "i1", "patient": {"reference": "Patient/p1"}, "recordedDate": AT,
        "code": {"text": "amoxicillin"}, "clinicalStatus": concept("active", f"{HL7}/allergyintolerance-clinical"),
    }  # fmt: skip
    return fields | more


def encounter(**more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "Encounter", "id": "e1", "status": "in-progress", "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p1"}, "period": {"start": AT},
    }  # fmt: skip
    return fields | more


def bundle(*resources: Any, kind: str = "collection", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": each} for each in resources]} | more


def entry(url: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def without(resource: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in names}


def decoded(*resources: Any) -> list[Item]:
    """The items of a single resource, or of several as one list."""
    return record.decode(json.dumps(resources[0] if len(resources) == 1 else resources).encode())


def end(resource: Any) -> End:
    (item,) = decoded(resource)
    return item.end


def event(resource: Any) -> Any:
    found = end(resource)
    assert isinstance(found, Event), found
    return found


def refusal(resource: Any) -> Refusal:
    found = end(resource)
    assert isinstance(found, Refusal), found
    assert PHI not in found.detail + found.place
    return found


def ignored(resource: Any) -> str:
    found = end(resource)
    assert isinstance(found, Ignored), found
    return found.kind
