"""How well the kidneys filter, estimated from creatinine: plain numbers in, an ``Estimate`` out.

Creatinine is in mg/dL by a method traceable to IDMS, ages in years, heights in cm, weights in kg. Every formula holds for a
creatinine that is stable: while it rises the kidneys are worse than the estimate says, and the caller, who sees the earlier
values, must say so. Outside the ages and sizes that a formula was made for, the answer is None.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from services.monitor.patient.body import (
    OLDEST,
    Sex,
    adjusted_weight,
    ideal_weight,
    plausible_height,
    plausible_weight,
    surface_area,
)

Formula = Literal["CKD-EPI 2021", "Cockcroft-Gault", "bedside Schwartz"]
WeightRule = Literal["by ideal weight", "actual"]
WeightUsed = Literal[
    "", "actual", "ideal", "adjusted", "actual, height unknown", "actual, too short for an ideal weight"
]
RestsOn = tuple[tuple[str, datetime], ...]
"""What was measured when: ``(("creatinine", …), ("weight", …))``."""

ADULT = 18
_CREATININES = (0.05, 40.0)
"""mg/dL. As the plausible range of the analyte: beyond it a slip is likelier, and an estimate from a slip is none."""

_OBESE = 1.2
"""Actual over ideal weight, above which the adjusted one is used."""


class Estimate(Struct, frozen=True, kw_only=True):
    """``value`` in ``unit`` by ``formula``. ``rests_on`` are the times of the values it was made from, ``weight`` says which
    weight was used, where one was."""

    value: float
    unit: Literal["mL/min/1.73 m2", "mL/min"]
    formula: Formula
    rests_on: RestsOn = ()
    weight: WeightUsed = ""

    @property
    def oldest(self) -> datetime | None:
        """The time of the oldest value that it rests on."""
        return min((at for _, at in self.rests_on), default=None)


def ckd_epi(creatinine: float, age: float, sex: Sex, rests_on: RestsOn = ()) -> Estimate | None:
    """eGFR of an adult (from 18 years) in mL/min for 1.73 m² of body surface.

    Inker LA, Eneanya ND, Coresh J, et al. New creatinine- and cystatin C-based equations to estimate GFR without race.
    N Engl J Med 2021;385:1737-1749 (coefficients read as the R package medutils gives them; the age from which it holds as
    niddk.nih.gov gives it, GFR equations for adults).
    """
    if not _measured(creatinine) or not ADULT <= age <= OLDEST:
        return None
    kappa, alpha, factor = (0.7, -0.241, 1.012) if sex == "female" else (0.9, -0.302, 1.0)
    ratio = creatinine / kappa
    value: float = 142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**age * factor
    return Estimate(value=value, unit="mL/min/1.73 m2", formula="CKD-EPI 2021", rests_on=rests_on)


def cockcroft_gault(
    creatinine: float,
    age: float,
    sex: Sex,
    weight: float,
    height: float | None = None,
    rule: WeightRule = "by ideal weight",
    rests_on: RestsOn = (),
) -> Estimate | None:
    """Creatinine clearance of an adult (from 18 years) in mL/min.

    Cockcroft DW, Gault MH. Prediction of creatinine clearance from serum creatinine. Nephron 1976;16:31-41.

    ``rule`` is that of the label whose dose step is asked for. ``actual``: as in the original, and in trials of rivaroxaban.
    ``by ideal weight``: the actual weight below the ideal one, the ideal weight up to 120 % of it, above that the adjusted
    one, after Winter MA, Guhr KN, Berg GM. Impact of various body weights and serum creatinine concentrations on the bias
    and accuracy of the Cockcroft-Gault equation. Pharmacotherapy 2012;32:604-612 (not read; the limit of 120 % is
    ClinCalc's). Where there is no ideal weight, because the height is not known or under five feet, the actual one is used
    and the estimate says so.
    """
    if not _measured(creatinine) or not ADULT <= age <= OLDEST or not plausible_weight(weight):
        return None
    kilograms, used = (weight, _ACTUAL) if rule == "actual" else _dosing_weight(weight, height, sex)
    value = (140 - age) * kilograms / (72 * creatinine) * (0.85 if sex == "female" else 1.0)
    return Estimate(value=value, unit="mL/min", formula="Cockcroft-Gault", rests_on=rests_on, weight=used)


_ACTUAL: WeightUsed = "actual"


def _dosing_weight(weight: float, height: float | None, sex: Sex) -> tuple[float, WeightUsed]:
    if height is None or not plausible_height(height):
        return weight, "actual, height unknown"
    ideal = ideal_weight(height, sex)
    if ideal is None:
        return weight, "actual, too short for an ideal weight"
    if weight < ideal:
        return weight, _ACTUAL
    adjusted = adjusted_weight(weight, ideal)
    if adjusted is None or weight <= _OBESE * ideal:
        return ideal, "ideal"
    return adjusted, "adjusted"


def schwartz(creatinine: float, age: float, height: float, rests_on: RestsOn = ()) -> Estimate | None:
    """eGFR of a child from 1 to below 18 years in mL/min for 1.73 m² of body surface.

    Schwartz GJ, Muñoz A, Schneider MF, et al. New equations to estimate GFR in children with CKD. J Am Soc Nephrol
    2009;20:629-637, as the National Kidney Foundation gives it (kidney.org, creatinine-based bedside Schwartz equation).
    """
    if not _measured(creatinine) or not 1 <= age < ADULT or not plausible_height(height):
        return None
    value = 0.413 * height / creatinine
    return Estimate(value=value, unit="mL/min/1.73 m2", formula="bedside Schwartz", rests_on=rests_on)


def own_rate(estimate: Estimate, height: float, weight: float) -> float | None:
    """An eGFR for 1.73 m² as mL/min of this body, which is what clears a drug; None where it already is, or the size is no
    one's."""
    surface = surface_area(height, weight)
    if surface is None or estimate.unit != "mL/min/1.73 m2":
        return None
    return estimate.value * surface / 1.73


def _measured(creatinine: float) -> bool:
    return _CREATININES[0] <= creatinine <= _CREATININES[1]
