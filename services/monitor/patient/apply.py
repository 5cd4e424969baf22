"""How an event changes a patient's state. The same events in any order give the same facts."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.events import AnyEvent, LabResult, Patient, Prescription
from services.monitor.patient.clock import advanced
from services.monitor.patient.known import known_or
from services.monitor.patient.orders import with_prescription
from services.monitor.patient.precedence import precedence
from services.monitor.patient.results import with_result
from services.monitor.patient.state import PatientState, Precedence


def apply(state: PatientState | None, event: AnyEvent, knowledge: Knowledge) -> PatientState:
    """The state after ``event``. Equal to ``state`` in all but the clock when the event brings nothing new."""
    clock = advanced(state.clock if state else None, event)
    state = replace(state, clock=clock) if state else PatientState(event.patient_id, clock)
    match event:
        case Prescription():
            return with_prescription(state, event, knowledge)
        case LabResult():
            return with_result(state, event)
        case Patient():
            return _patient(state, event)
    return state


def _patient(state: PatientState, event: Patient) -> PatientState:
    """Each field stands as the newest event that says it left it."""
    said: dict[str, object] = {}
    if event.birth_date is not UNSET:
        said["birth_date"] = event.birth_date
    if event.sex is not UNSET:
        said["sex"] = event.sex or ""
    if event.stay is not UNSET and event.stay is not None:
        said["facility"] = known_or(event.stay.facility, "")
        said["unit"] = known_or(event.stay.unit, "")
    by_time: Precedence = (0, *precedence(event)[1:])
    fresh = {name: value for name, value in said.items() if state.patient_versions.get(name, by_time) <= by_time}
    if not fresh:
        return state
    versions = {**state.patient_versions, **dict.fromkeys(fresh, by_time)}
    return replace(state, patient_versions=versions, **fresh)
