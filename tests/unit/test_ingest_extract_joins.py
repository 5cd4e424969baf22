"""Joined files: their columns in the rows of a table, keys that are missing, and files that cannot serve."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from schemas.events import ConditionRecord, LabResult
from services.ingest.formats import Ignored, Refusal
from services.ingest.formats.extract.joins import MOST_BYTES, Joined, read_join
from services.ingest.formats.extract.loading import load
from services.ingest.formats.extract.mapping import Join, MappingError
from services.ingest.formats.extract.rows import rows
from services.local.feed import files, units
from services.local.report import Tally, summary
from tests.support.extracts import ITEMS, LAB_HEADER, LABS, extract, lines_of, read

ITEM = Join(file="ITEMS.csv", key="{ITEM}", missing="keep")
CONDITIONS = """
source = "emr"
[joins.stay]
file = "STAYS.csv"
key = "{MRN}/{STAY}"
on = "{PATIENT}/{VISIT}"
missing = "refuse"
[[tables]]
file = "CODES.csv"
event = "condition"
ignore = [{ column = "stay.CLASS", equals = ["TEST"], kind = "test_stay" }]
[tables.fields]
patient_id = "{PATIENT}"
record_id = "{PATIENT}/{VISIT}/{CODE}"
occurred_at = "{stay.BEGAN}"
"condition.codings" = [{ system = "ICD-10-GM", code = "{CODE}", display = "{stay.CLASS} {stay.WARD}" }]
"""
STAYS = b"STAY,MRN,BEGAN,CLASS,WARD\n1,7,2026-11-02,IN,3W\n2,7,2026-11-09,TEST,\n1,8,2026-11-05,IN,\n"


def join(text: bytes, *columns: str, most: int = MOST_BYTES, by: Join = ITEM) -> Joined:
    return read_join(rows(lines_of(text), ","), by, columns, "i.csv", most)


def test_only_the_columns_that_are_taken_are_kept() -> None:
    assert join(b"X,ITEM,LOINC\n9, 1 , a \n9,2,\n", "LOINC") == Joined(("LOINC",), {"1": ("a",), "2": ("",)})


def test_a_key_may_be_made_of_several_columns() -> None:
    by = Join(file="i.csv", key="{A}/{B}", missing="keep")
    assert join(b"A,B,C\n1,2,x\n12,,y\n,,z\n", "C", by=by).rows == {"1/2": ("x",), "12/": ("y",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"NUMBER,LOINC\n", "i.csv: there is no column 'ITEM'; there are: NUMBER, LOINC"),
        (b"ITEM,LABEL\n", "i.csv: there is no column 'LOINC'; there are: ITEM, LABEL"),
        (b"ITEM,LOINC,ITEM\n", "i.csv: two columns are named 'ITEM'"),
        (b"", "i.csv: there is no column 'ITEM'"),
        (b"\xff\n", "i.csv, line 1: byte 0 of the row is not UTF-8"),
        (b"ITEM,LOINC\n1\n", "i.csv, line 2: 1 cells under 2 columns"),
        (b"ITEM,LOINC\n1,\xff\n", "i.csv, line 2: byte 2 of the row is not UTF-8"),
        (b'ITEM,LOINC\n1,a\n2,"b"c\n', "i.csv, line 3: not a delimited row"),
        (b"ITEM,LOINC\n1,a\x1fb\n", "i.csv, line 2: a cell with the character NUL or U+001F"),
        (b"ITEM,LOINC\n1,a\n\n2,b\n1,b\n", "i.csv, line 5: the key {ITEM} is that of line 2, and the rows differ"),
    ],
)
def test_a_file_that_cannot_serve_says_where_and_why(text: bytes, said: str) -> None:
    with pytest.raises(MappingError) as raised:
        join(text, "LOINC")
    assert str(raised.value).startswith(said)


def test_a_key_may_stand_twice_where_what_is_taken_is_the_same() -> None:
    text = b"ITEM,LOINC,NOTE\n1,a,x\n1, a ,y\n"
    assert join(text, "LOINC").rows == {"1": ("a",)}
    with pytest.raises(MappingError, match=r"line 3: the key"):
        join(text, "LOINC", "NOTE")


def test_a_file_that_takes_too_much_memory_is_said_and_not_read_on() -> None:
    def endless() -> Iterator[bytes]:
        yield b"ITEM,LOINC\n"
        number = 0
        while True:
            number += 1
            yield b"%d,%s\n" % (number, b"x" * 1000)

    with pytest.raises(MappingError, match=r"i\.csv, line \d+: the joined columns take more than 1,000,000 bytes"):
        read_join(rows(endless(), ","), ITEM, ("LOINC",), "i.csv", 1_000_000)
    # the same number of rows of which less is kept
    many = b"ITEM,LOINC\n" + b"".join(b"%d,%s\n" % (n, b"x" * 1000) for n in range(1500))
    assert len(join(many, most=1_000_000).rows) == 1500


def test_results_with_their_codes_by_a_join() -> None:
    lines = ("7,50971,2026-11-02 08:00:00,F,>10.0,", "7,99,2026-11-02,P,NEG,", "7,1,2026-11-02,F,5,")
    potassium, unknown, no_code = read(LABS, (LAB_HEADER + "\n".join(lines)).encode(), item=ITEMS)
    assert isinstance(potassium, LabResult)
    assert (potassium.value, potassium.comparator, potassium.status) == (10.0, ">", "final")
    assert [(c.system, c.code, c.display) for c in potassium.codings] == [
        ("LOINC", "2823-3", "50971"),
        ("local", "50971", ""),
    ]
    # what the joined file does not have, or has without a code, has no code of that system
    for event in (unknown, no_code):
        assert isinstance(event, LabResult)
        assert [c.system for c in event.codings] == ["local"]


def test_a_row_that_is_kept_without_its_partner_is_counted() -> None:
    ready = extract(LABS, LAB_HEADER, item=ITEMS)
    lines = (
        "7,50971,2026-11-02,F,5,", "7,99,2026-11-02,F,5,", "8,98,2026-11-02,F,5,",
        "7,97,2026-11-02,F,5,QC", "7,96,never,F,5,", "7,1,2026-11-02,F,5,",
    )  # fmt: skip
    ends = [ready.read(row) for row in list(rows(lines_of("\n".join((LAB_HEADER.strip(), *lines)).encode()), ","))[1:]]
    assert [type(end) for end in ends] == [LabResult, LabResult, LabResult, Ignored, Refusal, LabResult]
    # neither what is ignored nor what is refused anyway
    assert ready.unjoined == {"item": 2}


def conditions(*lines: str) -> list[object]:
    return list(read(CONDITIONS, ("PATIENT,VISIT,CODE\n" + "\n".join(lines)).encode(), stay=STAYS))


def test_conditions_take_the_time_of_their_stay() -> None:
    one, other = conditions("7,1,I48.0", "8,1,E11.9")
    assert isinstance(one, ConditionRecord)
    assert isinstance(other, ConditionRecord)
    assert (one.status, one.record_id, one.occurred_at.isoformat()) == (
        "recorded", "7/1/I48.0", "2026-11-02T00:00:00+00:00",
    )  # fmt: skip
    (coding,) = one.condition.codings
    assert (coding.system, coding.code, coding.display) == ("ICD-10-GM", "I48.0", "IN 3W")
    assert other.occurred_at.day == 5
    assert other.condition.codings[0].display == "IN"


def test_a_row_whose_key_is_missing_is_refused_where_the_mapping_says_so() -> None:
    missing, test_stay, no_key = conditions("9,1,I48.0", "7,2,I48.0", ",,I48.0")
    assert missing == Refusal("mapping", "no row of STAYS.csv has this key (joins.stay)", "PATIENT+VISIT")
    # rows are ignored by joined columns too
    assert test_stay == Ignored("test_stay")
    # a row without a key is not a row whose key is missing: it lacks the fields that it needs
    assert isinstance(no_key, Refusal)
    assert no_key.detail.endswith("is required, and its cell is empty")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("PATIENT,CODE", r"f\.csv, line 1: joins\.stay\.on: there is no column 'VISIT'; there are: PATIENT, CODE"),
        ("PATIENT,VISIT,CODE,stay.BEGAN", r"f\.csv, line 1: 'stay\.BEGAN' is a column of the file and one of the join"),
    ],
)
def test_a_table_that_a_join_does_not_fit(header: str, said: str) -> None:
    with pytest.raises(MappingError, match=said):
        extract(CONDITIONS, header, stay=STAYS)


def test_a_misspelt_join_is_a_column_that_is_not_there_and_the_joined_ones_are_listed() -> None:
    with pytest.raises(MappingError, match=r"no column 'sty\.WARD'; there are: PATIENT, VISIT, CODE, stay\.CLASS"):
        extract(CONDITIONS.replace("{stay.WARD}", "{sty.WARD}"), "PATIENT,VISIT,CODE", stay=STAYS)


def test_a_file_may_be_joined_and_give_events_itself(tmp_path: Path) -> None:
    stays = """
[[tables]]
file = "STAYS.csv"
event = "encounter"
[tables.fields]
patient_id = "{MRN}"
record_id = "{MRN}/{STAY}"
occurred_at = "{BEGAN}"
status = "in_progress"
"""
    (tmp_path / "STAYS.csv").write_bytes(STAYS)
    (tmp_path / "CODES.csv").write_bytes(b"PATIENT,VISIT,CODE\n7,1,I48.0\n9,1,I10\n")
    keeping = CONDITIONS.replace('"refuse"', '"keep"').replace('"{stay.BEGAN}"', '"2026-01-01"')
    tally = Tally()
    for mapping, kinds in ((CONDITIONS, ["ConditionRecord", "Refusal"]), (keeping, ["ConditionRecord"] * 2)):
        by = load((mapping + stays).encode(), "map.toml")
        ends = [unit.end for file in files([tmp_path], by) for unit in units(file, by, tally.unjoined)]
        assert [type(end).__name__ for end in ends] == [*kinds, *["EncounterRecord"] * 3]
    console = Console(width=100)
    with console.capture() as printed:
        console.print(summary(tally))
    assert re.search(r"^not joined +1: CODES\.csv without STAYS\.csv 1 *$", printed.get(), re.MULTILINE)


def test_a_joined_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "CODES.csv").write_bytes(b"PATIENT,VISIT,CODE\n")
    by = load(CONDITIONS.encode(), "map.toml")
    with pytest.raises(MappingError, match=r"the joined file STAYS\.csv is not there; it belongs beside the tables"):
        list(units(files([tmp_path], by)[0], by))
