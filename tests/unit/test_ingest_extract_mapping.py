"""What a mapping file may say, and how it says what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.events import LabResult, Prescription
from services.ingest.formats.extract.loading import load
from services.ingest.formats.extract.mapping import MappingError
from services.ingest.formats.extract.targets import target_of
from tests.support.extracts import LABS, PATIENTS, extract

EXAMPLES = Path(__file__).parents[2] / "examples"


def message(text: str, file: str = "map.toml") -> str:
    with pytest.raises(MappingError) as raised:
        load(text.encode(), file)
    assert str(raised.value).startswith(file)
    return str(raised.value)


@pytest.mark.parametrize("name", ["mimic-iii.toml", "ward-day/lab.toml"])
def test_the_examples_load(name: str) -> None:
    mapping = load((EXAMPLES / name).read_bytes(), name)
    assert mapping.tables


def test_the_example_for_mimic_has_a_table_for_every_file_but_the_dictionary() -> None:
    mapping = load((EXAMPLES / "mimic-iii.toml").read_bytes(), "mimic-iii.toml")
    names = (
        "PATIENTS.csv",
        "ADMISSIONS.csv",
        "DIAGNOSES_ICD.csv",
        "PRESCRIPTIONS.csv",
        "LABEVENTS.csv",
        "D_LABITEMS.csv",
    )
    found = [(name, table.event) for name in names if (table := mapping.table_of(name))]
    assert [event for _, event in found] == ["patient", "encounter", "condition", "prescription", "lab_result"]
    assert [name for name, _ in found] == list(names[:-1])
    assert mapping.ignores("D_LABITEMS.csv")
    assert not mapping.ignores("LABEVENTS.csv")
    assert mapping.timing == "replayed"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "adt"', "source = ", ["not TOML", "line 2"]),
        ('source = "adt"', "", ["source"]),
        ('source = "adt"', 'source = ""', ["source"]),
        ('event = "patient"', 'event = "person"', ["person", "tables[0].event", "prescription, dispensing"]),
        ('event = "patient"', 'event = "patient"\nevnt = 1', ["evnt", "tables[0]"]),
        ('zone = "Europe/Berlin"', 'zone = "Europe/Bonn"', ["zone", "Europe/Bonn", "Europe/Berlin"]),
        ('zone = "Europe/Berlin"', 'zone = "../../etc/passwd"', ["zone"]),
        ('zone = "Europe/Berlin"', 'zone = ""', ["zone"]),
        ('zone = "Europe/Berlin"', 'time_formats = ["%Y-%Q"]', ["time_formats", "%Y-%Q"]),
        ('zone = "Europe/Berlin"', 'time_formats = ["%H:%M"]', ["time_formats", "%H:%M", "year"]),
        ('zone = "Europe/Berlin"', "time_formats = []", ["time_formats"]),
        ('zone = "Europe/Berlin"', 'delimiter = "||"', ["delimiter"]),
        ('zone = "Europe/Berlin"', 'delimiter = ";"', ["delimiter", 'decimal = ","']),
        ('zone = "Europe/Berlin"', 'decimal = "."\ndelimiter = "; "', ["delimiter"]),
        ('zone = "Europe/Berlin"', 'decimal = "comma"', ["decimal", "comma"]),
        ('zone = "Europe/Berlin"', 'timing = "later"', ["timing", "later", "live, replayed"]),
        ('"{SEEN}"', '{ from = "{SEEN}", look_up = "x" }', ["occurred_at", "look_up"]),
        ('"{SEEN}"', '{ from = [] }', ["occurred_at"]),
        ('"{SEEN}"', '"{SEEN"', ["tables[0].fields.'occurred_at'", "'{SEEN'"]),
        ('"{SEEN}"', '{ from = ["{SEEN}", "{}"] }', ["occurred_at", "write a column as {NAME}"]),
        ('"{SEEN}"', '{ from = "{SEEN}", near = "{SEEN!r}" }', ["occurred_at", "write a column as {NAME}"]),
        ('"patient-{ID}"', '"patient\\u0000{ID}"', ["NUL", "U+001F"]),
        ('"{SEEN}"', '{ from = "{SEEN}", unreadable = "skip" }', ["occurred_at", "unreadable", "refuse, unknown"]),
        ('"{SEEN}"', "[1, 2]", ["occurred_at"]),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_says_which_file_which_key_and_what_is_allowed(
    old: str, new: str, said: list[str]
) -> None:
    text = message(PATIENTS.replace(old, new))
    assert all(part in text for part in said), text


def test_a_mapping_file_that_is_no_text() -> None:
    with pytest.raises(MappingError, match=r"map\.toml: not UTF-8 at byte 3"):
        load(b"a=1\xff", "map.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('missing = "keep"', "", ["joins.item", "missing", "allowed: keep, refuse"]),
        ('missing = "keep"', 'missing = "skip"', ["joins.item", "skip", "allowed: keep, refuse"]),
        ('missing = "keep"', 'missing = "keep"\ntake = "LOINC"', ["joins.item", "take"]),
        ('key = "{ITEM}"', 'key = "ITEM"', ["joins.item.key", "'ITEM' names no column", "{NAME}"]),
        ('key = "{ITEM}"', 'key = "{ITEM"', ["joins.item.key", "'{ITEM'"]),
        ('key = "{ITEM}"', 'key = "{ITEM}"\non = "ITEM"', ["joins.item.on", "'ITEM' names no column"]),
        ('key = "{ITEM}"', 'key = "{ITEM}"\non = "{item.X}"', ["joins.item.on", "'item.X' is of a join"]),
        ("[joins.item]", '[joins."i.t"]', ["joins.i.t", "no dot"]),
    ],
)
def test_a_join_that_cannot_be_says_what_is_allowed(old: str, new: str, said: list[str]) -> None:
    text = message(LABS.replace(old, new))
    assert all(part in text for part in said), text


def test_the_first_table_that_fits_a_name_is_taken_whatever_its_case() -> None:
    mapping = load(
        (PATIENTS + PATIENTS[PATIENTS.index("[[tables]]") :].replace("*.csv", "_2.csv")).encode(), "map.toml"
    )
    assert mapping.table_of("patients_2.CSV") is mapping.tables[0]
    assert mapping.table_of("LABS.csv") is None


# a table made ready for a file


def fault(fields: str, header: str = "ID,SEEN,X") -> str:
    with pytest.raises(MappingError) as raised:
        extract(PATIENTS + fields, header)
    assert str(raised.value).startswith("f.csv, line 1")
    return str(raised.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ('sex = "{GENDER}"', ["sex", "no column 'GENDER'", "ID, SEEN, X"]),
        ('gender = "{X}"', ["gender", "patient has", "birth_date", "sex"]),
        ('"stay.ward" = "{X}"', ["stay.ward", "stay has", "facility"]),
        ('event_id = "{X}"', ["event_id", "no such field"]),
        ('stay = "{X}"', ["stay", "as a whole", "stay.encounter_class"]),
        ('allergies = "{X}"', ["allergies", "list"]),
        ('sex = "unsure"', ["sex", "unsure", "female, male, other"]),
        ('birth_date = "BORN"', ["birth_date", "not a time", "{NAME}"]),
        ("version = 1.5", ["version", "int"]),
        ("version = -1", ["version"]),
        ('sex = { from = "{X}", values = { M = "man" } }', ["sex", "man", "female, male, other"]),
        ('sex = { from = "{X}", values = { M = "male" }, otherwise = "?" }', ["sex", "?"]),
        ('sex = { from = "{X}", add_days = 1 }', ["sex", "add_days"]),
        ('birth_date = { from = "{X}", unit = "mg" }', ["birth_date", "unit"]),
        ('sex = { from = "{X}", near = "{SEEN}" }', ["sex", "near belongs to a time"]),
        ('birth_date = { from = "{X}", near = "{WHEN}" }', ["birth_date", "no column 'WHEN'"]),
        ("version = 9007199254740992", ["version", "9007199254740991"]),
        ('birth_date = [{ system = "s", code = "{X}" }]', ["birth_date", "codings"]),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_its_file_says_why(fields: str, said: list[str]) -> None:
    text = fault(fields)
    assert all(part in text for part in said), text


@pytest.mark.parametrize("field", ["analyte", "canonical_value", "canonical_unit", "remark", "ingested_at", "origin"])
def test_what_ingest_fills_is_no_field_of_a_mapping(field: str) -> None:
    with pytest.raises(MappingError, match="no such field"):
        target_of(LabResult, field, "lab.toml")


@pytest.mark.parametrize("field", ["dosage.remark", "dosage.daily_dose"])
def test_what_ingest_fills_of_a_dosage_is_no_field_of_a_mapping(field: str) -> None:
    with pytest.raises(MappingError, match="no such field; dosage has: text, route, dose"):
        target_of(Prescription, field, "orders.toml")


def test_a_required_field_that_no_column_fills_is_named() -> None:
    with pytest.raises(MappingError, match="patient needs the field 'occurred_at'"):
        extract(PATIENTS.replace('occurred_at = "{SEEN}"', ""), "ID,SEEN")


def test_two_columns_of_one_name_are_refused_at_once_and_not_row_by_row() -> None:
    with pytest.raises(MappingError, match=r"f\.csv: two columns are named 'ID'"):
        extract(PATIENTS, "ID,SEEN,ID")


CONDITIONS = PATIENTS.replace('event = "patient"', 'event = "condition"')


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("", "condition needs the field 'condition'"),
        ('"condition.onset" = "{SEEN}"', "condition needs the field 'condition.codings'"),
        ('"condition.codings" = "{ICD}"', "a list of"),
        ('"condition.codings" = [{ system = "SNOMED CT", code = "{ICD}", undotted = true }]', "ICD-9 or ICD-10"),
    ],
)
def test_a_condition_needs_its_codes(fields: str, said: str) -> None:
    with pytest.raises(MappingError) as raised:
        extract(CONDITIONS + fields, "ID,SEEN,ICD")
    assert said in str(raised.value)


SHORT = PATIENTS.replace('zone = "Europe/Berlin"', 'time_formats = ["%d.%m.%Y", "%d.%m.%y"]')


def test_the_time_that_says_a_century_may_be_a_constant_and_must_say_it() -> None:
    extract(SHORT.replace('"{SEEN}"', '{ from = "{SEEN}", near = "01.01.2000" }'), "ID,SEEN")
    with pytest.raises(MappingError, match=r"fields\.'occurred_at': near: not a time as %d\.%m\.%Y"):
        extract(SHORT.replace('"{SEEN}"', '{ from = "{SEEN}", near = "01.01.00" }'), "ID,SEEN")


def test_formats_of_which_none_says_the_century_are_refused() -> None:
    text = message(SHORT.replace('"%d.%m.%Y", ', ""))
    assert "every year has two digits" in text
