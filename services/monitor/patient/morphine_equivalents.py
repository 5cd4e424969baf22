"""Opioids in morphine milligram equivalents a day, by the factors of the knowledge (``dosing/opioids.csv``).

What has no factor, or a dose that is not known, is named and never counted as nothing. The sum is a measure of risk; it is not
for changing one opioid into another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from knowledge.dose import Doses, Equivalent
from services.monitor.patient.order import Order

_RATE = re.compile(r"(?P<mass>mcg|µg|ug|mg)\s*/\s*(?:hr|h|hour)")
_PATCHES = {"patch", "patches", "ptch", "system", "systems"}
_TO_MICROGRAMS = {"mg": 1000.0}


class Counted(Struct, frozen=True, kw_only=True):
    """One opioid of one order. ``mme`` are the least and the most of a day: what is taken as needed may be nothing. None where
    it is ``unknown`` or ``not_counted`` (``state``), and ``why`` says it. ``amount`` is the most of a day in ``unit``, of a
    patch its rate."""

    order: Order
    ingredient: str
    state: Literal["counted", "unknown", "not_counted"]
    mme: tuple[float, float] = (0.0, 0.0)
    amount: tuple[float, float] | None = None
    unit: str = ""
    why: str = ""


class Total(Struct, frozen=True, kw_only=True):
    """A sum over orders that act at one time; it is at least this where any part is ``unknown``."""

    parts: tuple[Counted, ...]

    @property
    def least(self) -> float:
        return round(sum(each.mme[0] for each in self.parts), 6)

    @property
    def most(self) -> float:
        return round(sum(each.mme[1] for each in self.parts), 6)

    @property
    def unknown(self) -> tuple[Counted, ...]:
        return tuple(each for each in self.parts if each.state == "unknown")


def counted(order: Order, ingredient: str, doses: Doses) -> Counted:
    """What one opioid of an order comes to."""
    rows = doses.opioids.get(ingredient, ())
    if not rows:
        return Counted(order=order, ingredient=ingredient, state="unknown", why="the guideline has no factor for it")
    way = doses.way_of(order.route, order.form)
    row = next((each for each in rows if way in each.ways or not each.ways), None)
    if row is None:
        why = "its route is not known" if way is None else f"the guideline has no factor for the route ({way})"
        return Counted(order=order, ingredient=ingredient, state="unknown", why=why)
    if row.factor is None:
        state: Literal["unknown", "not_counted"] = "not_counted" if row.note.startswith("not counted") else "unknown"
        return Counted(order=order, ingredient=ingredient, state=state, why=row.note)
    amount = _amount(order, ingredient, row)
    if amount is None:
        return Counted(order=order, ingredient=ingredient, state="unknown", why="its daily dose is not known")
    least, most = amount
    return Counted(
        order=order,
        ingredient=ingredient,
        state="counted",
        mme=(least * row.factor, most * row.factor),
        amount=amount,
        unit=row.unit,
    )


def total(orders: Iterable[Order], opioids: Iterable[str], doses: Doses) -> Total:
    """The sum over ``orders``, of their ingredients that are among ``opioids``."""
    known = frozenset(opioids)
    return Total(parts=tuple(counted(o, each, doses) for o in orders for each in o.ingredients if each in known))


def _amount(order: Order, ingredient: str, row: Equivalent) -> tuple[float, float] | None:
    if row.unit == "mcg/h":
        rate = _patch_rate(order, ingredient)
        return None if rate is None else (rate, rate)
    most = order.daily_mg_of(ingredient)
    if most is None:
        return None
    least = order.least_daily_mg_of(ingredient)
    return (most if least is None else least), most


def _patch_rate(order: Order, ingredient: str) -> float | None:
    """What the patches that are worn at one time give, in micrograms an hour: how often they are changed does not matter."""
    strength = order.strengths.get(ingredient)
    each = None if strength is None else _micrograms_an_hour(strength.value, strength.unit)
    amount = order.dose.amount if order.dose is not None else None
    if amount is None:
        return each
    unit, most = amount.unit.strip().lower(), max(amount.value, amount.high or 0)
    said = _micrograms_an_hour(most, unit)
    if said is not None:
        return said
    return most * each if each is not None and unit in _PATCHES else None


def _micrograms_an_hour(value: float, unit: str) -> float | None:
    found = _RATE.fullmatch(unit.strip().lower())
    return None if found is None or value <= 0 else value * _TO_MICROGRAMS.get(found["mass"], 1.0)
