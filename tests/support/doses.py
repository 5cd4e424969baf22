"""Stories of doses, played with the knowledge that is shipped and one rule at a time."""

from __future__ import annotations

from typing import Any

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import (
    Administration,
    AnyEvent,
    Condition,
    ConditionRecord,
    Dosage,
    Drug,
    Ingredient,
    LabResult,
    Observation,
    Prescription,
)
from schemas.values import UNSET, Coding, Quantity
from services.monitor.evaluate import take_event
from services.monitor.patient.state import PatientState
from tests.support.clinical import at, lab, order

KNOWLEDGE = load()
FIBRILLATION = (Coding("ICD-10", "I48.0", "Paroxysmal atrial fibrillation"),)
THROMBOSIS = (Coding("ICD-10", "I82.4", "Deep vein thrombosis of the leg"),)


def quantity(text: str) -> Quantity:
    value, _, unit = text.partition(" ")
    low, _, high = value.partition("-")
    return Quantity(float(low), unit, float(high)) if high else Quantity(float(low), unit)


def dosage(dose: str = "", often: float | None = None, *, route: str = "oral", **more: Any) -> Dosage:
    return Dosage(
        text="as written",
        route=route,
        dose=quantity(dose) if dose else UNSET,
        frequency_per_day=UNSET if often is None else often,
        **more,
    )


def drug(name: str, strength: str = "", precise: str = "", text: str = "") -> Drug:
    ingredient = Ingredient(name, strength=quantity(strength) if strength else UNSET, precise=precise)
    return Drug(text=text or name, ingredients=(ingredient,), resolution="name")


def rx(name: str, dose: str = "", often: float | None = None, hours: float = 0, **more: Any) -> Prescription:
    """An order; what belongs to its dosage is told apart by name."""
    of_dosage = {key: more.pop(key) for key in ("as_needed", "max_daily_dose", "frequency_high", "rate") if key in more}
    route = more.pop("route", "oral")
    return order(name, hours, **({"dosage": dosage(dose, often, route=route, **of_dosage)} | more))


def given(name: str, dose: str, hours: float, *, route: str = "oral", **more: Any) -> Administration:
    fields: dict[str, Any] = {
        "patient_id": "p",
        "source": "ward",
        "record_id": f"{name}-given-{hours}",
        "occurred_at": at(hours),
        "status": "given",
        "drug": drug(name),
        "route": route,
        "dose": quantity(dose) if dose else UNSET,
    }
    return Administration(**(fields | more))


def creatinine(value: float, hours: float = 0, **more: Any) -> LabResult:
    return lab("creatinine", value, hours, **({"unit": "mg/dL", "canonical_unit": "mg/dL"} | more))


def measured(kind: str, value: float | None, unit: str = "", hours: float = -1, **more: Any) -> Observation:
    return Observation(
        patient_id="p",
        source="ward",
        record_id=f"{kind}-{hours}",
        occurred_at=at(hours),
        kind=kind,  # type: ignore[arg-type]
        value=UNSET if value is None else value,
        unit=unit,
        **more,
    )


def weighs(kilograms: float, hours: float = -1) -> Observation:
    return measured("weight", kilograms, "kg", hours)


def has(code: str, hours: float = -1, system: str = "ICD-10") -> ConditionRecord:
    return ConditionRecord(
        patient_id="p",
        source="ehr",
        record_id=code,
        occurred_at=at(hours),
        condition=Condition(codings=(Coding(system, code),)),
    )


def play(*events: AnyEvent) -> tuple[PatientState, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWLEDGE, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def open_after(*events: AnyEvent) -> dict[str, Alert]:
    """The open alerts by subject."""
    return {alert.subject: alert for alert in play(*events)[0].open_alerts.values()}


def found(*events: AnyEvent) -> dict[str, str]:
    """Everything that stands, also what reaches nobody, by subject with its severity."""
    return {each.subject: each.severity for each in play(*events)[0].standing.values()}
