"""Whole inputs to change: an event of every type and a resource of every kind that is read, each with as many fields as fit."""

from __future__ import annotations

from typing import Any

from tests.support import fhir
from tests.support.fhir import AT, HL7, WARFARIN, concept, quantity

_CODED = [{"system": "RxNorm", "code": "855332", "display": "warfarin sodium 5 MG Oral Tablet"}]
_DRUG = {"text": "warfarin 5 mg tablet", "codings": _CODED, "ingredients": [{"name": "warfarin"}], "form": "tablet"}
_DOSE = {"value": 5, "unit": "mg", "high": 10}
_TAKEN = {
    "text": "1-2 tab q4-6h PRN", "route": "oral", "dose": _DOSE, "frequency_per_day": 4.0, "as_needed": True,
    "rate": {"value": 1, "unit": "mL/h"}, "max_daily_dose": {"value": 20, "unit": "mg"},
}  # fmt: skip


def _event(of: str, **more: Any) -> dict[str, Any]:
    return {
        "type": of, "patient_id": "p1", "source": "ward", "record_id": f"{of}-1", "version": 2, "occurred_at": AT,
        "recorded_at": AT, "timing": "replayed", "encounter_id": "e1",
    } | more  # fmt: skip


NATIVE = [
    _event(
        "prescription", status="ordered", drug=_DRUG, start=AT, end="2026-11-09T08:00:00Z", dosage=_TAKEN, prescriber="d1",
        indication=[{"system": "ICD-10", "code": "I48.0"}], setting="inpatient", replaces="o0", one_time=False,
    ),
    _event(
        "dispensing", status="dispensed", drug=_DRUG, order_id="prescription-1", quantity=_DOSE, days_supply=30, dosage=_TAKEN
    ),
    _event("administration", status="given", drug=_DRUG, order_id="prescription-1", dose=_DOSE, route="iv", stopped_at=AT),
    _event(
        "lab_result", status="final", codings=[{"system": "LOINC", "code": "2823-3"}], value=7.4, unit="mmol/L", text="<0.2",
        comparator=">", reference_range={"low": 3.5, "high": 5.1}, flag="H", resulted_at=AT,
        specimen={"kind": "serum", "collected_at": AT, "haemolysed": False},
    ),
    _event("observation", kind="weight", value=80, unit="kg", codings=[{"system": "LOINC", "code": "29463-7"}], method="scale"),
    _event(
        "patient", birth_date="1950-03-04", sex="female", allergies=[{"substance": {"text": "warfarin"}, "onset": "2001-02-03"}],
        conditions=[{"codings": [{"system": "ICD-10", "code": "N18.3"}], "onset": "2020-01-01"}],
        procedures=[{"kind": "dialysis", "start": AT, "end": AT}], pregnancy={"pregnant": True, "due_date": "2027-01-01"},
        goals={"inr_low": 2, "inr_high": 3}, stay={"encounter_class": "inpatient", "unit": "3W", "admitted_at": AT},
    ),
    _event("patient", merged_into="p2"),
    _event("condition", condition={"codings": [{"system": "ICD-10", "code": "N18"}], "status": "active", "ended": "2026-01-01"}),
    _event("allergy", allergy={"substance": _DRUG, "severity": "severe", "status": "active"}),
    _event("encounter", status="in_progress", stay={"facility": "f", "unit": "3W", "discharged_at": AT}),
]  # fmt: skip

_META = {"versionId": "2", "lastUpdated": AT, "source": "urn:x#y"}
_IDENTIFIED = [{"system": "urn:ids", "value": "7"}]
_INSTRUCTED = {
    "text": "1 tablet twice a day", "route": concept("26643006"), "asNeededBoolean": False,
    "timing": {
        "event": [AT], "code": concept("BID", f"{HL7}/v3-GTSAbbreviation"),
        "repeat": {
            "boundsPeriod": {"start": "2026-11-02", "end": "2026-11"}, "boundsDuration": quantity(7, "d"), "count": 14,
            "frequency": 2, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "thu"],
        },
    },
    "doseAndRate": [{
        "type": concept("ordered"), "doseRange": {"low": quantity(1, "mg"), "high": quantity(2, "mg")},
        "rateRatio": {"numerator": quantity(1, "mg"), "denominator": quantity(1, "h")},
    }],
    "maxDosePerPeriod": {"numerator": quantity(10, "mg"), "denominator": quantity(1, "d")},
}  # fmt: skip
_MEDICATION = {
    "resourceType": "Medication", "id": "m", "code": WARFARIN, "form": {"text": "tablet"},
    "ingredient": [{
        "itemCodeableConcept": {"text": "warfarin"},
        "strength": {"numerator": quantity(5, "mg"), "denominator": {"value": 1}},
    }],
}  # fmt: skip
_PANEL = [
    {"code": concept(code, "http://loinc.org"), "valueQuantity": quantity(value, unit)}
    for code, value, unit in (("2823-3", 7.4, "mmol/L"), ("2951-2", 140, "mmol/L"), ("718-7", 9.1, "g/dL"))
]
PANELS = [
    fhir.observation("24326-1", component=_PANEL),
    fhir.observation("24326-1", component=_PANEL, valueString="see parts"),
    fhir.observation(
        "85354-9", "vital-signs",
        component=[
            {"code": concept(code, "http://loinc.org"), "valueQuantity": quantity(value, "mm[Hg]")}
            for code, value in (("8480-6", 120), ("8462-4", 80))
        ],
    ),
]  # fmt: skip
PANEL_UNITS = [3, 4, 1]
"""A component each, one more for the value beside them, and one for the two pressures of a blood pressure."""
RESOURCES = [
    fhir.patient(meta=_META, identifier=_IDENTIFIED, link=[{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}]),
    fhir.encounter(location=[{"location": {"reference": "Location/1"}, "status": "active"}], period={"start": AT, "end": AT}),
    fhir.condition(onsetPeriod={"start": "2020"}, abatementDateTime="2021", meta=_META),
    fhir.allergy(reaction=[{"manifestation": [{"text": "hives"}], "severity": "mild"}], onsetDateTime="2001"),
    fhir.order(
        meta=_META, identifier=_IDENTIFIED, dosageInstruction=[_INSTRUCTED], reasonCode=[{"text": "stroke"}],
        encounter={"reference": "Encounter/e1"}, requester={"identifier": {"value": "d1"}},
    ),
    fhir.without(
        fhir.order(medicationReference={"reference": "#m"}, contained=[_MEDICATION], status="stopped", meta=_META),
        "medicationCodeableConcept",
    ),
    fhir.statement(dosage=[_INSTRUCTED, _INSTRUCTED], effectivePeriod={"start": "2026", "end": "2026-12"}),
    fhir.supply(daysSupply={"value": 30}, quantity=quantity(60, "{tbl}"), dosageInstruction=[_INSTRUCTED]),
    fhir.dose(dosage={"dose": quantity(5, "mg"), "rateQuantity": quantity(1, "mL/h")}, effectivePeriod={"start": AT, "end": AT}),
    fhir.observation(
        valueQuantity=quantity(7.4, "mmol/L", comparator=">"), issued=AT, interpretation=[concept("H")], meta=_META,
        referenceRange=[{"low": quantity(3.5, "mmol/L"), "high": quantity(5.1, "mmol/L")}], specimen={"display": "Serum"},
    ),
    fhir.observation("29463-7", "vital-signs", valueQuantity=quantity(80, "kg")),
    fhir.observation("82810-3", valueCodeableConcept=concept("77386006")),
    fhir.observation(valueString="haemolysed"),
    fhir.observation(valueRatio={"numerator": quantity(1, ""), "denominator": quantity(64, "")}),
    _MEDICATION,
    {"resourceType": "Practitioner", "id": "d1"},
    {"resourceType": "Horoscope"},
]  # fmt: skip
"""Each is one unit, whatever becomes of it."""
BUNDLE = {
    "resourceType": "Bundle", "type": "transaction", "timestamp": AT,
    "entry": [fhir.entry(f"urn:uuid:{number}", each) for number, each in enumerate([*RESOURCES, *PANELS])],
}  # fmt: skip
