"""The daily dose of an order in milligrams, where it is certain; None is "not known" and never "none"."""

from __future__ import annotations

from schemas.daily_dose import daily_dose
from schemas.values import Quantity

_MILLIGRAMS = {"mg": 1.0, "milligram": 1.0, "milligrams": 1.0, "g": 1000.0, "mcg": 0.001, "µg": 0.001, "ug": 0.001}
_UNITS_OF_FORM = {"tab", "tabs", "tablet", "tablets", "cap", "caps", "capsule", "capsules"}


def daily_mg(dose: Quantity | None, frequency: float | None, strength: Quantity | None, *, alone: bool) -> float | None:
    """The most in a day of one ingredient, from a dose and how often it is taken; as ``milligrams`` has it."""
    a_day = daily_dose(dose, frequency, None, as_needed=None, most=None)
    found = milligrams(a_day, strength, alone=alone)
    return found[1] if found is not None else None


def milligrams(amount: Quantity | None, strength: Quantity | None, *, alone: bool) -> tuple[float, float] | None:
    """The least and the most of one ingredient in an amount, with tablets converted by its strength.

    Milligrams of a medicine of several ingredients (not ``alone``) say nothing of one of them.
    """
    each = _milligrams_each(amount.unit.strip().lower(), strength, alone) if amount is not None else None
    if amount is None or each is None:
        return None
    high = amount.value if amount.high is None else max(amount.value, amount.high)
    return amount.value * each, high * each


def _milligrams_each(unit: str, strength: Quantity | None, alone: bool) -> float | None:
    """What one of ``unit`` holds."""
    if unit in _MILLIGRAMS:
        return _MILLIGRAMS[unit] if alone else None
    of_strength = _MILLIGRAMS.get(strength.unit.strip().lower()) if strength is not None else None
    if unit not in _UNITS_OF_FORM or strength is None or of_strength is None or strength.value <= 0:
        return None
    return strength.value * of_strength


def days_of(quantity: Quantity, a_day: Quantity | None) -> float | None:
    """How many days a quantity lasts at the upper end of the daily dose; None when they do not share a unit, or one is not
    known."""
    if a_day is None or not _same_unit(quantity.unit, a_day.unit):
        return None
    high = a_day.value if a_day.high is None else max(a_day.value, a_day.high)
    return quantity.value / high if high > 0 else None


def _same_unit(one: str, other: str) -> bool:
    one, other = one.strip().lower(), other.strip().lower()
    return one == other or {one, other} <= _UNITS_OF_FORM
