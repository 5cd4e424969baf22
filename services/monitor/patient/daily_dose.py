"""The daily dose of an order in milligrams, where it is certain; None is "not known" and never "none"."""

from __future__ import annotations

from schemas.values import Quantity

_MILLIGRAMS = {"mg": 1.0, "milligram": 1.0, "milligrams": 1.0, "g": 1000.0, "mcg": 0.001, "µg": 0.001, "ug": 0.001}
_UNITS_OF_FORM = {"tab", "tabs", "tablet", "tablets", "cap", "caps", "capsule", "capsules"}


def daily_mg(dose: Quantity | None, frequency: float | None, strength: Quantity | None, *, alone: bool) -> float | None:
    """Dose times frequency of one ingredient, with tablets converted by its strength; the upper end of a range.

    Milligrams of a medicine of several ingredients (not ``alone``) say nothing of one of them. A dose of nothing or less is
    a slip.
    """
    if dose is None or frequency is None:
        return None
    amount = dose.value if dose.high is None else max(dose.value, dose.high)
    each = _milligrams_each(dose.unit.strip().lower(), strength, alone)
    if each is None or amount <= 0 or frequency <= 0:
        return None
    return amount * each * frequency


def _milligrams_each(unit: str, strength: Quantity | None, alone: bool) -> float | None:
    """What one of ``unit`` holds."""
    if unit in _MILLIGRAMS:
        return _MILLIGRAMS[unit] if alone else None
    of_strength = _MILLIGRAMS.get(strength.unit.strip().lower()) if strength is not None else None
    if unit not in _UNITS_OF_FORM or strength is None or of_strength is None or strength.value <= 0:
        return None
    return strength.value * of_strength


def days_of(quantity: Quantity, dose: Quantity | None, frequency: float | None) -> float | None:
    """How many days a quantity lasts at the upper end of the dose; None when they do not share a unit, or one is not known."""
    if dose is None or frequency is None or frequency <= 0 or not _same_unit(quantity.unit, dose.unit):
        return None
    amount = dose.value if dose.high is None else max(dose.value, dose.high)
    a_day = amount * frequency
    return quantity.value / a_day if a_day > 0 else None


def _same_unit(one: str, other: str) -> bool:
    one, other = one.strip().lower(), other.strip().lower()
    return one == other or {one, other} <= _UNITS_OF_FORM
