"""What conditions about medicines mean: what acts beside, how much, by which way and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from knowledge.conditions import Condition
from services.monitor.patient.clock import later
from services.monitor.patient.order import Order
from services.monitor.rules.answer import Answer, Situation
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.view import view_of


def acting_with(name: str, of: Situation, grade: str = "") -> Iterator[Order]:
    """Orders with a member of a property that act together with those of the situation, or now where it has none."""
    for order in view_of(of.state, of.knowledge).having(name, grade):
        if _together(order, of):
            yield order


def with_(condition: Condition, of: Situation) -> Answer:
    found = list(acting_with(condition.name, of, condition.grade))
    return Answer(
        condition=condition,
        holds=bool(found) == (condition.kind == "with"),
        found=", ".join(dict.fromkeys(order.label for order in found)) or "none ordered",
        facts=tuple(map(implicate_order, found)) if condition.kind == "with" else (),
        until=_first_ends(found),
    )


def daily_mg(of: Situation) -> tuple[float, bool]:
    """What is ordered of the ingredient a day by all objects that act together, and whether all of it is known."""
    doses = [order.daily_mg_of(of.ingredient) for order in of.objects if of.ingredient in order.ingredients]
    return sum(dose for dose in doses if dose is not None), bool(doses) and None not in doses


def dose(condition: Condition, of: Situation) -> Answer:
    known, all_known = daily_mg(of)
    said = (
        f"{known:g} mg/day" if all_known else f"{known:g} mg/day and a dose that is not known" if known else "not known"
    )
    if condition.kind == "no_dose":
        return Answer(condition=condition, holds=not all_known, found=said)
    # what is known is the least that it can be
    enough = condition.op in (">", ">=") and condition.compares(known)
    return Answer(condition=condition, holds=condition.compares(known) if all_known else (enough or None), found=said)


def route(condition: Condition, of: Situation) -> Answer:
    places = [(order, of.knowledge.place_of(order.route, order.form)) for order in of.objects]
    said = ", ".join(dict.fromkeys(order.route or order.form or "not known" for order, _ in places))
    if any(place is None for _, place in places) or not places:
        return Answer(condition=condition, holds=None, found=said or "not known")
    return Answer(condition=condition, holds=any(place == condition.name for _, place in places), found=said)


def single(condition: Condition, of: Situation) -> Answer:
    doses = [order.single_mg_of(of.ingredient) for order in of.objects if of.ingredient in order.ingredients]
    known = [dose for dose in doses if dose is not None]
    said = f"{max(known):g} mg" if known else "not known"
    all_known = bool(known) and len(known) == len(doses)
    if condition.kind == "no_single":
        return Answer(condition=condition, holds=not all_known, found=said)
    # the largest that is known is the least that the largest can be
    enough = condition.op in (">", ">=") and bool(known) and condition.compares(max(known))
    return Answer(
        condition=condition, holds=condition.compares(max(known)) if all_known else enough or None, found=said
    )


def way(condition: Condition, of: Situation) -> Answer:
    """Of every order of the finding that is one of the row's medicine, or of every other one."""
    own = condition.kind == "way"
    asked = of.objects if own else [order for order in of.orders if all(order is not each for each in of.objects)]
    ways = [of.knowledge.doses.way_of(order.route, order.form) for order in asked]
    said = ", ".join(dict.fromkeys(way or "not known" for way in ways))
    if not ways or None in ways:
        return Answer(condition=condition, holds=None, found=said or "not known")
    return Answer(condition=condition, holds=all(way == condition.name for way in ways), found=said)


def together(condition: Condition, of: Situation) -> Answer:
    since = of.since
    days = (of.state.clock - since) / timedelta(days=1)
    until = later(since, timedelta(days=condition.value)) if days < condition.value else None
    return Answer(
        condition=condition, holds=condition.compares(days), found=f"for {max(days, 0):.3g} days", until=until
    )


def beside(condition: Condition, of: Situation) -> Answer:
    """Another medicine, by its ingredient."""
    found = [
        order for order in view_of(of.state, of.knowledge).systemic.get(condition.name, ()) if _together(order, of)
    ]
    return Answer(
        condition=condition,
        holds=bool(found) == (condition.kind == "beside"),
        found=", ".join(dict.fromkeys(order.label for order in found)) or "none ordered",
        facts=tuple(map(implicate_order, found)) if condition.kind == "beside" else (),
        until=_first_ends(found),
    )


def count(condition: Condition, of: Situation) -> Answer:
    """How many ingredients of a property act now, or the sum of their grades."""
    members = of.knowledge.properties.get(condition.name, {})
    now = [order for order in view_of(of.state, of.knowledge).having(condition.name) if order.in_force(of.state.clock)]
    names = sorted({each for order in now for each in order.ingredients if each in members})
    grades = [members[each].grade for each in names]
    number = len(names) if condition.kind == "count" else sum(int(each) for each in grades if each.isdigit())
    return Answer(
        condition=condition,
        holds=condition.compares(number),
        found=f"{number}: {', '.join(names)}" if names else "0",
        facts=tuple(map(implicate_order, now)),
        until=_first_ends(now),
    )


def also_way(condition: Condition, of: Situation) -> Answer:
    """Whether another medicine, which acts now, gets in so."""
    others = [
        order for order in view_of(of.state, of.knowledge).acting
        if order.in_force(of.state.clock) and all(order is not each for each in of.orders)
    ]  # fmt: skip
    found = [order for order in others if of.knowledge.doses.way_of(order.route, order.form) == condition.name]
    return Answer(
        condition=condition,
        holds=bool(found),
        found=", ".join(dict.fromkeys(order.label for order in found)) or "none ordered",
    )


def acting(condition: Condition, of: Situation) -> Answer:
    """How long the medicine has acted without a gap."""
    if of.began is None:
        return Answer(condition=condition, holds=None, found="not known since when")
    days = (of.state.clock - of.began) / timedelta(days=1)
    until = later(of.began, timedelta(days=condition.value)) if days < condition.value else None
    return Answer(
        condition=condition, holds=condition.compares(days), found=f"for {max(days, 0):.3g} days", until=until
    )


def _together(order: Order, of: Situation) -> bool:
    if of.objects:
        return all(order is not each and order.overlaps(each) for each in of.objects)
    return order.in_force(of.state.clock)


def _first_ends(orders: Iterable[Order]) -> datetime | None:
    """When the first of them runs out by itself."""
    return min((until for order in orders if (until := order.acts_until) is not None), default=None)
