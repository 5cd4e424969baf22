"""The size and the age of a patient: plain numbers in, plain numbers out.

Weights are in kg, heights in cm. What a formula was not made for gives None, never a number that looks like one of its results.
"""

from __future__ import annotations

import math
from datetime import date
from typing import Literal, NamedTuple

Sex = Literal["female", "male"]
AgeUnit = Literal["days", "months", "years"]

_CM_PER_INCH = 2.54
_FIVE_FEET = 60
"""Inches. Devine's formula counts what is above; below it is not defined."""

_HEIGHTS = (20.0, 280.0)
_WEIGHTS = (0.2, 700.0)
"""Beyond the smallest newborn that lived and the tallest and heaviest adult on record, so a slip of unit or digit."""

OLDEST = 130
"""Years. No person on record has lived longer than 122."""


class Age(NamedTuple):
    """Completed days below a month, months below two years, else years: the unit in which a dose or a limit is given."""

    value: int
    unit: AgeUnit


def age_on(day: date, birth_date: date) -> Age | None:
    """The age on ``day``; None for a birth after it or so long before that the date cannot be one."""
    years = years_on(day, birth_date)
    if years is None:
        return None
    months = years * 12 + (day.month - birth_date.month - (day.day < birth_date.day)) % 12
    if months == 0:
        return Age((day - birth_date).days, "days")
    return Age(months, "months") if years < 2 else Age(years, "years")


def years_on(day: date, birth_date: date) -> int | None:
    """Completed years; who was born on 29 February has a birthday on 1 March in other years. None as in ``age_on``."""
    if day < birth_date:
        return None
    years = day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))
    return years if years <= OLDEST else None


def ideal_weight(height: float, sex: Sex) -> float | None:
    """Ideal body weight in kg: 50 (men) or 45.5 (women) and 2.3 for each inch above five feet.

    Devine BJ. Gentamicin therapy. Drug Intell Clin Pharm 1974;8:650-655 (formula read as ClinCalc gives it,
    clincalc.com/Kinetics/IdealBW.aspx). None below five feet (152.4 cm), for which it was not made.
    """
    inches = height / _CM_PER_INCH
    if not _within(height, _HEIGHTS) or inches < _FIVE_FEET:
        return None
    return (50.0 if sex == "male" else 45.5) + 2.3 * (inches - _FIVE_FEET)


def adjusted_weight(actual: float, ideal: float) -> float | None:
    """Ideal weight and 0.4 of what is above it, in kg; None where nothing is above it.

    Factor for drug dosing and kidney function as ClinCalc gives it (clincalc.com/Kinetics/IdealBW.aspx), used there when
    the actual weight is more than 20 % above the ideal one.
    """
    if not _within(actual, _WEIGHTS) or not _within(ideal, _WEIGHTS) or actual <= ideal:
        return None
    return ideal + 0.4 * (actual - ideal)


def surface_area(height: float, weight: float) -> float | None:
    """Body surface in m², for doses by surface and to turn an eGFR for 1.73 m² into the patient's own.

    Mosteller RD. Simplified calculation of body-surface area. N Engl J Med 1987;317:1098 (formula read as GlobalRPh gives
    it, globalrph.com/bsa2.htm). For children and adults.
    """
    if not _within(height, _HEIGHTS) or not _within(weight, _WEIGHTS):
        return None
    return math.sqrt(height * weight / 3600)


def plausible_height(height: float) -> bool:
    """Whether a person can be that many cm tall."""
    return _within(height, _HEIGHTS)


def plausible_weight(weight: float) -> bool:
    """Whether a person can weigh that many kg."""
    return _within(weight, _WEIGHTS)


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]
