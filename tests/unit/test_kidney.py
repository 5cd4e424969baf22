"""Kidney function against worked examples that were published, each with its place, and against what must hold of any."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.patient.body import Sex
from services.monitor.patient.kidney import Estimate, ckd_epi, cockcroft_gault, own_rate, schwartz

SEXES = st.sampled_from(["female", "male"])
CREATININES = st.floats(0.1, 30)
ADULTS = st.floats(18, 100)
NOWHERE = (float("nan"), float("inf"), 0.0, -1.0, 0.04, 41.0, 88.4)
"""Creatinines that are none; the last is normal in µmol/L."""


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


@pytest.mark.parametrize(
    ("creatinine", "age", "sex", "expected", "within"),
    [
        # kidney.org's calculator, as quoted in a public comparison of calculators: 71
        (1.2, 55, "male", 71, 0.5),
        # values of other implementations, each from a public test of its own
        (1.8, 55, "male", 43.9, 0.05),
        (1.8, 55, "female", 32.9, 0.05),
        (1.14, 34, "male", 86.5, 0.05),
        (0.8, 60, "female", 84.3, 0.05),
        (0.9, 40, "male", 110.7, 0.05),
        # the equation at its knots by hand: every power is of one but that of the age
        (0.7, 50, "female", 142 * 1.012 * 0.9938**50, 1e-9),
        (0.9, 18, "male", 142 * 0.9938**18, 1e-9),
        # at half and at twice the knot the power is of two
        (0.35, 50, "female", 142 * 2**0.241 * 1.012 * 0.9938**50, 1e-9),
        (0.45, 50, "male", 142 * 2**0.302 * 0.9938**50, 1e-9),
        (1.8, 50, "male", 142 / 2**1.2 * 0.9938**50, 1e-9),
    ],
)
def test_ckd_epi_as_published(creatinine: float, age: float, sex: Sex, expected: float, within: float) -> None:
    found = ckd_epi(creatinine, age, sex)
    assert value(found) == pytest.approx(expected, abs=within)
    assert found is not None and (found.unit, found.formula) == ("mL/min/1.73 m2", "CKD-EPI 2021")


@pytest.mark.parametrize(
    ("creatinine", "age", "sex", "weight", "expected"),
    [
        # droracle.ai articles 797449: 70 years, 75 kg, 1.0 mg/dL
        (1.0, 70, "male", 75, 72.9),
        # superglobalcalculator.com, pharmacology: examples 1 and 2
        (1.4, 65, "male", 70, 52.1),
        (0.9, 45, "female", 60, 74.8),
        # the same, health: examples 1 and 2
        (1.2, 60, "male", 80, 74.1),
        (0.9, 45, "female", 65, 80.9),
    ],
)
def test_cockcroft_gault_as_published(creatinine: float, age: float, sex: Sex, weight: float, expected: float) -> None:
    found = cockcroft_gault(creatinine, age, sex, weight, rule="actual")
    assert value(found) == pytest.approx(expected, abs=0.1)
    assert found is not None and (found.unit, found.weight) == ("mL/min", "actual")


# a man of 70 inches has an ideal weight of 73 kg; at 72 years and 1.0 mg/dL each kg counts 68/72 mL/min
@pytest.mark.parametrize(
    ("weight", "height", "used", "kilograms"),
    [
        (60, 177.8, "actual", 60),
        (72.9, 177.8, "actual", 72.9),
        (73, 177.8, "ideal", 73),
        (80, 177.8, "ideal", 73),
        (87.5, 177.8, "ideal", 73),
        (87.7, 177.8, "adjusted", 73 + 0.4 * 14.7),
        (120, 177.8, "adjusted", 73 + 0.4 * 47),
        (120, None, "actual, height unknown", 120),
        (120, 1778, "actual, height unknown", 120),
        (70, 150, "actual, too short for an ideal weight", 70),
    ],
)
def test_the_weight_that_cockcroft_gault_takes(
    weight: float, height: float | None, used: str, kilograms: float
) -> None:
    found = cockcroft_gault(1.0, 72, "male", weight, height)
    assert found is not None
    assert found.weight == used
    assert found.value == pytest.approx(kilograms * 68 / 72)


def test_a_label_that_asks_for_the_actual_weight_gets_it() -> None:
    heavy = cockcroft_gault(1.0, 72, "male", 150, 177.8, rule="actual")
    assert heavy is not None and heavy.weight == "actual"
    assert heavy.value == pytest.approx(150 * 68 / 72)


@pytest.mark.parametrize(
    ("creatinine", "height", "expected"),
    [
        # doctaverse.pages.dev, calculatorlib.com: worked examples of the bedside Schwartz equation
        (0.4, 100, 103),
        (0.5, 100, 82.6),
    ],
)
def test_schwartz_as_published(creatinine: float, height: float, expected: float) -> None:
    found = schwartz(creatinine, 6, height)
    assert value(found) == pytest.approx(expected, abs=0.3)
    assert found is not None and (found.unit, found.formula) == ("mL/min/1.73 m2", "bedside Schwartz")


def test_each_formula_keeps_to_the_ages_it_was_made_for() -> None:
    assert ckd_epi(1, 17.99, "male") is None and ckd_epi(1, 18, "male") is not None
    assert cockcroft_gault(1, 17.99, "male", 70) is None and cockcroft_gault(1, 18, "male", 70) is not None
    assert schwartz(1, 0.99, 75) is None and schwartz(1, 1, 75) is not None
    assert schwartz(1, 17.99, 170) is not None and schwartz(1, 18, 170) is None
    assert ckd_epi(1, 131, "male") is None and cockcroft_gault(1, 131, "male", 70) is None
    assert ckd_epi(1, float("nan"), "male") is None


@pytest.mark.parametrize("creatinine", NOWHERE)
def test_no_estimate_from_a_creatinine_that_is_none(creatinine: float) -> None:
    assert ckd_epi(creatinine, 50, "male") is None
    assert cockcroft_gault(creatinine, 50, "male", 70) is None
    assert schwartz(creatinine, 10, 140) is None


@pytest.mark.parametrize("size", [float("nan"), 0.0, -70.0, 7000.0])
def test_no_estimate_from_a_size_that_is_no_ones(size: float) -> None:
    assert cockcroft_gault(1, 50, "male", size) is None
    assert schwartz(1, 10, size) is None


def test_an_estimate_says_what_it_rests_on_and_since_when() -> None:
    drawn, weighed = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    found = cockcroft_gault(1, 50, "male", 70, rests_on=(("creatinine", drawn), ("weight", weighed)))
    assert found is not None and found.oldest == weighed and dict(found.rests_on)["creatinine"] == drawn
    bare = ckd_epi(1, 50, "male")
    assert bare is not None and bare.oldest is None


def test_an_own_rate_is_that_of_the_bodys_surface() -> None:
    # 1.845 m² (175 cm, 70 kg) at 60 for 1.73 m²: 60 * 1.8447 / 1.73
    estimate = Estimate(value=60, unit="mL/min/1.73 m2", formula="CKD-EPI 2021")
    assert own_rate(estimate, 175, 70) == pytest.approx(63.98, abs=0.01)
    assert own_rate(estimate, 0, 70) is None
    assert own_rate(Estimate(value=60, unit="mL/min", formula="Cockcroft-Gault"), 175, 70) is None


@given(CREATININES, st.floats(0.01, 5), ADULTS, SEXES)
def test_more_creatinine_is_less_filtration(creatinine: float, more: float, age: float, sex: Sex) -> None:
    assert value(ckd_epi(creatinine, age, sex)) > value(ckd_epi(creatinine + more, age, sex)) > 0
    assert (
        value(cockcroft_gault(creatinine, age, sex, 70)) > value(cockcroft_gault(creatinine + more, age, sex, 70)) > 0
    )
    assert value(schwartz(creatinine, 9, 130)) > value(schwartz(creatinine + more, 9, 130)) > 0


@given(CREATININES, ADULTS, st.floats(0.1, 20), SEXES)
def test_older_is_less_filtration(creatinine: float, age: float, more: float, sex: Sex) -> None:
    assert value(ckd_epi(creatinine, age, sex)) > value(ckd_epi(creatinine, age + more, sex))
    assert value(cockcroft_gault(creatinine, age, sex, 70)) > value(cockcroft_gault(creatinine, age + more, sex, 70))


@given(st.floats(40, 300), st.floats(153, 210), SEXES)
def test_the_weight_taken_is_never_above_the_actual_and_no_heavier_patient_clears_less(
    weight: float, height: float, sex: Sex
) -> None:
    actual = value(cockcroft_gault(1, 60, sex, weight, rule="actual"))
    ruled = value(cockcroft_gault(1, 60, sex, weight, height))
    assert ruled <= actual * (1 + 1e-12)
    assert ruled <= value(cockcroft_gault(1, 60, sex, weight + 1, height)) * (1 + 1e-12)


@given(CREATININES, ADULTS)
def test_women_clear_85_percent_of_men_of_their_weight(creatinine: float, age: float) -> None:
    women = value(cockcroft_gault(creatinine, age, "female", 70))
    assert women == pytest.approx(0.85 * value(cockcroft_gault(creatinine, age, "male", 70)))
