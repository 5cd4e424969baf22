"""Falling platelets with heparin, or after it: heparin-induced thrombocytopenia, by the parts of the 4Ts score that data give.

Thrombosis counts only where a diagnosis began after heparin; whether nothing else explains the fall no data can say. So the
score is a range, and the level follows from what is known of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Literal, NamedTuple

from msgspec.structs import replace

from knowledge.model import Knowledge
from knowledge.threshold import Step
from schemas.alerts import Condition as ConditionSaid
from schemas.values import Citation, Severity
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.clock import earlier, said_at
from services.monitor.patient.known import known_or
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, all_hold, answers, earliest, read_by, reads_of, said
from services.monitor.rules.dosed import at_most
from services.monitor.rules.evidence import implicate_result, value_of
from services.monitor.rules.heparin_exposure import Fall, Run, falls, runs, timing
from services.monitor.rules.rule import WHOLE, Finding, Reads
from services.monitor.rules.score import Part, Score, band, cited, points, weighed
from services.monitor.rules.view import view_of

SCORE, ROWS = "4ts", "heparin-platelets"
_HEPARINS = ("heparin", "low-molecular-weight-heparin")
_OTHERS = ("direct-thrombin-inhibitor", "fondaparinux", "doac")
"""What is given instead."""
_THROMBOSES = ("venous-thromboembolism", "stroke", "acute-myocardial-infarction")
_UNLESS_SURE: Severity = "moderate"
"""For the work list, as long as the score is intermediate only if what is not known is against the patient."""


class HeparinPlatelets:
    """One finding for each patient."""

    id = "heparin-platelets"
    version = "1"
    family = "falling counts"
    title = "Falling platelets with heparin"
    data = (
        "drug_labs/steps.csv", "drug_labs/scores.csv", "drug_labs/score_bands.csv", "drug_labs/numbers.csv",
        "drug_labs/heparin_causes.csv",
    )  # fmt: skip

    def reads(self, knowledge: Knowledge) -> Reads:
        if not knowledge.lab_findings.numbers:
            return Reads()
        need = Need(newest=2, within=knowledge.lab_findings.span("heparin-window"))
        own = Reads(ingredients=_members(knowledge, *_HEPARINS, *_OTHERS), analytes={"platelets": need}, person=True)
        return reads_of(own, read_by((each.when for each in knowledge.lab_findings.heparin_causes), knowledge))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        causes = (each.citations for each in knowledge.lab_findings.heparin_causes)
        rows = (each.citations for each in _rows(knowledge))
        return dict.fromkeys((*cited(SCORE, knowledge), *chain.from_iterable((*causes, *rows))))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return (WHOLE,) if "platelets" in state.results or "platelets" in change.analytes else ()

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        known = knowledge.lab_findings
        found = falls(state.results.get("platelets", ()), known) if known.numbers else []
        had = runs(state, _members(knowledge, *_HEPARINS)) if found else []
        judged = [each for fall in found if (each := _judged(fall, had, state, knowledge)) is not None]
        if judged:
            yield _finding(max(judged, key=lambda each: (each.score.low, each.fall.percent)), state, knowledge)


class _Judged(NamedTuple):
    """A fall with its score. ``run`` is the heparin that its timing goes by, ``had`` all that may have caused it."""

    fall: Fall
    run: Run
    had: tuple[Run, ...]
    score: Score
    step: Step
    causes: tuple[Answer, ...]

    @property
    def timing(self) -> Part:
        return next(part for part in self.score.parts if part.name == "timing")


def _judged(fall: Fall, had: list[Run], state: PatientState, knowledge: Knowledge) -> _Judged | None:
    known = knowledge.lab_findings
    late = earlier(fall.first.at, known.span("heparin-of-late"))
    here = [run for run in had if run.starts <= fall.first.at and (run.until is None or run.until >= late)]
    # as if nothing were known but the fall
    since = tuple(each for each in state.results["platelets"] if fall.highest.at <= each.at <= fall.lowest.at)
    then = replace(state, results={**state.results, "platelets": since})
    step = next((row for row in _rows(knowledge) if all_hold(answers(row.when, _of(then, knowledge)))), None)
    if not here or step is None:
        return None
    run = max(here, key=lambda each: (timing(fall.first.at, each, known)[0], each.starts))
    fits, when = timing(fall.first.at, run, known)
    got = (0, *points(SCORE, "timing", knowledge))[fits]
    causes = answers((each.when for each in known.heparin_causes), _of(state, knowledge))
    computed = {
        "timing": Part("timing", got, got, when),
        "thrombosis": _thrombosis(min(each.starts for each in here), state, knowledge),
        "other causes": _other(fall, causes, state, knowledge),
    }
    return _Judged(fall, run, tuple(here), weighed(SCORE, then, knowledge, computed), step, causes)


def _of(state: PatientState, knowledge: Knowledge) -> Situation:
    return Situation(state=state, knowledge=knowledge)


def _thrombosis(since: datetime, state: PatientState, knowledge: Knowledge) -> Part:
    """In full where a thrombosis is listed that began after heparin did; else it is not known."""
    most = points(SCORE, "thrombosis", knowledge)[-1]
    groups = view_of(state, knowledge).groups
    for name in _THROMBOSES:
        for condition in groups.get(name, ()):
            onset = known_or(condition.onset, None)
            if onset is not None and onset > since.date():
                return Part("thrombosis", most, most, f"{name.replace('-', ' ')} from {onset}")
    return Part("thrombosis", 0, most, "")


def _other(fall: Fall, causes: Iterable[Answer], state: PatientState, knowledge: Knowledge) -> Part:
    """Never in full where another cause is known, which may be the real one."""
    possible, most = points(SCORE, "other causes", knowledge)
    named = list(_causes(fall, causes, state, knowledge))
    return Part("other causes", 0, possible if named else most, ", ".join(named))


def _causes(fall: Fall, causes: Iterable[Answer], state: PatientState, knowledge: Knowledge) -> Iterator[str]:
    titles = {each.when.text: each.title for each in knowledge.lab_findings.heparin_causes}
    yield from (titles[each.condition.text] for each in causes if each.holds)
    recent = knowledge.lab_findings.span("heparin-surgery")
    starts = (known_or(each.start, None) for each in state.procedures or () if each.kind == "surgery")
    if any(start is not None and start <= fall.first.at <= start + recent for start in starts):
        yield "an operation"


def _severity(judged: _Judged, state: PatientState, knowledge: Knowledge) -> Severity:
    sure = band(SCORE, judged.score.low, knowledge).severity
    worst = band(SCORE, judged.score.high, knowledge).severity
    if sure == "info":
        low = (judged.fall.lowest.value or 0) < knowledge.lab_findings.value("heparin-low")
        possible = worst != "info" and judged.timing.high > 0 and low
        return at_most(judged.step.severity, _UNLESS_SURE) if possible else "info"
    return at_most(sure, _UNLESS_SURE) if _changed_over(judged, state, knowledge) else sure


def _changed_over(judged: _Judged, state: PatientState, knowledge: Knowledge) -> list[str]:
    """What is given instead where no heparin is in force any more."""
    if _goes_on(judged, state):
        return []
    view = view_of(state, knowledge)
    acting = (order for name in _OTHERS for order in view.having(name) if order.in_force(state.clock))
    return list(dict.fromkeys(name for order in acting for name in order.ingredients))


def _goes_on(judged: _Judged, state: PatientState) -> bool:
    return any(run.until is None or run.until > state.clock for run in judged.had)


def _finding(judged: _Judged, state: PatientState, knowledge: Knowledge) -> Finding:
    fall, score, step = judged.fall, judged.score, judged.step
    results = {id(each): each for each in (fall.highest, fall.last_good, fall.first, fall.lowest, fall.newest)}
    named = tuple(sorted(frozenset[str]().union(*(run.ingredients for run in judged.had))))
    asked = (*(each for part in score.parts for each in part.answers), *judged.causes)
    # a run that is over is told with its last orders; of many flushes not each one
    facts = (*map(implicate_result, results.values()), *judged.run.facts[-_TOLD:])
    ends = (run.until for run in judged.had if run.until is not None and run.until > state.clock)
    others = (order for name in _OTHERS for order in view_of(state, knowledge).having(name))
    waits = (time for order in others for time in (order.starts, order.acts_until) if time is not None)
    return Finding(
        subject="heparin-thrombocytopenia",
        severity=_severity(judged, state, knowledge),
        summary=_summary(judged, named, state),
        detail=" ".join(_detail(judged, named, state, knowledge)),
        actions=step.actions,
        patient_explanation=step.patient_explanation,
        evidence_grade=step.evidence_grade,
        implicated=tuple(dict.fromkeys((*facts, *(fact for each in asked for fact in each.facts)))),
        citations=tuple(dict.fromkeys((*step.citations, *cited(SCORE, knowledge)))),
        since=fall.first.at,
        rank=round(score.low + fall.percent / 1000, 6),
        origins=tuple(each.origin for each in results.values() if each.origin is not None),
        until=earliest((*ends, *(time for time in waits if time > state.clock), *(each.until for each in asked))),
        conditions=(*_scored(score), *said(asked)),
        rows=(f"drug_labs/steps.csv#{ROWS}", f"drug_labs/score_bands.csv#{SCORE}"),
        medicines=named,
        problem=step.problem,
    )


_TOLD = 5
"""Orders of heparin told as evidence, the newest: a patient may have a flush each day."""


def _summary(judged: _Judged, named: tuple[str, ...], state: PatientState) -> str:
    fall = judged.fall
    with_ = "with" if _goes_on(judged, state) else "after"
    again = "" if fall.newest is fall.lowest else f", now {_short(fall.newest)}"
    return (
        f"Platelets {_short(fall.highest)} to {_short(fall.lowest)} (-{fall.percent:.0f} %){again} {with_} {', '.join(named)}: "
        f"possible heparin-induced thrombocytopenia, 4Ts {judged.score.said}"
    )[:139]


def _short(result: Result) -> str:
    return value_of(result).split(" ")[0]


def _detail(judged: _Judged, named: tuple[str, ...], state: PatientState, knowledge: Knowledge) -> Iterator[str]:
    fall, score = judged.fall, judged.score
    yield judged.step.effect
    yield f"Platelets {_at(fall.highest)}, first lower at {_at(fall.first)}, lowest {_at(fall.lowest)}, now {_at(fall.newest)}."
    yield f"4Ts score {score.said} of 8 ({_bands(score, knowledge)}): {score.told}."
    if fall.last_good is not fall.highest:
        yield f"The last count before the fall was seen: {_at(fall.last_good)}."
    if _goes_on(judged, state):
        yield f"In force: {', '.join(named)}, since {min(run.starts for run in judged.had):%Y-%m-%d}; flushes count."
    else:
        ended = max(run.until for run in judged.had if run.until is not None)
        yield f"The last heparin known ended {said_at(ended)}; platelets can fall, and clots form, after that."
    instead = _changed_over(judged, state, knowledge)
    if instead:
        yield f"Given instead: {', '.join(instead)}."
    if "hit-history" in view_of(state, knowledge).groups:
        yield "Heparin-induced thrombocytopenia is among the diagnoses already."
    yield f"Not known: {', '.join(_unknown(score))}; heparin on coated lines; antibodies."


def _unknown(score: Score) -> Iterator[str]:
    for name in score.unknown:
        yield {
            "thrombosis": "new thrombosis, skin necrosis or a reaction to a bolus",
            "other causes": "whether anything else explains the fall",
        }.get(name, name)


def _bands(score: Score, knowledge: Knowledge) -> str:
    low, high = (band(SCORE, each, knowledge).title for each in (score.low, score.high))
    return low if low == high else f"{low} to {high}"


def _at(result: Result) -> str:
    return f"{value_of(result)} at {said_at(result.at)}"


def _scored(score: Score) -> Iterator[ConditionSaid]:
    """The parts that no condition of the data answers."""
    for part in score.parts:
        if not part.answers:
            amount = f"{part.low}" if part.known else f"{part.low} to {part.high}"
            found = f"{amount} points: {part.found}".rstrip(": ")
            yield ConditionSaid(text=f"4Ts {part.name}", answer=_answered(part), found=found)


def _answered(part: Part) -> Literal["yes", "no", "unknown"]:
    if not part.known:
        return "unknown"
    return "yes" if part.low else "no"


def _rows(knowledge: Knowledge) -> list[Step]:
    """What to say of a fall, gravest first; the rows of all heparins are the same."""
    return [each for each in knowledge.thresholds.steps if each.rule == ROWS and each.medicine == _HEPARINS[0]]


def _members(knowledge: Knowledge, *names: str) -> frozenset[str]:
    return frozenset(chain(*(knowledge.properties.get(name, {}) for name in names)))
