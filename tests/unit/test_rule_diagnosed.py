"""An entry of the problem list evaluates what asks for its group, and the first one all that asks for diagnoses."""

from __future__ import annotations

import pytest

from knowledge.loader import load
from schemas.events import AnyEvent, Coding, Condition, ConditionRecord
from services.monitor.patient.apply import apply
from services.monitor.patient.change import Change, between, everything
from services.monitor.patient.state import PatientState
from services.monitor.rules.diagnosed import about
from services.monitor.rules.kidney_dose import KidneyDose
from services.monitor.rules.opioid import Opioid
from services.monitor.rules.qt import Qt
from services.monitor.rules.rule import Rule
from tests.support.clinical import at, order

KNOWLEDGE = load()
# codes as ICD-10 titles them
FRACTURE, GOUT, DIALYSIS, SLEEP_APNOEA, HEART_FAILURE = "S52.5", "M10.9", "Z99.2", "G47.33", "I50.9"
METHADONE, METFORMIN = order("methadone", 0), order("metformin", 0)


def problem(code: str, hours: float, *, wrong: bool = False) -> ConditionRecord:
    condition = Condition(codings=(Coding("ICD-10", code),))
    return ConditionRecord(
        patient_id="p", source="ward", record_id=code, occurred_at=at(hours), version=2 if wrong else 1,
        status="entered_in_error" if wrong else "recorded", condition=condition,
    )  # fmt: skip


def last(*events: AnyEvent) -> tuple[Change, PatientState]:
    before: PatientState | None = None
    for event in events[:-1]:
        before = apply(before, event, KNOWLEDGE)
    after = apply(before, events[-1], KNOWLEDGE)
    return between(before, after), after


def parts(rule: Rule, *events: AnyEvent) -> set[str]:
    change, state = last(*events)
    return set(rule.parts(change, state, KNOWLEDGE))


@pytest.mark.parametrize(
    ("rule", "medicine", "part", "in_group"),
    [
        (KidneyDose(), METFORMIN, "metformin", DIALYSIS),
        (Opioid(), METHADONE, "", SLEEP_APNOEA),
        (Qt(), METHADONE, "", HEART_FAILURE),
    ],
)
def test_a_diagnosis_evaluates_a_rule_where_it_is_asked_for(
    rule: Rule, medicine: AnyEvent, part: str, in_group: str
) -> None:
    known = (medicine, problem(GOUT, 1))
    assert parts(rule, *known, problem(FRACTURE, 2)) == set()
    assert parts(rule, *known, problem(in_group, 2)) == {part}
    # taken back it says as much
    assert parts(rule, *known, problem(in_group, 2), problem(in_group, 3, wrong=True)) == {part}


@pytest.mark.parametrize(
    ("rule", "medicine", "part"),
    [(KidneyDose(), METFORMIN, "metformin"), (Opioid(), METHADONE, ""), (Qt(), METHADONE, "")],
)
def test_the_first_diagnosis_and_the_last_taken_back_evaluate_all_that_ask_for_any(
    rule: Rule, medicine: AnyEvent, part: str
) -> None:
    assert parts(rule, medicine, problem(FRACTURE, 1)) == {part}
    assert parts(rule, medicine, problem(FRACTURE, 1), problem(FRACTURE, 2, wrong=True)) == {part}


def test_what_is_told_of_a_change() -> None:
    change, state = last(METFORMIN, problem(GOUT, 1), problem(DIALYSIS, 2))
    assert "dialysis-dependent" in (about(change, KNOWLEDGE) or ())
    assert about(everything(state, state), KNOWLEDGE) is None
    unchanged, _ = last(METFORMIN, problem(GOUT, 1), order("digoxin", 2))
    assert about(unchanged, KNOWLEDGE) == frozenset()
