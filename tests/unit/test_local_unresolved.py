"""`rxvigil unresolved` on files: what nobody knows, how often, and that the row it says closes the gap."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from knowledge.loader import load
from schemas.events import LabResult, Prescription
from services.ingest.pipeline import Pipeline
from services.local.feed import files, units
from services.local.play import fixed
from services.local.unresolved import Gap, as_lines, as_table, of_files
from services.runtime.clock import system_clock

QUIET = Console(quiet=True)


def event(kind: str, number: int, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind, "patient_id": "p", "source": "s", "record_id": f"{kind}-{number}", "occurred_at": "2026-11-02T08:00:00Z",
    } | fields  # fmt: skip


def order(number: int, text: str = "", *codings: tuple[str, str]) -> dict[str, Any]:
    drug = {"text": text, "codings": [{"system": system, "code": code} for system, code in codings]}
    return event("prescription", number, status="ordered", drug=drug)


def result(number: int, code: str, unit: str, system: str = "LOINC") -> dict[str, Any]:
    coding = {"system": system, "code": code, "display": "something, measured"}
    return event("lab_result", number, status="final", codings=[coding], value=4.1, unit=unit)


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    events = [
        order(1, "House Mixture, strong"), order(2, "House Mixture, strong"), order(3, "simvastatin 20 mg"),
        order(4, "", ("pharmacy", "42")), order(5, "warfarin 5 mg tablet", ("ATC", "C10AA01")), order(6, "D5W"), order(7),
        result(1, "2823-3", "furlongs"), result(2, "2823-3", "furlongs"), result(3, "2823-3", "mmol/L"),
        result(4, "2823-3", ""), result(5, "99999-9", "mg/dL"), result(6, "77", "mg/dL", "lab"),
        event("patient", 1, allergies=[{"substance": {"text": "shellfish"}}]),
    ]  # fmt: skip
    path = tmp_path / "feed.jsonl"
    path.write_text("\n".join(map(json.dumps, events)) + "\n", "utf-8")
    return path


def gaps(feed: Path, site: str = "") -> dict[str, tuple[Gap, int]]:
    return {gap.what: (gap, count) for gap, count in of_files([feed], None, site, QUIET)}


def test_what_nobody_knows_is_counted_and_what_is_known_is_not_listed(feed: Path) -> None:
    assert {what: (gap.kind, count) for what, (gap, count) in gaps(feed).items()} == {
        "House Mixture, strong": ("drug", 2),
        "shellfish": ("drug", 1),
        "warfarin 5 mg tablet (ATC C10AA01)": ("drug", 1),
        "no name and no code": ("drug", 1),
        "pharmacy 42": ("code", 1),
        "potassium: furlongs": ("unit", 2),
        "potassium: no unit": ("unit", 1),
        "LOINC 99999-9 something, measured": ("code", 1),
        "lab 77 something, measured": ("code", 1),
    }


def test_drugs_come_first_then_units_then_codes_each_by_frequency(feed: Path) -> None:
    listed = [(gap.kind, count) for gap, count in of_files([feed], None, "", QUIET)]
    assert [kind for kind, _ in listed] == ["drug"] * 4 + ["unit"] * 2 + ["code"] * 3
    assert [count for kind, count in listed if kind == "unit"] == [2, 1]


def test_a_medicine_said_in_two_ways_is_no_gap_that_a_row_closes(feed: Path) -> None:
    gap, _ = gaps(feed)["warfarin 5 mg tablet (ATC C10AA01)"]
    assert (gap.file, gap.row) == ("", "")
    assert "different medicines" in gap.why


def test_every_row_that_is_said_closes_its_gap(feed: Path, tmp_path: Path) -> None:
    filled = {
        "ingredients": "lidocaine",
        "factor": "1",
        "analyte": "potassium",
        "name": "warfarin",
        "specimen": "serum or plasma",
    }
    site = tmp_path / "site"
    for gap, _ in of_files([feed], None, "", QUIET):
        if not gap.row:
            continue
        columns, (cells,) = gap.columns.split(","), csv.reader([gap.row])
        # LOINC's codes have a check digit, and this one is made up
        if "99999-9" in cells:
            continue
        path = site / gap.file
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.read_text("utf-8").splitlines() if path.exists() else [gap.columns]
        with path.open("w", encoding="utf-8", newline="") as stream:
            stream.write("\n".join(written) + "\n")
            row = [filled.get(name, "") if cell == "?" else cell for name, cell in zip(columns, cells, strict=True)]
            csv.writer(stream, lineterminator="\n").writerow(row)
    left = gaps(feed, str(site))
    assert set(left) == {
        "warfarin 5 mg tablet (ATC C10AA01)", "no name and no code", "LOINC 99999-9 something, measured",
    }  # fmt: skip


@pytest.fixture
def instructions(tmp_path: Path) -> Path:
    texts = [
        "1 tablet daily after Mass", "1  TABLET daily after mass", "2 tablets before prayers",
        "1 tablet daily", "1 tablet OD", "4 tablets then 2",
    ]  # fmt: skip
    events = [order(number, "simvastatin 20 mg") | {"dosage": {"text": text}} for number, text in enumerate(texts)]
    path = tmp_path / "instructions.jsonl"
    path.write_text("\n".join(map(json.dumps, events)) + "\n", "utf-8")
    return path


def test_instructions_that_were_not_understood_are_listed_by_how_often(instructions: Path) -> None:
    listed = of_files([instructions], None, "", QUIET)
    assert [(gap.kind, gap.what, count) for gap, count in listed] == [
        ("instruction", "1 tablet daily after mass", 2),
        ("instruction", "1 tablet od", 1),
        ("instruction", "2 tablets before prayers", 1),
        ("instruction", "4 tablets then 2", 1),
    ]
    rows = {gap.what: (gap.file, gap.row) for gap, _ in listed}
    assert rows["1 tablet daily after mass"] == ("instructions/words.csv", "after mass,?,,site")
    assert rows["1 tablet od"] == ("", ""), "no word is missing: it has two meanings"


def test_a_row_of_the_site_closes_the_gap_of_an_instruction(instructions: Path, tmp_path: Path) -> None:
    words = tmp_path / "site" / "instructions" / "words.csv"
    words.parent.mkdir(parents=True)
    # what OD means in this house, too
    words.write_text(
        "phrase,kind,meaning,sources\nafter mass,filler,,site\nbefore prayers,meal,,site\nod,filler,,site\n", "utf-8"
    )
    left = [gap.what for gap, _ in of_files([instructions], None, str(tmp_path / "site"), QUIET)]
    assert left == ["2 tablets before prayers", "4 tablets then 2"]


def test_the_same_as_lines_of_json_and_as_a_table(feed: Path) -> None:
    found = of_files([feed], None, "", QUIET)
    lines = [json.loads(line) for line in as_lines(found)]
    assert lines[0] == {
        "kind": "drug", "what": "House Mixture, strong", "count": 2, "file": "drugs/names_extra.csv",
        "columns": "name,ingredients,sources", "row": "house mixture strong,?,site", "why": "",
    }  # fmt: skip
    console = Console(width=200, record=True, file=StringIO())
    console.print(as_table(found))
    assert "house mixture strong,?,site" in console.export_text()


def test_counts_are_those_of_ingest(feed: Path) -> None:
    pipeline = Pipeline(load(), fixed(system_clock()))
    events = [
        each
        for file in files([feed], None)
        for unit in units(file, None)
        for each in pipeline.take_unit(unit.end, unit.original, unit.origin).events
    ]
    orders = [each for each in events if isinstance(each, Prescription) and each.drug.resolution == "unresolved"]
    results = [each for each in events if isinstance(each, LabResult) and each.remark]
    listed = of_files([feed], None, "", QUIET)
    # and one allergy, which is no order
    assert sum(count for _, count in listed) == len(orders) + len(results) + 1
