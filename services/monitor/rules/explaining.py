"""Which medicines could explain a laboratory value: those that acted when it was drawn, or had ended shortly before.

Which medicine explains what, and for how long after its end, is data (``knowledge/labs/explained_by.csv``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from knowledge.critical import Explanation, Medicines
from schemas.alerts import Implicated
from services.monitor.patient.bounds import LAST, ONCE_COUNTS
from services.monitor.patient.clock import said_at
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_order


class Cause(Struct, frozen=True, kw_only=True):
    """An ingredient that could explain a value. ``facts`` are its orders, supplies and last dose; ``given`` is when that was."""

    ingredient: str
    how: str
    row: str
    since: datetime
    given: datetime | None
    facts: tuple[Implicated, ...]


def causes(explanations: Iterable[Explanation], state: PatientState, at: datetime) -> tuple[Cause, ...]:
    """Each ingredient once, by the first row that it is of, in the order of the rows; of one reason what began last first."""
    found: dict[str, Cause] = {}
    for each in explanations:
        for ingredient, (orders, doses) in acted(each.medicines, state, at, each.counts_for).items():
            if ingredient not in found:
                found[ingredient] = _cause(ingredient, each, orders, doses)
    hows = list(dict.fromkeys(cause.how for cause in found.values()))
    order = {cause.ingredient: (hows.index(cause.how), -cause.since.timestamp()) for cause in found.values()}
    return tuple(sorted(found.values(), key=lambda cause: (order[cause.ingredient], cause.ingredient)))


def acted(
    medicines: Medicines, state: PatientState, at: datetime, lasting: timedelta = timedelta(0)
) -> dict[str, tuple[list[Order], list[Fact[Given]]]]:
    """By ingredient the orders and supplies that acted at a time or had ended at most ``lasting`` before, and the doses given
    in that span, oldest first. What is held counts until it was."""
    found: dict[str, tuple[list[Order], list[Fact[Given]]]] = {}
    for order in sorted((*state.orders.values(), *state.supplies.values()), key=lambda o: (o.starts, o.record_id)):
        if _reaches(order, at, lasting):
            for ingredient in _of(medicines, order.ingredients, systemic=order.systemic):
                found.setdefault(ingredient, ([], []))[0].append(order)
    for fact in sorted(state.doses.values(), key=lambda each: (each.at, each.key)):
        if fact.what.status == "given" and not fact.void and fact.at <= at < _later(_acts_until(fact), lasting):
            for ingredient in _of(medicines, fact.what.ingredients, systemic=fact.what.systemic):
                found.setdefault(ingredient, ([], []))[1].append(fact)
    return found


def in_words(found: Sequence[Cause]) -> Iterator[str]:
    """What could explain it and how, and what is known of its having been given."""
    hows = dict.fromkeys(cause.how for cause in found)
    for how in hows:
        names = ", ".join(cause.ingredient for cause in found if cause.how == how)
        yield f"Could explain it: {names} ({how})."
    given = [f"{cause.ingredient} at {said_at(cause.given)}" for cause in found if cause.given is not None]
    if given:
        yield f"Last given: {', '.join(given)}."
    unknown = [cause.ingredient for cause in found if cause.given is None]
    if unknown:
        yield f"Ordered, and not known whether given: {', '.join(unknown)}."


def _of(medicines: Medicines, ingredients: Iterable[str], *, systemic: bool) -> Iterator[str]:
    for ingredient in ingredients:
        only = medicines.systemic_only.get(ingredient)
        if only is not None and (systemic or not only):
            yield ingredient


def _reaches(order: Order, at: datetime, lasting: timedelta) -> bool:
    if order.void or order.starts > at:
        return False
    until = order.acts_until
    if order.held:
        until = order.said_at if until is None else min(until, order.said_at)
    if until is not None and until <= order.starts:
        return False  # cancelled before it began
    return until is None or at < _later(until, lasting)


def _acts_until(fact: Fact[Given]) -> datetime:
    counts = _later(fact.at, ONCE_COUNTS)
    return max(counts, fact.what.stopped_at) if fact.what.stopped_at is not None else counts


def _later(time: datetime, by: timedelta) -> datetime:
    return time + min(by, LAST - time)


def _cause(ingredient: str, of: Explanation, orders: Sequence[Order], doses: Sequence[Fact[Given]]) -> Cause:
    last = doses[-1] if doses else None
    facts = [implicate_order(order) for order in orders]
    if last is not None:
        facts.append(_implicate_dose(last))
    return Cause(
        ingredient=ingredient,
        how=of.how,
        row=of.row,
        since=max((*(order.starts for order in orders), *(dose.at for dose in doses))),
        given=last.at if last is not None else None,
        facts=tuple(facts),
    )


def _implicate_dose(dose: Fact[Given]) -> Implicated:
    return Implicated(
        kind="administration",
        source=dose.source,
        record_id=dose.record_id,
        version=dose.precedence[0],
        label=" ".join(part for part in (dose.what.label, dose.what.route) if part),
        at=dose.at,
    )
