"""Doses that were given and were too much: beyond the label, beyond their own order, added up over 24 hours, too fast, too soon.

This harm has reached the patient: a grave finding stays until a person answers, whatever became of the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec import Struct

from knowledge.dose import Amount, Interval, Limit
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.bounds import LAST, ONCE_COUNTS
from services.monitor.patient.clock import said_at, said_span
from services.monitor.patient.estimates import in_unit
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.medicines import OrderNames
from services.monitor.patient.order import Order, thing_key
from services.monitor.rules.conditions import Answer, Situation, answers, said
from services.monitor.rules.dosed import (
    amount_in,
    an_hour,
    at_most,
    for_every_day,
    gets_in,
    given_for,
    graver,
    kept_of,
    of_form,
    of_salt,
)
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import Finding
from services.monitor.rules.taken import implicate_dose
from services.monitor.rules.view import View

_SUMMARY = 139
_DAY = timedelta(days=1)
_APART = 1000.0
"""Added to the rank of what only a person ends, taken from that of the rest: a grave dose given speaks for its order, and an
order for the doses that follow from it, so that each of them is no alert of its own."""
_COUNTS = ("single", "daily", "any_24h")


class _Dose(Struct, frozen=True):
    """A dose given, with the order that it names where that is known. What follows from the two alone is kept: by ingredient and
    unit how much it is (``kept``), which limits are ``about`` it, by ingredient how it is ``unlike`` its order."""

    fact: Fact[Given]
    order: Order | None
    kept: dict[tuple[str, str], float | None]
    about: dict[int, bool]
    unlike: dict[str, Sequence[tuple[str, float, float]]]

    @property
    def at(self) -> datetime:
        return self.fact.at

    def much(self, ingredient: str, unit: str) -> float | None:
        """How much of an ingredient it was; of an infusion that runs by its rate it is not known."""
        key = (ingredient, unit)
        if key not in self.kept:
            self.kept[key] = self._much(ingredient, unit)
        return self.kept[key]

    def _much(self, ingredient: str, unit: str) -> float | None:
        given = self.fact.what
        if given.rate is not None and given.dose is None:
            return None
        strength = self.order.strengths.get(ingredient) if self.order is not None else None
        return amount_in(unit, given.dose, strength, alone=given.ingredients == (ingredient,))


class _Case(Struct, frozen=True, kw_only=True):
    doses: tuple[_Dose, ...]
    severity: Severity
    words: str
    ratio: float
    text: str = "given"
    row: Limit | Interval | None = None
    asked: tuple[Answer, ...] = ()
    why: tuple[str, ...] = ()


def given_findings(ingredient: str, view: View) -> Iterator[Finding]:
    """At most one of a medicine: the gravest."""
    clock = view.state.clock
    doses = _doses(ingredient, view)
    recent = [each for each in doses if clock - each.at < ONCE_COUNTS]
    if not recent:
        return
    cases = [*_beyond_order(ingredient, recent, view)]
    for limit in view.knowledge.doses.limits.get(ingredient, ()):
        cases += _beyond_label(limit, doses, recent, view)
    for interval in view.knowledge.doses.intervals.get(ingredient, ()):
        cases += _too_soon(interval, doses, recent, view)
    if cases:
        yield _finding(ingredient, min(cases, key=_gravest_first), view)


def given_in_a_day(ingredient: str, unit: str, orders: Sequence[Order], view: View) -> float | None:
    """What was given of a medicine in the last 24 hours; None where an order has no dose, or a dose is not known."""
    day = [each for each in _doses(ingredient, view) if view.state.clock - each.at < _DAY]
    much = [each.much(ingredient, unit) for each in day]
    charted = {id(each.order) for each in day if each.order is not None}
    if not all(id(order) in charted for order in orders) or None in much:
        return None
    return round(sum(each for each in much if each is not None), 6)


def _gravest_first(case: _Case) -> tuple[int, float, datetime]:
    return (SEVERITIES.index(case.severity), -case.ratio, case.doses[-1].at)


def _doses(ingredient: str, view: View) -> list[_Dose]:
    """Those really given up to now, oldest first."""
    clock = view.state.clock
    found = [(each.at, key, each) for key, each in view.state.doses.items() if ingredient in each.what.ingredients]
    if len(found) > 1:
        found.sort(key=_by_time)
    return [_dose(fact, view) for at, _, fact in found if at <= clock and not fact.void and fact.what.status == "given"]


def _by_time(dose: tuple[datetime, str, Fact[Given]]) -> tuple[datetime, str]:
    return dose[:2]


def _dose(fact: Fact[Given], view: View) -> _Dose:
    order, kept = order_of(fact, view), kept_of(fact, view.knowledge)
    dose: _Dose | None = kept.get("dose")
    if dose is None or dose.order is not order:
        dose = kept["dose"] = _Dose(fact, order, {}, {}, {})
    return dose


def order_of(fact: Fact[Given], view: View) -> Order | None:
    """The order that a dose names, where that is known."""
    orders, record_id = view.state.orders, fact.what.order_id
    if not record_id:
        return None
    order = orders.get(thing_key(fact.source, record_id))
    if order is None:
        names: OrderNames = view.made_of_acting(OrderNames, lambda: OrderNames(orders))
        key = names.key(fact.source, record_id)
        order = None if key is None else orders[key]
    return order


def _beyond_order(ingredient: str, recent: Iterable[_Dose], view: View) -> Iterator[_Case]:
    """Many times what its own order says, in the same kind of unit: a slip at the pump or the syringe."""
    tenfold = view.knowledge.dose_findings.numbers["tenfold"]
    for dose in recent:
        order = dose.order
        if order is None or order.dose is None or order.dose.rate is not None or dose.fact.what.rate is not None:
            continue
        if dose.fact.what.dose == order.dose.amount:
            continue
        if ingredient not in dose.unlike:
            both = _both(ingredient, dose, order)
            dose.unlike[ingredient] = [each for each in both if each[1] / each[2] >= tenfold]
        for unit, given, ordered in dose.unlike[ingredient]:
            ratio = round(given / ordered, 6)
            words = f"{given:.6g} {unit} given, {ratio:.3g} times the {ordered:.6g} {unit} of its order"
            yield _Case(doses=(dose,), severity="critical", words=words, ratio=ratio, text="unlike-order")


def _both(ingredient: str, dose: _Dose, order: Order) -> Iterator[tuple[str, float, float]]:
    """What was given and what its order says, by each unit that both can be told in."""
    amount, alone = order.dose.amount if order.dose is not None else None, order.ingredients == (ingredient,)
    for unit in ("mg", "units", "mEq"):
        given = dose.much(ingredient, unit)
        ordered = None if given is None else amount_in(unit, amount, order.strengths.get(ingredient), alone=alone)
        if given is not None and ordered is not None:
            yield unit, given, ordered


def _beyond_label(limit: Limit, doses: Sequence[_Dose], recent: Sequence[_Dose], view: View) -> Iterator[_Case]:
    late = [each for each in recent if _is_about(limit, each, view)]
    most = _most(limit, view) if late and limit.max is not None else 0.0
    beyond = list(_beyond(limit, most, late, doses, view)) if most > 0 else []
    # what is asked of the patient comes last: nearly every dose is within its limits
    if not late or (limit.max is not None and not beyond):
        return
    asked = answers(limit.when, Situation(state=view.state, knowledge=view.knowledge, ingredient=limit.ingredient))
    if any(each.holds is not True for each in asked):
        return
    if limit.max is None:
        who = " and ".join(each.text for each in limit.when)
        words = f"a dose was given, and it is not to be used, {who}"
        yield _Case(doses=(late[-1],), severity=limit.severity, words=words, ratio=1, row=limit, asked=asked)
        return
    for given, value, span in beyond:
        yield _over(limit, given, value, most, asked, view, span)


def _most(limit: Limit, view: View) -> float:
    """Of a limit that has a maximum; nothing where the weight that it depends on is not known."""
    assert limit.max is not None
    return limit.max.of(in_unit(view.state, "weight", "kg") if limit.max.per_kg else None) or 0.0


def _beyond(
    limit: Limit, most: float, late: Sequence[_Dose], doses: Sequence[_Dose], view: View
) -> Iterator[tuple[tuple[_Dose, ...], float, str]]:
    """One of ``late``, or several ``doses`` within a day of it, with how much it was and in what span."""
    assert limit.max is not None
    for dose in late:
        rate, value = dose.fact.what.rate, None
        if limit.kind == "rate" and rate is not None:
            value = an_hour(rate, in_unit(view.state, "weight", "kg"), limit.max)
        elif limit.kind in _COUNTS:
            value = dose.much(limit.ingredient, limit.max.unit)
        if value is not None and limit.beyond(value, most) and not for_every_day(limit, dose.fact.what, view):
            yield (dose,), value, "an hour" if limit.kind == "rate" else "at once"
        if limit.kind == "any_24h":
            day = [each for each in doses if _within_a_day(each, dose, view)]
            window = [each for each in day if _is_about(limit, each, view)] if len(day) > 1 else []
            known = [
                (each, much) for each in window if (much := each.much(limit.ingredient, limit.max.unit)) is not None
            ]
            summed = round(sum(much for _, much in known), 6) if len(known) > 1 else 0.0
            if limit.beyond(summed, most):
                yield tuple(each for each, _ in known), summed, "in 24 hours"


def _within_a_day(earlier: _Dose, later: _Dose, view: View) -> bool:
    """Whether both count in one rolling day. Doses of a schedule are given a little early or late: those of one and the same time
    of the day may be less than a day apart, and are still those of two days."""
    apart = later.at - earlier.at
    if not timedelta(0) <= apart < _DAY:
        return False
    return apart < _DAY - min(_may_be_early(earlier, view), _may_be_early(later, view))


def _may_be_early(dose: _Dose, view: View) -> timedelta:
    """By how much a dose of its order may lie nearer to that of a day before; by nothing where no schedule is known."""
    dosage = dose.order.dose if dose.order is not None else None
    if dose.order is None or dose.order.one_time or dosage is None or dosage.as_needed or dosage.frequency is None:
        return timedelta(0)
    name = "early" if dosage.frequency > 1 else "early-daily"
    return timedelta(hours=view.knowledge.dose_findings.numbers[name])


def _is_about(limit: Limit, dose: _Dose, view: View) -> bool:
    """What a dose does not say, its order may."""
    if limit.indication is not None:
        return _about(limit, dose, view)
    about = dose.about.get(id(limit))
    if about is None:
        about = dose.about[id(limit)] = _about(limit, dose, view)
    return about


def _about(limit: Limit, dose: _Dose, view: View) -> bool:
    order = dose.order
    if limit.precise and (order is None or not of_salt(limit.precise, order, limit.ingredient)):
        return False
    if limit.form is not None and (order is None or not of_form(limit.form, order)):
        return False
    if limit.indication is not None and (order is None or given_for(limit.indication, order, view)[0] is not True):
        return False
    fits = gets_in(limit, dose.fact.what, view.knowledge)
    if fits is None and order is not None:
        fits = gets_in(limit, order, view.knowledge)
    return fits is True


def _over(
    limit: Limit,
    doses: tuple[_Dose, ...],
    value: float,
    most: float,
    asked: tuple[Answer, ...],
    view: View,
    span: str,
) -> _Case:
    assert limit.max is not None
    ratio = round(value / most, 6)
    severity = limit.severity
    if limit.graver_from is not None and ratio >= limit.graver_from:
        severity = graver(severity)
    if ratio >= view.knowledge.dose_findings.numbers["tenfold"]:
        severity = "critical"
    many = f" in {len(doses)} doses" if len(doses) > 1 else ""
    words = f"{_amount(value, limit.max)} given {span}{many}, {ratio:.3g} times the {limit.max.text} of its label"
    return _Case(doses=doses, severity=severity, words=words, ratio=ratio, row=limit, asked=asked)


def _amount(value: float, most: Amount) -> str:
    return f"{value:.6g} {most.unit}" + ("/kg" if most.per_kg and most.per_hour else "")


def _too_soon(interval: Interval, doses: Sequence[_Dose], recent: Sequence[_Dose], view: View) -> Iterator[_Case]:
    """Two doses less than half of the interval apart, and further than the parts of a divided dose."""
    divided = timedelta(hours=view.knowledge.dose_findings.numbers["divided"])
    half = timedelta(days=interval.min_interval_d / 2)
    about = [each for each in doses if _may_be_too_soon(interval, each, view)]
    for one, other in pairwise(about):
        apart = other.at - one.at
        if other in recent and divided < apart < half:
            severity, why = interval.severity, tuple[str, ...]()
            if interval.unless_protocol and "cancer" in view.groups:
                severity = at_most(severity, "high")
                why = ("whether it is part of a protocol against cancer",)
            words = f"given again after {said_span(apart)}, its label: one dose in {interval.min_interval_d:g} days"
            ratio = round(timedelta(days=interval.min_interval_d) / apart, 6)
            yield _Case(doses=(one, other), severity=severity, words=words, ratio=ratio, row=interval, why=why)


def _may_be_too_soon(interval: Interval, dose: _Dose, view: View) -> bool:
    order = dose.order
    if interval.unless_protocol and order is not None and order.protocol:
        return False
    if interval.precise and (order is None or not of_salt(interval.precise, order, interval.ingredient)):
        return False
    much = dose.much(interval.ingredient, "mg")
    if interval.dose_from is not None and (much is None or much < interval.dose_from.value):
        return False
    if interval.dose_to is not None and (much is None or much > interval.dose_to.value):
        return False
    fits = gets_in(interval, dose.fact.what, view.knowledge)
    if fits is None and order is not None:
        fits = gets_in(interval, order, view.knowledge)
    return fits is True


def _finding(ingredient: str, case: _Case, view: View) -> Finding:
    text = view.knowledge.dose_findings.texts[case.text]
    last = case.doses[-1]
    orders = {id(each.order): each.order for each in case.doses if each.order is not None}
    cited: tuple[Citation, ...] = (*(case.row.citations if case.row is not None else ()), *text.citations)
    waits = [each.until for each in case.asked if each.until is not None]
    times = ", ".join(said_at(each.at) for each in case.doses)
    why = f" Not known: {'; '.join(case.why)}." if case.why else ""
    closure = case.severity in ("critical", "high")
    return Finding(
        subject=f"{ingredient}:given",
        severity=case.severity,
        summary=f"{ingredient}: {case.words}"[:_SUMMARY],
        detail=f"{ingredient}: {case.words}. Given at {times}.{why}",
        actions=(*text.actions, *(case.row.actions if case.row is not None else ())),
        patient_explanation=text.patient_explanation,
        evidence_grade=case.row.evidence_grade if case.row is not None else "own choice: a slip, whatever the medicine",
        implicated=(*(implicate_dose(each.fact) for each in case.doses), *map(implicate_order, orders.values())),
        citations=tuple(dict.fromkeys(cited)),
        since=last.at,
        rank=case.ratio + (_APART if closure else -_APART),
        origins=tuple(each.fact.origin for each in case.doses if each.fact.origin is not None),
        until=min((*waits, last.at + min(ONCE_COUNTS, LAST - last.at))),
        conditions=said(case.asked),
        rows=(case.row.row,) if case.row is not None else ("dosing/dose_numbers.csv#tenfold",),
        medicines=(ingredient,),
        problem=f"{ingredient}:dose",
        needs_closure=closure,
    )
