"""How an event changes a patient's state. The same events in any order give the same facts.

Every fact is a thing with versions; the newest version stands, and an older one that arrives late only fills what the
newer does not say.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.events import AnyEvent, Event, Ingredient, LabResult, Patient, Prescription
from services.monitor.patient.clock import advanced, clinical_time
from services.monitor.patient.dose import daily_mg
from services.monitor.patient.state import (
    KEEP_ENDED_ORDERS,
    MAX_RESULTS,
    Order,
    PatientState,
    Precedence,
    Result,
    thing_key,
)

T = TypeVar("T")

_ORDER_STATUS = ("ordered", "changed", "held", "resumed", "discontinued", "entered_in_error")
_PARTS = {
    "medicine": ("label", "ingredients", "systemic", "route", "form", "daily_mg"),
    "dosage": ("dosage",),
    "start": ("start",),
}
"""Fields of an order that an older version fills, by what it has to say for that."""
_RESULT_STATUS = ("preliminary", "final", "corrected", "cancelled", "entered_in_error")
_CONTENT = msgspec.json.Encoder(order="sorted")


def apply(state: PatientState | None, event: AnyEvent, knowledge: Knowledge) -> PatientState:
    """The state after ``event``. Equal to ``state`` in all but the clock when the event brings nothing new."""
    clock = advanced(state.clock if state else None, event)
    state = replace(state, clock=clock) if state else PatientState(event.patient_id, clock)
    match event:
        case Prescription():
            return _prescription(state, event, knowledge)
        case LabResult():
            return _lab_result(state, event)
        case Patient():
            return _patient(state, event)
    return state


def _precedence(event: Event, rank: int) -> Precedence:
    """Sources that count no versions are ordered by when they recorded a change."""
    recorded = event.recorded_at or event.occurred_at
    content = _CONTENT.encode(replace(event, event_id="", ingested_at=None, origin=None))
    return (event.version, recorded.timestamp(), rank, blake2b(content, digest_size=8).hexdigest())


def _prescription(state: PatientState, event: Prescription, knowledge: Knowledge) -> PatientState:
    key = thing_key(event.source, event.record_id)
    order, known = _order(event, knowledge), state.orders.get(key)
    if known is not None:
        if known.precedence == order.precedence:
            return state
        older, newer = sorted((known, order), key=lambda each: each.precedence)
        order = _with_gaps_filled(newer, older)
    orders = {**state.orders, key: order}
    # the age of an end and not the date before which it is old: a clock may stand in the year 1
    kept = {k: o for k, o in orders.items() if o.end is None or state.clock - o.end < KEEP_ENDED_ORDERS or k == key}
    return replace(state, orders=kept)


def _order(event: Prescription, knowledge: Knowledge) -> Order:
    drug, dosage = event.drug, event.dosage
    precedence = _precedence(event, _ORDER_STATUS.index(event.status))
    named = bool(drug.ingredients)
    # an older dosage would be that of another medicine
    says = {"medicine": named, "dosage": named or bool(dosage.text), "start": event.start is not None}
    route, form = known_or(dosage.route, ""), known_or(drug.form, "")
    end = known_or(event.end, None)
    if event.status == "discontinued":
        stopped = clinical_time(event)
        end = stopped if end is None else min(end, stopped)
    return Order(
        source=event.source,
        record_id=event.record_id,
        version=event.version,
        precedence=precedence,
        status=event.status,
        label=drug.text or " / ".join(each.name for each in drug.ingredients) or _display(event),
        ingredients=tuple(sorted({each.name for each in drug.ingredients})),
        systemic=knowledge.is_systemic(route, form),
        route=route,
        form=form,
        dosage=dosage.text,
        daily_mg=daily_mg(dosage, _only(drug.ingredients)),
        start=event.start,
        end=end,
        first_seen=clinical_time(event),
        held=event.status == "held",
        void=event.status == "entered_in_error",
        origin=event.origin,
        said={part: precedence for part, is_said in says.items() if is_said},
    )


def _display(event: Prescription) -> str:
    return next((coding.display or coding.code for coding in event.drug.codings), "medicine not named")


def _only(ingredients: tuple[Ingredient, ...]) -> Ingredient | None:
    return ingredients[0] if len(ingredients) == 1 else None


def _with_gaps_filled(newer: Order, older: Order) -> Order:
    """A stop often says no more than that it stopped: what it leaves out is what the newest version before it says."""
    said = dict(newer.said)
    filled: dict[str, Any] = {"first_seen": min(newer.first_seen, older.first_seen)}
    for part, version in older.said.items():
        if part not in said or said[part] < version:
            said[part] = version
            filled |= {name: getattr(older, name) for name in _PARTS[part]}
    return replace(newer, said=said, **filled)


def _lab_result(state: PatientState, event: LabResult) -> PatientState:
    if not event.analyte:
        return state
    result = _result(event)
    held = state.results.get(event.analyte, ())
    known = next((r for r in held if (r.source, r.record_id) == (result.source, result.record_id)), None)
    if known is not None and known.precedence >= result.precedence:
        return state
    kept = sorted((r for r in (*held, result) if r is not known), key=lambda r: (r.at, r.source, r.record_id))
    return replace(state, results={**state.results, event.analyte: tuple(kept[-MAX_RESULTS:])})


def _result(event: LabResult) -> Result:
    return Result(
        source=event.source,
        record_id=event.record_id,
        version=event.version,
        precedence=_precedence(event, _RESULT_STATUS.index(event.status)),
        at=clinical_time(event),
        value=event.canonical_value,
        unit=event.canonical_unit,
        comparator=event.comparator or "",
        text=event.text,
        label=next((coding.display for coding in event.codings if coding.display), event.analyte),
        status=event.status,
        void=event.status in ("cancelled", "entered_in_error"),
        origin=event.origin,
    )


def _patient(state: PatientState, event: Patient) -> PatientState:
    """Each field stands as the newest event that says it left it."""
    precedence = _precedence(event, 0)
    said: dict[str, object] = {}
    if event.birth_date is not UNSET:
        said["birth_date"] = event.birth_date
    if event.sex is not UNSET:
        said["sex"] = event.sex or ""
    if event.stay is not UNSET and event.stay is not None:
        said["facility"] = known_or(event.stay.facility, "")
        said["unit"] = known_or(event.stay.unit, "")
    by_time: Precedence = (0, *precedence[1:])
    fresh = {name: value for name, value in said.items() if state.patient_versions.get(name, by_time) <= by_time}
    if not fresh:
        return state
    versions = {**state.patient_versions, **dict.fromkeys(fresh, by_time)}
    return replace(state, patient_versions=versions, **fresh)


def known_or(value: T | UnsetType | None, otherwise: T) -> T:
    """A value that is known, or ``otherwise``."""
    return otherwise if value is None or isinstance(value, UnsetType) else value
