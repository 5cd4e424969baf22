"""What conditions about the person mean: age, weight, kidney, diagnoses, what is measured at the bedside, where they are."""

from __future__ import annotations

from calendar import isleap
from datetime import UTC, date, datetime, timedelta
from math import ceil, floor

from knowledge.conditions import Condition
from services.monitor.patient.clock import later, said_at
from services.monitor.patient.estimates import clearance, filtration, in_unit
from services.monitor.patient.known import known_or
from services.monitor.patient.state import PatientState
from services.monitor.rules.answer import Answer, Situation
from services.monitor.rules.answers_of_results import MOMENT
from services.monitor.rules.view import view_of


def measured(condition: Condition, state: PatientState) -> Answer:
    value: float | None = None
    unit, until = condition.unit, None
    if condition.kind == "age":
        age = state.age(state.clock)
        value = age.days if condition.unit == "days" and age is not None else state.years(state.clock)
        until = _turns(condition, state)
    elif condition.kind == "weight":
        value = in_unit(state, "weight", "kg")
    else:
        estimate = filtration(state) if condition.name == "egfr" else clearance(state)
        if estimate is not None:
            value, unit = estimate.value, f"{estimate.unit} ({estimate.formula})"
    if value is None:
        return Answer(condition=condition, holds=None, found="not known")
    found = f"{value:.4g} {unit}".strip()
    return Answer(condition=condition, holds=condition.compares(value), found=found, until=until)


def _turns(condition: Condition, state: PatientState) -> datetime | None:
    """When the patient comes to the age from which the answer is another; None where that is over."""
    if state.birth_date is None:
        return None
    from_ = ceil(condition.value) if condition.op in (">=", "<") else floor(condition.value) + 1
    try:
        day = _day_of(state.birth_date, from_, condition.unit)
    except (OverflowError, ValueError):
        return None  # beyond the end of the calendar: a birth date that nobody checked
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return at if at > state.clock else None


def _day_of(born: date, age: int, unit: str) -> date:
    """The day on which somebody comes to an age. Raises ``OverflowError`` and ``ValueError`` past the calendar's end."""
    if unit == "days":
        return born + timedelta(days=age)
    year = born.year + age
    leap = (born.month, born.day) == (2, 29) and not isleap(year)
    return date(year, 3, 1) if leap else born.replace(year=year)


def history(condition: Condition, of: Situation) -> Answer:
    view = view_of(of.state, of.knowledge)
    if view.conditions is None:
        return Answer(condition=condition, holds=None, found="no diagnoses known")
    found = view.groups.get(condition.name, ())
    names = (each.codings[0].display or each.codings[0].code for each in found)
    return Answer(
        condition=condition, holds=bool(found), found=", ".join(dict.fromkeys(names)) or "not among those known"
    )


def trait(condition: Condition, state: PatientState) -> Answer:
    holds = _has_trait(condition.name, state)
    return Answer(condition=condition, holds=holds, found={True: "yes", False: "no", None: "not known"}[holds])


def no_trait(condition: Condition, state: PatientState) -> Answer:
    """Whether nobody has said it, either way."""
    holds = _has_trait(condition.name, state)
    return Answer(condition=condition, holds=holds is None, found={True: "yes", False: "no", None: "not known"}[holds])


def _has_trait(name: str, state: PatientState) -> bool | None:
    match name:
        case "pregnant":
            return None if state.pregnancy is None else state.pregnancy.pregnant
        case "lactating":
            return state.lactating
        case "end_of_life":
            return None if state.goals is None else known_or(state.goals.end_of_life, None)
        case "inpatient":
            stay = state.stay
            encounter = None if stay is None else known_or(stay.encounter_class, None)
            return None if encounter is None else encounter in ("inpatient", "emergency")
        case "benign_ethnic_neutropenia":
            return None if state.traits is None else known_or(state.traits.benign_ethnic_neutropenia, None)
    if state.procedures is None:
        return None
    kind = {"dialysis": "dialysis", "ventilated": "ventilation"}[name]
    return any(
        each.kind == kind and (known_or(each.end, None) is None or known_or(each.end, state.clock) > state.clock)
        for each in state.procedures
    )


def sex(condition: Condition, state: PatientState) -> Answer:
    holds = state.sex == condition.name if state.sex else None
    return Answer(condition=condition, holds=holds, found=state.sex or "not known")


def unit(condition: Condition, state: PatientState) -> Answer:
    """Where the patient is now, by the newest stay that has not ended, else as last said."""
    stay = state.stay
    ended = stay is not None and known_or(stay.discharged_at, None) is not None
    here = "" if stay is None or ended else known_or(stay.unit, "") or ""
    here = here or ("" if ended else state.unit)
    holds = here.casefold() == condition.name.casefold() if here else (False if ended else None)
    return Answer(condition=condition, holds=holds, found=here or ("discharged" if ended else "not known"))


def observed(condition: Condition, state: PatientState) -> Answer:
    """The newest bedside measurement of a kind; in another unit than that of the condition it says nothing."""
    fact = state.measure(condition.name, state.clock)
    if fact is None or fact.what.value is None:
        return Answer(condition=condition, holds=None, found="not known")
    found = f"{fact.what.value:.4g} {fact.what.unit} at {said_at(fact.at)}"
    if fact.what.unit.casefold() != condition.unit.casefold():
        return Answer(condition=condition, holds=None, found=f"{found}, not in {condition.unit}")
    if condition.within is None:
        return Answer(condition=condition, holds=condition.compares(fact.what.value), found=found)
    if state.clock - fact.at > condition.within:
        return Answer(condition=condition, holds=None, found=f"{found}, too old to say")
    until = later(fact.at, condition.within + MOMENT)
    return Answer(condition=condition, holds=condition.compares(fact.what.value), found=found, until=until)
