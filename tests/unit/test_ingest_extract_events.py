"""Rows as events, as a mapping says; a bad row refuses itself alone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import AllergyRecord, ConditionRecord, EncounterRecord, Event, Patient, Prescription
from schemas.values import UNSET, Quantity
from services.ingest.formats import End, Ignored, Refusal
from services.ingest.formats.extract.loading import load
from services.ingest.formats.extract.mapping import Mapping
from services.ingest.formats.extract.rows import rows
from tests.support.extracts import ITEMS, LAB_HEADER, LABS, PATIENTS, extract, lines_of, read


def patients(fields: str, table: str) -> list[End]:
    return read(PATIENTS + fields, table.encode())


def labs(*lines: str) -> list[End]:
    return read(LABS, (LAB_HEADER + "\n".join(lines) + "\n").encode(), item=ITEMS)


def test_a_row_becomes_the_event_that_the_mapping_says() -> None:
    (event,) = patients(
        'birth_date = "{BORN}"\nversion = 3\n"stay.unit" = "3W"', "SEEN,BORN,ID\n2026-07-02 08:00:00,1950-05-06, 7 \n"
    )
    assert isinstance(event, Patient)
    assert (event.patient_id, event.record_id, event.source, event.version) == ("7", "patient-7", "adt", 3)
    assert event.occurred_at == datetime(2026, 7, 2, 6, tzinfo=UTC)
    assert event.birth_date == date(1950, 5, 6)
    assert event.stay
    assert event.stay.unit == "3W"
    assert (event.sex, event.timing) == (UNSET, "live")


def test_rows_that_are_known_and_not_used_are_ignored_before_anything_is_read() -> None:
    assert labs(",,never,?,1,QC", ",,never,?,1, CAL ", "7,50971,2026-11-02,F,,", "7,50971,2026-11-02,F,1,qc") [:3] == [
        Ignored("quality_control"), Ignored("quality_control"), Ignored("no_value"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "place", "said"),
    [
        (",50971,2026-11-02,F,5,", "ID", "patient_id is required, and its cell is empty"),
        ("7,50971,,F,5,", "AT", "occurred_at is required, and its cell is empty"),
        ("7,50971,yesterday,F,5,", "AT", "not a time as %Y-%m-%d %H:%M:%S or %Y-%m-%d"),
        ("7,50971,2026-11-02,Q,5,", "STATUS", "none of the cells that the mapping's values name: F, P"),
        ("7,50971,2026-11-02,,5,", "STATUS", "status is required"),
        ("7,,2026-11-02,F,5,", "ITEM", "codings is required, and its cell is empty"),
        ("7" * 300 + ",50971,2026-11-02,F,5,", "ID", "patient_id: Expected `str` of length <= 256"),
        ("7,50971,2026-11-02,F,5", "row", "5 cells under 6 columns"),
        ("7,50971,2026-11-02,F,5,,", "row", "7 cells under 6 columns"),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_refused_with_its_column(row: str, place: str, said: str) -> None:
    (end,) = read(LABS, (LAB_HEADER + row + "\n").encode(), item=ITEMS)
    assert isinstance(end, Refusal)
    assert end.reason == "mapping"
    assert place in end.place.split("+")
    assert said in end.detail


def test_a_refusal_repeats_no_cell() -> None:
    phi = "Roe1950"
    rows_ = [f"{phi},50971,{phi},F,5,", f"7,50971,2026-11-02,{phi},5,", f"{phi}", f"7{phi * 60},50971,2026-11-02,F,5,"]
    for end in read(LABS, (LAB_HEADER + "\n".join(rows_) + "\n").encode(), item=ITEMS):
        assert isinstance(end, Refusal)
        assert phi not in end.detail + end.place


def test_a_unit_separator_may_separate_the_cells() -> None:
    separated = PATIENTS.replace('zone = "Europe/Berlin"', 'delimiter = "\\u001f"')
    mapping = load(separated.encode(), "map.toml")
    found = list(rows(lines_of(b"ID\x1fSEEN\n7\x1f2026-11-02\n"), mapping.delimiter))
    assert isinstance(extract(separated, "ID,SEEN").read(found[1]), Patient)


@pytest.mark.parametrize("character", ["\x00", "\x1f"])
def test_a_character_that_no_store_holds_is_refused(character: str) -> None:
    (end,) = patients("", f"ID,SEEN\n7{character}8,2026-11-02\n")
    assert isinstance(end, Refusal)
    assert "U+001F" in end.detail


def test_what_cannot_be_read_is_unknown_where_the_mapping_says_so_and_refused_where_not() -> None:
    table = "ID,SEEN,BORN\n7,2026-11-02,about 1950\n8,2026-11-02,\n9,2026-11-02,n/a\n"
    refused, empty, _ = patients('birth_date = "{BORN}"', table)
    assert isinstance(refused, Refusal)
    assert refused.place == "BORN"
    assert isinstance(empty, Patient)
    assert empty.birth_date is UNSET
    spec = 'birth_date = { from = "{BORN}", unreadable = "unknown", absent = ["n/a"] }'
    assert [end.birth_date for end in patients(spec, table) if isinstance(end, Patient)] == [None, UNSET, UNSET]


def test_cells_are_translated_and_what_is_not_named_is_otherwise() -> None:
    spec = 'sex = { from = "{SEX}", values = { M = "male", W = "female" }, otherwise = "other", absent = ["-"] }'
    table = "ID,SEEN,SEX\n" + "".join(f"7,2026-11-02,{sex}\n" for sex in ("M", "W", "D", "m", "-", ""))
    assert [end.sex for end in patients(spec, table) if isinstance(end, Patient)] == [
        "male", "female", "other", "other", UNSET, UNSET,
    ]  # fmt: skip


def test_an_order_with_a_range_of_tablets_to_the_end_of_its_last_day() -> None:
    text = """
source = "cpoe"
[[tables]]
file = "*.csv"
event = "prescription"
[tables.fields]
patient_id = "{ID}"
record_id = "{ID}-{NUMBER}"
occurred_at = "{FROM}"
status = "ordered"
end = { from = "{TO}", add_days = 1 }
"drug.text" = "{DRUG}"
"dosage.dose" = { from = "{DOSE}", unit = "{UNIT}", unreadable = "unknown" }
"dosage.text" = "{DOSE} {UNIT}"
"""
    lines = (
        b"ID,NUMBER,FROM,TO,DRUG,DOSE,UNIT\n",
        b"7,1,2026-11-02,2026-11-03,Warfarin,1-2,TAB\n",
        b"7,2,2026-11-02,,Heparin,as told,\n",
        b"7,3,2026-11-02,,,,\n",
    )
    table = b"".join(lines)
    tablets, words, empty = read(text, table)
    assert isinstance(tablets, Prescription)
    assert tablets.end == datetime(2026, 11, 4, tzinfo=UTC)
    assert tablets.dosage.dose == Quantity(1, "TAB", 2)
    assert isinstance(words, Prescription)
    assert (words.end, words.dosage.dose, words.dosage.text) == (UNSET, None, "as told")
    # every column of a template empty: the field is not there
    assert empty == Refusal("mapping", "drug is required, and its cell is empty", "DRUG")


TAKEN = """
source = "emr"
time_formats = ["%Y-%m-%d %H:%M:%S", "%m/%d/%y %H:%M"]
[[tables]]
file = "*.csv"
event = "encounter"
[tables.fields]
patient_id = "{ID}"
record_id = "{STAY}"
occurred_at = { from = ["{ARRIVED}", "{ADMITTED}"], near = "{ADMITTED}" }
status = { from = "{OVER}", values = { Y = "finished", N = "in_progress" } }
"stay.encounter_class" = "inpatient"
"stay.unit" = { from = ["{BED}", "{WARD}"], absent = ["-"] }
"stay.admitted_at" = "{ADMITTED}"
"""


def test_of_several_texts_the_first_that_says_something_is_taken() -> None:
    table = b"""ID,STAY,ARRIVED,ADMITTED,OVER,BED,WARD
7,1,10/23/64 16:43,2164-10-23 21:09:00,Y,3W-12,3W
7,2,,2165-01-02 08:00:00,N,-,3W
7,3,,2165-01-02 08:00:00,N,-,-
7,4,10/23/64 16:43,,N,,
"""
    arrived, admitted, nowhere, neither = read(TAKEN, table)
    assert isinstance(arrived, EncounterRecord)
    assert (arrived.occurred_at, arrived.stay.admitted_at) == (
        datetime(2164, 10, 23, 16, 43, tzinfo=UTC), datetime(2164, 10, 23, 21, 9, tzinfo=UTC),
    )  # fmt: skip
    assert (arrived.status, arrived.stay.unit, arrived.stay.encounter_class) == ("finished", "3W-12", "inpatient")
    assert isinstance(admitted, EncounterRecord)
    assert (admitted.occurred_at, admitted.stay.unit) == (datetime(2165, 1, 2, 8, tzinfo=UTC), "3W")
    assert isinstance(nowhere, EncounterRecord)
    assert nowhere.stay.unit is UNSET
    # nothing says the century of the arrival
    assert isinstance(neither, Refusal)
    assert neither.place == "ARRIVED+ADMITTED"
    assert neither.detail == "not a time as %Y-%m-%d %H:%M:%S"


def test_an_allergy_with_its_substance() -> None:
    text = PATIENTS.replace('event = "patient"', 'event = "allergy"')
    text += '"allergy.substance.text" = "{DRUG}"\n"allergy.severity" = "{GRADE}"\n'
    known, bad, nothing = read(
        text, b"ID,SEEN,DRUG,GRADE\n7,2026-11-02,Penicillin,severe\n7,2026-11-02,Penicillin,bad\n7,2026-11-02,,mild\n"
    )
    assert isinstance(known, AllergyRecord)
    assert (known.allergy.substance.text, known.allergy.severity, known.status) == ("Penicillin", "severe", "recorded")
    assert bad == Refusal("mapping", "allergy.severity: not one of the values that the schema allows", "GRADE")
    assert nothing == Refusal("mapping", "allergy.substance is required, and its cell is empty", "DRUG")


def test_undotted_diagnoses_get_their_dots() -> None:
    text = PATIENTS.replace('event = "patient"', 'event = "condition"')
    text += '"condition.codings" = [{ system = "ICD-9-CM", code = "{ICD}", undotted = true }]'
    fibrillation, nothing = read(text, b"ID,SEEN,ICD\n7,2026-11-02,42731\n7,2026-11-02,\n")
    assert isinstance(fibrillation, ConditionRecord)
    assert [(c.system, c.code) for c in fibrillation.condition.codings] == [("ICD-9-CM", "427.31")]
    assert nothing == Refusal("mapping", "condition is required, and its cell is empty", "ICD")


CELLS = st.sampled_from(["7", "50971", "1", "99", "2026-11-02", "2026-11-02 08:00:00", "F", "?", ">5", "neg", "", "QC"])


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=6, max_size=6).map(",".join), min_size=1, max_size=12))
def test_what_is_remembered_of_other_rows_changes_nothing(lines: list[str]) -> None:
    assert labs(*lines, *lines) == 2 * [end for line in lines for end in labs(line)]


def test_more_different_cells_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.formats.extract.fields._REMEMBERED", 2)
    lines = [f"7,{item},2026-11-0{day},F,{item}," for item in (50971, 1, 99, 98) for day in (1, 2, 3, 1)]
    assert labs(*lines) == [end for line in lines for end in labs(line)]


ANY_CELL = st.text(st.characters(exclude_characters='",\r\n', exclude_categories=["Cs"]), max_size=12)


@settings(deadline=None)
@given(st.lists(ANY_CELL, min_size=6, max_size=6))
def test_any_row_has_an_end(row: list[str]) -> None:
    for end in read(LABS, (LAB_HEADER + ",".join(row)).encode(), item=ITEMS):
        assert isinstance(end, Event | Refusal | Ignored)


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"7", b",", b"\n", b'"', b"\xff", b"\x00", b"QC", b"2026-11-02"])).map(b"".join)
)
def test_any_bytes_under_a_header_are_rows_with_an_end(text: bytes) -> None:
    table = LAB_HEADER.encode() + text
    ends = read(LABS, table, item=ITEMS)
    assert len(ends) == len(list(rows(lines_of(table), ","))) - 1
    assert all(isinstance(end, Event | Refusal | Ignored) for end in ends)


def test_a_mapping_is_one_whatever_the_file() -> None:
    one, other = (load(PATIENTS.encode(), name) for name in ("a.toml", "b.toml"))
    assert isinstance(one, Mapping)
    assert one == other
