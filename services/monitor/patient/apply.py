"""How an event changes a patient's state. The same events in any order give the same facts.

Every fact is a thing with versions; the newest version stands, and an older one that arrives late only fills what the
newer does not say.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.events import AnyEvent, Event, LabResult, Patient, Prescription
from schemas.identity import content_digest
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
PARTS = {
    "medicine": ("label", "ingredients", "strength"),
    "form": ("form",),
    "route": ("route",),
    "dosage": ("dosage", "dose", "frequency"),
    "start": ("start",),
    "end": ("planned_end",),
    "one_time": ("one_time",),
}
"""What an order is made of, each part with its fields: a version says a part or leaves it as it was."""
_OF_THE_MEDICINE = ("form", "route", "dosage")
_RESULT_STATUS = ("preliminary", "final", "corrected", "cancelled", "entered_in_error")
_TAKES_BACK = frozenset({"corrected", "cancelled", "entered_in_error"})
_BEGINNING = datetime.min.replace(tzinfo=UTC)


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


def _precedence(event: Event, rank: int, recorded: datetime | None = None) -> Precedence:
    """Sources that count no versions are ordered by when they recorded a change."""
    at = event.recorded_at or recorded or event.occurred_at
    return (event.version, at.timestamp(), rank, content_digest(event))


def _prescription(state: PatientState, event: Prescription, knowledge: Knowledge) -> PatientState:
    key = thing_key(event.source, event.record_id)
    order, known = _order(event), state.orders.get(key)
    if known is not None:
        if known.precedence == order.precedence:
            return state
        older, newer = sorted((known, order), key=lambda each: each.precedence)
        order = _with_gaps_filled(newer, older)
    orders = {**state.orders, key: _derived(order, knowledge)}
    oldest = max(state.clock, _BEGINNING + KEEP_ENDED_ORDERS) - KEEP_ENDED_ORDERS
    return replace(state, orders={k: o for k, o in orders.items() if k == key or not _forgotten(o, oldest)})


def _forgotten(order: Order, oldest: datetime) -> bool:
    ended = order.first_seen if order.void else order.end
    return ended is not None and ended <= oldest


def _order(event: Prescription) -> Order:
    """One version of an order, as if it were the only one."""
    drug, dosage = event.drug, event.dosage
    precedence = _precedence(event, _ORDER_STATUS.index(event.status))
    only = drug.ingredients[0] if len(drug.ingredients) == 1 else None
    dose, frequency = known_or(dosage.dose, None), known_or(dosage.frequency_per_day, None)
    says = {
        "medicine": bool(drug.text or drug.codings or drug.ingredients),
        "form": drug.form is not UNSET,
        "route": dosage.route is not UNSET,
        "dosage": bool(dosage.text) or dose is not None or frequency is not None,
        "start": event.start is not None,
        "end": event.end is not UNSET,
        "one_time": event.one_time is not UNSET,
    }
    return Order(
        source=event.source,
        record_id=event.record_id,
        version=event.version,
        precedence=precedence,
        status=event.status,
        label=drug.text or " / ".join(each.name for each in drug.ingredients) or _display(event),
        ingredients=tuple(sorted({each.name for each in drug.ingredients})),
        systemic=True,
        route=known_or(dosage.route, ""),
        form=known_or(drug.form, ""),
        dosage=dosage.text,
        daily_mg=None,
        start=event.start,
        end=None,
        first_seen=clinical_time(event),
        held=event.status == "held",
        void=event.status == "entered_in_error",
        origin=event.origin,
        said={part: precedence for part, is_said in says.items() if is_said},
        planned_end=known_or(event.end, None),
        dose=dose,
        frequency=frequency,
        strength=None if only is None else known_or(only.strength, None),
        one_time=known_or(event.one_time, None),
        stopped=clinical_time(event) if event.status == "discontinued" else None,
    )


def _display(event: Prescription) -> str:
    return next((coding.display or coding.code for coding in event.drug.codings), "medicine not named")


def _with_gaps_filled(newer: Order, older: Order) -> Order:
    """A stop often says no more than that it stopped: what it leaves out is what the newest version before it says.

    How one medicine is given says nothing of another that a later version names in its place.
    """
    another = (
        "medicine" in newer.said
        and "medicine" in older.said
        and newer.said["medicine"] > older.said["medicine"]
        and newer.ingredients != older.ingredients
    )
    said = dict(newer.said)
    filled: dict[str, Any] = {"first_seen": min(newer.first_seen, older.first_seen)}
    for part, version in older.said.items():
        if another and part in _OF_THE_MEDICINE:
            continue
        if part not in said or said[part] < version:
            said[part] = version
            filled |= {name: getattr(older, name) for name in PARTS[part]}
    return replace(newer, said=said, **filled)


def _derived(order: Order, knowledge: Knowledge) -> Order:
    """What follows from the parts."""
    ends = [end for end in (order.stopped, order.planned_end) if end is not None]
    return replace(
        order,
        systemic=knowledge.is_systemic(order.route, order.form),
        daily_mg=daily_mg(order.dose, order.frequency, order.strength, len(order.ingredients)),
        end=min(ends) if ends else None,
    )


def _lab_result(state: PatientState, event: LabResult) -> PatientState:
    """The newest version of a result stands, whatever analyte it and an older one name: what takes a result back may come with
    a local code only, and before the result."""
    result = _result(event)
    known = _known(state, result)
    if known is not None:
        analyte, old = known
        if old.precedence >= result.precedence:
            return state
        state = _put(state, analyte, [each for each in state.results[analyte] if each is not old])
    home = event.analyte or (known[0] if known is not None else "")
    if not home and event.status not in _TAKES_BACK:
        return state
    if not event.analyte and not result.void:
        # it is no longer known to be a result of this analyte
        result = replace(result, void=True)
    return _put(state, home, [*state.results.get(home, ()), result])


def _known(state: PatientState, result: Result) -> tuple[str, Result] | None:
    for analyte, results in state.results.items():
        for each in results:
            if (each.source, each.record_id) == (result.source, result.record_id):
                return analyte, each
    return None


def _put(state: PatientState, analyte: str, results: list[Result]) -> PatientState:
    """The newest results are kept, and always those of the newest time that has a measurement."""
    results = sorted(results, key=lambda r: (r.at, r.source, r.record_id))
    measured = [each.at for each in results if each.measured]
    kept = tuple(
        each
        for place, each in enumerate(results)
        if place >= len(results) - MAX_RESULTS or (each.measured and each.at == measured[-1])
    )
    others = {name: each for name, each in state.results.items() if name != analyte}
    return replace(state, results=others | {analyte: kept} if kept else others)


def _result(event: LabResult) -> Result:
    value = event.value if isinstance(event.value, float) else None
    return Result(
        source=event.source,
        record_id=event.record_id,
        version=event.version,
        precedence=_precedence(event, _RESULT_STATUS.index(event.status), known_or(event.resulted_at, None)),
        at=clinical_time(event),
        value=event.canonical_value,
        unit=event.canonical_unit,
        comparator=event.comparator or "",
        text=event.text,
        label=next((coding.display for coding in event.codings if coding.display), event.analyte),
        status=event.status,
        void=event.status in ("cancelled", "entered_in_error"),
        origin=event.origin,
        received="" if value is None or event.unit == event.canonical_unit else f"{value:g} {event.unit}".strip(),
        plausible=event.remark != "implausible",
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
