"""Critical laboratory values: the newest valid result of an analyte lies beyond the limit for the patient's age.

Limits are data (``knowledge/labs``). A value is critical strictly below the low or strictly above the high limit. An alert
ends when a newer result says that it is not critical, never because the old one aged. It names the medicines that could explain
the value, and is milder where the context says so (``critical_context``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

from knowledge.critical import Explanation
from knowledge.model import CriticalLimit, Knowledge
from knowledge.threshold import Step
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Situation, all_hold, answers, earliest, read_by, reads_of
from services.monitor.rules.critical_context import Asked, Value, asked_of, spoiled
from services.monitor.rules.critical_limit import A_DAY, Beyond, Direction, how_far, limits_of, newest_beyond
from services.monitor.rules.evidence import implicate_result
from services.monitor.rules.explaining import Cause, causes, in_words
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.taken import taken

_DIRECTIONS: tuple[Direction, ...] = ("low", "high")
_SUMMARY = 139
_SHARED = {"creatinine:high": "kidney-injury"}
"""Problems that other rules show under another name than ours."""
_FROM_RED_CELLS = "potassium"
"""What haemolysis raises most: for this one the specimen is told."""
_NEEDS = Need(newest=3)
"""The newest result decides; the others are there to fall back on when it is cancelled or corrected to another analyte."""
_RUNS = 2
"""Times the span in which an earlier run counts, for which results are kept, so that a run that lasts is still known for one."""


class CriticalLab:
    """One finding for each analyte and direction."""

    id = "critical-lab"
    version = "2"
    family = "laboratory"
    title = "Critical laboratory value"
    data = ("labs/critical_limits.csv", "labs/critical_context.csv", "labs/explained_by.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        limited = {analyte: _NEEDS for analyte, _ in knowledge.limits}
        critical = knowledge.critical
        ingredients = {i for each in _explanations(knowledge) for i in each.medicines.systemic_only}
        ingredients |= {i for analyte in limited for step in _of_value(analyte, knowledge) for i in step.ingredients}
        more = [Reads(analytes=limited, ingredients=ingredients, person=True)]
        for (analyte, _), contexts in critical.contexts.items():
            for each in contexts:
                if each.again_within is not None:
                    more.append(Reads(analytes={analyte: Need(newest=3, within=each.again_within * _RUNS + A_DAY)}))
                named = [of for of in (each.after, each.unless_with) if of is not None]
                more.append(Reads(ingredients={i for of in named for i in of.systemic_only}))
                more.append(read_by((*each.when, *each.unless), knowledge))
        return reads_of(*more)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        of_contexts = (c for each in knowledge.critical.contexts.values() for row in each for c in row.citations)
        of_limits = (citation for limit in knowledge.limits.values() for citation in limit.citations)
        of_causes = (citation for each in _explanations(knowledge) for citation in each.citations)
        return dict.fromkeys((*of_limits, *of_contexts, *of_causes))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        # what else is read makes nothing critical, but may change what stands; a birth date changes the limits
        stands = {each.part for each in state.standing.values() if each.rule == self.id}
        return stands | change.analytes | (state.results.keys() if change.person else frozenset())

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is an analyte."""
        results = state.results.get(part, ())
        limits = limits_of(part, knowledge)
        for direction in _DIRECTIONS if limits else ():
            found = newest_beyond(direction, results, limits, state)
            if found is not None:
                yield _finding(found, results, state, knowledge)


def _explanations(knowledge: Knowledge) -> Iterator[Explanation]:
    for key, rows in knowledge.critical.explanations.items():
        if key[1] in _DIRECTIONS:
            yield from rows


def _finding(found: Beyond, results: Sequence[Result], state: PatientState, knowledge: Knowledge) -> Finding:
    direction, limit, shown = found.direction, found.limit, found.shown
    key, subject = (limit.analyte, direction), f"{limit.analyte}:{direction}"
    advice = limit.advice(direction)
    value = Value(shown=shown, results=results, distance=partial(how_far, found=found))
    asked = asked_of(knowledge.critical.contexts.get(key, ()), value, state, knowledge)
    milder = next((each for each in asked if each.holds), None)
    named = causes(knowledge.critical.explanations.get(key, ()), state, shown.at)
    facts = (*map(implicate_result, found.beyond), *(f for each in asked for f in each.facts))
    rows = (
        f"labs/critical_limits.csv#{limit.analyte},{limit.band},{direction}",
        *(f"labs/critical_context.csv#{each.context.id}" for each in asked),
        *(cause.row for cause in named),
    )
    return Finding(
        subject=subject,
        severity=_severity(advice.severity, milder),
        summary=_summary(found, named),
        detail=" ".join(_detail(found, results, asked, named, state)),
        actions=tuple(dict.fromkeys(_actions(found, asked, named))),
        patient_explanation=advice.patient_explanation,
        evidence_grade=limit.evidence_grade,
        implicated=tuple(dict.fromkeys((*facts, *(fact for cause in named for fact in cause.facts)))),
        citations=tuple(dict.fromkeys((*limit.citations, *(c for each in asked for c in each.context.citations)))),
        since=shown.at,
        until=earliest(each.until for each in asked),
        rank=found.distance / found.bound,
        problem=_problem(subject, limit.analyte, state, knowledge),
        rows=tuple(dict.fromkeys(rows)),
        conditions=(_compared(found), *(condition for each in asked for condition in each.conditions)),
        origins=tuple(result.origin for result in found.beyond if result.origin is not None),
    )


def _problem(subject: str, analyte: str, state: PatientState, knowledge: Knowledge) -> str:
    """What it shares with other rules. Low platelets or a fall of hemoglobin with an anticoagulant are one problem, the
    bleeding: the step of the medicine that asks for nothing but the analyte holds too, and names its results."""
    for step in _of_value(analyte, knowledge):
        holds = all_hold(answers(step.when, Situation(state=state, knowledge=knowledge)))
        if holds and any(taken(each, step.medicine, state, knowledge) is not None for each in step.ingredients):
            return step.problem
    return _SHARED.get(subject, subject)


def _of_value(analyte: str, knowledge: Knowledge) -> Iterator[Step]:
    """The steps of a medicine against a value that share a problem and ask for nothing but this analyte."""
    for step in knowledge.thresholds.steps:
        alone = all(each.kind in ("result", "course") and each.name == analyte for each in step.when)
        if alone and step.when and step.problem and not step.unless and not step.drawn:
            yield step


def _severity(severity: Severity, milder: Asked | None) -> Severity:
    return severity if milder is None else max(severity, milder.context.severity, key=SEVERITIES.index)


def _summary(found: Beyond, named: Sequence[Cause]) -> str:
    """The whole problem with as many medicines as fit."""
    limit, specimen = found.limit, spoiled(found.shown)
    said = (
        f"{_title(limit.analyte)} critically {found.direction}: {_value(found.shown, limit)}"
        f"{f' ({specimen})' if specimen else ''}, limit {_amount(found.bound, limit.unit)}"
    )
    names = [cause.ingredient for cause in named]
    for shown in range(len(names), 0, -1):
        more = f" and {len(names) - shown} more" if shown < len(names) else ""
        whole = f"{said}; with {', '.join(names[:shown])}{more}"
        if len(whole) <= _SUMMARY:
            return whole
    return said[:_SUMMARY]


def _detail(
    found: Beyond, results: Sequence[Result], asked: Sequence[Asked], named: Sequence[Cause], state: PatientState
) -> Iterator[str]:
    shown, limit = found.shown, found.limit
    side = "below" if found.direction == "low" else "above"
    yield (
        f"{_value(shown, limit)} is {side} the critical limit of {_amount(found.bound, limit.unit)} "
        f"for {_people(limit.band)}."
    )
    if state.age(shown.at) is None:
        yield "The patient's age is not known; the limit for adults was used."
    yield from _of_specimen(shown, limit.analyte)
    before = next((each for each in reversed(results) if each.at < shown.at and each.sure), None)
    if before is not None:
        yield f"Before it: {_value(before)} at {said_at(before.at)}."
    for each in asked:
        if each.holds:
            yield each.context.reason
        elif each.outweighs and (each.context.specimen is not None or each.context.after is not None):
            yield f"It is as grave as the limit says, because of: {', '.join(each.outweighs)}."
    unknown = dict.fromkeys(each.text for of in asked for each in of.conditions if each.answer == "unknown")
    if unknown:
        yield f"Not known: {', '.join(unknown)}."
    yield from in_words(named)


def _of_specimen(shown: Result, analyte: str) -> Iterator[str]:
    if shown.haemolysed:
        yield "The specimen was haemolysed: what red cells hold reads too high."
    elif shown.measured_in.endswith("blood") and analyte == _FROM_RED_CELLS:
        yield "It was measured in whole blood, where haemolysis does not show."
    if shown.remark == "implausible":
        yield "The value is hardly possible: check it with the laboratory first."


def _actions(found: Beyond, asked: Sequence[Asked], named: Sequence[Cause]) -> Iterator[str]:
    """First what a spoiled specimen or the context asks for, then what the limit does; the medicines after its first."""
    for each in asked:
        if each.holds or each.context.specimen is not None:
            yield from each.context.actions
    first, *others = found.limit.advice(found.direction).actions
    yield first
    if named:
        yield f"Look at these medicines first: {', '.join(cause.ingredient for cause in named)}"
    yield from others


def _compared(found: Beyond) -> ConditionSaid:
    sign = "<" if found.direction == "low" else ">"
    text = f"{found.limit.analyte} {sign} {_amount(found.bound, found.limit.unit)} ({found.limit.band})"
    return ConditionSaid(text=text, answer="yes", found=f"{_value(found.shown)} at {said_at(found.shown.at)}")


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
