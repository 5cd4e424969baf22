"""Size and age against published examples and against the calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.patient.body import Sex, adjusted_weight, age_on, ideal_weight, surface_area, years_on

INCH = 2.54


@pytest.mark.parametrize(
    ("inches", "sex", "expected"),
    [
        # creatinineclearancecalculator.net/ibw, "IBW by height"
        (62, "male", 54.6), (62, "female", 50.1), (66, "male", 63.8), (66, "female", 59.3),
        (70, "male", 73.0), (70, "female", 68.5), (74, "male", 82.2), (74, "female", 77.7),
        (60, "male", 50.0), (60, "female", 45.5),
    ],
)  # fmt: skip
def test_ideal_weight_as_published(inches: float, sex: Sex, expected: float) -> None:
    assert ideal_weight(inches * INCH, sex) == pytest.approx(expected)


@pytest.mark.parametrize("height", [152.3, 110, 0, -170, 1.7, 1700, float("nan"), float("inf")])
def test_no_ideal_weight_below_five_feet_or_of_nobody(height: float) -> None:
    assert ideal_weight(height, "male") is None


def test_adjusted_weight_as_published() -> None:
    # creatinineclearancecalculator.net/adjusted-body-weight: 120 kg with an ideal weight of 70 kg
    assert adjusted_weight(120, 70) == pytest.approx(90)
    assert adjusted_weight(70, 70) is None
    assert adjusted_weight(60, 70) is None
    assert adjusted_weight(float("nan"), 70) is None


@pytest.mark.parametrize(("height", "weight", "expected"), [(175, 70, 1.845), (170, 70, 1.82)])
def test_surface_as_published(height: float, weight: float, expected: float) -> None:
    # omnicalc's and droracle.ai's worked examples of Mosteller's formula
    assert surface_area(height, weight) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("height", "weight"), [(0, 70), (170, 0), (170, -1), (1.7, 70), (170, 7000), (float("nan"), 70)]
)
def test_no_surface_of_nobody(height: float, weight: float) -> None:
    assert surface_area(height, weight) is None


@given(st.floats(153, 250), st.floats(0.5, 10), st.sampled_from(["female", "male"]))
def test_taller_is_heavier_and_men_are(height: float, more: float, sex: Sex) -> None:
    one, other = ideal_weight(height, sex), ideal_weight(height + more, sex)
    assert one is not None and other is not None and one < other
    women, men = ideal_weight(height, "female"), ideal_weight(height, "male")
    assert women is not None and men is not None and men - women == pytest.approx(4.5)


@given(st.floats(40, 100), st.floats(1, 200))
def test_an_adjusted_weight_lies_between_nearer_to_the_ideal(ideal: float, excess: float) -> None:
    found = adjusted_weight(ideal + excess, ideal)
    assert found is not None and ideal < found < ideal + excess / 2


@pytest.mark.parametrize(
    ("birth", "day", "expected"),
    [
        ("2026-01-01", "2026-01-01", (0, "days")),
        ("2026-01-01", "2026-01-28", (27, "days")),
        ("2026-01-01", "2026-01-31", (30, "days")),
        ("2026-01-01", "2026-02-01", (1, "months")),
        ("2025-12-20", "2026-01-10", (21, "days")),
        ("2026-01-31", "2026-02-28", (28, "days")),
        ("2026-01-31", "2026-03-01", (1, "months")),
        ("2025-01-02", "2026-01-01", (11, "months")),
        ("2025-01-01", "2026-01-01", (12, "months")),
        ("2024-01-02", "2026-01-01", (23, "months")),
        ("2024-01-01", "2026-01-01", (2, "years")),
        ("1960-06-15", "2026-06-14", (65, "years")),
        ("1960-06-15", "2026-06-15", (66, "years")),
        ("2024-02-29", "2025-02-28", (11, "months")),
        ("2024-02-29", "2025-03-01", (12, "months")),
        ("1896-01-01", "2026-01-01", (130, "years")),
    ],
)
def test_age_in_the_unit_that_matters(birth: str, day: str, expected: tuple[int, str]) -> None:
    assert age_on(date.fromisoformat(day), date.fromisoformat(birth)) == expected


@pytest.mark.parametrize(("birth", "day"), [("2026-01-02", "2026-01-01"), ("1894-12-31", "2026-01-01")])
def test_no_age_before_birth_or_beyond_the_oldest(birth: str, day: str) -> None:
    assert age_on(date.fromisoformat(day), date.fromisoformat(birth)) is None
    assert years_on(date.fromisoformat(day), date.fromisoformat(birth)) is None


@given(st.dates(date(1930, 1, 1), date(2026, 1, 1)), st.integers(0, 40_000))
def test_an_age_agrees_with_the_days_lived(birth: date, days: int) -> None:
    found = age_on(birth + timedelta(days=days), birth)
    assert found is not None
    least = {"days": 1, "months": 28, "years": 365}[found.unit]
    most = {"days": 1, "months": 31, "years": 366}[found.unit]
    assert found.value * least <= days < (found.value + 1) * most
    assert found.value < {"days": 31, "months": 24, "years": 131}[found.unit]
    assert found.unit != "years" or found.value >= 2
