"""How long an answer about the patient is kept: until the very moment at which time alone changes it, and only of the same facts.

One condition is asked of several states of a patient, as rules ask it; the times are worked out beside each.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from knowledge.conditions import Condition, parsed
from schemas.events import Observation
from services.monitor.patient.bounds import Need
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers, read_by
from tests.support.clinical import at, lab, order
from tests.unit.test_rule_conditions import KNOWN, NAMES, after

MOMENT = timedelta(microseconds=1)


def one(text: str) -> Condition:
    (condition,) = parsed([text], NAMES)
    return condition


def asked(condition: Condition, state: PatientState) -> Answer:
    (answer,) = answers((condition,), Situation(state=state, knowledge=KNOWN))
    return answer


def weighed(kilograms: float, hours: float) -> Observation:
    return Observation(
        patient_id="p", source="ward", record_id=f"w-{hours}", occurred_at=at(hours), kind="weight", value=kilograms,
        unit="kg",
    )  # fmt: skip


def test_it_ends_at_the_very_moment_at_which_it_changes() -> None:
    """A value of 8:00 counts up to and with 8:00 three days later."""
    recent, state = one("potassium >= 5.5 within 72 h"), after(lab("potassium", 6.0, 0))
    first = asked(recent, state)
    assert (first.holds, first.until) == (True, at(72) + MOMENT)
    assert asked(recent, replace(state, clock=at(72))) is first
    assert asked(recent, replace(state, clock=at(72) + MOMENT)).holds is None


def test_it_is_not_that_of_an_earlier_time() -> None:
    """A rule that looks back in time asks anew, and what it hears is not taken for the present."""
    old, state = one("potassium older than 24 h"), after(lab("potassium", 4.0, 0))
    then, now = replace(state, clock=at(12)), replace(state, clock=at(30))
    assert [asked(old, each).holds for each in (now, then, now)] == [True, False, True]


def test_another_value_is_asked_anew_and_another_medicine_not() -> None:
    high = one("potassium >= 5.5")
    raised = asked(high, after(lab("potassium", 6.0, 0)))
    state = after(lab("potassium", 6.0, 0), lab("potassium", 5.0, 1))
    normal = asked(high, state)
    assert (raised.holds, normal.holds) == (True, False)
    assert asked(high, after(lab("potassium", 6.0, 0), lab("potassium", 5.0, 1), order("warfarin", 2))) is normal


def test_what_is_dated_ahead_counts_from_its_very_time() -> None:
    """40 kg now and, by a clock that is ahead, 60 kg in five hours."""
    light, state = one("weight < 50 kg"), replace(after(weighed(40, 0), weighed(60, 5)), clock=at(1))
    first = asked(light, state)
    assert first.holds is True
    assert asked(light, replace(state, clock=at(5) - MOMENT)) is first
    assert asked(light, replace(state, clock=at(5))).holds is False


def test_what_was_measured_this_moment_is_not_ahead() -> None:
    light, state = one("weight < 50 kg"), after(weighed(40, 0))
    first = asked(light, state)
    assert asked(light, state) is first
    assert asked(light, replace(state, clock=at(4000))) is first


def test_a_result_does_not_change_with_a_weight() -> None:
    """Only what reads measurements is asked anew at the time of one that is ahead."""
    high = one("potassium >= 5.5")
    state = replace(after(lab("potassium", 6.0, 0), weighed(60, 5)), clock=at(1))
    first = asked(high, state)
    assert asked(high, replace(state, clock=at(6))) is first


def test_of_a_course_all_of_its_days_and_three_at_least_are_kept() -> None:
    """Two to fall back on, and a day more, for what is kept is counted from the end of the newest one's day."""
    for text, need in (
        ("creatinine rise >= 0.3 within 48 h", Need(newest=3, within=timedelta(days=3))),
        ("creatinine >= 1.5 x previous within 48 h", Need(newest=3, within=timedelta(days=3))),
        ("creatinine >= 2 within 48 h", Need(newest=3)),
    ):
        assert read_by((one(text),), KNOWN).analytes == {"creatinine": need}
