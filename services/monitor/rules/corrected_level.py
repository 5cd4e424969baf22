"""A level that looks safe and is not once albumin is counted in (phenytoin).

Where the level as measured already says so, the rule of medicines and values speaks, and this one is silent. The equation is in
``patient.phenytoin``; its factors and the limits are data (``knowledge/drug_labs``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from knowledge.critical import Medicines
from knowledge.model import Knowledge
from knowledge.threshold import Correction, Step
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.phenytoin import corrected
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Situation, all_hold, answers, read_by, reads_of
from services.monitor.rules.evidence import implicate_order, implicate_result, value_of
from services.monitor.rules.explaining import acted
from services.monitor.rules.rule import Finding, Reads

_NEEDS = Need(newest=3)
_GRAVEST: Severity = "high"
"""No graver than this: it is an estimate, and a free level is what decides."""


class CorrectedLevel:
    """One finding for each analyte whose level is corrected."""

    id = "corrected-level"
    version = "1"
    family = "laboratory"
    title = "Level that is too high once albumin is counted in"
    data = ("drug_labs/corrections.csv", "drug_labs/steps.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        corrections = knowledge.thresholds.corrections
        needs = {name: _NEEDS for each in corrections for name in (each.analyte, each.by)}
        steps = (step for each in corrections for step in _steps(each.analyte, knowledge))
        own = Reads(analytes=needs, ingredients={name for step in steps for name in step.ingredients}, person=True)
        return reads_of(own, *(read_by(each.when, knowledge) for each in corrections)) if needs else Reads()

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        corrections = knowledge.thresholds.corrections
        steps = (step for each in corrections for step in _steps(each.analyte, knowledge))
        return dict.fromkeys(
            (*(c for each in corrections for c in each.citations), *(c for step in steps for c in step.citations))
        )

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return {each.analyte for each in knowledge.thresholds.corrections if each.analyte in state.results}

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is an analyte."""
        rows = [each for each in knowledge.thresholds.corrections if each.analyte == part]
        level = _newest(part, state)
        found = None if level is None or not rows else _corrected(level, rows, state, knowledge)
        if found is None or level is None or level.value is None:
            return
        steps = [each for each in _steps(part, knowledge) if _acts(each, state, level)]
        as_measured, now = _gravest(steps, level.value), _gravest(steps, found.value)
        if now is not None and (as_measured is None or _rank(now) < _rank(as_measured)):
            yield _finding(level, found, now, state)


def as_if_normal(level: Result, analyte: str, state: PatientState, knowledge: Knowledge) -> float | None:
    """A level as if what it is bound to were normal; None where it is not corrected or cannot be."""
    rows = [each for each in knowledge.thresholds.corrections if each.analyte == analyte]
    found = _corrected(level, rows, state, knowledge) if rows else None
    return None if found is None else found.value


class _Corrected(NamedTuple):
    value: float
    albumin: Result
    row: Correction
    known: bool
    """Whether it is known that the row is the right one."""


def _corrected(
    level: Result, rows: Sequence[Correction], state: PatientState, knowledge: Knowledge
) -> _Corrected | None:
    """By the last row that holds; where none is known to, by the first, which corrects least."""
    of = Situation(state=state, knowledge=knowledge)
    holding = [each for each in rows if all_hold(answers(each.when, of))]
    row = holding[-1] if holding else rows[0]
    albumin = _newest(row.by, state)
    if albumin is None or albumin.value is None or level.value is None:
        return None
    value = corrected(level.value, albumin.value, row.slope, row.intercept)
    return None if value is None else _Corrected(value, albumin, row, bool(holding))


def _newest(analyte: str, state: PatientState) -> Result | None:
    return next((each for each in reversed(state.results.get(analyte, ())) if each.sure), None)


def _steps(analyte: str, knowledge: Knowledge) -> Iterator[Step]:
    """Those that ask for nothing but this level, however it was drawn."""
    for step in knowledge.thresholds.steps:
        if len(step.when) == 1 and step.when[0].kind == "result" and step.when[0].name == analyte and not step.drawn:
            yield step


def _acts(step: Step, state: PatientState, level: Result) -> bool:
    return bool(acted(_medicines(step), state, level.at))


def _medicines(step: Step) -> Medicines:
    return Medicines(title=step.medicine, systemic_only=dict.fromkeys(step.ingredients, True))


def _gravest(steps: Sequence[Step], value: float) -> Step | None:
    return min((each for each in steps if each.when[0].compares(value)), key=_rank, default=None)


def _rank(step: Step) -> int:
    return SEVERITIES.index(step.severity)


def _finding(level: Result, found: _Corrected, step: Step, state: PatientState) -> Finding:
    analyte, unit = found.row.analyte, level.unit
    orders = [order for of, _ in acted(_medicines(step), state, level.at).values() for order in of]
    value, limit = f"{found.value:.3g} {unit}", step.when[0].value
    name = analyte.capitalize()
    asked = ConditionSaid(text=f"corrected {step.when[0].text}", answer="yes", found=f"{value}, from {_at(level)}")
    return Finding(
        subject=f"{analyte}:corrected",
        severity=max(step.severity, _GRAVEST, key=SEVERITIES.index),
        summary=(
            f"{name} {value_of(level)} is about {value} with normal {found.row.by} "
            f"({found.row.by} {value_of(found.albumin)}): above {limit:g}"
        )[:139],
        detail=" ".join(_detail(level, found, step)),
        actions=(f"Measure free {analyte}, which decides; the correction only estimates it", *step.actions),
        patient_explanation=step.patient_explanation,
        evidence_grade="equation",
        implicated=(implicate_result(level), implicate_result(found.albumin), *map(implicate_order, orders)),
        citations=tuple(dict.fromkeys((*found.row.citations, *step.citations))),
        since=level.at,
        rank=found.value / limit,
        rows=(
            f"drug_labs/corrections.csv#{analyte},{found.row.by},{found.row.slope:g}",
            f"drug_labs/steps.csv#{step.rule}",
        ),
        conditions=(asked,),
        medicines=tuple(sorted({name for order in orders for name in order.ingredients if name in step.ingredients})),
        origins=tuple(each.origin for each in (level, found.albumin) if each.origin is not None),
    )


def _detail(level: Result, found: _Corrected, step: Step) -> Iterator[str]:
    row = found.row
    yield (
        f"{_at(level)}, with {row.by} {_at(found.albumin)}: {level.value:g} / ({row.slope:g} x {found.albumin.value:g} + "
        f"{row.intercept:g}) = {found.value:.3g} {level.unit}. {row.title[:1].upper() + row.title[1:]}."
    )
    yield step.effect
    if not found.known:
        yield "The function of the kidney is not known; in kidney failure it would be higher still."
    yield "Not known: when the sample was drawn against the dose, and the free level."


def _at(result: Result) -> str:
    return f"{value_of(result)} at {said_at(result.at)}"
