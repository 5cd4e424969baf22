"""QTc as measured and the Tisdale score. Points are typed from Tisdale 2013 as repeated by medicalalgorithms.com; 500 and 60 ms
from the statement of the AHA and ACCF of 2010 as repeated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.events import AnyEvent, LabResult, Observation, Stay
from services.monitor.rules.qt import Qt
from services.monitor.rules.score import band
from tests.support.alone import alone, diagnosis, now, observed, play, result, severity
from tests.support.clinical import at, order, patient

HALOPERIDOL, AMIODARONE, SOTALOL = (order(name) for name in ("haloperidol", "amiodarone", "sotalol"))
MAN = {"birth_date": date(1976, 1, 1), "sex": "male", "conditions": ()}
FACTORS: dict[str, tuple[int, tuple[AnyEvent, ...]]] = {
    "age": (1, (patient(1, **(MAN | {"birth_date": date(1958, 11, 2)})),)),
    "sex": (1, (patient(1, **(MAN | {"sex": "female"})),)),
    "loop diuretic": (1, (order("furosemide"),)),
    "potassium": (2, (result("potassium", 3.5, 2, "mmol/L"),)),
    "admission QTc": (2, (observed("qtc", 450, 2),)),
    "acute myocardial infarction": (2, (diagnosis("I21.9"),)),
    "sepsis": (3, (diagnosis("A41.9"),)),
    "heart failure": (3, (diagnosis("I50.9"),)),
}
NORMAL: tuple[AnyEvent, ...] = (
    patient(0, **MAN), result("potassium", 4.2, 1, "mmol/L"), observed("qtc", 420, 1),
)  # fmt: skip


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(Qt()):
        yield


def qtc(value: float, hours: float = 3, **more: Any) -> Observation:
    return observed("qtc", value, hours, **({"method": "Fridericia"} | more))


def potassium(value: float, hours: float = 2) -> LabResult:
    return result("potassium", value, hours, "mmol/L")


def tisdale(*events: AnyEvent) -> str:
    alert = now(*events)
    assert alert is not None
    return alert.detail.split("Tisdale score ")[1].split(" (")[0]


# --- the score


@pytest.mark.parametrize("name", FACTORS)
def test_each_part_of_the_score(name: str) -> None:
    """Two medicines are 6. The women of 58 with sepsis, and so on: each part adds its points."""
    expected, events = FACTORS[name]
    rest = NORMAL[:2] if name == "admission QTc" else NORMAL
    # one more, so that the sum is told
    base = (*rest, HALOPERIDOL, AMIODARONE)
    other = FACTORS["sepsis" if name == "heart failure" else "heart failure"][1]
    assert tisdale(*base, *other, *events) == str(9 + expected)


def test_a_part_that_does_not_hold_adds_nothing() -> None:
    younger = patient(1, **(MAN | {"birth_date": date(1958, 11, 3)}))
    base = (*NORMAL, HALOPERIDOL, AMIODARONE, *FACTORS["heart failure"][1])
    assert tisdale(*base, younger) == "9"
    assert tisdale(*base, potassium(3.6)) == "9"
    assert tisdale(*NORMAL[:2], observed("qtc", 449, 1), HALOPERIDOL, AMIODARONE, *FACTORS["heart failure"][1]) == "9"


@pytest.mark.parametrize(
    ("medicines", "points"),
    [((HALOPERIDOL,), 3), ((HALOPERIDOL, AMIODARONE), 6), ((HALOPERIDOL, AMIODARONE, SOTALOL), 6)],
)
def test_one_medicine_is_3_and_two_or_more_are_6(medicines: tuple[AnyEvent, ...], points: int) -> None:
    events = (*NORMAL, *FACTORS["sepsis"][1], *FACTORS["heart failure"][1])
    assert tisdale(*events, *medicines) == str(6 + points)


def test_all_parts_are_the_published_maximum_of_21() -> None:
    woman = patient(1, birth_date=date(1940, 1, 1), sex="female")
    parts = [each for name, (_, events) in FACTORS.items() if name not in ("age", "sex") for each in events]
    assert tisdale(woman, *parts, HALOPERIDOL, AMIODARONE) == "21"


@pytest.mark.parametrize(
    ("points", "title"), [(0, "low"), (6, "low"), (7, "moderate"), (10, "moderate"), (11, "high"), (21, "high")]
)
def test_what_a_sum_means(points: int, title: str) -> None:
    assert band("tisdale", points, load()).title.startswith(title)


def test_what_is_not_known_widens_the_score_and_is_said() -> None:
    alert = now(HALOPERIDOL, AMIODARONE, diagnosis("A41.9"))
    assert alert is not None
    # known: two medicines and sepsis; not: age 1, sex 1, potassium 2, QTc 2
    assert alert.summary == "Risk of long QT with amiodarone, haloperidol: Tisdale score 9 to 15"
    assert alert.severity == "info"
    for name in ("potassium", "magnesium", "a QTc of now", "age", "sex"):
        assert name in alert.detail.rsplit("Not known: ", 1)[1]


def test_the_level_goes_by_what_is_known() -> None:
    assert severity(*NORMAL, HALOPERIDOL, AMIODARONE) == ""
    assert severity(*NORMAL, HALOPERIDOL, AMIODARONE, order("furosemide")) == "info"
    both = (*FACTORS["sepsis"][1], *FACTORS["acute myocardial infarction"][1])
    assert severity(*NORMAL, HALOPERIDOL, AMIODARONE, *both) == "moderate"
    assert severity(*NORMAL, *both) == ""


def test_a_potassium_of_last_week_is_not_known() -> None:
    events = [
        HALOPERIDOL,
        AMIODARONE,
        patient(0, **MAN),
        diagnosis("A41.9"),
        diagnosis("I50.9"),
        observed("qtc", 420, 1),
    ]
    late = result("magnesium", 0.8, 7 * 24 + 1.9, "mmol/L")
    assert tisdale(*events, potassium(3.0), late) == "14"
    later = result("magnesium", 0.8, 7 * 24 + 2.1, "mmol/L")
    assert tisdale(*events, potassium(3.0), patient(7 * 24 + 2.1), later) == "12 to 14"


def test_the_qtc_of_admission_is_the_first_of_the_stay() -> None:
    stay = patient(0, **MAN, stay=Stay(encounter_class="inpatient", admitted_at=at(100)))
    events = [HALOPERIDOL, AMIODARONE, potassium(4.2, 130), stay, diagnosis("A41.9")]
    assert tisdale(*events, qtc(470, 20), qtc(430, 105), qtc(480, 120)) == "9"
    assert tisdale(*events, qtc(430, 20), qtc(470, 105), qtc(430, 120)) == "11"


# --- as measured


@pytest.mark.parametrize(("value", "level"), [(501, "high"), (500.5, "high"), (500, "")])
def test_above_500_with_a_medicine(value: float, level: str) -> None:
    alert = now(potassium(4.2), HALOPERIDOL, qtc(value))
    assert (alert.severity if alert else "") == level


def test_seconds_are_read_and_other_units_are_not() -> None:
    assert severity(HALOPERIDOL, potassium(4.2), qtc(0.51, unit="s")) == "high"
    assert severity(HALOPERIDOL, potassium(4.2), qtc(510, unit="mm")) == ""


@pytest.mark.parametrize(("kalium", "level"), [(3.5, "critical"), (3.6, "high")])
def test_two_medicines_and_a_potassium_up_to_3_5(kalium: float, level: str) -> None:
    assert severity(HALOPERIDOL, AMIODARONE, potassium(kalium), qtc(520)) == level


@pytest.mark.parametrize(("kalium", "level"), [(2.9, "critical"), (3.0, "high")])
def test_one_medicine_and_a_potassium_below_3(kalium: float, level: str) -> None:
    assert severity(HALOPERIDOL, potassium(kalium), qtc(520)) == level


@pytest.mark.parametrize(("then", "value", "level"), [(400, 461, "high"), (400, 460, ""), (420, 461, "")])
def test_a_rise_of_more_than_60(then: float, value: float, level: str) -> None:
    assert severity(HALOPERIDOL, qtc(then, 2), qtc(value, 50)) == level


def test_a_rise_is_one_by_the_same_formula_within_a_month() -> None:
    assert severity(HALOPERIDOL, qtc(400, 2), qtc(470, 50, method="Bazett")) == ""
    assert severity(HALOPERIDOL, qtc(400, 2), qtc(470, 2 + 30 * 24)) == "high"
    assert severity(HALOPERIDOL, qtc(400, 2), qtc(470, 2.1 + 30 * 24)) == ""


def test_without_a_medicine_it_is_for_the_picture() -> None:
    alert = now(qtc(520))
    assert alert is not None
    assert alert.severity == "info"
    assert "no QT-prolonging medicine known" in alert.summary
    assert severity(order("haloperidol", end=at(2)), qtc(520)) == "info"


@pytest.mark.parametrize(("width", "level"), [(119, "high"), (120, "moderate")])
def test_a_wide_qrs_is_said_and_makes_it_milder(width: float, level: str) -> None:
    alert = now(HALOPERIDOL, potassium(4.2), observed("qrs", width, 3), qtc(520))
    assert alert is not None
    assert alert.severity == level
    assert ("wide QRS" in alert.summary) == (width >= 120)
    # one of another day says nothing of this ECG
    assert severity(HALOPERIDOL, potassium(4.2), observed("qrs", width, 28), qtc(520)) == "high"


def test_the_formula_is_said_or_that_it_is_not() -> None:
    said, unsaid = now(HALOPERIDOL, qtc(520)), now(HALOPERIDOL, observed("qtc", 520, 3))
    assert said is not None
    assert unsaid is not None
    assert "520 ms Fridericia" in said.detail
    assert "The formula is not said" in unsaid.detail


@pytest.mark.parametrize(("hours", "level"), [(7 * 24, "high"), (7 * 24 + 1, "")])
def test_a_qtc_before_the_medicine_counts_when_it_was_fresh(hours: float, level: str) -> None:
    assert severity(qtc(520, 3), order("haloperidol", 3 + hours)) == level


def test_a_shorter_qtc_ends_it_and_time_does_not() -> None:
    events = [HALOPERIDOL, potassium(4.2), qtc(520)]
    assert severity(*events, order("amlodipine", 500)) == "high"
    _, alerts = play(*events, qtc(470, 20))
    assert [each.status for each in alerts] == ["open", "resolved"]


def test_a_qtc_that_was_wrong_counts_for_nothing() -> None:
    wrong = qtc(520, version=2, status="entered_in_error")
    assert now(HALOPERIDOL, potassium(4.2), qtc(520), wrong) is None


def test_the_order_of_arrival_does_not_matter() -> None:
    events = [HALOPERIDOL, AMIODARONE, potassium(3.4), qtc(440, 1), qtc(520), diagnosis("A41.9")]
    found = {(each.severity, each.summary, each.detail) for e in permutations(events) if (each := now(*e)) is not None}
    assert len(found) == 1
    severity_, summary, _ = found.pop()
    assert (severity_, summary) == ("critical", "QTc 520 ms, 440 before, with amiodarone, haloperidol")
