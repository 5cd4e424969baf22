"""Times with heparin and falls of platelets at their edges. The numbers are those of the 4Ts score (Lo 2006) and of
knowledge/drug_labs/numbers.csv, typed here: a fall from 30 %, over at less than 15 %, looked for 14 days back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from knowledge.loader import load
from schemas.events import Administration, AnyEvent, Drug, Ingredient
from services.monitor.rules.heparin_exposure import Run, dropped, falls, runs, timing
from services.monitor.rules.heparin_platelets import HeparinPlatelets
from tests.support.alone import alone, now, play
from tests.support.clinical import at, lab, order
from tests.unit.test_rule_heparin_platelets import DAY, course, heparin, platelets

KNOWN = load().lab_findings
HEPARINS = frozenset({"heparin", "enoxaparin"})


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(HeparinPlatelets()):
        yield


def had(*events: AnyEvent) -> list[Run]:
    return runs(play(*events)[0], HEPARINS)


def given(days: float, name: str = "heparin", **more: Any) -> Administration:
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "ward", "record_id": f"{name}-given-{days}", "occurred_at": at(days * DAY),
        "status": "given", "drug": Drug(text=name, ingredients=(Ingredient(name),), resolution="name"),
        "route": "intravenous",
    }  # fmt: skip
    return Administration(**(fields | more))


LATER = lab("sodium", 140, 100 * DAY)


# --- times with heparin


@pytest.mark.parametrize(("begins", "count"), [(2.0, 1), (2.01, 2)])
def test_a_gap_of_a_day_is_none(begins: float, count: int) -> None:
    found = had(heparin(0, 1), heparin(begins, 4), LATER)
    assert len(found) == count
    assert (found[-1].starts, found[-1].until) == (at(0 if count == 1 else begins * DAY), at(4 * DAY))
    assert found[-1].before == (None if count == 1 else at(begins * DAY) - at(DAY))
    assert [len(each.facts) for each in found] == ([2] if count == 1 else [1, 1])


def test_a_run_lasts_as_long_as_the_longest_of_it() -> None:
    (one,) = had(heparin(0, 9), heparin(1, 2, name="enoxaparin"), LATER)
    assert (one.until, one.ingredients) == (at(9 * DAY), HEPARINS)
    (open_,) = had(heparin(0), heparin(1, 2, name="enoxaparin"), LATER)
    assert open_.until is None
    (other,) = had(heparin(0, 2), heparin(1, name="enoxaparin"), LATER)
    assert other.until is None


def test_what_begins_now_counts_and_what_is_to_come_does_not() -> None:
    assert [each.starts for each in had(heparin(3), lab("sodium", 140, 3 * DAY))] == [at(3 * DAY)]
    ahead = order("heparin", 0, id="ahead", route="intravenous", start=at(3 * DAY))
    assert had(ahead, lab("sodium", 140, 2.9 * DAY)) == []
    assert had(heparin(0, status="entered_in_error"), LATER) == []
    assert had(order("warfarin", 0), LATER) == []


def test_what_is_held_counts_until_then() -> None:
    held = order("heparin", 2 * DAY, id="heparin-0", version=2, status="held", route="intravenous")
    (one,) = had(heparin(0), held, LATER)
    assert one.until == at(2 * DAY)


def test_what_ended_as_it_began_was_never_had() -> None:
    stop = order("heparin", 3 * DAY, id="heparin-3", version=2, status="discontinued", route="intravenous")
    assert had(heparin(3), stop, LATER) == []


def test_the_days_are_said_whole() -> None:
    run = Run(at(0), None, HEPARINS, (), timedelta(days=20, hours=7))
    assert timing(at(2.5 * DAY), run, KNOWN) == (1, "day 2 of heparin, heparin 20 days before that")


def test_a_dose_without_an_order_counts_for_a_day() -> None:
    soon = lab("sodium", 140, 6.5 * DAY)
    (one,) = had(given(5), soon)
    assert (one.starts, one.until) == (at(5 * DAY), at(5 * DAY) + timedelta(days=1))
    assert had(given(5)) == [one]  # given now
    assert had(given(5, status="refused"), soon) == []
    assert had(given(5, name="warfarin"), soon) == []


# --- falls


def fell(*values: tuple[float, float]) -> list[tuple[float | None, float | None, float | None]]:
    """From what to what, and with which count it was first seen."""
    # kept with heparin in force, as the rule keeps them
    state = play(heparin(-1), *course(*values))[0]
    return [
        (each.highest.value, each.lowest.value, each.first.value) for each in falls(state.results["platelets"], KNOWN)
    ]


@pytest.mark.parametrize(("lowest", "is_fall"), [(140, True), (140.1, False)])
def test_a_fall_is_from_thirty_percent(lowest: float, is_fall: bool) -> None:
    assert fell((200, 0), (lowest, 5)) == ([(200, lowest, lowest)] if is_fall else [])


@pytest.mark.parametrize(("days", "is_fall"), [(14, True), (14.01, False)])
def test_the_count_before_is_looked_for_two_weeks_back(days: float, is_fall: bool) -> None:
    assert bool(fell((200, 0), (80, days))) is is_fall


@pytest.mark.parametrize(("newest", "is_fall"), [(170, True), (170.1, False)])
def test_it_is_over_when_less_than_fifteen_percent_are_missing(newest: float, is_fall: bool) -> None:
    assert bool(fell((200, 0), (80, 5), (newest, 8))) is is_fall


def test_the_fall_is_from_the_last_of_equal_counts_and_to_the_lowest() -> None:
    assert fell((200, 0), (200, 1), (150, 3), (90, 4), (100, 5)) == [(200, 90, 90)]
    state = play(heparin(-1), *course((200, 0), (200, 1), (150, 3), (120, 4), (90, 5)))[0]
    (only,) = falls(state.results["platelets"], KNOWN)
    assert (only.highest.at, only.last_good.value, only.first.value) == (at(DAY), 150, 120)
    assert only.percent == 55


def test_of_equal_lowest_counts_the_newest_is_shown() -> None:
    state = play(heparin(-1), *course((200, 0), (80, 4), (80, 6), (90, 7)))[0]
    (only,) = falls(state.results["platelets"], KNOWN)
    assert only.lowest.at == at(6 * DAY)


@pytest.mark.parametrize(("again", "count"), [(130, 2), (129.9, 1)])
def test_a_second_fall_counts_where_it_had_risen_by_thirty_percent(again: float, count: int) -> None:
    found = fell((300, 0), (100, 2), (again, 6), (80, 9))
    assert len(found) == count
    assert found[0] == (300, 80, 100)
    if count == 2:
        assert found[1] == (again, 80, 80)


def test_counts_of_nothing_are_the_lowest() -> None:
    assert fell((200, 0), (0.5, 4), (0, 5)) == [(200, 0, 0.5)]
    assert fell((0.8, 0), (0, 5)) == [(0.8, 0, 0)]
    assert fell((200, 0), (0, 2), (0.9, 6), (0.1, 9)) == [(200, 0, 0), (0.9, 0.1, 0.1)]


def test_one_count_is_no_fall_and_no_count_at_all_is_a_whole_one() -> None:
    assert fell((80, 0)) == []
    assert fell((200, 0), (0, 5)) == [(200, 0, 0)]


@pytest.mark.parametrize(
    ("then", "now_", "percent"), [(200, 100, 50), (300, 200, 33.333333), (100, 150, -50), (0, 50, 0)]
)
def test_by_how_many_percent(then: float, now_: float, percent: float) -> None:
    state = play(heparin(-1), platelets(then, 0), platelets(now_, 1))[0]
    assert dropped(*state.results["platelets"]) == percent


def test_a_fall_without_heparin_is_not_told() -> None:
    assert now(*course((200, 0), (80, 6))) is None
