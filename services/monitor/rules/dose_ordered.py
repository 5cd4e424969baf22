"""What is ordered of a medicine against its limits and intervals: each order alone, and all that act at one time added up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from knowledge.dose import Amount, Interval, Limit
from schemas.values import SEVERITIES, Severity
from services.monitor.patient.bounds import LAST, ONCE_COUNTS
from services.monitor.patient.estimates import in_unit
from services.monitor.patient.order import Order
from services.monitor.rules.conditions import Answer, Situation, answers
from services.monitor.rules.dose_given import given_in_a_day
from services.monitor.rules.dosed import (
    a_day,
    an_hour,
    at_most,
    for_every_day,
    gets_in,
    given_for,
    graver,
    kept_of,
    milder,
    of_form,
    of_salt,
    once,
    scheduled_a_day,
)
from services.monitor.rules.view import View

_DAYS_OF_A_WEEK = 7
_SPANS = {"single": "at once", "daily": "a day", "any_24h": "in 24 hours", "weekly": "a week", "rate": "an hour"}
CANCER = "cancer"


class Case(Struct, frozen=True, kw_only=True):
    """What is wrong with ``orders``, in ``words``. ``why`` is told in the detail; ``held`` says why it reaches nobody."""

    row: Limit | Interval
    orders: tuple[Order, ...]
    severity: Severity
    words: str
    text: str = "too-much"
    ratio: float = 0.0
    why: tuple[str, ...] = ()
    asked: tuple[Answer, ...] = ()
    held: str = ""
    until: datetime | None = None

    @property
    def kind(self) -> str:
        return "contraindicated" if self.text == "contraindicated" else "dose"


def gravest_first(case: Case) -> tuple[int, bool, float, datetime, str]:
    """A key to sort by."""
    first = case.orders[0]
    return (SEVERITIES.index(case.severity), bool(case.held), -case.ratio, first.starts, first.record_id)


def ordered_cases(ingredient: str, view: View) -> Iterator[Case]:
    """Everything that is wrong with the orders of a medicine."""
    limits, intervals = view.made_of_acting(("dose-range", ingredient), lambda: _worth_asking(ingredient, view))
    if not limits and not intervals:
        return
    orders = view.by_ingredient[ingredient]
    for limit in limits:
        met = [found for order in orders if (found := _asked(limit, order, view)) is not None]
        for found in met:
            yield from _alone(found, view)
        if limit.kind == "any_24h" and len(met) > 1:
            yield from _together(met, view)
    for interval in intervals:
        for order in orders:
            yield from _too_often(interval, order, view)


class _Worth(NamedTuple):
    """Of one order: the rows that it can be beyond, whatever is known of the patient, nearly always none, and the limits of 24
    hours in which it counts with how much."""

    rows: frozenset[int]
    counts: Sequence[tuple[Limit, float]]


def _worth_asking(ingredient: str, view: View) -> tuple[Sequence[Limit], Sequence[Interval]]:
    """The rows that one of the orders, or all together, can be beyond."""
    orders = view.by_ingredient.get(ingredient, ())
    rows: set[int] = set()
    sums: dict[int, float] = {}
    for order in orders:
        kept, key = kept_of(order, view.knowledge), ("dose-range", ingredient)
        worth: _Worth = kept[key] if key in kept else kept.setdefault(key, _worth(ingredient, order, view))
        rows |= worth.rows
        for limit, much in worth.counts if len(orders) > 1 else ():
            assert limit.max is not None
            sums[id(limit)] = sums.get(id(limit), 0.0) + much
            if limit.max.per_kg or sums[id(limit)] > limit.max.value:
                rows.add(id(limit))
    if not rows:
        return (), ()
    of = view.knowledge.doses
    limits, intervals = of.limits.get(ingredient, ()), of.intervals.get(ingredient, ())
    return [each for each in limits if id(each) in rows], [each for each in intervals if id(each) in rows]


def _worth(ingredient: str, order: Order, view: View) -> _Worth:
    of = view.knowledge.doses
    about = [each for each in of.limits.get(ingredient, ()) if _is_about(each, order, view) is not False]
    rows = [id(each) for each in about if _can_be_beyond(each, order, view)]
    rows += [id(each) for each in of.intervals.get(ingredient, ()) if any(True for _ in _too_often(each, order, view))]
    added = [(each, each.max) for each in about if each.kind == "any_24h" and each.max is not None]
    return _Worth(frozenset(rows), [(each, a_day(order, ingredient, most.unit) or 0.0) for each, most in added])


def _can_be_beyond(limit: Limit, order: Order, view: View) -> bool:
    if limit.max is None:
        return True
    if limit.kind == "rate":
        return order.dose is not None and order.dose.rate is not None
    value, _ = _value(limit, order, limit.max, view)
    return value is not None and (limit.max.per_kg or value > round(limit.max.value, 6))


def _is_about(limit: Limit, order: Order, view: View) -> bool | None:
    """As far as the order itself says; None where the way that it is given is not known."""
    kept, key = kept_of(order, view.knowledge), ("about", id(limit))
    about: bool | None = kept[key] if key in kept else kept.setdefault(key, _about(limit, order, view))
    return about


def _about(limit: Limit, order: Order, view: View) -> bool | None:
    fits = gets_in(limit, order, view.knowledge)
    if fits is False or not of_form(limit.form, order) or not of_salt(limit.precise, order, limit.ingredient):
        return False
    return fits


class _About(Struct, frozen=True, kw_only=True):
    """A limit that is about an order. ``most`` is its value for this patient; ``sure``: nothing has to be assumed for it."""

    limit: Limit
    order: Order
    most: float | None
    sure: bool
    why: tuple[str, ...]
    asked: tuple[Answer, ...]


def _asked(limit: Limit, order: Order, view: View) -> _About | None:
    """None where a limit is not about an order, or that depends on what is not known of the patient."""
    fits = _is_about(limit, order, view)
    if fits is False:
        return None
    most = None
    if limit.max is not None:
        most = limit.max.of(in_unit(view.state, "weight", "kg") if limit.max.per_kg else None)
        if most is None or most <= 0:
            return None
    indicated, why = given_for(limit.indication, order, view)
    if indicated is False:
        return None
    asked = answers(limit.when, _situation(order, limit.ingredient, view))
    if any(each.holds is not True for each in asked):
        return None
    reasons = [] if fits else ["by which way it is given"]
    reasons += [] if indicated else [why]
    return _About(limit=limit, order=order, most=most, sure=not reasons, why=tuple(reasons), asked=asked)


def _situation(order: Order, ingredient: str, view: View) -> Situation:
    return Situation(
        state=view.state, knowledge=view.knowledge, orders=(order,), objects=(order,), ingredient=ingredient
    )


def _alone(found: _About, view: View) -> Iterator[Case]:
    """One order against a limit."""
    limit, order = found.limit, found.order
    if limit.max is None or found.most is None:
        severity = limit.severity if found.sure else at_most(limit.severity, "moderate")
        who = " and ".join(each.text for each in limit.when)
        words = f"not to be used, {who}" if who else "not to be used"
        yield Case(
            row=limit, orders=(order,), severity=severity, words=words, text="contraindicated", why=found.why, asked=found.asked
        )  # fmt: skip
        return
    once_only = order.one_time is True or order.dose is None or order.dose.a_day is None
    if once_only and for_every_day(limit, order, view):
        return
    value, span = _value(limit, order, limit.max, view)
    if value is None or not limit.beyond(value, found.most):
        return
    ratio = round(value / found.most, 6)
    severity = limit.severity
    if limit.graver_from is not None and ratio >= limit.graver_from:
        severity = graver(severity)
    taken_daily = limit.kind in ("daily", "any_24h", "weekly")
    needed = (
        order.dose is not None and order.dose.as_needed is True and taken_daily and not _beyond(limit, order, found)
    )
    if needed or not found.sure:
        severity = at_most(severity, "moderate")
    why = (*found.why, *(("how much of what may be taken as needed is taken",) if needed else ()))
    words = f"{_amount(value, limit.max)} {span}, {_times(ratio)}the {_allowed(limit.max, found.most)}"
    yield Case(row=limit, orders=(order,), severity=severity, words=words, ratio=ratio, why=why, asked=found.asked)


def _beyond(limit: Limit, order: Order, found: _About) -> bool:
    """Whether one dose alone is more than the limit, however often it is taken."""
    assert limit.max is not None
    single = once(order, limit.ingredient, limit.max.unit)
    return single is not None and found.most is not None and limit.beyond(single, found.most)


def _value(limit: Limit, order: Order, most: Amount, view: View) -> tuple[float | None, str]:
    """What an order means in the terms of a limit. Where nobody says how often, one dose is the least of a day."""
    span = _SPANS[limit.kind]
    if limit.kind == "rate":
        rate = order.dose.rate if order.dose is not None else None
        return an_hour(rate, in_unit(view.state, "weight", "kg"), most), span
    single = once(order, limit.ingredient, most.unit)
    if limit.kind == "single":
        return single, span
    daily = a_day(order, limit.ingredient, most.unit)
    if daily is None:
        often = order.dose.frequency if order.dose is not None else None
        return (single if often is None else None), f"{span} at least"
    if limit.kind == "weekly":
        return round(daily * (1 if order.one_time else _DAYS_OF_A_WEEK), 6), span
    # a dose of every other day is a whole dose on its day
    return max(daily, single or 0.0), span


def _together(met: Sequence[_About], view: View) -> Iterator[Case]:
    """The products of an ingredient that act at one time: what is to be taken in any case, and what may be taken."""
    limit = met[0].limit
    assert limit.max is not None
    most = met[0].most
    assert most is not None
    for first in met:
        acting = _one_supply([each.order for each in met if each.order.acts_at(first.order.starts)])
        certain = [(scheduled_a_day(each, limit.ingredient, limit.max.unit), each) for each in acting]
        at_all = [(a_day(each, limit.ingredient, limit.max.unit), each) for each in acting]
        scheduled = sum(value for value, _ in certain if value)
        possible = sum(value for value, _ in at_all if value)
        many = tuple(each for value, each in at_all if value)
        if len(many) < 2 or not limit.beyond(possible, most):
            continue
        asked, why = met[0].asked, met[0].why
        if limit.beyond(scheduled, most):
            ratio = round(scheduled / most, 6)
            severity = limit.severity if met[0].sure else at_most(limit.severity, "moderate")
            if limit.graver_from is not None and ratio >= limit.graver_from:
                severity = graver(severity)
            orders = tuple(each for value, each in certain if value)
            words = f"{_amount(scheduled, limit.max)} in 24 hours by {len(orders)} orders"
            held = _less_was_given(limit, most, orders, view)
            until = _a_day_after(orders)
        else:
            ratio, severity, orders, until = round(possible / most, 6), "info", many, None
            words = f"up to {_amount(possible, limit.max)} in 24 hours if all is taken"
            held = "What may be taken as needed is not known to be taken: the doses given are added up."
        yield Case(
            row=limit,
            orders=orders,
            severity=severity,
            words=f"{words}, more than the {_allowed(limit.max, most)}",
            ratio=ratio,
            why=why,
            asked=asked,
            held=held,
            until=until,
        )


def _a_day_after(orders: Iterable[Order]) -> datetime:
    """When a whole day of them can have been given."""
    since = max(order.starts for order in orders)
    return since + min(ONCE_COUNTS, LAST - since)


def _less_was_given(limit: Limit, most: float, orders: Sequence[Order], view: View) -> str:
    """Whether charted doses of all these orders say that a whole day of them was not too much."""
    assert limit.max is not None
    if view.state.clock < _a_day_after(orders):
        return ""
    given = given_in_a_day(limit.ingredient, limit.max.unit, orders, view)
    if given is None or limit.beyond(given, most):
        return ""
    return f"By the doses given it was {_amount(given, limit.max)} in the last 24 hours."


def _one_supply(orders: Iterable[Order]) -> list[Order]:
    """A refill handed out early is not taken beside the one before."""
    found: dict[tuple[object, ...], Order] = {}
    for order in orders:
        key = (order.label.casefold(),) if order.kind == "dispensing" else (order.source, order.record_id, order.kind)
        found.setdefault(key, order)
    return list(found.values())


def _too_often(interval: Interval, order: Order, view: View) -> Iterator[Case]:
    fits = gets_in(interval, order, view.knowledge)
    dose = order.dose
    if fits is False or dose is None or order.one_time or not of_salt(interval.precise, order, interval.ingredient):
        return
    if interval.unless_protocol and order.protocol:
        return
    if not in_span(interval, once(order, interval.ingredient, "mg")):
        return
    label = f"its label: one dose in {interval.min_interval_d:g} days"
    why = [] if fits else ["by which way it is given"]
    severity = interval.severity if fits else milder(interval.severity)
    if dose.frequency is None:
        if interval.unless_protocol:
            why.append("how often it is to be taken")
            words = f"how often is not known, {label}"
            yield Case(row=interval, orders=(order,), severity="info", words=words, text="too-often", why=tuple(why))
        return
    ratio = round(dose.frequency * interval.min_interval_d, 3)
    if ratio <= 1:
        return
    if dose.frequency < 1:
        severity = milder(severity)
    if interval.unless_protocol and CANCER in view.groups:
        severity = at_most(severity, "high")
        why.append("whether it is part of a protocol against cancer, where days in a row may be right")
    often = "every day" if dose.frequency == 1 else f"{dose.frequency:.3g} times a day"
    yield Case(
        row=interval,
        orders=(order,),
        severity=severity,
        words=f"ordered for {often}, {label}",
        text="too-often",
        ratio=ratio,
        why=tuple(why),
    )


def in_span(interval: Interval, dose: float | None) -> bool:
    """Whether a dose is one that an interval is about; one that is not known is none, where it depends on it."""
    if interval.dose_from is None:
        return True
    if dose is None or dose < interval.dose_from.value:
        return False
    return interval.dose_to is None or dose <= interval.dose_to.value


def _amount(value: float, most: Amount) -> str:
    if most.unit == "mg" and value >= 10_000:
        value, unit = value / 1000, "g"
    elif most.unit == "mg" and value < 1:
        value, unit = value * 1000, "mcg"
    else:
        unit = most.unit
    return f"{value:.6g} {unit}" + ("/kg" if most.per_kg and most.per_hour else "")


def _allowed(most: Amount, value: float) -> str:
    """``4 g of the label``, ``75 mg/kg (3000 mg) of the label``."""
    inner = f" ({_amount(value, most)})" if most.per_kg and not most.per_hour else ""
    return f"{most.text}{inner} of its label"


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times " if ratio >= 2 else "more than "
