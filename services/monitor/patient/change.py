"""What an event changed in a state, so that a rule is evaluated only where it can have become true or false."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from services.monitor.patient.state import PatientState


class Change(Struct, frozen=True, kw_only=True):
    """``analytes`` with other results than before; whether orders or supplies, or what is known of the person, differ."""

    analytes: frozenset[str]
    medicines: bool
    person: bool


def between(before: PatientState | None, after: PatientState) -> Change:
    """What differs. A part that an event leaves alone is the same object in both."""
    if before is None:
        before = PatientState(after.patient_id, after.clock)
    return Change(
        analytes=frozenset(_analytes(before, after)) if before.results is not after.results else frozenset(),
        medicines=before.orders is not after.orders or before.supplies is not after.supplies,
        person=before.birth_date != after.birth_date or before.patient_versions is not after.patient_versions,
    )


def _analytes(before: PatientState, after: PatientState) -> Iterable[str]:
    for analyte in before.results.keys() | after.results.keys():
        if before.results.get(analyte) is not after.results.get(analyte):
            yield analyte


def everything(before: PatientState, after: PatientState) -> Change:
    """As if all were new, and all that was before were gone."""
    return Change(analytes=frozenset((*before.results, *after.results)), medicines=True, person=True)
