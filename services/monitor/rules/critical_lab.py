"""Critical laboratory values: the newest valid result of an analyte lies beyond the limit for the patient's age.

Limits are data (``knowledge/labs``). A value is critical strictly below the low or strictly above the high limit. An alert
ends when a newer result is not critical, never because the old one aged.
"""

from __future__ import annotations

from collections.abc import Iterable
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
        # a birth date that becomes known changes the limits; a result without analyte may take back one that has one
        return isinstance(event, Patient | LabResult)

    def findings(self, state: PatientState, knowledge: Knowledge) -> Iterable[Finding]:
        for analyte in state.results:
            for direction in _DIRECTIONS:
                finding = _of_analyte(analyte, direction, state, knowledge)
                if finding is not None:
                    yield finding

    def ended(self, alert: Alert, state: PatientState) -> str:
        analyte = alert.subject.split(":", 1)[0]
        newest = next(state.measured(analyte), None)
        if newest is None:
            return f"There is no valid {analyte} result left."
        return f"Newest {analyte}: {_value(newest[-1])} at {newest[-1].at.isoformat()}."


def _of_analyte(analyte: str, direction: Direction, state: PatientState, knowledge: Knowledge) -> Finding | None:
    """Judged by the newest time with a result that answers whether the limit is passed."""
    for same_time in state.measured(analyte):
        limit = knowledge.limits.get((analyte, _band(state, same_time[-1])))
        if limit is None:
            return None
        beyond = [result for result in same_time if _beyond(result, limit, direction)]
        if beyond:
            return _finding(analyte, direction, beyond, limit, state)
        if any(_within(result, limit, direction) for result in same_time):
            return None
    return None


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


def _within(result: Result, limit: CriticalLimit, direction: Direction) -> bool:
    """Whether a result that is not beyond the limit says that the value is not. ">400" says nothing about a high limit of
    484, "<8" nothing about a low limit; and what is more likely a slip ends nothing."""
    bound = limit.low if direction == "low" else limit.high
    if result.value is None or not result.plausible:
        return False
    if bound is None or not result.comparator:
        return True
    if direction == "low":
        return result.comparator in (">", ">=") and result.value >= bound
    return result.comparator in ("<", "<=") and result.value <= bound


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
    return Finding(
        subject=f"{analyte}:{direction}",
        severity=advice.severity,
        summary=f"{_title(analyte)} critically {direction}: {_value(shown)} (limit {bound:g})"[:139],
        detail=" ".join(
            part
            for part in (
                f"{_value(shown)} is {side} the critical limit of {bound:g} {_unit(limit.unit)}".strip()
                + f" for {_people(limit.band)}.",
                "" if state.age(shown.at) is not None else AGE_UNKNOWN,
                "" if shown.plausible else SLIP,
            )
            if part
        ),
        actions=advice.actions,
        patient_explanation=advice.patient_explanation,
        evidence_grade=limit.evidence_grade,
        implicated=tuple(map(implicate_result, beyond)),
        citations=limit.citations,
        since=shown.at,
        rank=abs(worst - bound) / bound,
        origins=tuple(result.origin for result in beyond if result.origin is not None),
    )


AGE_UNKNOWN = "The patient's age is not known; the limit for adults was used."
SLIP = "The value is so far out that it is more likely a slip: check it at its source first."


def _people(band: str) -> str:
    return {"adult": "adults", "child": "children", "newborn": "newborns"}[band]


def _title(analyte: str) -> str:
    return analyte[:1].upper() + analyte[1:] if analyte.islower() else analyte


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit


def _value(result: Result) -> str:
    """As received first; what was converted with three digits, which is more than laboratories promise."""
    if result.value is None:
        return result.text or "no value"
    if not result.received:
        return f"{result.comparator}{result.value:g} {_unit(result.unit)}".strip()
    converted = float(f"{result.value:.3g}")
    return f"{result.comparator}{result.received} = {result.comparator}{converted:g} {_unit(result.unit)}".strip()
