"""How an event changes a patient's state. The same events in any order give the same facts."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.events import (
    Administration,
    AllergyRecord,
    AnyEvent,
    ConditionRecord,
    Dispensing,
    EncounterRecord,
    LabResult,
    Observation,
    Patient,
    Prescription,
)
from services.monitor.patient import person
from services.monitor.patient.administrations import with_administration, without_old_doses
from services.monitor.patient.bounds import SHOWN, Need
from services.monitor.patient.clock import advanced, end_of_day
from services.monitor.patient.orders import with_dispensing, with_prescription, without_old
from services.monitor.patient.results import with_result
from services.monitor.patient.state import PatientState


def apply(state: PatientState | None, event: AnyEvent, knowledge: Knowledge, need: Need = SHOWN) -> PatientState:
    """The state after ``event``. Equal to ``state`` in all but the clock when the event brings nothing new. ``need`` is what
    rules read of the event's analyte."""
    clock = advanced(state.clock if state else None, event)
    live = event.timing == "live"
    if state is None:
        state = PatientState(event.patient_id, clock, live=live)
    elif clock != state.clock or (live and not state.live):
        state = at_time(state, clock, live)
    day = end_of_day(clock)
    match event:
        case LabResult():
            results = with_result(state.results, event, day, need)
            return state if results is state.results else replace(state, results=results)
        case Prescription():
            orders = with_prescription(state.orders, event, day, knowledge)
            return state if orders is state.orders else replace(state, orders=orders)
        case Administration():
            doses = with_administration(state.doses, event, day, knowledge)
            return state if doses is state.doses else replace(state, doses=doses)
        case Dispensing():
            supplies = with_dispensing(state.supplies, event, day, knowledge)
            return state if supplies is state.supplies else replace(state, supplies=supplies)
    return _of_person(state, event)


def _of_person(state: PatientState, event: AnyEvent) -> PatientState:
    match event:
        case Observation():
            return person.with_observation(state, event)
        case Patient():
            return person.with_patient(state, event)
        case ConditionRecord():
            return person.with_condition(state, event)
        case AllergyRecord():
            return person.with_allergy(state, event)
        case EncounterRecord():
            return person.with_encounter(state, event)
    return state


def at_time(state: PatientState, clock: datetime, live: bool = False) -> PatientState:
    """The state with its clock at ``clock``, never earlier than it was, and without what is long past by then."""
    day = end_of_day(max(clock, state.clock))
    same_day = day == end_of_day(state.clock)
    state = replace(state, clock=max(clock, state.clock), live=state.live or live)
    if same_day:
        return state
    return replace(
        state,
        orders=without_old(state.orders, day),
        supplies=without_old(state.supplies, day),
        doses=without_old_doses(state.doses, day),
    )
