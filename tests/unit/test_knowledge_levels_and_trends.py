"""What is known of levels that are too low and of courses: what is refused, and what every row has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from knowledge.loader import KnowledgeError, load, load_from
from tests.support.knowledge import copy_knowledge

KNOWN = load()
ADVISED = "t,e,a,p,g,unverified,a,rxvigil"


@pytest.mark.parametrize(
    ("file", "row", "column"),
    [
        ("level_targets", f"r,kryptonite,lithium,1,mmol/L,,,,1,24,info,{ADVISED}", "medicine"),
        ("level_targets", f"r,lithium,kryptonite,1,mmol/L,,,,1,24,info,{ADVISED}", "analyte"),
        ("level_targets", f"r,lithium,lithium,1,furlongs,,,,1,24,info,{ADVISED}", "unit"),
        ("level_targets", f"r,lithium,lithium,0,mmol/L,,,,1,24,info,{ADVISED}", "below"),
        ("level_targets", f"r,lithium,lithium,1,mmol/L,history boredom,,,1,24,info,{ADVISED}", "when"),
        ("level_targets", f"r,lithium,lithium,1,mmol/L,,,noon,1,24,info,{ADVISED}", "drawn"),
        ("level_targets", f"lithium,lithium,lithium,1,mmol/L,,,,1,24,info,{ADVISED}", "id"),
        ("slopes", f"r,,kryptonite,sodium,fall,6,99,9,4,132,125,48,,mmol/L,,,info,{ADVISED}", "medicine"),
        ("slopes", f"r,,statin,kryptonite,fall,6,99,9,4,132,125,48,,mmol/L,,,info,{ADVISED}", "analyte"),
        ("slopes", f"r,,statin,sodium,sideways,6,99,9,4,132,125,48,,mmol/L,,,info,{ADVISED}", "moves"),
        ("slopes", f"r,,statin,sodium,fall,6,99,9,4,132,125,,,mmol/L,,,info,{ADVISED}", "ahead_h"),
        ("slopes", f"r,,statin,sodium,fall,0,99,9,4,132,125,48,,mmol/L,,,info,{ADVISED}", "by"),
        ("slopes", f"r,,statin,sodium,fall,6,9,9,4,132,125,48,,mmol/L,,,info,{ADVISED}", "by"),
        ("slopes", f"r,,statin,sodium,rise,6,99,9,4,132,125,48,,mmol/L,,,info,{ADVISED}", "arrived"),
        ("slopes", f"sodium-fall,,statin,sodium,fall,6,99,9,4,132,125,48,,mmol/L,,,info,{ADVISED}", "id"),
        ("repeated", f"r,,insulin,glucose,70,1,48,4,,mg/dL,,,info,{ADVISED}", "count"),
        ("repeated", f"r,,insulin,glucose,70,2,48,4,,furlongs,,,info,{ADVISED}", "unit"),
        ("levels", "potassium,,,,,,0.8,,g,unverified,a,rxvigil", "interval_hours"),
        ("levels", "potassium,,,,,,1.8,24,g,unverified,a,rxvigil", "trough_share"),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_its_place(tmp_path: Path, file: str, row: str, column: str) -> None:
    path = copy_knowledge(tmp_path) / f"drug_labs/{file}.csv"
    path.write_text(path.read_text("utf-8") + row + "\n", "utf-8")
    with pytest.raises(KnowledgeError) as caught:
        load_from(tmp_path)
    assert (caught.value.file, caught.value.column) == (f"drug_labs/{file}.csv", column)
    assert caught.value.line == len(path.read_text("utf-8").splitlines())


def test_a_limit_in_another_unit_is_that_of_the_analyte(tmp_path: Path) -> None:
    """Valproate of 144.21 g/mol: 350 umol/L are 50.47 mg/L."""
    path = copy_knowledge(tmp_path) / "drug_labs/level_targets.csv"
    path.write_text(path.read_text("utf-8") + f"r,valproate,valproate,350,umol/L,,,,3,24,info,{ADVISED}\n", "utf-8")
    (row,) = [each for each in load_from(tmp_path).level_targets if each.id == "r"]
    assert row.below == pytest.approx(50.47, abs=0.01)


def test_texts_fit_and_tell_no_patient_to_stop() -> None:
    for row in (*KNOWN.level_targets, *KNOWN.trends.slopes, *KNOWN.trends.repeated):
        assert len(row.title) <= 70, row.title
        assert row.actions
        text = re.sub(r"[Dd]o not (stop|change)[^.;]*[.;]", "", row.patient_explanation)
        assert not re.search(r"\b(stop|skip|quit)\b", text, re.IGNORECASE), text


def test_what_interrupts_was_read_in_a_source() -> None:
    high = [
        row for row in (*KNOWN.level_targets, *KNOWN.trends.slopes, *KNOWN.trends.repeated) if row.severity == "high"
    ]
    assert [row.id for row in high] == ["valproate-carbapenem-seizure"]
    assert all(row.status == "verified" for row in high)


def test_every_medicine_of_the_issue_has_its_level() -> None:
    named = {
        "digoxin", "lithium", "vancomycin", "gentamicin", "tobramycin", "amikacin", "phenytoin", "valproate", "carbamazepine",
        "tacrolimus", "cyclosporine", "theophylline",
    }  # fmt: skip
    high = {step.when[0].name for step in KNOWN.thresholds.steps if step.when[0].op in (">", ">=")}
    assert named <= high
    assert named <= KNOWN.thresholds.levels.keys()
    assert {row.analyte for row in KNOWN.level_targets} <= named
