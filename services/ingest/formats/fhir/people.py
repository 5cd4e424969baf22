"""Patients, their stays, allergies and problems.

A Condition, AllergyIntolerance or Encounter adds one entry to what is known of the patient and is corrected by its own id; a
Patient says who the patient is. "No known allergy" is no allergy: it becomes a ``patient`` event with an empty list.

A resource without any time of its own is of the time of its bundle, or of the receipt. A Patient is of its last change, else of
the birth: birth date and sex have held since, and an old fact does not move the patient's clock.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from schemas import events
from schemas.values import Coding
from services.ingest.formats.fhir import resources as fhir
from services.ingest.formats.fhir.dosage import known, until
from services.ingest.formats.fhir.elements import FaultError, codes, codings, day, instant, named_codings, words
from services.ingest.formats.fhir.references import (
    Identified,
    NotUsedError,
    Surroundings,
    changed,
    key,
    patient,
    record_id,
    source,
    updated,
    version,
)

_NO_KNOWN_ALLERGY = "716186003"
"""SNOMED CT. "No known drug allergy" (409137002) says nothing of latex or food and stays an entry of its own."""
_UNKNOWN = Coding("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown")
_MAX_TEXT = 4000
EncounterStatus = Literal["planned", "in_progress", "finished", "cancelled", "entered_in_error"]
_ENCOUNTER: dict[str, EncounterStatus] = {
    "planned": "planned", "arrived": "in_progress", "triaged": "in_progress", "in-progress": "in_progress",
    "onleave": "in_progress", "finished": "finished", "cancelled": "cancelled", "entered-in-error": "entered_in_error",
}  # fmt: skip
EncounterClass = Literal["inpatient", "emergency", "outpatient", "home"]
_CLASSES: dict[str, EncounterClass] = {
    "IMP": "inpatient", "ACUTE": "inpatient", "NONAC": "inpatient", "OBSENC": "inpatient", "SS": "inpatient",
    "EMER": "emergency", "AMB": "outpatient", "VR": "outpatient", "HH": "home",
}  # fmt: skip
"""HL7's v3 ActCode, value set ActEncounterCode."""
_CONDITION: dict[str, Literal["active", "inactive", "resolved"]] = {
    "active": "active", "recurrence": "active", "relapse": "active", "inactive": "inactive", "remission": "inactive",
    "resolved": "resolved",
}  # fmt: skip
_ALLERGY: dict[str, Literal["active", "inactive", "resolved"]] = {
    "active": "active", "inactive": "inactive", "resolved": "resolved",
}  # fmt: skip
_VERIFICATION: dict[str, Literal["unconfirmed", "confirmed", "refuted", "entered_in_error"]] = {
    "unconfirmed": "unconfirmed", "confirmed": "confirmed", "refuted": "refuted", "entered-in-error": "entered_in_error",
}  # fmt: skip
_SEVERITIES: tuple[Literal["mild", "moderate", "severe"], ...] = ("severe", "moderate", "mild")


def person(found: fhir.Patient, around: Surroundings) -> events.Event:
    """Raises ``FaultError``."""
    born = day(found.birthDate, "birthDate")
    at = updated(found) or instant(found.birthDate, "birthDate") or around.known_at
    if at is None:
        raise FaultError("meta.lastUpdated", "no time: neither meta.lastUpdated nor a birth date")
    continued = next((link.other for link in found.link if link.type == "replaced-by"), None)
    return events.Patient(
        **_carried(found, record_id(found), at),
        birth_date=known(born),
        sex=None if found.gender == "unknown" else known(found.gender),
        merged_into=patient(continued, around, "Patient", "link.other") if continued is not None else None,
    )


def encounter(found: fhir.Encounter, around: Surroundings) -> events.Event:
    """Raises ``FaultError`` and ``NotUsedError``."""
    status = _ENCOUNTER.get(found.status)
    if status is None:
        raise NotUsedError(f"Encounter/{found.status}")
    period = found.period or fhir.Period()
    began, ended = instant(period.start, "period.start"), until(period.end, "period.end")
    at = ended if status == "finished" else None
    at = at or changed(found, began) or updated(found) or around.known_at
    if at is None:
        raise FaultError("period", "no time: neither a period nor meta.lastUpdated")
    return events.EncounterRecord(
        **_carried(found, patient(found.subject, around, "Encounter", "subject"), at),
        encounter_id=record_id(found),
        status=status,
        stay=events.Stay(
            encounter_class=known(_CLASSES.get(found.class_.code or "")),
            facility=known(_place(found.serviceProvider, around)),
            unit=known(_place(_whereabouts(found.location), around)),
            admitted_at=known(began),
            discharged_at=known(ended),
        ),
    )


def condition(found: fhir.Condition, around: Surroundings) -> events.Event:
    """Raises ``FaultError``."""
    verified = codes(found.verificationStatus)
    void = "entered-in-error" in verified
    coded = named_codings(found.code) or ((_UNKNOWN,) if void else ())
    if not coded:
        raise FaultError("code", "neither a code nor a text says which condition")
    onset = _began(found.onsetDateTime, found.onsetPeriod, "onset")
    ended = _began(found.abatementDateTime, found.abatementPeriod, "abatement")
    return events.ConditionRecord(
        **_entry(found, found.subject, found.encounter, "subject", onset, around),
        status="entered_in_error" if void else "recorded",
        condition=events.Condition(
            codings=coded,
            status="refuted" if "refuted" in verified else known(_first(_CONDITION, found.clinicalStatus)),
            onset=_date(onset),
            ended=_date(ended),
        ),
    )


def allergy(found: fhir.AllergyIntolerance, around: Surroundings) -> events.Event:
    """Raises ``FaultError`` and ``NotUsedError``: that "no known allergy" was an error says nothing of any allergy."""
    verification = _first(_VERIFICATION, found.verificationStatus)
    void = verification == "entered_in_error"
    onset = _began(found.onsetDateTime, found.onsetPeriod, "onset")
    entry = _entry(found, found.patient, found.encounter, "patient", onset, around)
    clinical = _first(_ALLERGY, found.clinicalStatus)
    if _NO_KNOWN_ALLERGY in codes(found.code):
        if verification in ("entered_in_error", "refuted") or clinical not in (None, "active"):
            raise NotUsedError("AllergyIntolerance/no longer none known")
        return events.Patient(**entry, allergies=())
    substance = _substance(found)
    if substance is None and not void:
        raise FaultError("code", "neither a code nor a text says to what")
    worst = next((each for each in _SEVERITIES if any(r.severity == each for r in found.reaction)), None)
    return events.AllergyRecord(
        **entry,
        status="entered_in_error" if void else "recorded",
        allergy=events.Allergy(
            substance=substance or events.Drug(),
            reaction=_reactions(found.reaction) or UNSET,
            severity=known(worst),
            kind=known(found.type),
            verification=known(verification),
            status=known(clinical),
            onset=_date(onset),
        ),
    )


def _entry(
    found: fhir.Condition | fhir.AllergyIntolerance,
    subject: fhir.Reference,
    stay: fhir.Reference | None,
    place: str,
    onset: tuple[str, str] | None,
    around: Surroundings,
) -> dict[str, Any]:
    recorded = instant(found.recordedDate, "recordedDate") or (instant(*onset) if onset is not None else None)
    at = changed(found, recorded) or updated(found) or around.known_at
    if at is None:
        raise FaultError("recordedDate", "no time: neither when it was recorded nor when it began")
    name = type(found).__name__
    return _carried(found, patient(subject, around, name, place), at) | {"encounter_id": known(key(stay, around))}


def _carried(found: Identified, patient_id: str, at: datetime) -> dict[str, Any]:
    return {
        "patient_id": patient_id,
        "source": source(found),
        "record_id": record_id(found),
        "version": version(found),
        "occurred_at": at,
        "recorded_at": updated(found),
    }


def _began(at: str | None, period: fhir.Period | None, name: str) -> tuple[str, str] | None:
    """The time said, with its place; an age or a text says no date."""
    if at is not None:
        return at, f"{name}DateTime"
    if period is not None and period.start is not None:
        return period.start, f"{name}Period.start"
    return None


def _date(said: tuple[str, str] | None) -> date | UnsetType:
    return known(day(*said)) if said is not None else UNSET


def _first(names: dict[str, Any], concept: fhir.CodeableConcept | None) -> Any:
    return next((names[code] for code in codes(concept) if code in names), None)


def _substance(found: fhir.AllergyIntolerance) -> events.Drug | None:
    """What the entry names, else what a reaction names."""
    concepts = [found.code, *(each.substance for each in found.reaction)]
    concept = next((each for each in concepts if words(each)), None)
    return events.Drug(text=words(concept), codings=codings(concept)) if concept is not None else None


def _reactions(reactions: tuple[fhir.Reaction, ...]) -> str:
    shown = [words(each) for reaction in reactions for each in reaction.manifestation]
    said = shown or [each.description or "" for each in reactions]
    return ", ".join(dict.fromkeys(filter(None, said)))[:_MAX_TEXT]


def _whereabouts(places: tuple[fhir.EncounterLocation, ...]) -> fhir.Reference | None:
    """Where the patient is, or was last: what is active, else the last that was not only planned."""
    active = [each.location for each in places if each.status == "active"]
    been = [each.location for each in places if each.status not in ("planned", "reserved")]
    return next(iter(active), been[-1] if been else None)


def _place(reference: fhir.Reference | None, around: Surroundings) -> str | None:
    """As people name it, else its id."""
    if reference is None:
        return None
    return (reference.display or "")[: fhir.MAX_KEY] or key(reference, around)
