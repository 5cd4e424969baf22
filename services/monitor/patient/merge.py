"""Two states of one patient as one. It does not matter which of the two is taken first, nor how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from msgspec.structs import replace

from knowledge.model import Knowledge
from services.monitor.patient import person
from services.monitor.patient.administrations import with_dose
from services.monitor.patient.apply import at_time
from services.monitor.patient.bounds import MAX_EPISODES, MAX_FORMER_IDS, Need
from services.monitor.patient.clock import end_of_day
from services.monitor.patient.order import Order
from services.monitor.patient.orders import blank, with_versions
from services.monitor.patient.results import with_version
from services.monitor.patient.state import PatientState
from services.monitor.patient.versions import versions_of

PLAIN = ("birth_date", "sex", "pregnancy", "lactating", "goals", "traits", "procedures")


def joined(state: PatientState, other: PatientState, knowledge: Knowledge, need: Callable[[str], Need]) -> PatientState:
    """``state`` with all that was kept under the id of ``other``, but for its open alerts and what stands and is waited for:
    that is found anew; and for its offsets and its pointer."""
    state = at_time(state, other.clock, other.live)
    day = end_of_day(state.clock)

    def orders(into: Mapping[str, Order], others: Mapping[str, Order]) -> Mapping[str, Order]:
        for order in others.values():
            same = blank(order.source, order.record_id, order.kind, order.first_seen)
            into = with_versions(into, same, versions_of(order), day, knowledge)
        return into

    results = state.results
    for analyte, kept in other.results.items():
        for result in kept:
            results = with_version(results, analyte, result, day, need(analyte))
    state = replace(
        state,
        orders=orders(state.orders, other.orders),
        supplies=orders(state.supplies, other.supplies),
        doses=reduce(lambda doses, fact: with_dose(doses, fact, day), other.doses.values(), state.doses),
        results=results,
        episodes=_episodes(state, other),
        former_ids=tuple(sorted({*state.former_ids, other.patient_id, *other.former_ids} - {state.patient_id}))[
            :MAX_FORMER_IDS
        ],
    )
    return _of_person(state, other)


def _episodes(state: PatientState, other: PatientState) -> tuple[tuple[str, str], ...]:
    """A problem of the former record goes on in the alert that takes its place."""
    former = dict(other.episodes) | {key: alert.alert_id for key, alert in other.open_alerts.items()}
    return tuple((former | dict(state.episodes)).items())[-MAX_EPISODES:]


def _of_person(state: PatientState, other: PatientState) -> PatientState:
    said = {name: getattr(other, name) for name in PLAIN if name in other.patient_versions}
    state = person.with_said(state, said, other.patient_versions)
    takes: tuple[tuple[Callable[[PatientState, Any], PatientState], Mapping[str, Any]], ...] = (
        (person.with_measure, other.measures),
        (person.with_conditions, other.condition_facts),
        (person.with_allergies, other.allergy_facts),
        (person.with_stay, other.stays),
    )
    for take, kept in takes:
        state = reduce(take, kept.values(), state)
    return state
