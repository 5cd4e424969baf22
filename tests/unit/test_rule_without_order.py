"""A supply without an order. The three days in which an order may come late, and the days after its end, are our own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.events import AnyEvent
from services.monitor.rules.without_order import WithoutOrder
from tests.support.alone import alone, play
from tests.support.clinical import at, order
from tests.support.supplies import DAY, handed, ordered, tick

MINUTE = 1 / 60
JOINED: tuple[AnyEvent, ...] = (ordered("metformin", -2), handed("metformin", -1, order_id="metformin"))
"""Supplies and orders of this patient come together."""
LATER = 72 + MINUTE


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(WithoutOrder()):
        yield


def alerts(*events: AnyEvent) -> dict[str, Alert]:
    return {each.subject: each for each in play(*events)[0].open_alerts.values()}


def found(*events: AnyEvent) -> dict[str, str]:
    return {subject: each.severity for subject, each in alerts(*events).items()}


@pytest.mark.parametrize(
    ("name", "severity"),
    [("warfarin", "moderate"), ("oxycodone", "moderate"), ("lithium", "moderate"), ("ibuprofen", "info")],
)
@pytest.mark.parametrize("order_id", ["", "unknown"])
def test_a_supply_that_names_no_order_that_is_known(name: str, severity: str, order_id: str) -> None:
    more: dict[str, Any] = {"order_id": order_id} if order_id else {}
    supply = handed(name, 0, **more)
    assert found(*JOINED, supply, tick(72 - MINUTE)) == {}
    assert found(*JOINED, supply, tick(LATER)) == {name: severity}


def test_where_supplies_and_orders_do_not_come_together_it_says_nothing() -> None:
    apart = handed("metformin", -1, order_id="elsewhere")
    assert found(apart, handed("warfarin", 0), tick(LATER)) == {}
    assert found(ordered("metformin", -2), handed("warfarin", 0), tick(LATER)) == {}
    assert found(handed("warfarin", 0), tick(LATER), *JOINED) == {"warfarin": "moderate"}


def test_an_order_in_force_or_one_that_comes_within_three_days_is_what_it_is_for() -> None:
    supply = handed("warfarin", 0)
    assert found(*JOINED, ordered("warfarin", -5), supply, tick(LATER)) == {}
    assert found(*JOINED, supply, ordered("warfarin", 72), tick(LATER)) == {}
    assert found(*JOINED, supply, ordered("warfarin", 72.5), tick(73)) == {"warfarin": "moderate"}


@pytest.mark.parametrize(("days", "severity"), [(30, ""), (31, "moderate")])
def test_an_order_that_ran_out_up_to_30_days_before_still_counts(days: int, severity: str) -> None:
    over = ordered("warfarin", -100 * DAY, end=at(-days * DAY))
    expected = {"warfarin": severity} if severity else {}
    assert found(*JOINED, over, handed("warfarin", 0), tick(LATER)) == expected


@pytest.mark.parametrize("status", ["discontinued", "held", "entered_in_error"])
def test_an_order_that_was_stopped_or_held_before_does_not_count(status: str) -> None:
    stop = order("warfarin", -1, version=2, status=status)
    assert set(found(*JOINED, ordered("warfarin", -50), stop, handed("warfarin", 0), tick(LATER))) == {"warfarin"}


def test_after_a_stop_it_is_as_grave_as_a_supply_of_the_stopped_order() -> None:
    story = (*JOINED, ordered("insulin glargine", -50), order("insulin glargine", -1, version=2, status="discontinued"))
    alert = alerts(*story, handed("insulin glargine", 0), tick(LATER))["insulin glargine"]
    assert alert.severity == "high"  # as stops/after_stop.csv has it for insulin dispensed
    assert "after its order was stopped" in alert.summary
    assert [fact.kind for fact in alert.implicated] == ["dispensing", "prescription"]
    # named by the supply, it is for given-after-stop
    assert found(*story, handed("insulin glargine", 0, order_id="insulin glargine"), tick(LATER)) == {}


@pytest.mark.parametrize("status", ["returned", "cancelled", "entered_in_error"])
def test_a_supply_that_was_taken_back_is_none(status: str) -> None:
    supply = handed("warfarin", 0)
    back = handed("warfarin", 0, version=2, status=status, occurred_at=at(1))
    assert found(*JOINED, supply, back, tick(LATER)) == {}
    assert found(*JOINED, supply, tick(LATER), back) == {}


def test_it_ends_when_the_supply_is_used_up() -> None:
    assert found(*JOINED, handed("warfarin", 0), tick(30 * DAY - 1)) == {"warfarin": "moderate"}
    assert found(*JOINED, handed("warfarin", 0), tick(30 * DAY + 1)) == {}


def test_any_order_of_arrival_ends_alike() -> None:
    for story in permutations([*JOINED, handed("warfarin", 0), ordered("lisinopril", 1), tick(LATER)]):
        assert found(*story) == {"warfarin": "moderate"}
