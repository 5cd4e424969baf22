"""Short ways to write what was handed out, what was given, and where the patient was, in tests of joined streams."""

from __future__ import annotations

from typing import Any

from schemas.events import Administration, Dispensing, Dosage, Drug, EncounterRecord, Ingredient, Prescription, Stay
from schemas.values import Quantity
from tests.support.clinical import at, order

DAY = 24.0


def drug(name: str, strength: float | None = None, **more: Any) -> Drug:
    """``name`` is its ingredients; the text says the strength too."""
    held: dict[str, Any] = {} if strength is None else {"strength": Quantity(strength, "mg")}
    text = name if strength is None else f"{name} {strength:g} mg tablet"
    ingredients = tuple(Ingredient(each, **held) for each in name.split("/"))
    fields: dict[str, Any] = {"text": text, "ingredients": ingredients, "resolution": "name"}
    return Drug(**(fields | more))


def ordered(name: str, hours: float = 0, *, strength: float | None = None, **more: Any) -> Prescription:
    return order(name, hours, **({"drug": drug(name, strength)} | more))


def handed(name: str, hours: float, *, strength: float | None = None, **more: Any) -> Dispensing:
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "pharmacy", "record_id": f"supply-{name}-{hours}", "occurred_at": at(hours),
        "status": "dispensed", "drug": drug(name, strength), "days_supply": 30,
    }  # fmt: skip
    return Dispensing(**(fields | more))


def given(name: str, hours: float, **more: Any) -> Administration:
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "ward", "record_id": f"dose-{name}-{hours}", "occurred_at": at(hours),
        "status": "given", "drug": drug(name), "order_id": name, "route": "oral",
    }  # fmt: skip
    return Administration(**(fields | more))


def stay(hours: float, until: float | None = None, **more: Any) -> EncounterRecord:
    """In hospital from ``hours``, discharged at ``until`` where that is said."""
    ended: dict[str, Any] = {} if until is None else {"discharged_at": at(until)}
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "adt", "record_id": "stay", "occurred_at": at(hours), "status": "in_progress",
        "stay": Stay(encounter_class="inpatient", admitted_at=at(hours), **ended),
    }  # fmt: skip
    return EncounterRecord(**(fields | more))


def tablets(number: float, often: float, **more: Any) -> Dosage:
    fields: dict[str, Any] = {"route": "oral", "dose": Quantity(number, "tablet"), "frequency_per_day": often}
    return Dosage(**(fields | more))


def tick(hours: float) -> Prescription:
    """Something that no rule here asks of, so that time passes."""
    return order("acetaminophen", hours, id=f"tick-{hours}", one_time=True)
