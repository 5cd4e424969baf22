"""The daily dose of an order in milligrams, where it is certain; None is "not known" and never "none"."""

from __future__ import annotations

from msgspec import UnsetType

from schemas.events import Dosage, Ingredient
from schemas.values import Quantity

_MILLIGRAMS = {"mg": 1.0, "milligram": 1.0, "milligrams": 1.0, "g": 1000.0, "mcg": 0.001, "µg": 0.001, "ug": 0.001}
_UNITS_OF_FORM = {"tab", "tabs", "tablet", "tablets", "cap", "caps", "capsule", "capsules"}


def _quantity(value: Quantity | UnsetType | None) -> Quantity | None:
    return value if isinstance(value, Quantity) else None


def daily_mg(dosage: Dosage, ingredient: Ingredient | None) -> float | None:
    """Dose times frequency, with tablets converted by the strength of the only ingredient; the upper end of a range."""
    dose, frequency = _quantity(dosage.dose), dosage.frequency_per_day
    if dose is None or frequency is None or isinstance(frequency, UnsetType):
        return None
    amount = dose.value if dose.high is None else max(dose.value, dose.high)
    unit = dose.unit.strip().lower()
    if unit in _MILLIGRAMS:
        return amount * _MILLIGRAMS[unit] * frequency
    strength = _quantity(ingredient.strength) if ingredient is not None else None
    if unit in _UNITS_OF_FORM and strength is not None and strength.unit.strip().lower() in _MILLIGRAMS:
        return amount * strength.value * _MILLIGRAMS[strength.unit.strip().lower()] * frequency
    return None
