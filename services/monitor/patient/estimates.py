"""Kidney function of a patient, from what the state holds: the newest creatinine that can be true, age, sex, weight, height."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from knowledge.kidney_injury import KidneyInjury
from services.monitor.patient.bounds import Need
from services.monitor.patient.injury import risen, times
from services.monitor.patient.kidney import Estimate, WeightRule, ckd_epi, cockcroft_gault, schwartz
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState

STEADY = Need(newest=3, within=timedelta(days=7))
"""What ``unsteady`` looks at."""


def filtration(state: PatientState) -> Estimate | None:
    """eGFR in mL/min for 1.73 m²: CKD-EPI 2021 of adults, bedside Schwartz of children. None where something is not known."""
    newest = _creatinine(state)
    years = state.years(newest.at) if newest is not None else None
    if newest is None or newest.value is None or years is None:
        return None
    if (height := in_unit(state, "height", "cm")) is not None:
        found = schwartz(newest.value, years, height, (("creatinine", newest.at),))
        if found is not None:
            return found
    match state.sex:
        case "female" | "male" as sex:
            return ckd_epi(newest.value, years, sex, (("creatinine", newest.at),))
    return None


def clearance(state: PatientState, rule: WeightRule = "by ideal weight") -> Estimate | None:
    """Creatinine clearance of an adult in mL/min by Cockcroft and Gault. None where something is not known."""
    newest, weight = _creatinine(state), in_unit(state, "weight", "kg")
    years = state.years(newest.at) if newest is not None else None
    if newest is None or newest.value is None or years is None or weight is None:
        return None
    match state.sex:
        case "female" | "male" as sex:
            height, rests_on = in_unit(state, "height", "cm"), (("creatinine", newest.at),)
            return cockcroft_gault(newest.value, years, sex, weight, height, rule, rests_on)
    return None


def unsteady(state: PatientState, criteria: KidneyInjury | None) -> bool:
    """Whether creatinine moves so much that an estimate from it says little: up or down by what KDIGO calls acute kidney injury
    when it is up (``Knowledge.kidney_injury``), which is not the steady one that the formulas ask for."""
    newest = _creatinine(state)
    if criteria is None or newest is None or newest.value is None:
        return False
    rise, ratio = criteria.rise, criteria.ratios[-1]
    for result in state.results.get("creatinine", ()):
        if not result.sure or result.value is None or result.value <= 0 or newest.value <= 0:
            continue
        age = newest.at - result.at
        low, high = sorted((newest.value, result.value))
        if age <= rise.within and risen(high, low) >= rise.limit:
            return True
        if age <= ratio.within and times(high, low) >= ratio.limit:
            return True
    return False


def in_unit(state: PatientState, kind: Literal["weight", "height"], unit: str) -> float | None:
    """The newest measurement of a kind, where it is in ``unit``."""
    found = state.measure(kind, state.clock)
    return found.what.value if found is not None and found.what.unit.lower() == unit else None


def _creatinine(state: PatientState) -> Result | None:
    newest = state.newest("creatinine")
    return newest if newest is not None and newest.sure and newest.unit == "mg/dL" else None
