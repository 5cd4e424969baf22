"""Observations: laboratory results, and measurements at the bedside.

The LOINC code of a vital sign decides before the category. Otherwise a result of the category ``laboratory``, or of none that is
known, is a ``lab_result``, and one of ``vital-signs`` an ``observation`` of the kind ``other``; social history, surveys, imaging,
procedures, exams, therapies and activities are ignored by their category. The IPS pregnancy status becomes the patient's.

Each component of a panel is a result of its own, as is the value that stands beside components; the two pressures of a blood
pressure are one. A text stays a text here; terminology says whether it is exactly a number.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

from msgspec import UNSET, UnsetType

from schemas.events import Event, LabResult, Observation, Patient, Pregnancy, ReferenceRange, Specimen
from services.ingest.formats import End, Ignored, Refusal
from services.ingest.formats.fhir import resources as fhir
from services.ingest.formats.fhir.dosage import known, until
from services.ingest.formats.fhir.elements import FaultError, codes, instant, named_codings, unit, words
from services.ingest.formats.fhir.references import (
    NotUsedError,
    Surroundings,
    key,
    patient,
    record_id,
    source,
    updated,
    version,
)

Kind = Literal[
    "weight", "height", "qtc", "blood_pressure", "gestational_age", "heart_rate", "respiratory_rate", "oxygen_saturation",
    "temperature", "other",
]  # fmt: skip
ResultStatus = Literal["preliminary", "final", "corrected", "cancelled", "entered_in_error"]


class Sign(NamedTuple):
    kind: Kind
    method: str = ""


SIGNS = {
    "29463-7": Sign("weight"),
    "3141-9": Sign("weight", "measured"),
    "3142-7": Sign("weight", "stated"),
    "8302-2": Sign("height"),
    "3137-7": Sign("height", "measured"),
    "3138-5": Sign("height", "stated"),
    "8306-3": Sign("height", "lying"),
    "8867-4": Sign("heart_rate"),
    "9279-1": Sign("respiratory_rate"),
    "2708-6": Sign("oxygen_saturation"),
    "59408-5": Sign("oxygen_saturation", "pulse oximetry"),
    "8310-5": Sign("temperature"),
    "8331-1": Sign("temperature", "oral"),
    "8636-3": Sign("qtc"),
    "76634-5": Sign("qtc", "Fridericia"),
    "76635-2": Sign("qtc", "Bazett"),
    "11884-4": Sign("gestational_age"),
    "11885-1": Sign("gestational_age", "last menstrual period"),
}
"""LOINC codes: FHIR R4's vital signs profile and US Core's, the methods of weight and height, QTc, gestational age."""
_PRESSURE = ("85354-9", "55284-4")
_SYSTOLIC, _DIASTOLIC = "8480-6", "8462-4"
_PREGNANCY = "82810-3"
_PREGNANT = {"77386006": True, "LA15173-0": True, "60001007": False, "LA26683-5": False}
"""HL7's International Patient Summary, value set pregnancy-status: SNOMED CT and LOINC answers."""
_IGNORED = ("social-history", "survey", "imaging", "procedure", "exam", "therapy", "activity")
_VITAL = ("vital-signs", "vital-sign")
_STATUS: dict[str, ResultStatus] = {
    "preliminary": "preliminary", "unknown": "preliminary", "final": "final", "amended": "corrected",
    "corrected": "corrected", "cancelled": "cancelled", "entered-in-error": "entered_in_error",
}  # fmt: skip
_MAX_TEXT = 4000


class Value(NamedTuple):
    """``number`` is None where it was asked for and is not known."""

    number: float | UnsetType | None
    comparator: fhir.Comparator | None
    unit: str
    text: str


def observation(found: fhir.Observation, around: Surroundings) -> list[End]:
    """At least one end. Raises ``FaultError`` for a fault of the whole, and ``NotUsedError``."""
    if found.status == "registered":
        raise NotUsedError("Observation/registered")
    loinc = _loinc(found.code)
    categories = codes(*found.category)
    sign = next((SIGNS[code] for code in loinc if code in SIGNS), None)
    vital = sign is not None or any(code in (*_PRESSURE, _SYSTOLIC, _DIASTOLIC) for code in loinc)
    if not vital and _PREGNANCY not in loinc and (unused := next((c for c in categories if c in _IGNORED), None)):
        raise NotUsedError(f"Observation/{unused}")
    carried = _carried(found, around)
    if _PREGNANCY in loinc:
        return [_pregnancy(found, carried)]
    pressure = _pressure(found, carried)
    if pressure is not None:
        return [pressure]
    if found.hasMember and not found.component and not _says(found):
        raise NotUsedError("Observation/panel")  # its members are resources of their own
    is_vital = vital or any(code in _VITAL for code in categories)
    ends = [_one(found, "", found, carried, sign, is_vital, around)] if _says(found) or not found.component else []
    return ends + _components(found, carried, is_vital, around)


def _components(found: fhir.Observation, carried: dict[str, Any], is_vital: bool, around: Surroundings) -> list[End]:
    ends: list[End] = []
    seen: set[str] = set()
    for number, part in enumerate(found.component):
        name = next((each.code for each in named_codings(part.code)), "")
        name = name if name and name not in seen else f"{name}.{number}"
        seen.add(name)
        own = carried | {"record_id": _part_id(carried["record_id"], name, number)}
        sign = next((SIGNS[code] for code in _loinc(part.code) if code in SIGNS), None)
        place = f"component[{number}]"
        try:
            ends.append(_one(part, f"{place}.", found, own, sign, is_vital or sign is not None, around))
        except FaultError as fault:
            ends.append(Refusal("schema", fault.detail, f"$.{fault.place}"))
        except NotUsedError as unused:
            ends.append(unused.ignored)
    return ends


def _part_id(whole: str, name: str, number: int) -> str:
    """A component has no id; its code stays its own when a later version adds another before it."""
    named = f"{whole}#{name}"
    if len(named) > fhir.MAX_KEY:
        named = f"{whole}#{number}"
    if len(named) > fhir.MAX_KEY:
        raise FaultError("id", "too long to name a component by it")
    return named


def _one(
    part: fhir.Measured,
    place: str,
    whole: fhir.Observation,
    carried: dict[str, Any],
    sign: Sign | None,
    is_vital: bool,
    around: Surroundings,
) -> Event | Ignored:
    value = _value(part, place)
    coded = named_codings(part.code)
    if not coded:
        raise FaultError(f"{place}code", "neither a code nor a text says what was observed")
    status = _STATUS[whole.status]
    if is_vital:
        bound = value.comparator is not None  # an observation has no comparator, and a bound is not the value
        return Observation(
            **carried,
            status="final" if status == "preliminary" else status,
            kind=sign.kind if sign is not None else "other",
            codings=coded,
            value=UNSET if bound else value.number,
            unit=value.unit,
            text=_written(part.valueQuantity) if bound else value.text,
            method=(sign.method if sign is not None and sign.method else words(whole.method)) or UNSET,
        )
    return LabResult(
        **carried,
        status=status,
        codings=coded,
        value=value.number,
        comparator=value.comparator,
        unit=value.unit,
        text=value.text,
        reference_range=known(_reference(part.referenceRange)),
        flag=_flag(part.interpretation or whole.interpretation),
        specimen=known(_specimen(whole)),
        order_id=known(key(next(iter(whole.basedOn), None), around)),
        resulted_at=known(instant(whole.issued, "issued")),
    )


def _pressure(found: fhir.Observation, carried: dict[str, Any]) -> Observation | None:
    """Both pressures of a panel, or one that was sent alone; None when this is no blood pressure."""
    loinc = _loinc(found.code)
    parts: list[tuple[fhir.Measured, str]] = [(each, f"component[{n}].") for n, each in enumerate(found.component)]
    if not any(code in _PRESSURE for code in loinc):
        if found.component or not any(code in (_SYSTOLIC, _DIASTOLIC) for code in loinc):
            return None
        parts = [(found, "")]
    values = {code: _value(part, place) for part, place in parts for code in _loinc(part.code)}
    systolic, diastolic = values.get(_SYSTOLIC), values.get(_DIASTOLIC)
    shown = systolic or diastolic
    status = _STATUS[found.status]
    return Observation(
        **carried,
        status="final" if status == "preliminary" else status,
        kind="blood_pressure",
        codings=named_codings(found.code),
        value=systolic.number if systolic is not None else UNSET,
        second_value=diastolic.number if diastolic is not None else UNSET,
        unit=shown.unit if shown is not None else "",
        text=shown.text if shown is not None else _value(found, "").text,
        method=words(found.method) or UNSET,
    )


def _pregnancy(found: fhir.Observation, carried: dict[str, Any]) -> Patient:
    """An answer that is neither yes nor no, or none, is "unknown"; so is one that was taken back."""
    said = [_PREGNANT[code] for code in codes(found.valueCodeableConcept) if code in _PREGNANT]
    void = found.status in ("cancelled", "entered-in-error")
    return Patient(**carried, pregnancy=None if void or not said else Pregnancy(pregnant=said[0]))


def _carried(found: fhir.Observation, around: Surroundings) -> dict[str, Any]:
    issued, changed = instant(found.issued, "issued"), updated(found)
    at = _time(found) or issued or changed or around.known_at
    if at is None:
        raise FaultError("effective", "no time: neither effective[x] nor issued")
    return {
        "patient_id": patient(found.subject, around, "Observation", "subject"),
        "source": source(found),
        "record_id": record_id(found),
        "version": version(found),
        "occurred_at": at,
        "recorded_at": changed or issued,
        "encounter_id": known(key(found.encounter, around)),
    }


def _time(found: fhir.Observation) -> datetime | None:
    """What was collected over a time is a fact at its end."""
    at = instant(found.effectiveDateTime, "effectiveDateTime") or instant(found.effectiveInstant, "effectiveInstant")
    if at is not None or found.effectivePeriod is None:
        return at
    period = found.effectivePeriod
    return until(period.end, "effectivePeriod.end") or instant(period.start, "effectivePeriod.start")


def _loinc(concept: fhir.CodeableConcept) -> list[str]:
    return [each.code for each in named_codings(concept) if each.system == "LOINC"]


def _says(part: fhir.Measured) -> bool:
    return bool(_values(part)) or part.dataAbsentReason is not None


def _values(part: fhir.Measured) -> list[str]:
    return [name for name in _VALUES if getattr(part, name) not in (None, UNSET)]


_VALUES = tuple(name for name in fhir.Measured.__struct_fields__ if name.startswith("value"))


def _value(part: fhir.Measured, place: str) -> Value:
    said = _values(part)
    if len(said) > 1:
        raise FaultError(f"{place}{said[1]}", "more than one value[x]")
    if not said:
        reason = words(part.dataAbsentReason)
        return Value(None if part.dataAbsentReason is not None else UNSET, None, "", reason)
    if part.valueQuantity is not None:
        measured = part.valueQuantity
        return Value(measured.value, measured.comparator, unit(measured), "")
    if part.valueInteger is not None:
        return Value(float(part.valueInteger), None, "", "")
    if part.valueSampledData is not UNSET:
        raise NotUsedError("Observation/SampledData")
    return Value(UNSET, None, "", _text(part)[:_MAX_TEXT])


def _text(part: fhir.Measured) -> str:
    if part.valueBoolean is not None:
        return "true" if part.valueBoolean else "false"
    if part.valueRange is not None:
        return _between(part.valueRange.low, part.valueRange.high, "-")
    if part.valueRatio is not None:
        return _between(part.valueRatio.numerator, part.valueRatio.denominator, ":")
    if part.valuePeriod is not None:
        return f"{part.valuePeriod.start or ''}/{part.valuePeriod.end or ''}"
    return part.valueString or words(part.valueCodeableConcept) or part.valueTime or part.valueDateTime or ""


def _between(one: fhir.Quantity | None, other: fhir.Quantity | None, sign: str) -> str:
    return sign.join(_written(each) for each in (one, other))


def _written(part: fhir.Quantity | None) -> str:
    if part is None or part.value is None:
        return ""
    return f"{part.comparator or ''}{part.value:g} {unit(part)}".rstrip()


def _reference(ranges: tuple[fhir.ObservationRange, ...]) -> ReferenceRange | None:
    """The first, which FHIR means as the normal one where it says nothing else."""
    first = next(iter(ranges), None)
    if first is None:
        return None
    return ReferenceRange(
        low=first.low.value if first.low is not None else None,
        high=first.high.value if first.high is not None else None,
        text=first.text or "",
    )


def _flag(said: tuple[fhir.CodeableConcept, ...]) -> str | UnsetType:
    found = next(iter(codes(*said)), "") or next((words(each) for each in said), "")
    return found[: fhir.MAX_UNIT] or UNSET


def _specimen(found: fhir.Observation) -> Specimen | None:
    shown = found.specimen.display if found.specimen is not None else None
    return Specimen(kind=shown) if shown else None
