"""A laboratory value that changes too fast: sodium that rises from where it was low.

How fast, and from where, is data (``knowledge/labs/critical_changes.csv``). The newest result is compared with the lowest of the
span before it. An alert ends with a newer result that has not risen so far, never by age.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from knowledge.critical import TooFast
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at, said_span
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers, earliest, read_by, reads_of, said
from services.monitor.rules.critical_limit import A_DAY
from services.monitor.rules.evidence import implicate_result, value_of
from services.monitor.rules.explaining import Cause, causes, in_words
from services.monitor.rules.rule import Finding, Reads

_SUMMARY = 139


class RapidChange:
    """One finding for each analyte."""

    id = "rapid-change"
    version = "1"
    family = "laboratory"
    title = "Laboratory value that changes too fast"
    data = ("labs/critical_changes.csv", "labs/explained_by.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        needs = {
            analyte: Need(newest=2, within=max(row.within for row in rows) + A_DAY)
            for analyte, rows in knowledge.critical.too_fast.items()
        }
        named = (each for key in needs for each in knowledge.critical.explanations.get((key, "rise"), ()))
        unless = (each for rows in knowledge.critical.too_fast.values() for row in rows for each in row.unless)
        own = Reads(analytes=needs, ingredients={i for each in named for i in each.medicines.systemic_only})
        return reads_of(own, read_by(unless, knowledge))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        of_rows = (c for rows in knowledge.critical.too_fast.values() for row in rows for c in row.citations)
        named = (each for key, rows in knowledge.critical.explanations.items() if key[1] == "rise" for each in rows)
        return dict.fromkeys((*of_rows, *(citation for each in named for citation in each.citations)))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        stands = {each.part for each in state.standing.values() if each.rule == self.id}
        too_fast = knowledge.critical.too_fast
        other = {
            a for a, rows in too_fast.items() if any(each.name in change.analytes for r in rows for each in r.unless)
        }
        return stands | (change.analytes & too_fast.keys()) | other

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is an analyte."""
        sure = [each for each in state.results.get(part, ()) if each.sure]
        found = [rise for row in knowledge.critical.too_fast.get(part, ()) if (rise := _rise(row, sure)) is not None]
        of = Situation(state=state, knowledge=knowledge)
        for rise in sorted(found, key=lambda each: SEVERITIES.index(each.row.severity)):
            asked = answers(rise.row.unless, of)
            if not any(each.holds for each in asked):
                yield _finding(rise, asked, state, knowledge)
                return


class _Rise(NamedTuple):
    row: TooFast
    lowest: Result
    newest: Result

    @property
    def by(self) -> float:
        """In the unit of the analyte, to what laboratories report."""
        return round(_value(self.newest) - _value(self.lowest), 6)


def _rise(row: TooFast, sure: Sequence[Result]) -> _Rise | None:
    """From the lowest of the span before the newest, of equals the newest, where it is too much and began low enough."""
    newest = sure[-1] if sure else None
    before = [each for each in sure if newest is not None and each.at < newest.at and newest.at - each.at <= row.within]
    if newest is None or not before:
        return None
    rise = _Rise(row, min(reversed(before), key=_value), newest)
    return rise if _value(rise.lowest) < row.began_below and rise.by > row.over else None


def _finding(rise: _Rise, asked: Sequence[Answer], state: PatientState, knowledge: Knowledge) -> Finding:
    row, lowest, newest = rise
    named = causes(knowledge.critical.explanations.get((row.analyte, "rise"), ()), state, newest.at)
    results = [implicate_result(newest), implicate_result(lowest)]
    return Finding(
        subject=f"{row.analyte}:rise",
        severity=row.severity,
        summary=_summary(rise, named),
        detail=" ".join(_detail(rise, named)),
        actions=(*_look_at(named), *row.actions),
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=tuple(dict.fromkeys((*results, *(fact for cause in named for fact in cause.facts)))),
        citations=row.citations,
        since=newest.at,
        until=earliest(each.until for each in asked),
        rank=rise.by / row.over,
        problem=f"{row.analyte}:high",
        rows=tuple(dict.fromkeys((f"labs/critical_changes.csv#{row.id}", *(cause.row for cause in named)))),
        conditions=(*_compared(rise), *said(asked)),
        origins=tuple(each.origin for each in (newest, lowest) if each.origin is not None),
    )


def _summary(rise: _Rise, named: Sequence[Cause]) -> str:
    took = said_span(rise.newest.at - rise.lowest.at)
    title = rise.row.title[:1].upper() + rise.row.title[1:]
    told = f"{title}: from {value_of(rise.lowest)} to {value_of(rise.newest)} in {took}"
    whole = f"{told}; with {', '.join(cause.ingredient for cause in named)}" if named else told
    return whole if len(whole) <= _SUMMARY else told[:_SUMMARY]


def _detail(rise: _Rise, named: Sequence[Cause]) -> Iterator[str]:
    row = rise.row
    yield (
        f"{row.analyte.capitalize()} rose by {rise.by:g} {rise.newest.unit}, from {_at(rise.lowest)} to {_at(rise.newest)}; "
        f"more than {row.over:g} within {_hours(row)} h is too fast where it began below {row.began_below:g}."
    )
    yield row.effect
    yield "Not known: for how long it had been low, which decides how dangerous the rise is."
    yield from in_words(named)


def _look_at(named: Sequence[Cause]) -> Iterator[str]:
    if named:
        yield f"Look at these medicines first: {', '.join(cause.ingredient for cause in named)}"


def _compared(rise: _Rise) -> Iterator[ConditionSaid]:
    row = rise.row
    yield ConditionSaid(
        text=f"{row.analyte} rise > {row.over:g} within {_hours(row)} h",
        answer="yes",
        found=f"{_at(rise.lowest)}, then {_at(rise.newest)}",
    )
    yield ConditionSaid(text=f"{row.analyte} began below {row.began_below:g}", answer="yes", found=_at(rise.lowest))


def _hours(row: TooFast) -> int:
    return row.within // timedelta(hours=1)


def _at(result: Result) -> str:
    return f"{value_of(result)} at {said_at(result.at)}"


def _value(result: Result) -> float:
    assert result.value is not None
    return result.value
