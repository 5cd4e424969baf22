"""In what a supply differs from the order that it was handed out for. What one of the two does not say is no difference."""

from __future__ import annotations

from typing import NamedTuple

from knowledge.duplicate import says
from knowledge.joined import Differs
from knowledge.model import Knowledge
from schemas.values import Quantity
from services.monitor.patient.daily_dose import milligrams
from services.monitor.patient.order import Order
from services.monitor.rules.handed_out import same_class, shares


class Difference(NamedTuple):
    """``ratio``: by which factor the doses of a day differ, 1 of other differences. The words say what was ordered and what was
    handed out."""

    differs: Differs
    ratio: float
    ordered: str
    supplied: str


def differences(order: Order, supply: Order, knowledge: Knowledge) -> list[Difference]:
    """All that are known; of another medicine only that."""
    if not order.ingredients or not supply.ingredients:
        return []
    other = _other_medicine(order, supply, knowledge)
    if other is not None:
        return [other]
    found = (
        _salt(order, supply),
        _release(order, supply, knowledge),
        _place(order, supply, knowledge),
        _dose(order, supply),
    )
    return [each for each in found if each is not None]


def _other_medicine(order: Order, supply: Order, knowledge: Knowledge) -> Difference | None:
    if set(order.ingredients) == set(supply.ingredients):
        return None
    differs: Differs = "medicine"
    if shares(order, supply):
        differs = "ingredients"
    elif same_class(order.ingredients, supply.ingredients, knowledge):
        differs = "substitute"
    return Difference(differs, 1, " / ".join(order.ingredients), " / ".join(supply.ingredients))


def _salt(order: Order, supply: Order) -> Difference | None:
    for name in order.ingredients:
        one, other = order.precise.get(name), supply.precise.get(name)
        if one and other and one != other:
            return Difference("salt", 1, one, other)
    return None


def _release(order: Order, supply: Order, knowledge: Knowledge) -> Difference | None:
    """One that does not say that it lasts says so only by naming its form."""
    lasts, lasts_too = _lasts(order, knowledge), _lasts(supply, knowledge)
    plain = supply if lasts else order
    if lasts == lasts_too or not plain.form:
        return None
    return Difference("release", 1, _named(order), _named(supply))


def _lasts(order: Order, knowledge: Knowledge) -> bool:
    return says(f"{order.label} {order.form}".lower(), knowledge.duplicates.long_acting)


def _place(order: Order, supply: Order, knowledge: Knowledge) -> Difference | None:
    places = (knowledge.place_of(order.route, order.form), knowledge.place_of(supply.route, supply.form))
    if None in places or order.systemic == supply.systemic:
        return None
    return Difference("place", 1, f"{_named(order)} {order.route}".strip(), f"{_named(supply)} {supply.route}".strip())


def _dose(order: Order, supply: Order) -> Difference | None:
    """By the dose of a day, or else by the strength. What is taken as needed has no dose of a day to keep to."""
    if len(order.ingredients) != 1 or (order.dose is not None and order.dose.as_needed):
        return None
    name = order.ingredients[0]
    least, most = order.least_daily_mg_of(name), order.daily_mg_of(name)
    supplied = _supplied(supply, name)
    if least is not None and most is not None and least > 0 and supplied is not None:
        low, high = supplied
        ratio = max(high / most, least / low if low > 0 else 1.0, 1.0)
        return Difference("daily", round(ratio, 6), f"{_range(least, most)} mg a day", f"{_range(low, high)} mg a day")
    one, other = _strength(order, name), _strength(supply, name)
    if one is None or other is None or one == other:
        return None
    return Difference("strength", 1, f"{one:g} mg", f"{other:g} mg")


def _supplied(supply: Order, name: str) -> tuple[float, float] | None:
    """The least and the most of a day: as its instruction says, else by what there is for so many days."""
    least, most = supply.least_daily_mg_of(name), supply.daily_mg_of(name)
    if least is not None and most is not None:
        return least, most
    if supply.quantity is None or supply.days is None or supply.days <= 0:
        return None
    a_day = Quantity(supply.quantity.value / supply.days, supply.quantity.unit)
    return milligrams(a_day, supply.strengths.get(name), alone=len(supply.ingredients) == 1)


def _strength(order: Order, name: str) -> float | None:
    """Milligrams in one tablet."""
    found = milligrams(Quantity(1, "tablet"), order.strengths.get(name), alone=len(order.ingredients) == 1)
    return None if found is None else found[1]


def _named(order: Order) -> str:
    return order.label if order.form.casefold() in order.label.casefold() else f"{order.label} {order.form}"


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
