"""How much a day, from how much and how often: the one reading that ingest writes and the monitor grades by."""

from __future__ import annotations

import math

from schemas.values import Quantity


def daily_dose(
    dose: Quantity | None,
    frequency: float | None,
    frequency_high: float | None,
    *,
    as_needed: bool | None,
    most: Quantity | None,
) -> Quantity | None:
    """From the least to the most in a day, in the unit of the dose; None when it is not known. What is taken as needed may not
    be taken at all. Never above ``most`` of the same unit. A dose or frequency of nothing, or less, is a slip."""
    if dose is None or frequency is None:
        return None
    smallest, largest = _ends(dose.value, dose.high)
    seldom, often = _ends(frequency, frequency_high)
    if largest <= 0 or often <= 0 or smallest < 0 or seldom < 0:
        return None
    high = largest * often
    low = 0.0 if as_needed else smallest * seldom
    if most is not None and most.value > 0 and most.unit.strip().lower() == dose.unit.strip().lower():
        high = min(high, _ends(most.value, most.high)[1])
        low = min(low, high)
    if not math.isfinite(high):
        return None
    return Quantity(low, dose.unit, high) if low != high else Quantity(high, dose.unit)


def _ends(low: float, high: float | None) -> tuple[float, float]:
    return (low, low) if high is None else (min(low, high), max(low, high))
