"""What is known of the person: measurements, problems, allergies, stays, and what a patient event says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from schemas.events import (
    Allergy,
    AllergyRecord,
    Condition,
    ConditionRecord,
    EncounterRecord,
    Event,
    Observation,
    Patient,
    Stay,
)
from schemas.identity import content_digest
from services.monitor.patient.bounds import MAX_ENTRIES, MAX_MEASURES, MAX_STAYS, MAX_TEXT
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.fact import Fact, Measure, bounded, with_fact
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Precedence
from services.monitor.patient.precedence import precedence
from services.monitor.patient.state import PatientState

T = TypeVar("T")

LIST = ""
"""The record id under which the whole list of a source stands, as a patient event gives it."""

_ENCOUNTER = ("planned", "in_progress", "finished", "cancelled", "entered_in_error")
_OBSERVATION = ("final", "corrected", "cancelled", "entered_in_error")
_PLAIN = ("pregnancy", "lactating", "goals", "traits", "procedures")


def with_observation(state: PatientState, event: Observation) -> PatientState:
    measure = Measure(
        kind=event.kind,
        value=known_or(event.value, None),
        unit=event.unit,
        second_value=known_or(event.second_value, None),
        method=known_or(event.method, ""),
        text=event.text[:MAX_TEXT] or (event.codings[0].display[:MAX_TEXT] if event.codings else ""),
    )
    void = event.status in ("cancelled", "entered_in_error")
    return with_measure(state, _fact(event, measure, _OBSERVATION.index(event.status), void))


def with_measure(state: PatientState, fact: Fact[Measure]) -> PatientState:
    measures = with_fact(state.measures, fact)
    if measures is state.measures:
        return state
    return replace(state, measures=bounded(measures, MAX_MEASURES, lambda each: each.what.kind))


def with_condition(state: PatientState, event: ConditionRecord) -> PatientState:
    """An entry of the problem list; one refuted or entered in error stays as a tombstone."""
    wrong = event.status == "entered_in_error"
    void = wrong or event.condition.status == "refuted"
    return with_conditions(state, _fact(event, (_short(event.condition),), int(wrong), void))


def with_conditions(state: PatientState, fact: Fact[tuple[Condition, ...]]) -> PatientState:
    conditions = with_fact(state.condition_facts, fact)
    return state if conditions is state.condition_facts else replace(state, condition_facts=_entries(conditions))


def with_allergy(state: PatientState, event: AllergyRecord) -> PatientState:
    """An entry of the allergy list; one refuted or entered in error stays as a tombstone."""
    wrong = event.status == "entered_in_error"
    void = wrong or event.allergy.verification in ("refuted", "entered_in_error")
    return with_allergies(state, _fact(event, (_brief(event.allergy),), int(wrong), void))


def with_allergies(state: PatientState, fact: Fact[tuple[Allergy, ...]]) -> PatientState:
    allergies = with_fact(state.allergy_facts, fact)
    return state if allergies is state.allergy_facts else replace(state, allergy_facts=_entries(allergies))


def with_encounter(state: PatientState, event: EncounterRecord) -> PatientState:
    """A stay by its own record; one that is planned, cancelled or entered in error is not where the patient is."""
    void = event.status in ("planned", "cancelled", "entered_in_error")
    return with_stay(state, _fact(event, event.stay, _ENCOUNTER.index(event.status), void))


def with_stay(state: PatientState, fact: Fact[Stay]) -> PatientState:
    stays = with_fact(state.stays, fact)
    if stays is state.stays:
        return state
    state = replace(state, stays=bounded(stays, MAX_STAYS))
    now = state.stay or Stay()
    return replace(state, facility=known_or(now.facility, ""), unit=known_or(now.unit, ""))


def with_patient(state: PatientState, event: Patient) -> PatientState:
    """Each field stands as the newest event that says it left it. A list is the whole list of its source."""
    said: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(event, name)) is not UNSET}
    if said.get("procedures"):
        said["procedures"] = said["procedures"][:MAX_ENTRIES]
    if event.birth_date is not UNSET:
        said["birth_date"] = event.birth_date
    if event.sex is not UNSET:
        said["sex"] = event.sex or ""
    if said:
        # what is said decides between equals, whichever id of the patient it was said of
        digest = content_digest(replace(event, patient_id="", merged_into=None))
        state = with_said(state, said, (0, *precedence(event)[1:3], digest))
    if event.conditions is not UNSET:
        conditions = event.conditions and tuple(map(_short, event.conditions[:MAX_ENTRIES]))
        state = with_conditions(state, _list(event, conditions))
    if event.allergies is not UNSET:
        allergies = event.allergies and tuple(map(_brief, event.allergies[:MAX_ENTRIES]))
        state = with_allergies(state, _list(event, allergies))
    if event.stay is not UNSET and event.stay is not None:
        state = with_stay(state, replace(_list(event, None), what=event.stay, void=False))
    return state


def with_said(state: PatientState, said: Mapping[str, Any], by: Precedence | Mapping[str, Precedence]) -> PatientState:
    """The fields that are newer than what stands."""
    known = state.patient_versions
    when = dict.fromkeys(said, by) if isinstance(by, tuple) else by
    fresh = {name: when[name] for name in said if name in when and (name not in known or known[name] < when[name])}
    if not fresh:
        return state
    return replace(state, patient_versions={**known, **fresh}, **{name: said[name] for name in fresh})


def _fact(event: Event, what: T, rank: int, void: bool) -> Fact[T]:
    """Without its origin, but for measurements: no alert names a condition or a stay as its evidence."""
    origin = event.origin if isinstance(event, Observation) else None
    return Fact(event.source, event.record_id, precedence(event, rank), clinical_time(event), void, what, origin)


def _list(event: Patient, what: Any) -> Fact[Any]:
    """The whole list of a source, by time and not by a version that counts for each record. Not known: as if never said."""
    by_time: Precedence = (0, *precedence(event)[1:3], "")
    return Fact(event.source, LIST, by_time, clinical_time(event), what is None, what or ())


def _short(condition: Condition) -> Condition:
    if all(len(coding.display) <= MAX_TEXT for coding in condition.codings):
        return condition
    return replace(condition, codings=tuple(replace(c, display=c.display[:MAX_TEXT]) for c in condition.codings))


def _brief(allergy: Allergy) -> Allergy:
    substance, reaction = allergy.substance, known_or(allergy.reaction, "")
    if len(substance.text) > MAX_TEXT:
        allergy = replace(allergy, substance=replace(substance, text=substance.text[:MAX_TEXT]))
    return replace(allergy, reaction=reaction[:MAX_TEXT]) if len(reaction) > MAX_TEXT else allergy


def _entries(facts: Mapping[str, Fact[tuple[T, ...]]]) -> Mapping[str, Fact[tuple[T, ...]]]:
    return bounded(facts, MAX_ENTRIES)
