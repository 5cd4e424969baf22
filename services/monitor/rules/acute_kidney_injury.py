"""Acute kidney injury by KDIGO, from creatinine, with the medicines in force that can harm the kidney and those that it clears.

When it begins, how it is staged and when it is over is in ``patient.injury``; the numbers, the severities and what to do are
data (``knowledge/labs/kidney_injury*.csv``). A patient who depends on dialysis has the finding, but it reaches nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from msgspec import Struct

from knowledge.conditions import Condition
from knowledge.kidney_injury import Criterion, KidneyInjury, Level, Stage
from knowledge.model import Knowledge
from knowledge.property import Member
from schemas.alerts import Condition as ConditionSaid
from schemas.alerts import Implicated
from schemas.values import Citation
from services.monitor.patient.bounds import LAST, ONCE_COUNTS, Need
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.estimates import in_unit
from services.monitor.patient.injury import Injury, injury, risen, times
from services.monitor.patient.kidney import ADULT, schwartz
from services.monitor.patient.known import known_or
from services.monitor.patient.medicines import Medicine
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers, said
from services.monitor.rules.evidence import implicate_order, implicate_result, value_of
from services.monitor.rules.rule import WHOLE, Finding, Reads

NEPHROTOXIC, CLEARED = "nephrotoxic", "renally-cleared"

_DEPENDS = (
    Condition(text="dialysis", kind="trait", name="dialysis"),
    Condition(text="history dialysis-dependent", kind="history", name="dialysis-dependent"),
)

REMEMBERED = Need(newest=3, within=timedelta(days=30), most=180)
"""How long an injury lasts for us: a month, of six results a day, which is more than intensive care draws. No clinical limit: an
injury that has not come back by then ends when its baseline is no longer kept, and the kidney as it now is goes on to be read
by the rules of doses."""

_SUMMARY = 139


class AcuteKidneyInjury:
    """One finding for each patient: an injury is one problem, whatever its stage."""

    id = "acute-kidney-injury"
    version = "1"
    family = "kidney injury"
    title = "Acute kidney injury"
    data = ("labs/kidney_injury.csv", "labs/kidney_injury_levels.csv", "properties/kidney.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        if knowledge.kidney_injury is None:
            return Reads()
        named = _members(knowledge, NEPHROTOXIC).keys() | _members(knowledge, CLEARED).keys()
        return Reads(ingredients=named, analytes={"creatinine": REMEMBERED}, person=True)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        of = knowledge.kidney_injury
        if of is None:
            return ()
        numbers = (each.citations for each in of.criteria)
        levels = (each.citations for each in of.levels.values())
        members = (each.citations for each in _members(knowledge, NEPHROTOXIC).values())
        return dict.fromkeys(chain.from_iterable((*numbers, *levels, *members)))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return (WHOLE,) if "creatinine" in state.results or "creatinine" in change.analytes else ()

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        of, results = knowledge.kidney_injury, state.results.get("creatinine", ())
        if of is None or len(results) < 2:
            return
        years = state.years(state.clock)
        found = injury(results, of, partial(_child_filtration, state), adult=years is not None and years >= ADULT)
        if found is not None:
            yield _finding(found, of, state, knowledge)


class _Named(Struct, frozen=True):
    """The medicines with a property that are in force or ran out within a day, the facts behind them, and when that changes."""

    ingredients: tuple[str, ...]
    facts: tuple[Implicated, ...]
    until: datetime | None


class _Dialysis(Struct, frozen=True):
    """``began`` after the injury was found; ``depends``: it was there before; the answers that say so."""

    depends: bool
    began: bool
    asked: tuple[Answer, ...]


def _finding(found: Injury, of: KidneyInjury, state: PatientState, knowledge: Knowledge) -> Finding:
    dialysis = _dialysis(found, state, knowledge)
    medicines = state.in_force(state.clock)
    harming, cleared = (_named(each, medicines, state, knowledge) for each in (NEPHROTOXIC, CLEARED))
    stage = of.dialysis.stage if dialysis.began else found.stage
    level = of.levels[stage, found.course]
    met = of.dialysis if dialysis.began else found.met
    results = {id(each): each for each in (found.baseline, found.before, found.first, found.highest, found.newest)}
    facts = (*map(implicate_result, results.values()), *harming.facts, *cleared.facts)
    members = _members(knowledge, NEPHROTOXIC)
    defined = of.rise if found.met.kind == "rise" else of.ratios[-1]
    cited = (met.citations, defined.citations, level.citations, *(members[i].citations for i in harming.ingredients))
    return Finding(
        subject="acute-kidney-injury",
        severity=level.severity_with_medicine if harming.ingredients else level.severity,
        summary=_summary(found, stage, harming.ingredients),
        detail=" ".join(filter(None, _detail(found, stage, dialysis, harming, cleared, state, knowledge))),
        actions=_actions(level, harming.ingredients),
        patient_explanation=level.patient_explanation,
        evidence_grade=level.evidence_grade,
        implicated=tuple(dict.fromkeys(facts)),
        citations=tuple(dict.fromkeys(chain.from_iterable(cited))),
        since=found.first.at,
        rank=float(stage),
        origins=tuple(each.origin for each in results.values() if each.origin is not None),
        until=min((each for each in (harming.until, cleared.until) if each is not None), default=None),
        conditions=(*_compared(found, of), _harmed(harming), *said(dialysis.asked)),
        rows=tuple(dict.fromkeys((met.row, level.row))),
        medicines=harming.ingredients,
        problem="kidney-injury",
        held="Creatinine of a patient on dialysis does not show an injury." if dialysis.depends else "",
    )


def _summary(found: Injury, stage: Stage, harming: Sequence[str]) -> str:
    """The whole problem with as many names as fit."""
    course = {"rising": ", rising", "improving": ", improving", "small": " by a small rise", "steady": ""}[found.course]
    said = f"Acute kidney injury stage {stage}{course}: creatinine {value_of(found.baseline)}, now {value_of(found.newest)}"
    for shown in range(len(harming), 0, -1):
        more = f" and {len(harming) - shown} more" if shown < len(harming) else ""
        whole = f"{said}; with {', '.join(harming[:shown])}{more}"
        if len(whole) <= _SUMMARY:
            return whole
    return said[:_SUMMARY]


def _detail(
    found: Injury,
    stage: Stage,
    dialysis: _Dialysis,
    harming: _Named,
    cleared: _Named,
    state: PatientState,
    knowledge: Knowledge,
) -> Iterator[str]:
    baseline, newest = found.baseline, found.newest
    assert baseline.value is not None
    assert newest.value is not None
    factor = times(newest.value, baseline.value)
    yield f"Creatinine {_at(newest)} is {factor:.3g} times the baseline, {_at(baseline)}, the lowest of seven days."
    if found.first is not newest:
        yield f"It met the definition of KDIGO first with {_at(found.first)}."
    if found.before is not baseline:
        yield f"It was found by the rise from {_at(found.before)}."
    if found.highest is not newest:
        yield f"The highest was {_at(found.highest)}" + (f", stage {found.worst}." if found.worst > stage else ".")
    if dialysis.began:
        yield "Dialysis has begun since, which is stage 3; creatinine no longer follows the kidney."
    if harming.ingredients:
        yield f"Able to harm the kidney, in force or run out within a day: {', '.join(harming.ingredients)}."
    ended = _ended(found, harming.ingredients, state, knowledge)
    if ended:
        yield f"No longer in force, but there before the injury was found: {', '.join(ended)}."
    if cleared.ingredients:
        yield f"Cleared by the kidney, likewise: {', '.join(cleared.ingredients)}."
    yield "Not known: urine output, by which the stage may be higher" + "".join(_unknown(dialysis, found, state)) + "."


def _unknown(dialysis: _Dialysis, found: Injury, state: PatientState) -> Iterator[str]:
    if not dialysis.depends and not dialysis.began and any(each.holds is None for each in dialysis.asked):
        yield "; whether the patient is on dialysis"
    years = state.years(found.newest.at)
    if years is None:
        yield "; the age, so that the criterion for children was not asked"
    elif years < ADULT and _child_filtration(state, found.newest) is None:
        yield "; the eGFR of the child, for which height and an age from one year are needed"


def _actions(level: Level, harming: Sequence[str]) -> tuple[str, ...]:
    names = ", ".join(harming) or "what harms the kidney"
    return tuple(action.replace("{medicines}", names) for action in level.actions)


def _compared(found: Injury, of: KidneyInjury) -> Iterator[ConditionSaid]:
    """Each criterion of creatinine with what it was answered from."""
    first, newest, base = found.first, found.newest, found.baseline
    assert first.value is not None
    assert newest.value is not None
    assert base.value is not None
    assert found.before.value is not None
    rise, ratio = risen(first.value, found.before.value), times(first.value, base.value)
    compared = f"{_at(found.before)}, then {_at(first)}"
    if first.at - found.before.at <= of.rise.within:
        yield _said(f"creatinine rise >= {of.rise.limit:g} within {_span(of.rise)}", rise >= of.rise.limit, compared)
    mildest = of.ratios[-1]
    compared = f"{_at(base)}, then {_at(first)}"
    yield _said(f"creatinine ratio >= {mildest.limit:g} within {_span(mildest)}", ratio >= mildest.limit, compared)
    compared = f"{_at(base)}, now {_at(newest)}"
    for graver in reversed(of.ratios[:-1]):
        holds = times(newest.value, base.value) >= graver.limit
        yield _said(f"creatinine ratio >= {graver.limit:g} of the baseline", holds, compared)
    holds = round(newest.value, 2) >= of.value.limit
    yield _said(f"creatinine >= {of.value.limit:g} mg/dL", holds, _at(newest))


def _said(text: str, holds: bool, found: str) -> ConditionSaid:
    return ConditionSaid(text=text, answer="yes" if holds else "no", found=found)


def _harmed(harming: _Named) -> ConditionSaid:
    return _said(f"with {NEPHROTOXIC}", bool(harming.ingredients), ", ".join(harming.ingredients) or "none in force")


def _span(criterion: Criterion) -> str:
    hours = criterion.within // timedelta(hours=1)
    return f"{hours} h" if hours <= 48 else f"{hours // 24} d"


def _at(result: Result) -> str:
    return f"{value_of(result)} at {said_at(result.at)}"


def _child_filtration(state: PatientState, result: Result) -> float | None:
    """The eGFR of a child at a result, by the newest height; None of an adult."""
    years = state.years(result.at)
    height = in_unit(state, "height", "cm")
    if years is None or height is None or result.value is None:
        return None
    estimate = schwartz(result.value, years, height)
    return None if estimate is None else estimate.value


def _dialysis(found: Injury, state: PatientState, knowledge: Knowledge) -> _Dialysis:
    """Whether the patient depends on dialysis: it was there before the injury, or a diagnosis says so."""
    asked = answers(_DEPENDS, Situation(state=state, knowledge=knowledge))
    runs, listed = (each.holds is True for each in asked)
    starts = [known_or(each.start, None) for each in state.procedures or () if each.kind == "dialysis"]
    began = runs and not listed and all(start is not None and start > found.first.at for start in starts)
    return _Dialysis(depends=listed or (runs and not began), began=began, asked=asked)


def _members(knowledge: Knowledge, name: str) -> Mapping[str, Member]:
    return knowledge.properties.get(name, {})


def _named(name: str, medicines: Iterable[Medicine], state: PatientState, knowledge: Knowledge) -> _Named:
    members, clock = _members(knowledge, name), state.clock
    found: dict[str, list[Implicated]] = {}
    waits = [
        order.starts for order in state.acting() if order.starts > clock and members.keys() & set(order.ingredients)
    ]
    for medicine in medicines:
        for ingredient in _of(medicine, members):
            found.setdefault(ingredient, []).append(_implicated(medicine))
            waits += [] if medicine.until is None else [medicine.until]
    in_force = frozenset(found)
    for order in state.orders.values():
        counts = _counts_until(order)
        if counts is not None and order.starts <= clock < counts:
            for ingredient in _of(order, members) - in_force:
                found.setdefault(ingredient, []).append(implicate_order(order))
                waits.append(counts)
    facts = tuple(fact for ingredient in sorted(found) for fact in found[ingredient])
    return _Named(tuple(sorted(found)), facts, min(waits, default=None))


def _of(medicine: Medicine | Order, members: Mapping[str, Member]) -> set[str]:
    """Its ingredients with a property, by a route by which they have it."""
    here = members.keys() & set(medicine.ingredients)
    return {each for each in here if medicine.systemic or members[each].applies == "any"}


def _counts_until(order: Order) -> datetime | None:
    """One that merely ran out counts for a day more: the next day's order is often entered late, and to lower and raise the
    alert every midnight would call people for nothing."""
    until = order.acts_until
    return None if until is None or order.withheld else until + min(ONCE_COUNTS, LAST - until)


def _implicated(medicine: Medicine) -> Implicated:
    order = medicine.order or (medicine.supplies[-1] if medicine.supplies else None)
    if order is not None:
        return implicate_order(order)
    dose = medicine.last_given
    assert dose is not None
    return Implicated(
        kind="administration",
        source=dose.source,
        record_id=dose.record_id,
        version=dose.precedence[0],
        label=" ".join(part for part in (medicine.label, medicine.route) if part),
        at=dose.at,
        until=medicine.until,
    )


def _ended(found: Injury, now: Collection[str], state: PatientState, knowledge: Knowledge) -> list[str]:
    """What can harm the kidney and acted between the baseline and the first result of the injury, and does no more."""
    members, first = _members(knowledge, NEPHROTOXIC), found.first.at
    acted: set[str] = set()
    for order in (*state.orders.values(), *state.supplies.values()):
        if not order.void and order.starts <= first and (order.acts_until or first) > found.baseline.at:
            acted |= _of(order, members)
    return sorted(acted - set(now))
