"""A level that is too low or was drawn too soon as a finding: when it was drawn, at which dose, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from knowledge.level_target import LevelTarget
from knowledge.threshold import Level
from schemas.alerts import Condition as ConditionSaid
from schemas.alerts import Implicated
from schemas.values import Origin
from services.monitor.patient.clock import said_at, said_span
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, earliest, said
from services.monitor.rules.evidence import implicate_result, value_of
from services.monitor.rules.rule import Finding
from services.monitor.rules.taken import Taken, implicate_dose

_SUMMARY = 139


class Drawn(NamedTuple):
    """A level, and the last dose before it as far as known."""

    level: Result
    dose: Fact[Given] | None
    acts: Taken

    @property
    def after(self) -> timedelta | None:
        return None if self.dose is None else self.level.at - self.dose.at

    @property
    def in_words(self) -> str:
        if self.after is None:
            return "When the last dose before the sample was given is not known."
        return f"The sample was drawn {said_span(self.after)} after the last dose that is known."


class Low(NamedTuple):
    """A level below what a row says. ``since`` is when the dose of now began."""

    row: LevelTarget
    acts: Taken
    since: datetime
    drawn: Drawn
    answers: tuple[Answer, ...]

    @property
    def missed(self) -> bool:
        """Whether it was drawn so long after the last dose given that it tells of a dose that did not come."""
        return self.drawn.after is not None and self.drawn.after > self.row.missed


def told_low(low: Low, state: PatientState) -> Finding:
    row, level = low.row, low.drawn.level
    asked = ConditionSaid(
        text=f"{row.analyte} < {row.below:g}", answer="yes", found=f"{value_of(level)} at {said_at(level.at)}"
    )
    steady = ConditionSaid(
        text=f"same dose for {row.steady / timedelta(days=1):g} d before the sample",
        answer="yes",
        found=f"since {said_at(low.since)}",
    )
    first = (
        ("See why doses were not given: the level tells of them, not of the dose that is ordered",)
        if low.missed
        else ()
    )
    return Finding(
        subject=f"{row.analyte}:low",
        severity=row.severity,
        summary=f"{_named(low.drawn, row.analyte)}: {row.title}"[:_SUMMARY],
        detail=" ".join(_detail(low, state)),
        actions=(*first, *row.actions),
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=_facts(low.drawn),
        citations=row.citations,
        since=level.at,
        rank=round(1 - (level.value or 0.0) / row.below, 6),
        rows=(row.row,),
        conditions=(asked, steady, *said(low.answers)),
        medicines=(low.acts.ingredient,),
        problem=f"{row.analyte}:low",
        origins=_origins(low.drawn),
        until=earliest((low.acts.changes, *(each.until for each in low.answers))),
    )


def told_early(analyte: str, drawn: Drawn, level: Level) -> Finding:
    assert drawn.after is not None
    hours = f"{level.early / timedelta(hours=1):g} h"
    return Finding(
        subject=f"{analyte}:early",
        severity="info",
        summary=f"{_named(drawn, analyte)}: drawn {said_span(drawn.after)} after a dose, too soon to say anything"[
            :_SUMMARY
        ],
        detail=f"{drawn.in_words} A level says how much stays in the body only from {hours} after a dose on.",
        actions=(level.what_to_do,),
        patient_explanation=(
            "The blood sample for your medicine was taken soon after a dose, so the level says little. It may be taken again. "
            "Keep taking the medicine as you were told."
        ),
        evidence_grade=level.evidence_grade,
        implicated=_facts(drawn),
        citations=level.citations,
        since=drawn.level.at,
        rows=(f"drug_labs/levels.csv#{analyte}",),
        conditions=(
            ConditionSaid(text=f"{analyte} drawn < {hours} after a dose", answer="yes", found=said_span(drawn.after)),
        ),
        medicines=(drawn.acts.ingredient,),
        origins=_origins(drawn),
        until=drawn.acts.changes,
    )


def _named(drawn: Drawn, analyte: str) -> str:
    title = analyte[:1].upper() + analyte[1:]
    other = "" if drawn.acts.ingredient == analyte else f" with {drawn.acts.ingredient}"
    return f"{title} {value_of(drawn.level)}{other}"


def _detail(low: Low, state: PatientState) -> Iterator[str]:
    row, level = low.row, low.drawn.level
    yield f"{value_of(level)} at {said_at(level.at)}; at this dose since {said_at(low.since)}."
    yield low.row.effect
    yield low.drawn.in_words
    if low.missed:
        yield f"That is longer than doses of {low.acts.ingredient} lie apart: doses were missed, or not written down."
    sure = [each for each in state.results.get(row.analyte, ()) if each.sure and each.at < level.at]
    if sure:
        yield f"Before that: {value_of(sure[-1])} at {said_at(sure[-1].at)}."
    unknown = sorted({each.condition.text for each in low.answers if each.holds is None})
    if unknown:
        yield f"Not known: {', '.join(unknown)}."


def _facts(drawn: Drawn) -> tuple[Implicated, ...]:
    dose = () if drawn.dose is None else (implicate_dose(drawn.dose),)
    return (*drawn.acts.facts, implicate_result(drawn.level), *dose)


def _origins(drawn: Drawn) -> tuple[Origin, ...]:
    own = () if drawn.level.origin is None else (drawn.level.origin,)
    return (*own, *drawn.acts.origins)
