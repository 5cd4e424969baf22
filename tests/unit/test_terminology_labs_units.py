"""Units of each analyte against conversion factors as they were published: typed here from the source, not read from our data.

ASHP: American Society of Health-System Pharmacists, Appendix A, therapeutic ranges in traditional and SI units.
JAMA: SI units for clinical data, after the instructions for authors.
MIRACUM: loinc-conversion, data/conversion.tsv.
TABLE: Concise Book of Medical Laboratory Technology, table 3.5, therapeutic and toxic drugs.
NGSP: ngsp.org/ifcc.asp and the pair of numbers that NICE uses (48 mmol/mol is 6.5 %).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.loader import load
from knowledge.model import plain_unit
from schemas.values import Coding
from services.ingest.terminology.labs import canonical

KNOWLEDGE = load()
BY_NAME = {analyte.name: analyte for analyte in KNOWLEDGE.analytes.values()}

# (LOINC code, value, unit, the same in the canonical unit by the published factor, canonical unit)
PUBLISHED = [
    # MIRACUM: from the code of the amount of substance to that of the mass
    ("14682-9", 100, "umol/L", 1.131, "mg/dL"),
    ("14749-6", 10, "mmol/L", 180.2, "mg/dL"),
    ("59260-0", 8, "mmol/L", 12.88, "g/dL"),
    ("14631-6", 20, "umol/L", 1.1694, "mg/dL"),
    ("14629-0", 20, "umol/L", 1.1694, "mg/dL"),
    ("14933-6", 400, "umol/L", 6.724, "mg/dL"),
    ("14879-1", 1, "mmol/L", 3.097, "mg/dL"),
    ("2601-3", 1, "mmol/L", 1 / 0.411353353, "mg/dL"),
    ("2000-8", 1, "mmol/L", 1 / 0.249500998, "mg/dL"),
    ("17864-0", 4, "mg/dL", 4 * 0.249500998, "mmol/L"),
    ("14118-4", 18, "mg/dL", 1.998, "mmol/L"),
    ("14920-3", 15, "pmol/L", 1.16535, "ng/dL"),
    ("31012-8", 10, "umol/L", 14.49, "mg/L"),
    ("39797-6", 10, "umol/L", 14.49, "mg/L"),
    ("22747-0", 10, "umol/L", 4.776, "mg/L"),
    ("22752-0", 10, "umol/L", 4.675, "mg/L"),
    ("14946-8", 500, "umol/L", 72.1, "mg/L"),
    ("15103-5", 100, "nmol/L", 120.19, "ng/mL"),
    ("76494-4", 10, "nmol/L", 8.22, "ng/mL"),
    ("3793-7", 0.454, "ug/mL", 1, "umol/L"),
    ("3719-2", 6.94, "ug/mL", 1, "mmol/L"),
    # ASHP: traditional times the factor is SI
    ("35669-1", 1.708, "umol/L", 1, "mg/L"),
    ("14639-9", 4.23, "umol/L", 1, "mg/L"),
    ("14698-5", 1.281, "nmol/L", 1, "ng/mL"),
    ("47109-4", 2.09, "umol/L", 1, "mg/L"),
    ("14874-2", 4.306, "umol/L", 1, "mg/L"),
    ("14877-5", 3.964, "umol/L", 1, "mg/L"),
    ("32109-1", 3.964, "umol/L", 1, "mg/L"),
    ("14915-3", 5.55, "umol/L", 1, "mg/L"),
    ("14581-3", 66.16, "umol/L", 10, "mg/L"),
    ("14334-7", 1, "mEq/L", 1, "mmol/L"),
    ("4024-6", 150, "mcg/mL", 15, "mg/dL"),
    ("14909-6", 1.086, "mmol/L", 15, "mg/dL"),
    # TABLE: SI times the factor is conventional
    ("47109-4", 10, "umol/L", 4.78, "mg/L"),
    ("14698-5", 2, "nmol/L", 1.562, "ng/mL"),
    ("14639-9", 20, "umol/L", 4.72, "mg/L"),
    ("14581-3", 100, "umol/L", 15.1, "mg/L"),
    # JAMA; an equivalent of calcium or magnesium is half a mole
    ("1751-7", 35, "g/L", 3.5, "g/dL"),
    ("1975-2", 1, "mg/dl", 1, "mg/dL"),
    ("14631-6", 17.1, "umol/L", 1, "mg/dL"),
    ("17861-6", 0.5 / 0.25, "mEq/L", 4, "mg/dL"),
    ("1995-0", 2.4, "mEq/L", 1.2, "mmol/L"),
    ("19123-9", 2, "mEq/L", 2.4305, "mg/dL"),
    # NGSP: 0.09148 times and 2.152 more
    ("59261-8", 48, "mmol/mol", 6.543, "%"),
    ("4548-4", 100, "mmol/mol", 11.3, "%"),
    ("4548-4", 6.5, "%", 6.5, "%"),
    # 1 µkat/L is 60 U/L by the definitions of both
    ("1742-6", 0.5, "µkat/L", 30, "U/L"),
    ("2157-6", 5, "ukat/L", 300, "U/L"),
]


@pytest.mark.parametrize(("loinc", "value", "unit", "expected", "canonical_unit"), PUBLISHED)
def test_a_unit_by_its_published_factor(
    loinc: str, value: float, unit: str, expected: float, canonical_unit: str
) -> None:
    found = canonical((Coding("LOINC", loinc),), value, unit, KNOWLEDGE)
    assert (found.unit, found.remark) == (canonical_unit, "")
    assert found.value == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(
    ("loinc", "spellings"),
    [
        ("2157-6", ["U/L", "IU/L", "[IU]/L", "u/l", "units/L"]),
        ("3016-3", ["mIU/L", "uIU/mL", "uU/ML", "m[IU]/L", "µIU/mL", "mU/L"]),
        ("3173-2", ["s", "sec", "SECONDS", "secs"]),
        ("20578-1", ["ug/mL", "mcg/mL", "µg/mL", "mg/L", "mg/l"]),
        ("11253-2", ["ng/mL", "ug/L", "µg/l", "mcg/L"]),
        ("14334-7", ["mmol/L", "mEq/L", "mmol/l", "meq/l"]),
        ("751-8", ["K/uL", "10*3/uL", "10^9/L", "x10E3/uL", "x10(3)/uL", "10*9/L", "G/L"]),
        ("26499-4", ["/uL", "cells/uL", "{cells}/uL", "#/uL", "/mm3"]),
        ("13055-9", ["U/mL", "IU/mL", "[IU]/mL", "kIU/L"]),
        ("2160-0", ["mg/dl", "MG/DL", "mg%"]),
        ("14682-9", ["µmol/l", "umol/L", "μmol/L", "mcmol/L"]),
    ],
)
def test_ways_to_write_one_unit_give_one_value(loinc: str, spellings: list[str]) -> None:
    found = {canonical((Coding("LOINC", loinc),), 7.0, unit, KNOWLEDGE)[:3] for unit in spellings}
    assert len(found) == 1
    assert next(iter(found))[1] is not None


@pytest.mark.parametrize(("ifcc", "ngsp"), [(42, 6.0), (48, 6.5), (53, 7.0), (58, 7.5), (64, 8.0), (75, 9.0)])
def test_hemoglobin_a1c_in_both_countings(ifcc: float, ngsp: float) -> None:
    """The pairs that guidelines print."""
    found = canonical((Coding("LOINC", "59261-8"),), ifcc, "mmol/mol", KNOWLEDGE).value
    assert found is not None and round(found, 1) == ngsp


def test_a_letter_that_is_two_units_is_read_by_the_analyte() -> None:
    # G/L is giga per litre of a count, g/L gram per litre of a protein
    assert canonical((Coding("LOINC", "777-3"),), 250, "G/L", KNOWLEDGE).value == 250
    assert canonical((Coding("LOINC", "1751-7"),), 40, "g/L", KNOWLEDGE).value == 4
    # mmol/L of calcium is two equivalents, of sodium one
    assert canonical((Coding("LOINC", "2951-2"),), 140, "mEq/L", KNOWLEDGE).value == 140


def test_an_activity_is_no_mass_and_a_fraction_no_count() -> None:
    for loinc, unit in (("1742-6", "mg/dL"), ("3016-3", "U/L"), ("770-8", "K/uL"), ("20578-1", "mmol/L")):
        assert canonical((Coding("LOINC", loinc),), 5, unit, KNOWLEDGE).remark == "unknown_unit"


def test_every_analyte_of_a_number_is_plausible_somewhere_normal() -> None:
    """A limit so tight that a normal value is a slip would silence the analyte; typed from common reference ranges."""
    normal = {
        "urate": 5, "bilirubin": 0.6, "direct bilirubin": 0.1, "albumin": 4, "ALT": 25, "AST": 25, "alkaline phosphatase": 80,
        "creatine kinase": 100, "hemoglobin A1c": 5.4, "TSH": 2, "free T4": 1.2, "aPTT": 30, "neutrophils": 4, "lithium": 0.8,
        "digoxin": 0.9, "vancomycin": 15, "tacrolimus": 8, "cyclosporine": 150, "phenytoin": 15, "methotrexate": 0.1,
        "potassium": 4.2, "sodium": 140, "glucose": 95, "creatinine": 0.9, "INR": 1, "pH": 7.4, "hemoglobin": 14,
    }  # fmt: skip
    for name, value in normal.items():
        low, high = BY_NAME[name].plausible
        assert low <= value <= high, name


def test_the_canonical_unit_of_each_analyte_is_one_of_its_units() -> None:
    for analyte in BY_NAME.values():
        if analyte.unit != "text":
            assert analyte.factors[plain_unit(analyte.unit)] == 1


UNITS = sorted(
    (code, unit)
    for code, analyte in KNOWLEDGE.analytes.items()
    for unit in analyte.factors
    if unit and analyte.name not in ("INR", "pH")
)


@given(st.sampled_from(UNITS), st.floats(0.001, 1e6), st.floats(1.001, 10))
def test_more_in_any_unit_is_more_in_the_canonical_one(unit: tuple[str, str], value: float, times: float) -> None:
    less = canonical((Coding("LOINC", unit[0]),), value, unit[1], KNOWLEDGE)
    more = canonical((Coding("LOINC", unit[0]),), value * times, unit[1], KNOWLEDGE)
    assert less.value is not None and more.value is not None and 0 < less.value < more.value
    assert less.unit == more.unit == KNOWLEDGE.analytes[unit[0]].unit
    if unit[1] not in KNOWLEDGE.analytes[unit[0]].offsets:
        assert more.value / less.value == pytest.approx(times, rel=1e-6)
