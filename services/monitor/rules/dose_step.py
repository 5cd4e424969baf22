"""A step of kidney or liver (``dosing/renal.csv``, ``dosing/hepatic.csv``) against one order: whether it asks for a change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct

from knowledge.dose import Amount, HepaticStep, RenalStep
from schemas.values import Severity
from services.monitor.patient.estimates import in_unit
from services.monitor.patient.order import Order
from services.monitor.rules.conditions import Answer, Situation, answers
from services.monitor.rules.dosed import a_day, at_most, gets_in, given_for, milder, of_form, once
from services.monitor.rules.view import View

_HOURS = 24
_DAY = timedelta(days=1)
_STEPS = {
    "contraindicated": "contraindicated by its label",
    "avoid": "its label says to avoid it",
    "reduce": "its label asks for less",
}


class Met(Struct, frozen=True, kw_only=True):
    """An order for which a step asks for something else. ``surely`` is false where the dose is not known; ``words`` say what is
    asked, ``unknown`` what is not known, ``ratio`` how many times the maximum it is."""

    step: RenalStep | HepaticStep
    order: Order
    surely: bool
    severity: Severity
    words: str
    ratio: float
    unknown: tuple[str, ...] = ()
    asked: tuple[Answer, ...] = ()


def met(step: RenalStep | HepaticStep, order: Order, view: View) -> Met | None:
    """None where the step is not about the order, or asks for nothing else. What depends on the kidney or the liver itself is
    the rule's to ask."""
    fits = gets_in(step, order, view.knowledge)
    if fits is False or not of_form(step.form, order):
        return None
    indicated, why = given_for(step.indication if isinstance(step, RenalStep) else None, order, view)
    of = Situation(
        state=view.state, knowledge=view.knowledge, orders=(order,), objects=(order,), ingredient=step.ingredient
    )
    asked = answers((each for each in step.when if each.name != "dialysis"), of)
    if indicated is False or any(each.holds is False for each in asked):
        return None
    exceeds, words, ratio = _asks(step, order, view)
    if exceeds is False or (exceeds is None and _short(order)):
        return None
    unknown = [each.condition.text for each in asked if each.holds is None]
    unknown += [] if fits else ["by which way it is given"]
    unknown += [] if indicated else [why]
    severity = step.severity
    if unknown or (step.step == "limit" and order.dose is not None and order.dose.as_needed):
        severity = at_most(severity, "moderate")
    if exceeds is None:
        severity, unknown = at_most(milder(severity), "moderate"), [*unknown, "the dose of a day"]
    return Met(
        step=step,
        order=order,
        surely=exceeds is True,
        severity=severity,
        words=words,
        ratio=ratio,
        unknown=tuple(unknown),
        asked=asked,
    )


def _short(order: Order) -> bool:
    """A day or less is no course: of it one dose is as likely as several."""
    until = order.acts_until
    return until is not None and until - order.starts <= _DAY


def _asks(step: RenalStep | HepaticStep, order: Order, view: View) -> tuple[bool | None, str, float]:
    """Whether the order is more than the step allows, in words, and how many times as much."""
    if step.step == "limit":
        return _exceeds(step, order, view)
    # one dose before anybody knew how the kidney does is no course
    return not (step.step == "reduce" and order.one_time), _STEPS[step.step], 0.0


def _exceeds(step: RenalStep | HepaticStep, order: Order, view: View) -> tuple[bool | None, str, float]:
    found = list(_compared(step, order, view))
    over = [(ratio, words) for ratio, words in found if ratio is not None and ratio > 1]
    if over:
        ratio, words = max(over)
        return True, words, ratio
    unsure = [words for ratio, words in found if ratio is None]
    return (None, unsure[0], 0.0) if unsure else (False, "", 0.0)


def _compared(step: RenalStep | HepaticStep, order: Order, view: View) -> Iterator[tuple[float | None, str]]:
    """How many times each of its numbers the order is."""
    weight = in_unit(view.state, "weight", "kg")
    if step.max_single is not None:
        yield _times(once(order, step.ingredient, step.max_single.unit), step.max_single, weight, "at once")
    if order.one_time:
        return
    if step.max_daily is not None:
        yield _times(a_day(order, step.ingredient, step.max_daily.unit), step.max_daily, weight, "a day")
    if step.min_interval_h is not None:
        often = None if order.dose is None else order.dose.frequency_high or order.dose.frequency
        allowed = _HOURS / step.min_interval_h
        label = f"its label allows one dose in {step.min_interval_h:g} hours"
        if often is None:
            yield None, label
        else:
            yield round(often / allowed, 6), f"{often:g} times a day, {label}"


def _times(value: float | None, most: Amount, weight: float | None, span: str) -> tuple[float | None, str]:
    limit = most.of(weight)
    label = f"its label allows {most.text} {span}"
    if value is None or limit is None:
        return None, label
    return round(value / limit, 6), f"{value:g} {most.unit} {span}, {label}"
