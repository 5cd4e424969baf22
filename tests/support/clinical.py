"""Short ways to write a patient's story in tests, with a small knowledge of their own so that they test logic, not data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from knowledge.model import CriticalLimit, Interaction, InteractionPair, Knowledge
from schemas.events import AnyEvent, Dosage, Drug, Ingredient, LabResult, Patient, Prescription
from schemas.values import UNSET, Citation, Coding, Quantity

T0 = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
CITED = (Citation(id="test", text="for the test"),)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def order(name: str, hours: float = 0, *, id: str = "", route: str = "oral", **more: Any) -> Prescription:  # noqa: A002
    fields: dict[str, Any] = {
        "patient_id": "p",
        "source": "ward",
        "record_id": id or name,
        "occurred_at": at(hours),
        "status": "ordered",
        "drug": Drug(text=name, ingredients=tuple(Ingredient(n) for n in name.split("/")), resolution="name"),
        "dosage": Dosage(route=route),
    }
    return Prescription(**(fields | more))


def daily(milligrams: float) -> Dosage:
    return Dosage(route="oral", dose=Quantity(milligrams, "mg"), frequency_per_day=1)


def lab(analyte: str, value: float | None, /, hours: float = 0, *, id: str = "", **more: Any) -> LabResult:  # noqa: A002
    fields: dict[str, Any] = {
        "patient_id": "p",
        "source": "lab",
        "record_id": id or f"{analyte}-{hours}",
        "occurred_at": at(hours),
        "status": "final",
        "codings": (Coding("LOINC", "0-0", analyte),),
        "analyte": analyte,
        "value": UNSET if value is None else value,
        "unit": "mmol/L",
        "canonical_value": value,
        "canonical_unit": "mmol/L",
    }
    return LabResult(**(fields | more))


def patient(hours: float = 0, **more: Any) -> Patient:
    fields: dict[str, Any] = {"patient_id": "p", "source": "adt", "record_id": "p", "occurred_at": at(hours)}
    return Patient(**(fields | more))


def pair(id: str, severity: str = "high") -> InteractionPair:  # noqa: A002
    return InteractionPair(
        id=id,
        title=f"{id} together",
        severity=severity,  # type: ignore[arg-type]
        evidence_grade="label",
        mechanism="mechanism",
        effect="effect",
        actions=("act",),
        patient_explanation="explanation",
        citations=CITED,
        systemic_only=True,
        object_class="objects",
        precipitant_class="precipitants",
    )


def interaction(of: InteractionPair, object: str, precipitant: str, limit: float | None = None) -> Interaction:  # noqa: A002
    return Interaction(pair=of, object=object, precipitant=precipitant, max_daily_mg=limit, citations=())


def limit(analyte: str, low: float | None, high: float | None, band: str = "adult") -> CriticalLimit:
    return CriticalLimit(
        analyte=analyte,
        band=band,  # type: ignore[arg-type]
        unit="mmol/L",
        low=low,
        high=high,
        severity="critical",
        evidence_grade="survey",
        actions=("act",),
        patient_explanation="explanation",
        citations=CITED,
    )


class SmallKnowledge:
    """As ``knowledge.model.Knowledge``, made from what a test names."""

    version = "test"

    def __init__(self, interactions: list[Interaction], limits: list[CriticalLimit]) -> None:
        for field in msgspec.structs.fields(Knowledge):
            if not field.required:
                empty = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
                setattr(self, field.name, empty)
        self.interactions: dict[tuple[str, str], tuple[Interaction, ...]] = {}
        self.partners: dict[str, frozenset[str]] = {}
        for each in interactions:
            key = (min(each.object, each.precipitant), max(each.object, each.precipitant))
            self.interactions[key] = (*self.interactions.get(key, ()), each)
            for one, other in (key, key[::-1]):
                self.partners[one] = self.partners.get(one, frozenset()) | {other}
        self.limits = {(each.analyte, each.band): each for each in limits}

    def is_systemic(self, route: str, form: str) -> bool:
        return route != "topical"

    def place_of(self, route: str, form: str) -> str | None:
        return {"topical": "skin", "oral": "body"}.get(route)


STATIN = pair("statin")
SEROTONIN = pair("serotonin", "critical")
KNOWLEDGE: Any = SmallKnowledge(
    [
        interaction(STATIN, "simvastatin", "clarithromycin"),
        interaction(STATIN, "simvastatin", "diltiazem", 10),
        interaction(SEROTONIN, "fluoxetine", "phenelzine"),
        interaction(SEROTONIN, "citalopram", "phenelzine"),
    ],
    [limit("potassium", 2.8, 6.2), limit("potassium", 2.8, 6.4, "child"), limit("potassium", 2.8, 7.8, "newborn")],
)
Story = list[AnyEvent]
