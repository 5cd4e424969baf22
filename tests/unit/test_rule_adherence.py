"""Supplies that cover too few days, that run out while the order goes on, and that end though nobody stopped the medicine. 80 %,
90 %, two fills and 91 days are those of the published measure; the days of grace are our own, typed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import permutations

import pytest

from knowledge.loader import load
from schemas.events import AnyEvent, Stay
from services.monitor import evaluate
from services.monitor.patient.state import PatientState
from services.monitor.patient.stored import decode, encode
from services.monitor.rules.days_covered import DaysCovered
from services.monitor.rules.rule import Rule
from services.monitor.rules.runs_out import LateRefill, StoppedEarly
from tests.support.alone import alone, play
from tests.support.clinical import at, order, patient
from tests.support.supplies import DAY, handed, ordered, stay, tablets, tick

MIDNIGHT = -8
"""Hours from the beginning of a story, 08:00 UTC, to the day it is in: supplies end with a day."""


@pytest.fixture(params=[DaysCovered, LateRefill, StoppedEarly])
def rule(request: pytest.FixtureRequest) -> Rule:
    made: Rule = request.param()
    return made


def found(rule: Rule, *events: AnyEvent) -> dict[str, str]:
    with alone(rule):
        state, _ = play(*events)
    return {each.subject: each.severity for each in state.open_alerts.values()}


def owed(rule: Rule, *events: AnyEvent) -> dict[str, tuple[str, float]]:
    """What is waited for, and in how many days from the day of the beginning it is due."""
    with alone(rule):
        state, _ = play(*events)
    return {o.part: (o.kind, (o.due - at(MIDNIGHT)) / timedelta(days=1)) for o in state.obligations.values()}


def supplies(name: str, *days: float, **more: object) -> list[AnyEvent]:
    return [handed(name, day * DAY, **more) for day in days]


def by_midnight(days: float, minutes: float = 0) -> AnyEvent:
    """That many days after the day of the beginning began."""
    return tick(days * DAY + MIDNIGHT + minutes / 60)


# --- days covered
def test_below_80_percent_from_91_days_after_the_first_fill() -> None:
    # days 0-29 and 52-81, 60 of 92 days: 65 %
    story = [ordered("atorvastatin"), *supplies("atorvastatin", 0, 52)]
    assert found(DaysCovered(), *story, by_midnight(92, -1)) == {}
    assert owed(DaysCovered(), *story) == {"statin": ("review", 92)}
    assert found(DaysCovered(), *story, by_midnight(92)) == {"statin": "moderate"}


@pytest.mark.parametrize(("second", "fires"), [(57, False), (58, True)])
def test_80_percent_is_enough_and_less_is_not(second: int, fires: bool) -> None:
    # of the first 135 days all but 27 or 28: exactly 80 %, or 79.3 %
    story = [ordered("atorvastatin"), handed("atorvastatin", 0), handed("atorvastatin", second * DAY, days_supply=120)]
    assert found(DaysCovered(), *story, by_midnight(135)) == ({"statin": "moderate"} if fires else {})


def test_antiretrovirals_are_wanted_on_90_percent() -> None:
    # 100 of 116 days: 86 %
    story = [handed("atorvastatin", 0, days_supply=50), handed("atorvastatin", 66 * DAY, days_supply=50)]
    assert found(DaysCovered(), ordered("atorvastatin"), *story, by_midnight(116)) == {}
    story = [handed("dolutegravir", 0, days_supply=50), handed("dolutegravir", 66 * DAY, days_supply=50)]
    assert found(DaysCovered(), ordered("dolutegravir"), *story, by_midnight(116)) == {"antiretroviral": "moderate"}


def test_one_fill_says_nothing_and_two_on_one_day_are_one() -> None:
    one = [ordered("atorvastatin"), handed("atorvastatin", 0)]
    assert found(DaysCovered(), *one, by_midnight(120)) == {}
    assert found(DaysCovered(), *one, handed("atorvastatin", 1), by_midnight(120)) == {}
    assert found(DaysCovered(), *one, handed("atorvastatin", 24), by_midnight(120)) == {"statin": "moderate"}


def test_another_of_the_group_covers_and_another_group_does_not() -> None:
    first = [ordered("lisinopril"), *supplies("lisinopril", 0, 30)]
    assert found(DaysCovered(), *first, *supplies("losartan", 60, 90), by_midnight(120)) == {}
    assert found(DaysCovered(), *first, *supplies("amlodipine", 60, 90), by_midnight(120)) == {
        "renin-angiotensin": "moderate"
    }


def test_what_was_left_over_counts() -> None:
    assert (
        found(DaysCovered(), ordered("atorvastatin"), *supplies("atorvastatin", 0, 22, 44, 66), by_midnight(130)) == {}
    )


def test_days_in_hospital_and_days_after_a_stop_do_not_count() -> None:
    rx = ordered("atorvastatin")
    story = [rx, *supplies("atorvastatin", 0, 30, 90)]
    assert found(DaysCovered(), *story, by_midnight(110)) == {"statin": "moderate"}
    ward = [stay(58 * DAY), stay(58 * DAY, 88 * DAY, version=2, occurred_at=at(88 * DAY))]
    assert found(DaysCovered(), *story[:3], *ward, story[3], by_midnight(110)) == {}
    stopped = order("atorvastatin", 60 * DAY, version=2, status="discontinued")
    again = ordered("atorvastatin", 90 * DAY, record_id="again")
    assert found(DaysCovered(), *story[:3], stopped, again, story[3], by_midnight(110)) == {}
    assert found(DaysCovered(), *story, order("atorvastatin", 100 * DAY, version=2, status="discontinued"),
                 by_midnight(110)) == {}, "stopped now"  # fmt: skip


def test_supplies_that_catch_up_end_it() -> None:
    # 65 % on day 92; handed out in time from then on: 60 + x of 92 + x is 80 % with x = 68
    story = [
        ordered("atorvastatin"),
        *supplies("atorvastatin", 0, 52),
        handed("atorvastatin", 92 * DAY, days_supply=90),
    ]
    assert found(DaysCovered(), *story, by_midnight(160, -1)) == {"statin": "moderate"}
    assert found(DaysCovered(), *story, by_midnight(160)) == {}


# --- late refill
@pytest.mark.parametrize(
    ("name", "days"),
    [("atorvastatin", 15), ("apixaban", 3), ("levetiracetam", 5), ("tacrolimus", 3), ("dolutegravir", 5),
     ("metoprolol", 10), ("insulin glargine", 14)],
)  # fmt: skip
def test_a_refill_is_waited_for_from_the_end_of_what_is_left(name: str, days: int) -> None:
    story = [ordered(name), *supplies(name, 0, 20)]
    due = 60 + days
    assert owed(LateRefill(), *story) == {name: ("supply", due)}
    assert found(LateRefill(), *story, by_midnight(due, -1)) == {}
    assert found(LateRefill(), *story, by_midnight(due)) == {name: "moderate"}
    assert found(LateRefill(), *story, by_midnight(due), handed(name, due * DAY)) == {}


def test_one_supply_is_enough_only_where_a_gap_harms_soon() -> None:
    for name, fires in (("apixaban", True), ("atorvastatin", False)):
        assert bool(found(LateRefill(), ordered(name), handed(name, 0), by_midnight(60))) is fires


@pytest.mark.parametrize("status", ["discontinued", "held", "entered_in_error"])
def test_a_stop_ends_the_waiting(status: str) -> None:
    story = [ordered("apixaban"), *supplies("apixaban", 0, 30)]
    over = order("apixaban", 62 * DAY, version=2, status=status)
    assert found(LateRefill(), *story, over, by_midnight(80)) == {}
    assert found(LateRefill(), *story, by_midnight(80), order("apixaban", 81 * DAY, version=2, status=status)) == {}


def test_a_stay_in_hospital_moves_the_end() -> None:
    story = [ordered("apixaban"), *supplies("apixaban", 0, 30)]
    there = stay(50 * DAY)
    home = stay(50 * DAY, 70 * DAY, version=2, occurred_at=at(70 * DAY))
    assert found(LateRefill(), *story, there, by_midnight(69)) == {}, "in hospital"
    # ten days were left on the day of the admission
    assert owed(LateRefill(), *story, there, home) == {"apixaban": ("supply", 83)}
    assert found(LateRefill(), *story, there, home, by_midnight(83, -1)) == {}
    assert found(LateRefill(), *story, there, home, by_midnight(83)) == {"apixaban": "moderate"}


def test_a_stay_of_which_only_the_discharge_is_told_began_with_the_orders_of_the_ward() -> None:
    story = [ordered("apixaban"), *supplies("apixaban", 0, 30)]
    ward = ordered("acetaminophen", 50 * DAY, end=at(70 * DAY))
    out = patient(70 * DAY, stay=Stay(encounter_class="outpatient", discharged_at=at(70 * DAY)))
    # an order of the ward is known from the day on which it was written
    assert owed(LateRefill(), *story, ward, out) == {"apixaban": ("supply", 83)}
    assert owed(LateRefill(), *story, out, ward) == {"apixaban": ("supply", 83)}


def test_nothing_is_said_of_what_is_not_known_or_not_meant_to_last() -> None:
    rx = ordered("apixaban")
    no_days = [handed("apixaban", 0, days_supply=None), handed("apixaban", 30 * DAY, days_supply=None)]
    assert found(LateRefill(), rx, *no_days, by_midnight(120)) == {}
    needed = ordered("apixaban", dosage=tablets(1, 2, as_needed=True))
    assert found(LateRefill(), needed, *supplies("apixaban", 0, 30), by_midnight(120)) == {}
    assert found(LateRefill(), ordered("amoxicillin"), *supplies("amoxicillin", 0, 30), by_midnight(120)) == {}


def test_another_medicine_of_its_class_stands_for_it() -> None:
    story = [ordered("lisinopril"), *supplies("lisinopril", 0, 30)]
    other = handed("losartan", 58 * DAY)
    assert found(LateRefill(), *story, other, by_midnight(80)) == {}
    assert found(LateRefill(), *story, by_midnight(80), other) == {}, "late"


def test_of_a_product_of_several_one_speaks() -> None:
    name = "amlodipine/atorvastatin"
    assert found(LateRefill(), ordered(name), *supplies(name, 0, 30), by_midnight(80)) == {"amlodipine": "moderate"}


# --- stopped early
def test_no_order_goes_on_and_nobody_stopped_it() -> None:
    story = supplies("apixaban", 0, 30)
    assert found(StoppedEarly(), *story, by_midnight(74, -1)) == {}
    assert found(StoppedEarly(), *story, by_midnight(74)) == {"apixaban": "moderate"}
    assert found(StoppedEarly(), *supplies("atorvastatin", 0, 30), by_midnight(90, -1)) == {}
    assert found(StoppedEarly(), *supplies("atorvastatin", 0, 30), by_midnight(90)) == {"atorvastatin": "moderate"}
    assert found(StoppedEarly(), handed("apixaban", 0), by_midnight(74)) == {}, "one supply"


def test_an_order_that_ends_with_its_supplies_is_a_course_and_one_that_ends_long_after_is_not() -> None:
    story = supplies("apixaban", 0, 30)
    assert found(StoppedEarly(), ordered("apixaban", end=at(74 * DAY + MIDNIGHT)), *story, by_midnight(100)) == {}
    late = ordered("apixaban", end=at(75 * DAY))
    assert found(StoppedEarly(), late, *story, by_midnight(74)) == {}, "the order goes on: that is a late refill"
    assert found(StoppedEarly(), late, *story, tick(76 * DAY)) == {"apixaban": "moderate"}
    stopped = order("apixaban", 62 * DAY, version=2, status="discontinued")
    assert found(StoppedEarly(), ordered("apixaban"), *story, stopped, by_midnight(100)) == {}


# --- all of them
def test_the_order_of_arrival_does_not_matter(rule: Rule) -> None:
    story = [
        ordered("apixaban"),
        *supplies("apixaban", 0, 45),
        stay(20 * DAY, 25 * DAY, status="finished"),
        handed("apixaban", 90 * DAY),
    ]
    ends = [by_midnight(day) for day in (94, 130, 170)]
    for end in ends:
        first = found(rule, *story, end)
        for some in permutations(story):
            assert found(rule, *some, end) == first
            assert found(rule, end, *some) == first


def test_it_survives_being_stored_and_comes_once_though_nothing_ran_meanwhile(rule: Rule) -> None:
    story = [ordered("apixaban", timing="live"), *supplies("apixaban", 0, 45)]
    if isinstance(rule, StoppedEarly):
        story = story[1:]
        story = [handed("apixaban", day * DAY, timing="live") for day in (0, 45)]
    with running(rule, *story) as state:
        later = at(200 * DAY)
        state, changed = evaluate.advance(decode(encode(state)), later, load(), later)
        assert [each.status for each in changed] == ["open"]
        _, again = evaluate.advance(decode(encode(state)), later + timedelta(hours=1), load(), later)
        assert again == []


@contextmanager
def running(rule: Rule, *events: AnyEvent) -> Iterator[PatientState]:
    with alone(rule):
        yield play(*events)[0]
