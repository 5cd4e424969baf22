"""Ordered, and nothing came of it. 30 days, and 180 days before in which it is not new, are those of the published measure of
primary non-adherence; three days for clopidogrel are those of a cohort after stents. The other hours are our own, typed again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.values import UNSET
from services.monitor import evaluate
from services.monitor.patient.stored import decode, encode
from services.monitor.rules.never_dispensed import NeverDispensed
from tests.support.alone import alone, play
from tests.support.clinical import at, order
from tests.support.supplies import DAY, given, handed, ordered, stay, tablets, tick

MINUTE = 1 / 60
SEEN = handed("metformin", -2)
"""Supplies of this patient are known."""


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(NeverDispensed()):
        yield


def found(*events: AnyEvent) -> dict[str, str]:
    state, _ = play(*events)
    return {each.subject: each.severity for each in state.open_alerts.values()}


def owed(*events: AnyEvent) -> dict[str, tuple[str, float]]:
    """What is waited for, and in how many hours from the beginning it is due."""
    state, _ = play(*events)
    hours = timedelta(hours=1)
    return {each.part: (each.kind, (each.due - at(0)) / hours) for each in state.obligations.values()}


@pytest.mark.parametrize(
    ("name", "hours", "severity"),
    [
        ("apixaban", 48, "high"), ("enoxaparin", 48, "high"), ("clopidogrel", 72, "high"), ("tacrolimus", 48, "high"),
        ("levetiracetam", 72, "moderate"), ("amoxicillin", 48, "moderate"), ("atorvastatin", 720, "moderate"),
        ("famotidine", 720, "info"),
    ],
)  # fmt: skip
def test_no_supply_within_the_time_of_the_medicine(name: str, hours: float, severity: str) -> None:
    rx = ordered(name)
    assert found(SEEN, rx, tick(hours - MINUTE)) == {}
    assert owed(SEEN, rx, tick(hours - MINUTE)) == {name: ("supply", hours)}
    assert found(SEEN, rx, tick(hours)) == {name: severity}
    assert found(SEEN, rx, tick(hours + MINUTE)) == {name: severity}
    assert owed(SEEN, rx, tick(hours + MINUTE)) == {}


def test_a_supply_ends_it_and_one_before_it_is_due_keeps_it_away() -> None:
    rx, supply = ordered("apixaban"), handed("apixaban", 60, order_id="apixaban")
    assert found(SEEN, rx, tick(50)) == {"apixaban": "high"}
    assert found(SEEN, rx, tick(50), supply) == {}
    assert found(SEEN, rx, handed("apixaban", 47), tick(50)) == {}
    assert owed(SEEN, rx, handed("apixaban", 47)) == {}
    back = handed("apixaban", 47, version=2, status="returned", occurred_at=at(48))
    assert found(SEEN, rx, handed("apixaban", 47), back, tick(50)) == {"apixaban": "high"}


@pytest.mark.parametrize(("days", "new"), [(180, False), (181, True)])
def test_what_was_dispensed_within_180_days_before_is_not_new(days: int, new: bool) -> None:
    before = handed("atorvastatin", -days * DAY)
    assert found(before, SEEN, ordered("atorvastatin"), tick(31 * DAY)) == ({"atorvastatin": "moderate"} if new else {})


def test_another_medicine_of_its_class_counts() -> None:
    assert found(SEEN, ordered("atorvastatin"), handed("rosuvastatin", 24), tick(31 * DAY)) == {}
    assert found(SEEN, ordered("atorvastatin"), handed("lisinopril", 24), tick(31 * DAY)) == {
        "atorvastatin": "moderate"
    }


@pytest.mark.parametrize("status", ["discontinued", "held", "entered_in_error"])
def test_a_stop_ends_it(status: str) -> None:
    assert found(SEEN, ordered("apixaban"), order("apixaban", 30, version=2, status=status), tick(50)) == {}
    assert found(SEEN, ordered("apixaban"), tick(50), order("apixaban", 51, version=2, status=status)) == {}


def test_a_newer_order_has_a_time_of_its_own() -> None:
    again = ordered("apixaban", 40, record_id="again")
    assert found(SEEN, ordered("apixaban"), again, tick(49)) == {}
    assert found(SEEN, ordered("apixaban"), again, tick(89)) == {"apixaban": "high"}


def test_it_cannot_be_seen_where_no_supply_of_the_patient_is_known() -> None:
    assert found(ordered("apixaban"), tick(31 * DAY)) == {}
    assert found(ordered("apixaban"), tick(50), SEEN) == {"apixaban": "high"}


def test_what_is_taken_as_needed_once_or_on_the_skin_is_not_waited_for() -> None:
    for more in ({"dosage": tablets(1, 2, as_needed=True)}, {"one_time": True}, {"route": "topical"}):
        assert found(SEEN, ordered("apixaban", **more), tick(50)) == {}, more


def test_in_hospital_no_supply_is_waited_for_and_after_it_from_the_discharge() -> None:
    written = ordered("apixaban", 70)
    assert found(SEEN, stay(0), written, tick(140)) == {}
    home = stay(0, 72, version=2, occurred_at=at(72))
    assert found(SEEN, stay(0, 72), written, tick(121)) == {"apixaban": "high"}, "told ahead"
    assert found(SEEN, stay(0), written, home, tick(119)) == {}
    assert found(SEEN, stay(0), written, home, tick(121)) == {"apixaban": "high"}
    # an order of the ward that nobody ended is none for home: it was written long before, or doses of it were charted
    assert found(SEEN, stay(0), ordered("apixaban", 1), home, tick(140)) == {}
    assert found(SEEN, stay(0), written, given("apixaban", 71), home, tick(140)) == {}


# --- doses


def ward(*, often: Any = 2, charted: bool = True) -> list[AnyEvent]:
    """In hospital, with levetiracetam ordered and another medicine that is charted."""
    dosage = tablets(1, often) if often is not None else UNSET
    more: dict[str, Any] = {} if dosage is UNSET else {"dosage": dosage}
    events: list[AnyEvent] = [stay(-1), ordered("metoprolol", -1), ordered("levetiracetam", **more)]
    return [*events, given("metoprolol", 10)] if charted else events


@pytest.mark.parametrize(("often", "hours"), [(2, 14), (1, 26), (4, 8), (None, 26)])
def test_no_first_dose_when_the_next_is_due_and_two_hours_more(often: float | None, hours: float) -> None:
    events = ward(often=often)
    due = (
        [*events, tick(hours + MINUTE)] if hours > 10 else [*events[:-1], given("metoprolol", 7), tick(hours + MINUTE)]
    )
    before = [*due[:-1], tick(hours - MINUTE)]
    assert (found(*before), owed(*before)) == ({}, {"levetiracetam": ("dose", hours)})
    assert found(*due) == {"levetiracetam:dose": "high"}


def test_a_dose_given_or_held_back_answers_it_whenever_it_is_charted() -> None:
    events = ward()
    for status in ("given", "refused", "held"):
        dose = given("levetiracetam", 1, status=status)
        assert found(*events, dose, tick(15)) == {}
        assert found(*events, tick(15), dose) == {}, "charted late"
    assert found(*events, given("levetiracetam", 1, status="entered_in_error"), tick(15)) == {
        "levetiracetam:dose": "high"
    }


def test_it_cannot_be_seen_where_doses_are_not_charted_or_hardly_any() -> None:
    assert found(*ward(charted=False), tick(15)) == {}
    others = [ordered(name, -1) for name in ("lisinopril", "atorvastatin")]
    assert found(*ward(), *others, tick(15)) == {}, "of three orders one is charted"
    assert found(*ward(), others[0], tick(15)) == {"levetiracetam:dose": "high"}


def test_at_home_and_for_what_is_not_urgent_no_dose_is_waited_for() -> None:
    assert found(*ward(), stay(-1, 12, version=2), tick(15)) == {}
    assert found(stay(-1), ordered("metoprolol", -1), ordered("famotidine"), given("metoprolol", 10), tick(40)) == {}


def test_a_first_dose_is_asked_for_only_as_long_as_doses_are_surely_kept() -> None:
    charts = [given("metoprolol", hours) for hours in (10, 14 * DAY - 1)]
    assert found(*ward(), *charts, tick(14 * DAY - 1)) == {"levetiracetam:dose": "high"}
    assert found(*ward(), *charts, tick(14 * DAY + 1)) == {}


# --- order and time


def test_any_order_of_arrival_ends_alike() -> None:
    rx, supply = ordered("apixaban"), handed("apixaban", 30)
    wrong = handed("apixaban", 30, version=2, status="entered_in_error", occurred_at=at(31))
    events: list[AnyEvent] = [SEEN, rx, supply, wrong, tick(60)]
    for story in permutations(events):
        assert found(*story) == {"apixaban": "high"}
    for story in permutations([*ward(), tick(15)][1:]):
        assert found(stay(-1), *story) == {"levetiracetam:dose": "high"}


def test_what_was_due_while_nothing_ran_is_raised_once_with_its_own_time() -> None:
    state, _ = play(SEEN, ordered("apixaban", timing="live", ingested_at=at(0)))
    again = decode(encode(state))
    assert evaluate.due(again) == at(48)
    later, alerts = evaluate.advance(again, at(24 * 60), load(), at(24 * 60))
    assert [(each.subject, each.true_since) for each in alerts if each.status == "open"] == [("apixaban", at(48))]
    assert evaluate.advance(later, at(24 * 61), load(), at(24 * 61))[1] == []


def test_it_says_what_was_ordered_and_what_is_not_known() -> None:
    state, _ = play(SEEN, ordered("apixaban"), tick(50))
    alert: Alert = next(iter(state.open_alerts.values()))
    assert alert.summary == "apixaban ordered at 2026-11-02 08:00 UTC and not dispensed"
    assert "within 2 d, nor in the 180 d before" in alert.detail
    assert "Not known" in alert.detail
    assert [fact.record_id for fact in alert.implicated] == ["apixaban"]


def test_the_data_can_be_looked_up() -> None:
    rows = (Path(__file__).parents[2] / "knowledge/joined/not_started.csv").read_text().splitlines()
    state, _ = play(SEEN, ordered("apixaban"), tick(50))
    alert = next(iter(state.open_alerts.values()))
    assert any(line.startswith(alert.rows[0].partition("#")[2] + ",") for line in rows)
