"""FHIR's data types as the values of canonical events.

Dates of partial precision are read as their first instant in UTC: ``2015-02`` is midnight of the first of February. A time of
day needs an offset, as FHIR asks; a leap second is the second before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache

from schemas.values import Coding, Quantity
from services.ingest.formats.fhir import resources as fhir


class FaultError(Exception):
    """Why a resource is refused; ``place`` is the path below the resource, and neither repeats a value of it."""

    def __init__(self, place: str, detail: str) -> None:
        super().__init__(detail)
        self.place = place
        self.detail = detail


_TIME = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T[0-9]{2}:[0-9]{2}:([0-9]{2})(?:\.[0-9]{1,20})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?)?)?"
)
_SECOND = slice(len("2015-02-07T13:28:"), len("2015-02-07T13:28:17"))

SYSTEMS = {
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "urn:oid:2.16.840.1.113883.6.88": "RxNorm",
    "http://hl7.org/fhir/sid/ndc": "NDC",
    "urn:oid:2.16.840.1.113883.6.69": "NDC",
    "http://www.whocc.no/atc": "ATC",
    "urn:oid:2.16.840.1.113883.6.73": "ATC",
    "http://loinc.org": "LOINC",
    "urn:oid:2.16.840.1.113883.6.1": "LOINC",
    "http://hl7.org/fhir/sid/icd-9-cm": "ICD-9-CM",
    "urn:oid:2.16.840.1.113883.6.103": "ICD-9-CM",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm": "ICD-10",
    "urn:oid:2.16.840.1.113883.6.3": "ICD-10",
    "urn:oid:2.16.840.1.113883.6.90": "ICD-10",
    "http://snomed.info/sct": "SNOMED CT",
    "urn:oid:2.16.840.1.113883.6.96": "SNOMED CT",
}
"""FHIR's names of the code systems that ``schemas.values.Coding`` names; national editions of ICD-10 share its categories."""
_UCUM = "http://unitsofmeasure.org"
_POWERS = {"k": 3, "": 0, "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12}
_PIECES = {"", "1", "tablet", "tablets", "tab", "capsule", "capsules", "cap"}
_METRIC = re.compile(r"(?P<prefix>[kmunp]?)(?P<above>g|mol|l)(?P<below>/(?P<part>[dcmun]?)l)?")


def instant(text: str | None, place: str) -> datetime | None:
    """A dateTime or instant. Raises ``FaultError`` for what is none, and for one that UTC cannot express."""
    if text is None:
        return None
    try:
        return _instant(text)
    except (ValueError, OverflowError) as error:
        raise FaultError(place, str(error) if error.args == (_NO_TIME,) else "no such date or time") from None


_NO_TIME = "not a FHIR date or time; a time of day needs seconds and an offset"


@lru_cache(1024)
def _instant(text: str) -> datetime:
    """Remembered, for one resource says one time in several places."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(_NO_TIME)
    year, month, day, second = match.groups()
    if second is None:
        return datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    if second == "60":
        text = f"{text[: _SECOND.start]}59{text[_SECOND.stop :]}"
    found = datetime.fromisoformat(text)
    if year in ("0001", "9999"):
        found.astimezone(UTC)
    return found


def day(text: str | None, place: str) -> date | None:
    """The day that a date or dateTime begins with, as it is written: an offset does not move it."""
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise FaultError(place, "not a FHIR date")
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        raise FaultError(place, "no such date") from None


def codings(concept: fhir.CodeableConcept | None) -> tuple[Coding, ...]:
    """Each coding that has a code; one without a system is of the system ``local``."""
    if concept is None:
        return ()
    return tuple(
        Coding(SYSTEMS.get(each.system, each.system) if each.system else "local", each.code, each.display or "")
        for each in concept.coding
        if each.code
    )


def named_codings(concept: fhir.CodeableConcept | None) -> tuple[Coding, ...]:
    """The codings; of a concept that is only text, the text as a code of the system ``text``."""
    found = codings(concept)
    text = words(concept)
    return found if found or not text else (Coding("text", text[:256], text),)


def all_codings(concepts: Iterable[fhir.CodeableConcept]) -> tuple[Coding, ...]:
    return tuple(coding for concept in concepts for coding in named_codings(concept))


def words(concept: fhir.CodeableConcept | None) -> str:
    """A concept as people say it: its text, else what a coding displays, else a code; empty when it says nothing."""
    if concept is None:
        return ""
    if concept.text:
        return concept.text
    shown = next((each.display for each in concept.coding if each.display), None)
    return shown or next((each.code for each in concept.coding if each.code), "")


def codes(*concepts: fhir.CodeableConcept | None) -> list[str]:
    """Every code, of whatever system, in the order given."""
    return [each.code for concept in concepts if concept for each in concept.coding if each.code]


def unit(quantity: fhir.Quantity) -> str:
    """The UCUM code where there is one that says more than an annotation or a number, else the unit as people read it. Where
    the two are a thousand or a mole apart, one is a slip: both are given, which no reader takes for a unit."""
    shown, code = quantity.unit or "", quantity.code or ""
    if quantity.system != _UCUM or not code or "{" in code or (code == "1" and shown):
        return shown or code
    if shown != code and _size(shown) != _size(code) and None not in (_size(shown), _size(code)):
        return f"{shown} or {code}"[: fhir.MAX_UNIT]
    return code


@lru_cache(1024)
def _size(unit: str) -> tuple[str, int] | None:
    """What a plain unit of mass, substance or volume, or of one in a volume, measures, and its size as a power of ten; None for
    any other."""
    match = _METRIC.fullmatch(unit.strip().lower().replace("mcg", "ug").replace("µ", "u").replace("μ", "u"))
    if match is None:
        return None
    above, below = match["above"], match["below"]
    power = _POWERS[match["prefix"]] - (_POWERS[match["part"]] if below else 0)
    return f"{above}/l" if below else above, power


def quantity(found: fhir.Quantity | None) -> Quantity | None:
    """A quantity with a value; one with a comparator is no amount."""
    if found is None or found.value is None or found.comparator is not None:
        return None
    return Quantity(found.value, unit(found))


def spread(found: fhir.Range | None) -> Quantity | None:
    """A range of which both ends are said in one unit."""
    low, high = (quantity(found.low), quantity(found.high)) if found is not None else (None, None)
    if low is None or high is None or (low.unit and high.unit and low.unit != high.unit):
        return None
    return Quantity(low.value, low.unit or high.unit, high.value)


def quotient(ratio: fhir.Ratio | None) -> Quantity | None:
    """A ratio as an amount per one of the denominator's unit: 500 mg in 10 mL is 50 mg/mL, 5 mg in 1 or in a tablet is 5 mg."""
    if ratio is None or (above := quantity(ratio.numerator)) is None:
        return None
    if ratio.denominator is None:
        return above
    below = quantity(ratio.denominator)
    if below is None or below.value <= 0:
        return None
    value = above.value / below.value
    counted = below.unit.lower() in _PIECES or "{" in (ratio.denominator.code or "")
    name = above.unit + ("" if counted else f"/{below.unit}")
    if not math.isfinite(value) or len(name) > fhir.MAX_UNIT:
        return None
    # a quotient of two decimal fractions: what lies beyond the tenth significant digit is the computer's
    return Quantity(float(f"{value:.10g}"), name)
