"""How well the kidneys clear, by the formula that a label goes by; where something is not known, at most how well.

The least favourable unknown is never assumed: without a weight the clearance is told for a very heavy body, without a sex for a
man. What is beyond a limit even so is beyond it whatever the answer is.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from knowledge.conditions import Condition
from knowledge.dose import Formula
from knowledge.model import Knowledge
from services.monitor.patient.body import plausible_weight
from services.monitor.patient.estimates import clearance, filtration, in_unit, unsteady
from services.monitor.patient.kidney import ADULT, Estimate, WeightRule, ckd_epi, cockcroft_gault
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers
from services.monitor.rules.diagnosed import groups_of

Course = Literal["steady", "rising", "falling"]

_RULES: dict[str, WeightRule] = {"crcl": "by ideal weight", "crcl_actual": "actual"}
_DEPENDS = (
    Condition(text="dialysis", kind="trait", name="dialysis"),
    Condition(text="history dialysis-dependent", kind="history", name="dialysis-dependent"),
)
DIALYSIS = groups_of((_DEPENDS,))
"""The groups of diagnoses by which ``on_dialysis`` answers."""


class Clearing(Struct, frozen=True, kw_only=True):
    """``missing`` is what is not known: then ``estimate`` is the most that it can be, and no estimate of this patient's where
    the age is among it. ``course`` is that of creatinine, ``before`` the result before it where it is not steady."""

    estimate: Estimate
    creatinine: Result
    missing: tuple[str, ...] = ()
    course: Course = "steady"
    before: Result | None = None

    @property
    def in_words(self) -> str:
        """``creatinine clearance 24 mL/min``, ``eGFR at most 31``."""
        most = "at most " if self.missing else ""
        if self.estimate.formula == "Cockcroft-Gault":
            return f"creatinine clearance {most}{self.estimate.value:.0f} mL/min"
        return f"eGFR {most}{self.estimate.value:.0f}"


def creatinine(state: PatientState) -> Result | None:
    """The newest, where it can be true."""
    newest = state.newest("creatinine")
    return newest if newest is not None and newest.sure and newest.unit == "mg/dL" else None


def clearing(formula: Formula, state: PatientState, knowledge: Knowledge) -> Clearing | None:
    """None where nothing can be said: no creatinine, a child for whom the formula was not made."""
    newest = creatinine(state)
    if newest is None:
        return None
    known = filtration(state) if formula == "egfr" else clearance(state, _RULES[formula])
    before = _before(newest, state, knowledge)
    course = _course(newest, before)
    if known is not None:
        return Clearing(estimate=known, creatinine=newest, course=course, before=before)
    most, missing = _at_most(formula, newest, state, knowledge)
    if most is None:
        return None
    return Clearing(estimate=most, creatinine=newest, missing=missing, course=course, before=before)


def on_dialysis(state: PatientState, knowledge: Knowledge) -> tuple[Answer, ...]:
    """Whether the patient is on dialysis now, and whether a diagnosis says that it is for good."""
    return answers(_DEPENDS, Situation(state=state, knowledge=knowledge))


def _at_most(
    formula: Formula, newest: Result, state: PatientState, knowledge: Knowledge
) -> tuple[Estimate | None, tuple[str, ...]]:
    years, weight = state.years(newest.at), in_unit(state, "weight", "kg")
    heaviest = knowledge.dose_findings.numbers.get("heaviest")
    if newest.value is None or heaviest is None or (years is not None and years < ADULT):
        return None, ()
    if weight is not None and not plausible_weight(weight):
        weight = None
    sex: Literal["female", "male"] = "female" if state.sex == "female" else "male"
    unknown = [("age", years is None), ("sex", state.sex not in ("female", "male"))]
    age = ADULT if years is None else years
    if formula == "egfr":
        most = ckd_epi(newest.value, age, sex)
    else:
        unknown.append(("weight", weight is None))
        height = None if weight is None else in_unit(state, "height", "cm")
        most = cockcroft_gault(newest.value, age, sex, weight or heaviest, height, _RULES[formula])
    return most, tuple(name for name, missing in unknown if missing)


def _before(newest: Result, state: PatientState, knowledge: Knowledge) -> Result | None:
    """The result before the newest, where the two or those before them show that creatinine is not steady."""
    if not unsteady(state, knowledge.kidney_injury):
        return None
    earlier = (each for each in reversed(state.results.get("creatinine", ())) if each.sure and each.at < newest.at)
    return next(earlier, None)


def _course(newest: Result, before: Result | None) -> Course:
    if before is None or newest.value is None or before.value is None:
        return "steady"
    return "falling" if newest.value < before.value else "rising"
