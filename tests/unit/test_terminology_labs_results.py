"""What a result says beside its number: comparators, words, specimens, when it was drawn, codes of a site's own."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from knowledge.loader import load, load_from
from schemas.events import LabResult, Specimen
from schemas.values import Coding, Origin
from services.ingest.pipeline import Pipeline
from services.ingest.terminology.labs import Measured, canonical, number_in, says_haemolysed

KNOWLEDGE = load()
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PIPELINE = Pipeline(KNOWLEDGE, lambda: NOW)
POTASSIUM = LabResult(
    patient_id="p", source="lab", record_id="r", occurred_at=NOW, status="final", codings=(Coding("LOINC", "2823-3"),)
)


def ingested(result: LabResult) -> LabResult:
    event = PIPELINE.take_event(result, Origin("t", 0, 0))
    assert isinstance(event, LabResult)
    return event


def measured(loinc: str, specimen: str = "", system: str = "LOINC") -> Measured:
    return canonical((Coding(system, loinc),), 4.0, "mmol/L", KNOWLEDGE, specimen)


@pytest.mark.parametrize(
    ("text", "value", "comparator"),
    [
        ("<0.2", 0.2, "<"),
        (" > 10 ", 10, ">"),
        ("<= 5", 5, "<="),
        ("≥30", 30, ">="),
        ("GREATER THAN 10", 10, ">"),
        ("less than 0.4", 0.4, "<"),
        ("6.3", 6.3, None),
    ],
)
def test_a_text_that_is_exactly_a_number_becomes_one(text: str, value: float, comparator: str | None) -> None:
    result = ingested(replace(POTASSIUM, text=text, unit="mmol/L"))
    assert (result.value, result.comparator, result.canonical_value) == (value, comparator, value)
    assert result.text == text


@pytest.mark.parametrize(
    "text",
    [
        "haemolysed", "see comment", "6.3 (haemolysed)", "0-2", "1+", "1:40", "6,3", "<", "> ", "1e3", "-4", "+4", "5 mmol/L",
        "150 IS HIGHEST MEASURED PTT", "GREATER THAN 30, DILUTION AVAILABLE", "14.4.6", "١", "NaN", "inf", "2 000", "",
    ],
)  # fmt: skip
def test_every_other_text_stays_a_text_and_is_no_number(text: str) -> None:
    assert number_in(text) is None
    result = ingested(replace(POTASSIUM, text=text, unit="mmol/L"))
    assert (result.text, result.canonical_value, result.remark) == (text, None, "no_value")
    assert not isinstance(result.value, float)


def test_a_number_beside_a_text_is_the_number() -> None:
    result = ingested(replace(POTASSIUM, value=6.3, comparator=">", text="<0.2", unit="mmol/L"))
    assert (result.value, result.comparator, result.canonical_value) == (6.3, ">", 6.3)


def test_a_comparator_stays_with_the_converted_value() -> None:
    result = ingested(replace(POTASSIUM, codings=(Coding("LOINC", "14682-9"),), text="<20", unit="umol/L"))
    assert (result.analyte, result.comparator, result.canonical_unit) == ("creatinine", "<", "mg/dL")
    assert result.canonical_value == pytest.approx(0.2262, rel=0.001)


@given(st.text(max_size=12))
def test_no_text_makes_it_raise(text: str) -> None:
    found = number_in(text)
    assert found is None or found[0] >= 0
    says_haemolysed(text)


@pytest.mark.parametrize(
    "text", ["haemolysed", "HEMOLYZED", "Specimen grossly hemolysed", "slight haemolysis", "hemolysis 2+"]
)
def test_a_text_that_says_so_makes_the_specimen_haemolysed(text: str) -> None:
    result = ingested(replace(POTASSIUM, value=6.9, unit="mmol/L", text=text, specimen=Specimen(kind="serum")))
    assert isinstance(result.specimen, Specimen)
    assert (result.specimen.haemolysed, result.specimen.kind) == (True, "serum")
    assert result.canonical_value == 6.9


@pytest.mark.parametrize(
    "text", ["not haemolysed", "no hemolysis", "non-hemolyzed", "see comment", "haemolytic anaemia"]
)
def test_a_text_that_denies_it_or_says_something_else_does_not(text: str) -> None:
    result = ingested(replace(POTASSIUM, value=6.9, unit="mmol/L", text=text))
    assert not isinstance(result.specimen, Specimen)


def test_what_the_laboratory_says_of_haemolysis_stands_over_its_words() -> None:
    result = ingested(replace(POTASSIUM, text="haemolysed", specimen=Specimen(haemolysed=False)))
    assert result.specimen == Specimen(haemolysed=False)


@pytest.mark.parametrize(
    ("loinc", "measured_in", "drawn"),
    [
        ("2823-3", "serum_or_plasma", ""),
        ("6298-4", "blood", ""),
        ("32713-0", "arterial_blood", ""),
        ("39789-3", "venous_blood", ""),
        ("41656-0", "mixed_venous_blood", ""),
        ("77142-8", "", ""),
        ("29349-8", "serum_or_plasma", "after_dialysis"),
        ("51618-7", "serum_or_plasma", "before_dialysis"),
        ("1558-6", "serum_or_plasma", "fasting"),
        ("4092-3", "serum_or_plasma", "trough"),
        ("4090-7", "serum_or_plasma", "peak"),
        ("3665-7", "serum_or_plasma", "trough"),
        ("3663-2", "serum_or_plasma", "peak"),
        ("3563-4", "serum_or_plasma", "over_12_h_after_dose"),
        ("2106-3", "urine", ""),
    ],
)
def test_the_code_says_in_what_and_when(loinc: str, measured_in: str, drawn: str) -> None:
    result = ingested(replace(POTASSIUM, codings=(Coding("LOINC", loinc),)))
    assert (result.measured_in, result.drawn) == (measured_in, drawn)


def test_two_codes_of_one_analyte_say_only_what_both_say() -> None:
    both = (Coding("LOINC", "2823-3"), Coding("LOINC", "6298-4"))
    assert canonical(both, 4.0, "mmol/L", KNOWLEDGE) == ("potassium", 4.0, "mmol/L", "", "", "")


def test_a_trough_and_a_peak_at_once_are_neither() -> None:
    both = (Coding("LOINC", "4092-3"), Coding("LOINC", "4090-7"))
    assert canonical(both, 18.0, "mg/L", KNOWLEDGE) == ("vancomycin", 18.0, "mg/L", "", "serum_or_plasma", "")


@pytest.mark.parametrize(
    "kind", ["Urine", "urine specimen", "Cerebrospinal Fluid (CSF)", "Ascites", "Other Body Fluid", "UR"]
)
def test_a_specimen_that_the_code_cannot_be_of_makes_no_analyte(kind: str) -> None:
    assert measured("2823-3", kind) == ("", None, "", "other_specimen", "", "")
    result = ingested(replace(POTASSIUM, value=40.0, unit="mmol/L", specimen=Specimen(kind=kind)))
    assert (result.analyte, result.canonical_value, result.remark) == ("", None, "other_specimen")


@pytest.mark.parametrize(
    "kind", ["", "Blood", "BLOOD", "serum", "Whole blood", "Arterial blood", "Plasma", "Serum or urine", "swab"]
)
def test_a_specimen_of_blood_or_one_that_nobody_knows_leaves_the_code_its_word(kind: str) -> None:
    assert measured("2823-3", kind).analyte == "potassium"


def test_a_urine_test_is_not_done_in_serum() -> None:
    assert measured("2106-3", "Urine").analyte == "pregnancy test"
    assert measured("2106-3", "Serum").remark == "other_specimen"


def test_a_result_in_words_is_nothing_to_remark_on_where_words_are_expected() -> None:
    result = ingested(replace(POTASSIUM, codings=(Coding("LOINC", "2106-3"),), text="Positive"))
    assert (result.analyte, result.text, result.canonical_value, result.remark) == (
        "pregnancy test",
        "Positive",
        None,
        "",
    )


def test_a_code_of_a_sites_own_system_names_an_analyte() -> None:
    tacrolimus = (Coding("mimic-iii/itemid", "50986", "tacroFK"),)
    assert canonical(tacrolimus, 8.0, "ng/mL", KNOWLEDGE) == ("tacrolimus", 8.0, "ng/mL", "", "blood", "")
    assert canonical((Coding("LOINC", "50986"),), 8.0, "ng/mL", KNOWLEDGE).remark == "no_analyte"
    contradicting = (*tacrolimus, Coding("LOINC", "2823-3"))
    assert canonical(contradicting, 8.0, "ng/mL", KNOWLEDGE).remark == "no_analyte"


def test_a_site_closes_a_gap_with_one_row(tmp_path: Path) -> None:
    (tmp_path / "labs").mkdir()
    own = "system,code,analyte,specimen,drawn,description,sources\nOurLab,K1,potassium,blood,,gas analyser,rxvigil\n"
    (tmp_path / "labs" / "local_codes.csv").write_text(own)
    spelled = "unit,spelling,sources\nmmol/L,millimoles,rxvigil\n"
    (tmp_path / "labs" / "spellings.csv").write_text(spelled)
    site = load_from(files("knowledge"), tmp_path)
    found = canonical((Coding("ourlab", "K1"),), 6.1, "millimoles", site)
    assert found == ("potassium", 6.1, "mmol/L", "", "blood", "")
    assert canonical((Coding("ourlab", "K1"),), 6.1, "mmol/L", KNOWLEDGE).remark == "no_analyte"


def test_a_whole_number_is_a_number() -> None:
    # a decoder of foreign JSON may hand over 6 where another writes 6.0
    assert ingested(replace(POTASSIUM, value=6, unit="mmol/L")).canonical_value == 6


def test_a_product_too_large_for_a_number_is_no_value() -> None:
    found = canonical((Coding("LOINC", "14749-6"),), 1e308, "mmol/L", KNOWLEDGE)
    assert (found.value, found.remark) == (None, "implausible")
