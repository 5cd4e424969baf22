"""Liver doses by Child-Pugh class (A 5 to 6 points, B 7 to 9, C from 10) and the limits of the labels."""

from __future__ import annotations

from itertools import permutations

import pytest

from services.monitor import evaluate
from services.monitor.rules.liver_dose import LiverDose
from tests.support.clinical import at, order
from tests.support.doses import found, has, measured, open_after, play, rx


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (LiverDose(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


VALPROATE = rx("valproate", "500 mg", 2)


# valproate: contraindicated in B and C; carvedilol in C
@pytest.mark.parametrize(
    ("points", "valproate", "carvedilol"), [(6, None, None), (7, "high", None), (9, "high", None), (10, "high", "high")]
)
def test_the_score_decides(points: int, valproate: str | None, carvedilol: str | None) -> None:
    story = (measured("child_pugh", points), VALPROATE, rx("carvedilol", "3.125 mg", 2))
    expected = {"valproate": valproate, "carvedilol": carvedilol}
    assert found(*story) == {name: severity for name, severity in expected.items() if severity}


@pytest.mark.parametrize(
    ("words", "severity"), [("B", "high"), ("Child-Pugh class C", "high"), ("class A", None), ("?", None)]
)
def test_a_class_in_words(words: str, severity: str | None) -> None:
    assert found(measured("child_pugh", None, text=words), VALPROATE).get("valproate") == severity


def test_what_diagnoses_leave_open_is_said_and_less_grave() -> None:
    assert found(has("K74.6"), VALPROATE) == {"valproate": "moderate"}
    alert = open_after(has("K74.6"), VALPROATE, order("aspirin", 13))["valproate"]
    assert "Whether the liver is of that class is not known." in alert.detail
    # liver failure is no class A
    assert found(has("K72.9"), VALPROATE) == {"valproate": "high"}
    # every class is limited: citalopram 20 mg a day
    assert found(has("K74.6"), rx("citalopram", "20 mg", 1)) == {}
    assert found(has("K74.6"), rx("citalopram", "20.5 mg", 1)) == {"citalopram": "moderate"}
    # a score stands over a diagnosis
    assert found(has("K72.9"), measured("child_pugh", 5), VALPROATE) == {}


# labels: apixaban not in C, edoxaban not in B and C, duloxetine in no chronic liver disease; metformin and atorvastatin from B
@pytest.mark.parametrize(
    ("medicine", "by_class"),
    [
        ("apixaban", (None, None, "high")),
        ("edoxaban", (None, "high", "high")),
        ("duloxetine", ("moderate", "moderate", "moderate")),
        ("metformin", (None, "moderate", "moderate")),
        ("atorvastatin", (None, "moderate", "moderate")),
    ],
)
def test_what_the_liver_forbids(medicine: str, by_class: tuple[str | None, ...]) -> None:
    for points, severity in zip((6, 9, 10), by_class, strict=True):
        assert found(measured("child_pugh", points), rx(medicine)).get(medicine) == severity


def test_nothing_known_of_the_liver_is_no_alert() -> None:
    assert found(VALPROATE) == {}
    assert found(has("I10"), VALPROATE) == {}


def test_the_newest_score_and_the_end_of_the_order() -> None:
    assert "valproate" in open_after(measured("child_pugh", 5), VALPROATE, measured("child_pugh", 8, hours=5))
    assert not open_after(VALPROATE, measured("child_pugh", 8), measured("child_pugh", 6, hours=5))
    _, alerts = play(measured("child_pugh", 8), VALPROATE, order("valproate", 6, version=2, status="discontinued"))
    assert [each.status for each in alerts] == ["open", "resolved"]
    assert alerts[0].true_since == at(0)


def test_a_dose_that_is_not_known() -> None:
    assert found(measured("child_pugh", 10), rx("tramadol")) == {"tramadol": "info"}
    assert found(measured("child_pugh", 10), rx("tramadol", "50 mg", 2)) == {}  # 50 mg every 12 hours
    assert found(measured("child_pugh", 10), rx("tramadol", "50 mg", 3)) == {"tramadol": "moderate"}


def test_the_order_of_arrival_does_not_matter() -> None:
    story = [measured("child_pugh", 5, hours=-20), measured("child_pugh", 8), VALPROATE, has("K74.6")]
    ends = {
        (alert.subject, alert.severity, alert.summary)
        for events in permutations(story)
        for alert in play(*events)[0].open_alerts.values()
    }
    assert ends == {("valproate", "high", "valproate at Child-Pugh B: contraindicated by its label")}
