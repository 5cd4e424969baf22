"""What conditions about laboratory results mean of a patient."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from msgspec.structs import replace

from knowledge.conditions import Condition
from services.monitor.patient.clock import earlier, later, said_at
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.answer import Answer
from services.monitor.rules.evidence import implicate_result

MOMENT = timedelta(microseconds=1)
"""After which what was within a span no longer is."""
_OUTWARD = {">": (">", ">="), ">=": (">", ">="), "<": ("<", "<="), "<=": ("<", "<=")}


def result(condition: Condition, state: PatientState) -> Answer:
    """The newest result that says on which side of the limit it lies."""
    oldest = None if condition.within is None else earlier(state.clock, condition.within)
    for result in reversed(state.results.get(condition.name, ())):
        if oldest is not None and result.at < oldest:
            break
        side = _side(condition, result)
        if side is not None:
            until = None if condition.within is None else later(result.at, condition.within + MOMENT)
            return Answer(
                condition=condition, holds=side, found=_said(result), facts=(implicate_result(result),), until=until
            )
    return Answer(condition=condition, holds=None, found=f"no {condition.name} that says it")


def _side(condition: Condition, result: Result) -> bool | None:
    if not result.measured or result.value is None or result.remark == "implausible":
        return None
    if not result.comparator:
        return condition.compares(result.value)
    if result.comparator in _OUTWARD[condition.op]:
        return True if condition.compares(result.value) else None
    beyond = condition.compares(result.value)
    return False if not beyond or (result.value == condition.value and result.comparator in ("<", ">")) else None


def course(condition: Condition, state: PatientState) -> Answer:
    """The newest sure result against the others of the span before it."""
    sure = [each for each in state.results.get(condition.name, ()) if each.sure]
    newest = sure[-1] if sure else None
    if newest is None or newest.value is None:
        return Answer(condition=condition, holds=None, found=f"no {condition.name} known")
    span = condition.within or timedelta.max
    before = [each for each in sure if each.at < newest.at and newest.at - each.at <= span]
    against = _against(condition, newest, before)
    if against is None or against.value is None:
        return Answer(condition=condition, holds=None, found=f"no {condition.name} before {_said(newest)}")
    by = moved(condition, newest.value, against.value)
    return Answer(
        condition=condition,
        holds=None if by is None else condition.compares(by),
        found=f"{_said(against)}, then {_said(newest)}",
        facts=(implicate_result(against), implicate_result(newest)),
    )


def _against(condition: Condition, newest: Result, before: Sequence[Result]) -> Result | None:
    valued = [each for each in before if each.value is not None]
    if not valued:
        return None
    match condition.course:
        case "rise" | "ratio":
            return min(valued, key=lambda each: (each.value or 0, each.at))
        case "fall" | "drop":
            return max(valued, key=lambda each: (each.value or 0, each.at))
    return max(valued, key=lambda each: (abs((newest.value or 0) - (each.value or 0)), each.at))


def moved(condition: Condition, now: float, then: float) -> float | None:
    """By how much, rounded to what a laboratory reports: 1.3 after 1.0 has risen by 0.3. None where nothing can be divided by."""
    match condition.course:
        case "rise":
            return round(now - then, 6)
        case "fall":
            return round(then - now, 6)
        case "change":
            return round(abs(now - then), 6)
        case "ratio":
            return round(now / then, 6) if then > 0 else None
    return round((then - now) / then * 100, 6) if then > 0 else None


def no_result(condition: Condition, state: PatientState) -> Answer:
    newest = next((each for each in reversed(state.results.get(condition.name, ())) if each.measured), None)
    if newest is None:
        return Answer(condition=condition, holds=True, found=f"no {condition.name} known")
    old = condition.within is not None and state.clock - newest.at > condition.within
    until = None if old or condition.within is None else later(newest.at, condition.within + MOMENT)
    return Answer(condition=condition, holds=old, found=_said(newest), facts=(implicate_result(newest),), until=until)


def own(condition: Condition, state: PatientState) -> Answer:
    """The newest sure result against the patient's own ones of the span before it."""
    sure = [each for each in state.results.get(condition.name, ()) if each.sure and each.value is not None]
    newest = sure[-1] if sure else None
    if newest is None or newest.value is None:
        return Answer(condition=condition, holds=None, found=f"no {condition.name} known")
    span = condition.within or timedelta.max
    before = [each for each in sure if each.at < newest.at and newest.at - each.at <= span]
    if not before:
        return Answer(condition=condition, holds=None, found=f"no {condition.name} before {_said(newest)}")
    limit, shown = _own_of(condition, before)
    limit = round(limit * condition.factor + condition.value, 6)
    holds = replace(condition, value=limit).compares(newest.value)
    facts = (*map(implicate_result, shown), implicate_result(newest))
    against = f"{condition.own} {_own_said(condition, before, shown)}"
    return Answer(condition=condition, holds=holds, found=f"{_said(newest)}, {against}", facts=facts)


def _own_of(condition: Condition, before: Sequence[Result]) -> tuple[float, tuple[Result, ...]]:
    """The patient's own value, and the result that it is; of a median of two, which is none, there is no one."""
    by_value = sorted(before, key=lambda each: (each.value or 0, each.at))
    match condition.own:
        case "previous":
            found = before[-1]
        case "minimum":
            found = by_value[0]
        case "maximum":
            found = by_value[-1]
        case _:
            found = by_value[len(by_value) // 2]
            if len(by_value) % 2 == 0:
                return median(each.value or 0 for each in by_value), ()
    return found.value or 0.0, (found,)


def _own_said(condition: Condition, before: Sequence[Result], shown: Sequence[Result]) -> str:
    if shown and len(before) == 1:
        return _said(shown[0])
    value = _own_of(condition, before)[0]
    at = f" at {said_at(shown[0].at)}" if shown and condition.own != "median" else ""
    return f"{value:.6g}{at} of {len(before)} before it"


def old_result(condition: Condition, state: PatientState) -> Answer:
    """Whether the newest is so old. Where there never was one, it is not: that is another question."""
    newest = next((each for each in reversed(state.results.get(condition.name, ())) if each.measured), None)
    if newest is None:
        return Answer(condition=condition, holds=False, found=f"no {condition.name} known")
    span = condition.within or timedelta(0)
    old = state.clock - newest.at > span
    until = None if old else later(newest.at, span + MOMENT)
    return Answer(condition=condition, holds=old, found=_said(newest), facts=(implicate_result(newest),), until=until)


def _said(result: Result) -> str:
    written = result.received or f"{result.comparator}{result.value:g} {result.unit}".strip()
    return f"{written} at {said_at(result.at)}"
