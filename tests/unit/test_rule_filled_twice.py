"""One medicine from two pharmacies. A quarter of the shorter supply for what harms, half of it for the rest: our own choice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.events import AnyEvent, Dispensing
from services.monitor import evaluate
from services.monitor.rules.duplicate_therapy import DuplicateTherapy
from services.monitor.rules.filled_twice import FilledTwice
from tests.support.alone import alone, play
from tests.support.clinical import at
from tests.support.supplies import DAY, drug, handed, ordered, stay, tick


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(FilledTwice()):
        yield


def alerts(*events: AnyEvent) -> list[Alert]:
    return list(play(*events)[0].open_alerts.values())


def found(*events: AnyEvent) -> dict[str, str]:
    return {each.subject: each.severity for each in alerts(*events)}


def two(name: str, days: float, **more: int) -> tuple[Dispensing, Dispensing]:
    """A supply of 30 days, and one of another pharmacy so many days later."""
    return handed(name, 0, source="a"), handed(name, days * DAY, source="b", **more)


@pytest.mark.parametrize(
    ("name", "days", "severity"),
    [
        ("oxycodone", 22, "high"), ("oxycodone", 22.5, ""), ("lorazepam", 22, "moderate"), ("lorazepam", 22.5, ""),
        ("lisinopril", 14, "moderate"), ("lisinopril", 15, ""), ("lisinopril", 31, ""),
    ],
)  # fmt: skip
def test_both_last_for_so_much_of_the_shorter_one(name: str, days: float, severity: str) -> None:
    assert found(*two(name, days)) == ({name: severity} if severity else {})


def test_the_shorter_one_counts() -> None:
    # of 10 days from the 24th on, 6 are double
    assert found(*two("lisinopril", 24, days_supply=10)) == {"lisinopril": "moderate"}
    assert found(*two("lisinopril", 25, days_supply=10)) == {}


def test_one_pharmacy_twice_is_a_refill() -> None:
    assert found(handed("oxycodone", 0), handed("oxycodone", 2)) == {}


def test_for_one_order_too() -> None:
    pair = (handed("warfarin", 1, source=each, order_id="warfarin") for each in ("a", "b"))
    assert found(ordered("warfarin"), *pair) == {"warfarin": "moderate"}


@pytest.mark.parametrize("status", ["returned", "cancelled", "entered_in_error"])
def test_one_that_was_taken_back(status: str) -> None:
    one, other = two("oxycodone", 1)
    back = handed("oxycodone", DAY, source="b", version=2, status=status, occurred_at=at(30))
    assert found(one, other, back) == {}


def test_a_product_of_several_is_one_problem() -> None:
    assert found(*two("hydrocodone/acetaminophen", 1)) == {"acetaminophen": "moderate"}


def test_in_hospital_it_waits_until_the_patient_is_home() -> None:
    pair = two("oxycodone", 1)
    assert found(stay(-1), *pair) == {}
    assert found(stay(-1), *pair, stay(-1, 40, version=2, occurred_at=at(40))) == {"oxycodone": "high"}
    assert found(stay(-1, 40), *pair, tick(39)) == {}
    assert found(stay(-1, 40), *pair, tick(50)) == {"oxycodone": "high"}, "told ahead"


def test_what_is_put_on_the_skin_may_be_there_twice() -> None:
    cream: dict[str, Any] = {"drug": drug("hydrocortisone", text="hydrocortisone cream", form="cream")}
    assert (
        found(handed("hydrocortisone", 0, source="a", **cream), handed("hydrocortisone", 1, source="b", **cream)) == {}
    )


def test_it_ends_with_the_first_of_the_two() -> None:
    assert found(*two("oxycodone", 1), tick(30 * DAY - 1)) == {"oxycodone": "high"}
    assert found(*two("oxycodone", 1), tick(30 * DAY + 1)) == {}


def test_what_the_rule_of_duplicates_says_is_not_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one = handed("lisinopril", 0, source="a", strength=5)
    other = handed("lisinopril", 24, source="b", strength=10)
    monkeypatch.setattr(evaluate, "RULES", (DuplicateTherapy(), FilledTwice()))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])
    assert {each.rule for each in alerts(one, other, tick(100))} == {"duplicate-therapy"}
    same = handed("lisinopril", 24, source="b", strength=5)
    assert {each.rule for each in alerts(one, same, tick(100))} == {"filled-twice"}


def test_the_alert_names_both_and_says_what_was_assumed() -> None:
    alert = alerts(handed("oxycodone", 0, source="a"), handed("oxycodone", 24, source="b", days_supply=None))[0]
    assert alert.summary.startswith("oxycodone handed out by two pharmacies at one time: 2026-11-02 08:00 UTC")
    assert len(alert.implicated) == 2
    assert "which is assumed" in alert.detail


def test_any_order_of_arrival_ends_alike() -> None:
    one, other = two("oxycodone", 1)
    third = handed("oxycodone", 3 * DAY, source="c")
    events: list[AnyEvent] = [one, other, third, tick(4 * DAY)]
    for story in permutations(events):
        (alert,) = alerts(*story)
        assert (alert.subject, alert.severity, len(alert.implicated)) == ("oxycodone", "high", 3)
