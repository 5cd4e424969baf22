"""Results to analytes and canonical units. The expected numbers are those of conversion tables, not of the code."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from knowledge.loader import load
from knowledge.model import Analyte
from schemas.values import Coding
from services.ingest.terminology.labs import Measured, canonical

KNOWLEDGE = load()


def measured(loinc: str, value: float | None, unit: str, system: str = "LOINC") -> Measured:
    return canonical((Coding(system, loinc),), value, unit, KNOWLEDGE)


@pytest.mark.parametrize(
    ("loinc", "value", "unit", "analyte", "expected", "canonical_unit"),
    [
        ("2823-3", 6.3, "mEq/L", "potassium", 6.3, "mmol/L"),
        ("2823-3", 6.3, "mmol/L", "potassium", 6.3, "mmol/L"),
        ("2823-3", 6.3, " MEQ / L ", "potassium", 6.3, "mmol/L"),
        ("6298-4", 2.7, "mEq/L", "potassium", 2.7, "mmol/L"),
        ("2951-2", 118, "meq/l", "sodium", 118, "mmol/L"),
        ("2345-7", 5.5, "mmol/L", "glucose", 99.1, "mg/dL"),
        ("2345-7", 99, "mg/dl", "glucose", 99, "mg/dL"),
        ("2339-0", 99, "MG/DL", "glucose", 99, "mg/dL"),
        ("718-7", 66, "g/L", "hemoglobin", 6.6, "g/dL"),
        ("718-7", 6.6, "gm/dL", "hemoglobin", 6.6, "g/dL"),
        ("718-7", 8.7, "mmol/L", "hemoglobin", 14.0, "g/dL"),
        ("777-3", 36, "K/uL", "platelets", 36, "K/uL"),
        ("777-3", 36, "10*3/uL", "platelets", 36, "K/uL"),
        ("777-3", 36, "x10^3/µL", "platelets", 36, "K/uL"),
        ("777-3", 36, "10^9/L", "platelets", 36, "K/uL"),
        ("777-3", 36, "10E9/L", "platelets", 36, "K/uL"),
        ("777-3", 36000, "/mm3", "platelets", 36, "K/uL"),
        ("777-3", 36000, "/mm³", "platelets", 36, "K/uL"),
        ("777-3", 36, "/nL", "platelets", 36, "K/uL"),
        ("777-3", 36, "1/nL", "platelets", 36, "K/uL"),
        ("777-3", 36, "10³/µL", "platelets", 36, "K/uL"),
        ("777-3", 36, "×10³/mm³", "platelets", 36, "K/uL"),
        ("777-3", 36, "10⁹/L", "platelets", 36, "K/uL"),
        ("777-3", 36, "10*6/mL", "platelets", 36, "K/uL"),
        ("777-3", 36, "Gpt/l", "platelets", 36, "K/uL"),
        ("6690-2", 1.9, "Tsd./µl", "white blood cells", 1.9, "K/uL"),
        ("6690-2", 1.9, "10⁹/l", "white blood cells", 1.9, "K/uL"),
        ("2823-3", 6.3, "mval/l", "potassium", 6.3, "mmol/L"),
        ("17861-6", 2.5, "mmol/L", "calcium", 10.0, "mg/dL"),
        ("17861-6", 5.0, "mEq/L", "calcium", 10.0, "mg/dL"),
        ("19123-9", 1.0, "mmol/L", "magnesium", 2.43, "mg/dL"),
        ("19123-9", 2.0, "mEq/L", "magnesium", 2.43, "mg/dL"),
        ("2777-1", 1.0, "mmol/L", "phosphate", 3.1, "mg/dL"),
        ("2160-0", 88.4, "umol/L", "creatinine", 1.0, "mg/dL"),
        ("14682-9", 88.4, "µmol/L", "creatinine", 1.0, "mg/dL"),
        ("32693-4", 18.0, "mg/dL", "lactate", 2.0, "mmol/L"),
        ("5895-7", 4.5, "", "INR", 4.5, "1"),
        ("11558-4", 7.2, "units", "pH", 7.2, "1"),
        ("4544-3", 0.30, "L/L", "hematocrit", 30, "%"),
    ],
)
def test_a_result_in_its_canonical_unit(
    loinc: str, value: float, unit: str, analyte: str, expected: float, canonical_unit: str
) -> None:
    found = measured(loinc, value, unit)
    assert (found.analyte, found.unit, found.remark) == (analyte, canonical_unit, "")
    assert found.value == pytest.approx(expected, rel=0.004)


def test_a_factor_leaves_no_dust_of_binary_fractions() -> None:
    assert measured("718-7", 66, "g/L").value == 6.6
    assert measured("777-3", 37000, "/uL").value == 37


@pytest.mark.parametrize(
    "loinc",
    [
        "2955-3",  # sodium, urine
        "2828-2",  # potassium, urine
        "2821-7",  # potassium, other body fluid
        "2824-1",  # potassium, red blood cells
        "2342-4",  # glucose, cerebrospinal fluid
        "5792-7",  # glucose, urine strip
        "2161-8",  # creatinine, urine
        "26464-9",  # a slip of 26464-8
        "29265-6",  # calcium corrected for albumin
        "786-4",  # MCHC
    ],
)
def test_another_specimen_or_test_is_not_taken_for_blood(loinc: str) -> None:
    assert measured(loinc, 4.0, "mmol/L") == Measured("", None, "", "no_analyte")


def test_only_the_loinc_code_decides_never_a_name_or_a_local_code() -> None:
    assert canonical((Coding("local", "2823-3", "Potassium"),), 4.0, "mmol/L", KNOWLEDGE).analyte == ""
    assert canonical((Coding("local", "K", "Potassium"), Coding("LOINC", "2823-3")), 4, "mmol/L", KNOWLEDGE).value == 4
    assert measured("2823-3", 4.0, "mmol/L", "http://loinc.org").analyte == "potassium"
    assert measured("2823-3", 4.0, "mmol/L", "loinc").analyte == "potassium"


@pytest.mark.parametrize(
    ("value", "unit", "remark"),
    [
        (5.0, "", "no_unit"),
        (5.0, "furlongs", "unknown_unit"),
        (5.0, "g/dL", "unknown_unit"),
        (None, "mg/dL", "no_value"),
        (math.nan, "mg/dL", "no_value"),
        (math.inf, "mg/dL", "no_value"),
    ],
)
def test_what_is_not_understood_has_no_value_and_says_why(value: float | None, unit: str, remark: str) -> None:
    assert measured("2345-7", value, unit) == ("glucose", None, "", remark, "serum_or_plasma", "")


def test_an_implausible_value_is_flagged_and_kept() -> None:
    assert measured("2823-3", 44, "mmol/L")[:4] == ("potassium", 44, "mmol/L", "implausible")
    assert measured("2160-0", 0.001, "mg/dL")[:4] == ("creatinine", 0.001, "mg/dL", "implausible")


def test_what_is_on_the_bound_of_the_plausible_is_plausible() -> None:
    low, high = KNOWLEDGE.analytes["2823-3"].plausible
    assert {measured("2823-3", bound, "mmol/L").remark for bound in (low, high)} == {""}
    assert {measured("2823-3", beyond, "mmol/L").remark for beyond in (low - 0.01, high + 0.01)} == {"implausible"}


def test_there_is_no_concentration_below_nothing() -> None:
    for loinc in ("2823-3", "777-3", "6690-2"):
        for unit in ("mmol/L", "K/uL"):
            assert measured(loinc, -7.5, unit).value is None
    assert measured("2823-3", -7.5, "mmol/L")[:4] == ("potassium", None, "", "implausible")


def test_what_may_be_negative_says_so_by_its_plausible_range() -> None:
    excess = Analyte(name="base excess", unit="mmol/L", factors={"mmol/l": 1}, plausible=(-30, 30))
    knowledge = replace(KNOWLEDGE, analytes={"1925-7": excess})
    assert canonical((Coding("LOINC", "1925-7"),), -12, "mmol/L", knowledge)[:4] == ("base excess", -12, "mmol/L", "")


def test_two_codes_of_one_analyte_agree_and_of_two_contradict_each_other() -> None:
    potassium, whole_blood, sodium = (Coding("LOINC", code) for code in ("2823-3", "6298-4", "2951-2"))
    assert canonical((potassium, whole_blood), 4.0, "mmol/L", KNOWLEDGE).analyte == "potassium"
    assert canonical((potassium, sodium), 4.0, "mmol/L", KNOWLEDGE)[:4] == ("", None, "", "no_analyte")
    assert canonical((Coding("LOINC", "1-8"), potassium), 4.0, "mmol/L", KNOWLEDGE).analyte == "potassium"


def test_a_limit_published_in_another_unit_is_the_same_limit() -> None:
    child = KNOWLEDGE.limits["glucose", "child"]
    just_below, just_above = measured("14749-6", 2.5, "mmol/L"), measured("14749-6", 2.7, "mmol/L")
    assert child.low is not None and just_below.value is not None and just_above.value is not None
    assert just_below.value < child.low < just_above.value


@given(st.text(max_size=20), st.floats(), st.text(max_size=20))
def test_nothing_makes_it_raise(code: str, value: float, unit: str) -> None:
    found = canonical((Coding("LOINC", code or "x"),), value, unit, KNOWLEDGE)
    assert found.value is None or math.isfinite(found.value)
    assert isinstance(canonical((Coding("LOINC", "2345-7"),), value, unit, KNOWLEDGE).remark, str)
