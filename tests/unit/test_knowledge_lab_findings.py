"""The data of the rules of blood, liver and heart: what is refused, with its place, and the published numbers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from knowledge.lab_finding import NumberName
from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from tests.support.knowledge import copy_knowledge


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("heparin-day-from", 5), ("heparin-day-to", 10), ("heparin-too-early", 4), ("heparin-at-once", 1),
        ("heparin-of-late", 30), ("heparin-before", 100), ("heparin-fall", 30), ("heparin-surgery", 3), ("heparin-low", 100),
        ("liver-hepatocellular", 5), ("liver-cholestatic", 2), ("qtc-long", 500), ("qtc-rise", 60), ("qtc-admission", 450),
        ("qrs-wide", 120),
    ],
)  # fmt: skip
def test_numbers_are_those_of_their_sources(name: NumberName, value: float) -> None:
    """Lo 2006 and Crit Care 2011;15:202; Labcorp after Fontana; AHA and ACCF 2010; Tisdale 2013; the label of heparin."""
    assert load().lab_findings.value(name) == value
    assert load().lab_findings.numbers[name].citations


def test_a_span_is_in_the_unit_of_its_row() -> None:
    assert load().lab_findings.span("bleeding-recent") == timedelta(hours=48)
    assert load().lab_findings.span("heparin-window") == timedelta(days=14)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("numbers", "qtc-long,500", "qtc-rise,500", "'qtc-rise' is there twice"),
        ("numbers", "qtc-long,500", "qtc-long,0", "line 18, column name"),
        ("numbers", "qtc-long,500,ms", "qtc-long,500,miles", "line 18, column unit"),
        ("qtc", "potassium <= 3.5", "kalium <= 3.5", "line 2, column when: 'kalium <= 3.5': 'kalium' is not known"),
        ("qtc", "rise,1,,high", "rise,1,,", "line 6, column severity"),
        ("bleeding", "thrombolytic,1,,,hemoglobin", "clot-buster,1,,,hemoglobin", "'clot-buster' is no property"),
        ("bleeding", "thrombolytic,1,,,hemoglobin fall >= 2 within 48 h,", "thrombolytic,1,,,,", "nothing is asked"),
        ("heparin_causes", "history sepsis,", "history sepsis|ventilated,", "a cause is one condition"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    root = copy_knowledge(tmp_path)
    path = root / "drug_labs" / f"{file}.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(KnowledgeError) as refused:
        load_from(root)
    assert said in str(refused.value)
    assert f"drug_labs/{file}.csv" in str(refused.value)


def test_a_number_that_is_missing_is_told(tmp_path: Path) -> None:
    root = copy_knowledge(tmp_path)
    path = root / "drug_labs" / "numbers.csv"
    path.write_text(
        "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("qrs-wide"))
    )
    with pytest.raises(KnowledgeError, match="there is no row for qrs-wide"):
        load_from(root)
