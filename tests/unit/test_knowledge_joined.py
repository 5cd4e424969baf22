"""What only joined streams show, as data: what is read, and which slips are refused with their place."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path

import pytest

from knowledge.joined import OfMedicine, SinceGiven
from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from tests.support.knowledge import SHIPPED, copy_knowledge

KNOWN = load().joined


def test_the_gravest_row_of_a_product_counts_and_every_medicine_has_one() -> None:
    row = KNOWN.supplies.of(("apixaban",))
    assert row is not None
    assert (row.medicine, row.severity, row.wait, row.new_after) == (
        "anticoagulant", "high", timedelta(hours=48), timedelta(days=180),
    )  # fmt: skip
    other = KNOWN.supplies.of(("sodium picosulfate",))
    assert other is not None
    assert (other.medicine, other.wait) == ("*", timedelta(days=30))
    assert KNOWN.doses.of(("atorvastatin",)) is None
    assert KNOWN.otherwise["daily"].of(("digoxin", "atorvastatin")) is not None


def test_each_way_to_differ_has_a_row_for_every_medicine() -> None:
    assert set(KNOWN.otherwise) == {
        "medicine", "substitute", "ingredients", "salt", "release", "place", "strength", "daily",
    }  # fmt: skip
    assert all(of.every is not None for of in KNOWN.otherwise.values())


def test_nothing_pages_at_night() -> None:
    rows: list[OfMedicine | SinceGiven] = [
        *KNOWN.supplies.rows,
        *KNOWN.doses.rows,
        *KNOWN.unordered.rows,
        *KNOWN.twice.rows,
        *KNOWN.since_given,
    ]
    rows += [row for of in KNOWN.otherwise.values() for row in of.rows]
    assert all(row.severity != "critical" for row in rows)
    assert all(row.severity in ("moderate", "info") for row in KNOWN.since_given)


def test_no_text_tells_a_patient_to_stop() -> None:
    for file in (SHIPPED / "joined").glob("*.csv"):
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                assert "stop taking" not in row["patient_explanation"].lower()


@pytest.mark.parametrize(
    ("file", "line", "old", "new", "column", "said"),
    [
        ("not_started", 2, "supply,anticoagulant,48,180", "supply,blood thinner,48,180", "medicine", "no property"),
        ("not_started", 2, "supply,anticoagulant,48,180", "supply,anticoagulant,-1,180", "wait_hours", "no time"),
        ("not_started", 3, "supply,clopidogrel,72,180", "supply,anticoagulant,72,180", "medicine", "is there twice"),
        ("otherwise", 2, "medicine,*,1,", "medicine,*,0.5,", "from_ratio", "1 or more"),
        ("twice", 2, "opioid,25,", "opioid,0,", "overlap_percent", "more than 0"),
        ("unordered", 2, "opioid,72,30", "opioid,72,-30", "after_end_days", "no time"),
        ("since_given", 2, "creatinine ratio >= 1.5", "potassium ratio >= 1.5", "moved", "course of the analyte"),
        ("since_given", 2, "creatinine ratio >= 1.5", "creatinine ratio >= 1.5 within 7 d", "moved", "without a span"),
        ("since_given", 2, "creatinine ratio >= 1.5", "", "moved", "the medicine alone"),
        ("since_given", 2, "kidney-injury,creatinine,", "kidney-injury,creatine,", "analyte", "labs/analytes.csv"),
    ],
)
def test_a_slip_is_refused_with_its_place(
    file: str, line: int, old: str, new: str, column: str, said: str, tmp_path: Path
) -> None:
    path = copy_knowledge(tmp_path) / f"joined/{file}.csv"
    lines = path.read_text().splitlines(keepends=True)
    assert old in lines[line - 1], lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("".join(lines))
    with pytest.raises(KnowledgeError, match=said) as error:
        load_from(tmp_path)
    assert (error.value.file, error.value.line, error.value.column) == (f"joined/{file}.csv", line, column)
