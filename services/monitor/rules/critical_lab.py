"""Critical laboratory values: the newest valid result of an analyte lies beyond the limit for the patient's age.

Limits are data (``knowledge/labs``). A value is critical strictly below the low or strictly above the high limit. An alert
ends when a newer result is not critical, never because the old one aged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Literal

from knowledge.model import CriticalLimit, Knowledge
from schemas.alerts import Alert
from schemas.events import AnyEvent, LabResult, Patient
from services.monitor.patient.state import PatientState, Result
from services.monitor.rules.rule import Finding, implicate_result

Direction = Literal["low", "high"]
Band = Literal["adult", "child", "newborn"]

_DIRECTIONS: tuple[Direction, ...] = ("low", "high")

NEWBORN = timedelta(days=28)
"""WHO: the newborn period is the first 28 days of life."""
ADULT_YEARS = 18


class CriticalLab:
    """One finding for each analyte and direction."""

    id = "critical-lab"
    version = "1"
    family = "laboratory"

    def touched_by(self, event: AnyEvent, knowledge: Knowledge) -> bool:
        # a birth date that becomes known changes the limits
        return isinstance(event, Patient) or (isinstance(event, LabResult) and bool(event.analyte))

    def findings(self, state: PatientState, knowledge: Knowledge) -> Iterable[Finding]:
        for analyte in state.results:
            newest = state.newest_measured(analyte)
            if newest:
                yield from _of_analyte(analyte, newest, state, knowledge)

    def ended(self, alert: Alert, state: PatientState) -> str:
        analyte = alert.subject.split(":", 1)[0]
        newest = state.newest_measured(analyte)
        if not newest:
            return f"There is no valid {analyte} result left."
        return f"Newest {analyte}: {_value(newest[-1])} at {newest[-1].at.isoformat()}."


def _of_analyte(analyte: str, newest: list[Result], state: PatientState, knowledge: Knowledge) -> Iterator[Finding]:
    band = _band(state, newest[-1])
    limit = knowledge.limits.get((analyte, band))
    if limit is None:
        return
    for direction in _DIRECTIONS:
        beyond = [result for result in newest if _beyond(result, limit, direction)]
        if beyond:
            yield _finding(analyte, direction, beyond, limit, state)


def _band(state: PatientState, result: Result) -> Band:
    """Unknown age counts as adult, and the finding says so."""
    age, years = state.age(result.at), state.years(result.at)
    if age is None or years is None or years >= ADULT_YEARS:
        return "adult"
    return "newborn" if age < NEWBORN else "child"


def _beyond(result: Result, limit: CriticalLimit, direction: Direction) -> bool:
    """A result given as "<x" lies beyond the low limit when x does not exceed it, and so upward."""
    value = result.value
    if value is None:
        return False
    if direction == "low":
        bound, reaches = limit.low, result.comparator in ("<", "<=", "")
        return bound is not None and reaches and (value < bound or (value == bound and result.comparator == "<"))
    bound, reaches = limit.high, result.comparator in (">", ">=", "")
    return bound is not None and reaches and (value > bound or (value == bound and result.comparator == ">"))


def _finding(
    analyte: str, direction: Direction, beyond: list[Result], limit: CriticalLimit, state: PatientState
) -> Finding:
    bound = limit.low if direction == "low" else limit.high
    assert bound is not None
    values = [result.value for result in beyond if result.value is not None]
    worst = min(values) if direction == "low" else max(values)
    shown = next(result for result in beyond if result.value == worst)
    advice = limit.advice(direction)
    side = "below" if direction == "low" else "above"
    age = "" if state.age(shown.at) is not None else " The patient's age is not known; the limit for adults was used."
    return Finding(
        subject=f"{analyte}:{direction}",
        severity=advice.severity,
        summary=f"{analyte.capitalize()} critically {direction}: {_value(shown)} (limit {bound:g})"[:139],
        detail=f"{_value(shown)} is {side} the critical limit of {bound:g} {limit.unit} for {_people(limit.band)}.{age}",
        actions=advice.actions,
        patient_explanation=advice.patient_explanation,
        evidence_grade=limit.evidence_grade,
        implicated=tuple(map(implicate_result, beyond)),
        citations=limit.citations,
        since=shown.at,
        rank=abs(worst - bound) / bound,
        origins=tuple(result.origin for result in beyond if result.origin is not None),
    )


def _people(band: str) -> str:
    return {"adult": "adults", "child": "children", "newborn": "newborns"}[band]


def _value(result: Result) -> str:
    if result.value is None:
        return result.text or "no value"
    return f"{result.comparator}{result.value:g} {result.unit}".strip()
