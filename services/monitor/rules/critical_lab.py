"""Critical laboratory values: the newest valid result of an analyte lies beyond the limit for the patient's age.

Limits are data (``knowledge/labs``). A value is critical strictly below the low or strictly above the high limit. An alert
ends when a newer result says that it is not critical, never because the old one aged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from knowledge.model import CriticalLimit, Knowledge
from schemas.alerts import Alert
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.rule import Finding, implicate_result

Direction = Literal["low", "high"]
Band = Literal["adult", "child", "newborn"]

_DIRECTIONS: tuple[Direction, ...] = ("low", "high")
_BANDS: tuple[Band, ...] = ("adult", "child", "newborn")
_OUTWARD = {"low": ("<", "<="), "high": (">", ">=")}

NEWBORN = timedelta(days=28)
"""WHO: the newborn period is the first 28 days of life."""
ADULT_YEARS = 18

_NEEDS = Need(newest=3)
"""The newest result decides; the others are there to fall back on when it is cancelled or corrected to another analyte."""


class CriticalLab:
    """One finding for each analyte and direction."""

    id = "critical-lab"
    version = "1"
    family = "laboratory"

    def needs(self, analyte: str, knowledge: Knowledge) -> Need | None:
        return _NEEDS if any((analyte, band) in knowledge.limits for band in _BANDS) else None

    def touched(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        # a birth date that becomes known changes the limits
        return state.results.keys() | change.analytes if change.person else change.analytes

    def part_of(self, subject: str) -> str:
        return subject.split(":", 1)[0]

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is an analyte."""
        results = state.results.get(part, ())
        limits = {band: limit for band in _BANDS if (limit := knowledge.limits.get((part, band))) is not None}
        for direction in _DIRECTIONS if limits else ():
            finding = _newest_answer(direction, results, limits, state)
            if finding is not None:
                yield finding

    def changes_at(self, alert: Alert, state: PatientState) -> datetime | None:
        return None

    def ended(self, alert: Alert, state: PatientState) -> str:
        analyte = self.part_of(alert.subject)
        newest = next((result for result in reversed(state.results.get(analyte, ())) if result.measured), None)
        if newest is None:
            return f"There is no valid {analyte} result left."
        return f"Newest {analyte}: {_value(newest)} at {newest.at.isoformat()}."


def _newest_answer(
    direction: Direction, results: tuple[Result, ...], limits: Mapping[Band, CriticalLimit], state: PatientState
) -> Finding | None:
    """The results of the newest time that says whether the limit is passed decide; two machines may report one time."""
    for _, same_time in groupby(reversed(results), key=lambda result: result.at):
        together = list(same_time)[::-1]
        limit = limits.get(_band(state, together[0]))
        if limit is None:
            return None
        answers = [_beyond(result, limit, direction) for result in together]
        if True in answers:
            beyond = [result for result, answer in zip(together, answers, strict=True) if answer]
            return _finding(direction, beyond, limit, state)
        if False in answers:
            return None
    return None


def _band(state: PatientState, result: Result) -> Band:
    """Unknown age counts as adult, and the finding says so."""
    age, years = state.age(result.at), state.years(result.at)
    if age is None or years is None or years >= ADULT_YEARS:
        return "adult"
    return "newborn" if age < NEWBORN else "child"


def _beyond(result: Result, limit: CriticalLimit, direction: Direction) -> bool | None:
    """Whether the value lies beyond the limit; None when the result does not say.

    Given as "<x" it is below a low limit when x does not exceed it and not above a high one when x does not either; anything
    else is left open, and so upward. A number that is more likely a slip than a finding never says that all is well.
    """
    bound = limit.low if direction == "low" else limit.high
    value = result.value
    if bound is None or value is None or result.void:
        return None
    # seen from the limit, outward is positive in both directions
    distance = bound - value if direction == "low" else value - bound
    if not result.comparator:
        beyond: bool | None = distance > 0
    elif result.comparator in _OUTWARD[direction]:
        beyond = True if distance > 0 or (distance == 0 and result.comparator in ("<", ">")) else None
    else:
        beyond = False if distance <= 0 else None
    return None if beyond is False and result.remark == "implausible" else beyond


def _finding(direction: Direction, beyond: list[Result], limit: CriticalLimit, state: PatientState) -> Finding:
    bound = limit.low if direction == "low" else limit.high
    assert bound is not None
    values = [result.value for result in beyond if result.value is not None]
    worst = min(values) if direction == "low" else max(values)
    shown = next(result for result in beyond if result.value == worst)
    advice = limit.advice(direction)
    side = "below" if direction == "low" else "above"
    value = _value(shown, limit)
    remarks = [
        "" if state.age(shown.at) is not None else " The patient's age is not known; the limit for adults was used.",
        " The value is hardly possible: check it with the laboratory first." if shown.remark == "implausible" else "",
    ]
    return Finding(
        subject=f"{limit.analyte}:{direction}",
        severity=advice.severity,
        summary=f"{_title(limit.analyte)} critically {direction}: {value}, limit {_amount(bound, limit.unit)}"[:139],
        detail=f"{value} is {side} the critical limit of {_amount(bound, limit.unit)} for {_people(limit.band)}."
        + "".join(remarks),
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


def _title(analyte: str) -> str:
    """Potassium, but pH and INR as they are written."""
    return analyte[:1].upper() + analyte[1:] if analyte.islower() else analyte


def _amount(value: float, unit: str) -> str:
    return f"{value:g}" if unit == "1" else f"{value:g} {unit}".strip()


def _value(result: Result, limit: CriticalLimit | None = None) -> str:
    """As its laboratory wrote it; beside it what was converted, to three digits where that does not put it on the limit."""
    if result.value is None:
        return result.text or "no value"
    converted = result.comparator + _amount(result.value, result.unit)
    if result.received in ("", converted, converted.split()[0] + " 1"):
        return converted
    rounded = float(f"{result.value:.3g}")
    if limit is None or rounded not in (limit.low, limit.high):
        converted = result.comparator + _amount(rounded, result.unit)
    return f"{result.received} ({converted})"
