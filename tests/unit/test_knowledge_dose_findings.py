"""What rules of doses say beside the labels: the classes of a liver, what the loader refuses, and rows that are found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.dose_findings import FINDINGS, LIVER, NUMBERS
from knowledge.loader import load
from knowledge.reading.dose_findings import read_dose_findings
from knowledge.reading.sources import read_sources
from knowledge.reading.tables import KnowledgeError
from services.local.rows import RowFinder
from tests.support.knowledge import copy_knowledge

KNOWLEDGE = load()


def test_the_classes_are_those_of_child_and_pugh() -> None:
    scored = {
        (each.score_from, each.score_to): set(each.classes)
        for each in KNOWLEDGE.dose_findings.livers
        if not each.history
    }
    assert scored == {(5, 6): {"A"}, (7, 9): {"B"}, (10, 15): {"C"}}


def test_every_row_of_a_dose_is_found_by_what_an_alert_says() -> None:
    doses, finder = KNOWLEDGE.doses, RowFinder()
    rows = [
        row.row
        for of in (doses.limits, doses.renal, doses.hepatic, doses.intervals)
        for of_one in of.values()
        for row in of_one
    ]
    rows += [each.row for each in KNOWLEDGE.dose_findings.livers]
    assert len(set(rows)) == len(rows) > 200
    for reference in rows:
        (known,) = finder.find(reference)
        assert known.cells, reference
        assert known.sources, reference


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        (NUMBERS, "tenfold,10,times", "tenfold,10,h", "more than nothing and in 'times'"),
        (NUMBERS, "grace,12,h", "grace,0,h", "more than nothing"),
        (NUMBERS, "grace,12,h", "tenfold,12,times", "'tenfold' is there twice"),
        (FINDINGS, "kidney-unknown,", "kidney,", "'kidney' is there twice"),
        (LIVER, "C,10,15", "D,10,15", "'D' is none of A, B, C"),
        (LIVER, "C,10,15", "C,10,", "by a score with both ends, or by a group"),
        (LIVER, "A|B|C,,,cirrhosis", "A|B|C,,,jaundice", "'jaundice' is no group"),
    ],
)
def test_what_the_loader_refuses(tmp_path: Path, file: str, before: str, after: str, says: str) -> None:
    folder = copy_knowledge(tmp_path)
    text = (folder / file).read_text("utf-8")
    assert text.count(f"\n{before}") == 1
    (folder / file).write_text(text.replace(f"\n{before}", f"\n{after}"), "utf-8")
    with pytest.raises(KnowledgeError) as error:
        read_dose_findings(folder, read_sources(folder, None), KNOWLEDGE.diagnoses.titles)
    assert says in str(error.value)
    assert file in str(error.value)


def test_a_row_that_is_missing(tmp_path: Path) -> None:
    folder = copy_knowledge(tmp_path)
    lines = (folder / NUMBERS).read_text("utf-8").splitlines()
    (folder / NUMBERS).write_text("\n".join(line for line in lines if not line.startswith("heaviest")) + "\n", "utf-8")
    with pytest.raises(KnowledgeError, match="there is no row for heaviest"):
        read_dose_findings(folder, read_sources(folder, None), KNOWLEDGE.diagnoses.titles)
