"""Delimited extracts: what a cell says, what a mapping file may say, and that a bad row refuses itself alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Event, LabResult, Patient, Prescription
from schemas.values import UNSET, Quantity
from services.ingest.formats import End, Ignored, Refusal
from services.ingest.formats.extract import cells
from services.ingest.formats.extract.cells import Times, UnreadableError
from services.ingest.formats.extract.mapping import Mapping, MappingError, load
from services.ingest.formats.extract.rows import LookUp, header_of, look_up, rows
from services.ingest.formats.extract.table import Extract
from services.ingest.formats.extract.targets import target_of

EXAMPLES = Path(__file__).parents[2] / "examples"

# --- cells


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7.35", 7.35), ("25,000", 25000), ("1,000,000.5", 1000000.5), ("-3", -3), ("+3", 3), (".5", 0.5), ("5.", 5),
        ("2,50", None), ("1,2345", None), ("1e3", None), ("1E5", None), ("", None), ("NaN", None), ("inf", None),
        ("0x1", None), ("1 000", None), ("9" * 400, None), ("5 mg", None), ("--5", None),
    ],
)  # fmt: skip
def test_numbers(cell: str, value: float | None) -> None:
    if value is None:
        with pytest.raises(UnreadableError):
            cells.number(cell)
    else:
        assert cells.number(cell) == value


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("7.4", {"value": 7.4}),
        ("<0.2", {"value": 0.2, "comparator": "<"}),
        ("> 10,000", {"value": 10000, "comparator": ">"}),
        ("<=3", {"value": 3, "comparator": "<="}),
        ("≤3", {"value": 3, "comparator": "<="}),
        ("≥ 3", {"value": 3, "comparator": ">="}),
        ("GREATER THAN 30", {"value": 30, "comparator": ">"}),
        ("less than 5", {"value": 5, "comparator": "<"}),
        *((text, {"text": text}) for text in ("0-2", "1+", "5 mg", "NEG", "<", "<<3", "=<3", "> 5 H", "1e3", "2,50")),
    ],
)
def test_results(cell: str, expected: dict[str, Any]) -> None:
    assert cells.result(cell) == expected


@pytest.mark.parametrize(
    ("cell", "unit", "expected"),
    [
        ("500", "mg", Quantity(500, "mg")),
        ("500", "", Quantity(500, "")),
        ("1-2", "TAB", Quantity(1, "TAB", 2)),
        ("500 - 1,000", "mg", Quantity(500, "mg", 1000)),
        ("1-2mg", "MG", Quantity(1, "MG", 2)),
        ("5 mL", "", Quantity(5, "mL")),
        ("2.5%", "", Quantity(2.5, "%")),
        ("10 µg", "", Quantity(10, "µg")),
        ("100 [iU]", "", Quantity(100, "[iU]")),
        ("5 mL", "mg", None),
        ("2-1", "mg", None),
        ("1/2", "", None),
        ("1/2", "TAB", None),
        ("1:1000", "", None),
        ("1,5", "mg", None),
        ("1-2-3", "mg", None),
        ("half", "mg", None),
    ],
)
def test_amounts(cell: str, unit: str, expected: Quantity | None) -> None:
    if expected is None:
        with pytest.raises(UnreadableError):
            cells.quantity(cell, unit)
    else:
        assert Quantity(**cells.quantity(cell, unit)) == expected


@pytest.mark.parametrize(("cell", "value"), [("5", 5), ("-5", -5), ("5.0", None), ("1,000", None), ("9" * 16, None)])
def test_whole_numbers(cell: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(UnreadableError):
            cells.whole(cell)
    else:
        assert cells.whole(cell) == value


def test_truth() -> None:
    assert [cells.truth(cell) for cell in ("Yes", "y", "TRUE", "1", "No", "0", "false")] == [True] * 4 + [False] * 3
    with pytest.raises(UnreadableError):
        cells.truth("perhaps")


BERLIN = Times(("%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"), "Europe/Berlin")


@pytest.mark.parametrize(
    ("cell", "add_days", "utc"),
    [
        ("2026-11-02 08:00:00", 0, "2026-11-02T07:00"),  # winter time is UTC+1
        ("2026-07-02 08:00:00", 0, "2026-07-02T06:00"),  # summer time is UTC+2
        ("2026-07-02", 0, "2026-07-01T22:00"),
        ("2026-07-02T08:00:00Z", 0, "2026-07-02T08:00"),
        ("2026-07-02T08:00:00-0500", 0, "2026-07-02T13:00"),
        ("2026-03-29 01:59:59", 0, "2026-03-29T00:59:59"),
        (
            "2026-03-29 02:30:00",
            0,
            "2026-03-29T01:30",
        ),  # the clocks never show it: read as if they had not been changed
        ("2026-03-29 03:00:00", 0, "2026-03-29T01:00"),
        ("2026-10-25 02:30:00", 0, "2026-10-25T00:30"),  # the clocks show it twice: the first
        ("2026-03-28 12:00:00", 1, "2026-03-29T10:00"),  # by the calendar, and not 24 hours later
        ("2026-03-28", 1, "2026-03-28T23:00"),
        ("2026-12-31", 1, "2026-12-31T23:00"),
        ("2024-02-28", 1, "2024-02-28T23:00"),
        ("2026-03-01", -1, "2026-02-27T23:00"),
    ],
)
def test_times_are_instants_of_the_zone(cell: str, add_days: int, utc: str) -> None:
    assert BERLIN.instant(cell, add_days) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_days_have_no_zone() -> None:
    assert BERLIN.day("2026-07-02", 0) == date(2026, 7, 2)
    assert BERLIN.day("2026-07-02 23:59:59", 1) == date(2026, 7, 3)


@pytest.mark.parametrize(
    ("cell", "add_days"),
    [
        ("02.07.2026", 0), ("2026-02-30", 0), ("2026-13-01", 0), ("", 0), ("tomorrow", 0), ("2026-07-02 24:00:00", 0),
        ("9999-12-31", 1), ("0001-01-01", -1), ("2026-01-01", 10**9), ("0001-01-01 00:00:00", 0),
    ],
)  # fmt: skip
def test_what_is_no_time(cell: str, add_days: int) -> None:
    with pytest.raises(UnreadableError) as raised:
        BERLIN.instant(cell, add_days)
    assert not cell or cell not in str(raised.value)


def test_the_formats_are_tried_in_their_order() -> None:
    day_first, month_first = Times(("%d/%m/%Y", "%m/%d/%Y"), "UTC"), Times(("%m/%d/%Y", "%d/%m/%Y"), "UTC")
    assert (day_first.day("02/03/2026", 0), month_first.day("02/03/2026", 0)) == (date(2026, 3, 2), date(2026, 2, 3))
    assert day_first.day("02/25/2026", 0) == month_first.day("25/02/2026", 0) == date(2026, 2, 25)


@given(st.text(max_size=30))
def test_any_cell_is_read_or_unreadable(cell: str) -> None:
    for read in (cells.number, cells.whole, cells.truth, cells.result, lambda c: cells.quantity(c, "mg")):
        for marked in (cell, f"{cell}\N{SNOWMAN}"):
            try:
                read(marked)
            except UnreadableError as error:
                # no message of ours has one, so it could only come from the cell
                assert "\N{SNOWMAN}" not in str(error)


# --- the mapping file

PATIENTS = """
source = "adt"
zone = "Europe/Berlin"
[[tables]]
file = "PATIENTS*.csv"
event = "patient"
[tables.fields]
patient_id = "{ID}"
record_id = "patient-{ID}"
occurred_at = "{SEEN}"
"""
LABS = """
source = "lab"
[lookups.items]
file = "ITEMS.csv"
key = "ITEM"
[[tables]]
file = "LABS.csv"
event = "lab_result"
ignore = [{ column = "CLASS", kind = "quality_control", equals = ["QC", "CAL"] }, { column = "VALUE", kind = "no_value" }]
[tables.fields]
patient_id = "{ID}"
record_id = "{ID}-{ITEM}"
occurred_at = "{AT}"
status = { from = "{STATUS}", values = { F = "final", P = "preliminary" } }
value = "{VALUE}"
codings = [{ system = "LOINC", code = { from = "{ITEM}", lookup = "items", take = "LOINC" }, display = "{ITEM}" },
           { system = "local", code = "{ITEM}" }]
"""


def message(text: str, file: str = "map.toml") -> str:
    with pytest.raises(MappingError) as raised:
        load(text.encode(), file)
    assert str(raised.value).startswith(file)
    return str(raised.value)


@pytest.mark.parametrize("name", ["mimic-iii.toml", "ward-day/lab.toml"])
def test_the_examples_load(name: str) -> None:
    mapping = load((EXAMPLES / name).read_bytes(), name)
    assert mapping.tables


def test_the_example_for_mimic_names_its_tables_and_what_it_leaves_out() -> None:
    mapping = load((EXAMPLES / "mimic-iii.toml").read_bytes(), "mimic-iii.toml")
    found = {name: table.event for name in ("PATIENTS.csv", "PRESCRIPTIONS.csv") if (table := mapping.table_of(name))}
    assert found == {"PATIENTS.csv": "patient", "PRESCRIPTIONS.csv": "prescription"}
    assert mapping.ignores("D_LABITEMS.csv")
    assert mapping.ignores("ADMISSIONS.csv")
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
        ('zone = "Europe/Berlin"', 'timing = "later"', ["timing", "later", "live, replayed"]),
        ('"{SEEN}"', '{ from = "{SEEN}", look_up = "x" }', ["occurred_at", "look_up"]),
        ('"{SEEN}"', '{ from = "{SEEN}", lookup = "x", take = "y" }', ["occurred_at", "no look-up 'x'", "there is none"]),
        ('"{SEEN}"', '{ from = "{SEEN}", take = "y" }', ["occurred_at", "go together"]),
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


def test_look_ups_are_listed_when_one_is_misspelt() -> None:
    assert "items" in message(LABS.replace('lookup = "items"', 'lookup = "item"'))


def test_the_first_table_that_fits_a_name_is_taken_whatever_its_case() -> None:
    mapping = load(
        (PATIENTS + PATIENTS[PATIENTS.index("[[tables]]") :].replace("*.csv", "_2.csv")).encode(), "map.toml"
    )
    assert mapping.table_of("patients_2.CSV") is mapping.tables[0]
    assert mapping.table_of("LABS.csv") is None


# --- a table made ready for a file


def extract(text: str, header: str, look_ups: dict[str, LookUp] | None = None) -> Extract:
    mapping = load(text.encode(), "map.toml")
    return Extract(mapping, mapping.tables[0], header_of(header.split(","), "f.csv"), look_ups or {}, "f.csv, line 1")


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
        ('sex = "{}"', ["sex", "{NAME}"]),
        ('sex = "{X"', ["sex"]),
        ('sex = "{X!r}"', ["sex", "{NAME}"]),
        ('sex = "unsure"', ["sex", "unsure", "female, male, other"]),
        ('birth_date = "BORN"', ["birth_date", "not a time", "{NAME}"]),
        ("version = 1.5", ["version", "int"]),
        ("version = -1", ["version"]),
        ('sex = { from = "{X}", values = { M = "man" } }', ["sex", "man", "female, male, other"]),
        ('sex = { from = "{X}", values = { M = "male" }, otherwise = "?" }', ["sex", "?"]),
        ('sex = { from = "{X}", add_days = 1 }', ["sex", "add_days"]),
        ('birth_date = { from = "{X}", unit = "mg" }', ["birth_date", "unit"]),
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


def test_a_required_field_that_no_column_fills_is_named() -> None:
    with pytest.raises(MappingError, match="patient needs the field 'occurred_at'"):
        extract(PATIENTS.replace('occurred_at = "{SEEN}"', ""), "ID,SEEN")


def test_two_columns_of_one_name_are_refused_at_once_and_not_row_by_row() -> None:
    with pytest.raises(MappingError, match=r"f\.csv: two columns are named 'ID'"):
        extract(PATIENTS, "ID,SEEN,ID")


def test_a_look_up_without_the_column_that_is_taken() -> None:
    with pytest.raises(MappingError, match=r"look-up items: there is no column 'LOINC'; there are: ITEM, LABEL"):
        extract(LABS, "ID,ITEM,AT,STATUS,VALUE,CLASS", {"items": LookUp({"ITEM": 0, "LABEL": 1}, {})})


# --- rows


def lines_of(text: bytes) -> Iterator[bytes]:
    return iter(text.splitlines(keepends=True))


def found(text: bytes, delimiter: str = ",") -> list[tuple[int, bytes, list[str] | str]]:
    """Line, bytes, and the cells or the reason of the refusal."""
    return [
        (row.line, row.original, row.cells.reason if isinstance(row.cells, Refusal) else row.cells)
        for row in rows(lines_of(text), delimiter)
    ]


def test_rows_keep_their_line_and_their_bytes() -> None:
    assert found(b'A,B\r\n1,"a ""b"", c"\r\n\r\n2,"over\nthree\nlines"\n3,\n') == [
        (1, b"A,B\r\n", ["A", "B"]),
        (2, b'1,"a ""b"", c"\r\n', ["1", 'a "b", c']),
        (4, b'2,"over\nthree\nlines"\n', ["2", "over\nthree\nlines"]),
        (7, b"3,\n", ["3", ""]),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    for header in (b"A,B\n", b'"A","B"\n'):
        assert found(b"\xef\xbb\xbf" + header)[0][2] == ["A", "B"]


def test_another_delimiter() -> None:
    assert found(b"1;a,b\n", ";") == [(1, b"1;a,b\n", ["1", "a,b"])]
    assert found(b"1\ta,b\n", "\t")[0][2] == ["1", "a,b"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(b'2,"a"b\n', "mapping"), (b"2,\xff\n", "not_utf8"), (b"2," + b"x" * 200_000 + b"\n", "mapping")],
)
def test_a_row_that_cannot_be_read_refuses_itself_alone(bad: bytes, reason: str) -> None:
    assert found(b"A,B\n1,a\n" + bad + b"3,c\n") == [
        (1, b"A,B\n", ["A", "B"]), (2, b"1,a\n", ["1", "a"]), (3, bad, reason), (4, b"3,c\n", ["3", "c"]),
    ]  # fmt: skip


def test_a_quote_that_never_closes_is_one_refusal_at_its_line() -> None:
    assert found(b'A,B\n1,a\n2,"b\n3,c\n')[2:] == [(3, b'2,"b\n3,c\n', "mapping")]


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_and_every_byte_that_is_no_blank_is_in_one(text: bytes) -> None:
    joined = b"".join(row.original for row in rows(lines_of(text), ","))
    assert b"".join(joined.split()) == b"".join(text.removeprefix(b"\xef\xbb\xbf").split())


def test_a_look_up_that_is_not_one_says_where() -> None:
    for text, said in (
        (b"NUMBER,LOINC\n", "i.csv: there is no column 'ITEM'; there are: NUMBER, LOINC"),
        (b"ITEM,LOINC\n1\n", "i.csv, line 2: 1 cells under 2 columns"),
        (b"ITEM,LOINC\n1,a\n1,b\n", "i.csv, line 3: the column ITEM names this row a second time"),
        (b"ITEM,LOINC\n1,\xff\n", "i.csv, line 2: byte 2 of the row is not UTF-8"),
        (b"ITEM,LOINC,ITEM\n", "i.csv: two columns are named 'ITEM'"),
    ):
        with pytest.raises(MappingError) as raised:
            look_up(rows(lines_of(text), ","), "ITEM", "i.csv")
        assert str(raised.value).startswith(said)


def test_a_look_up_may_say_the_same_twice() -> None:
    same = look_up(rows(lines_of(b"ITEM,LOINC\n1,a\n1, a \n"), ","), "ITEM", "i.csv")
    assert same.rows == {"1": ["1", "a"]}


# --- rows as events


def read(text: str, table: bytes, look_ups: dict[str, LookUp] | None = None) -> list[End]:
    first, *others = rows(lines_of(table), ",")
    assert isinstance(first.cells, list)
    ready = extract(text, ",".join(first.cells), look_ups)
    return [ready.read(row) for row in others]


def patients(fields: str, table: str) -> list[End]:
    return read(PATIENTS + fields, table.encode())


ITEMS = {"items": LookUp({"ITEM": 0, "LOINC": 1}, {"50971": ["50971", "2823-3"], "1": ["1", ""]})}
LAB_HEADER = "ID,ITEM,AT,STATUS,VALUE,CLASS\n"


def labs(*lines: str) -> list[End]:
    return read(LABS, (LAB_HEADER + "\n".join(lines) + "\n").encode(), ITEMS)


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


def test_results_with_their_codes_by_look_up() -> None:
    potassium, unknown, no_code = labs(
        "7,50971,2026-11-02 08:00:00,F,>10.0,", "7,99,2026-11-02,P,NEG,", "7,1,2026-11-02,F,5,"
    )
    assert isinstance(potassium, LabResult)
    assert (potassium.value, potassium.comparator, potassium.status) == (10.0, ">", "final")
    assert [(c.system, c.code, c.display) for c in potassium.codings] == [
        ("LOINC", "2823-3", "50971"),
        ("local", "50971", ""),
    ]
    assert isinstance(unknown, LabResult)
    assert (unknown.value, unknown.text, unknown.status) == (UNSET, "NEG", "preliminary")
    # what the look-up does not name, or names without a code, has no code of that system
    assert [c.system for c in unknown.codings] == ["local"]
    assert isinstance(no_code, LabResult)
    assert [c.system for c in no_code.codings] == ["local"]


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
        ("7,,2026-11-02,F,5,", "ITEM", "codings"),
        ("7" * 300 + ",50971,2026-11-02,F,5,", "ID", "patient_id: Expected `str` of length <= 256"),
        ("7,50971,2026-11-02,F,5", "row", "5 cells under 6 columns"),
        ("7,50971,2026-11-02,F,5,,", "row", "7 cells under 6 columns"),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_refused_with_its_column(row: str, place: str, said: str) -> None:
    (end,) = read(LABS, (LAB_HEADER + row + "\n").encode(), ITEMS)
    assert isinstance(end, Refusal)
    assert end.reason == "mapping"
    assert place in end.place.split("+")
    assert said in end.detail


def test_a_refusal_repeats_no_cell() -> None:
    phi = "Roe1950"
    rows_ = [f"{phi},50971,{phi},F,5,", f"7,50971,2026-11-02,{phi},5,", f"{phi}", f"7{phi * 60},50971,2026-11-02,F,5,"]
    for end in read(LABS, (LAB_HEADER + "\n".join(rows_) + "\n").encode(), ITEMS):
        assert isinstance(end, Refusal)
        assert phi not in end.detail + end.place


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


ANY_CELL = st.text(st.characters(exclude_characters='",\r\n', exclude_categories=["Cs"]), max_size=12)


@given(st.lists(ANY_CELL, min_size=6, max_size=6))
def test_any_row_has_an_end(row: list[str]) -> None:
    for end in read(LABS, (LAB_HEADER + ",".join(row)).encode(), ITEMS):
        assert isinstance(end, Event | Refusal | Ignored)


def test_a_mapping_is_one_whatever_the_file() -> None:
    one, other = (load(PATIENTS.encode(), name) for name in ("a.toml", "b.toml"))
    assert isinstance(one, Mapping)
    assert one == other
