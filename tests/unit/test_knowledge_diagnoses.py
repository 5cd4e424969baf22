"""Groups of diagnoses by their codes, against the ranges of the published algorithm, and what the loader refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from tests.support.knowledge import copy_knowledge

DIAGNOSES = load().diagnoses


@pytest.mark.parametrize(
    ("system", "code", "group", "there"),
    [
        ("ICD-9-CM", "428.0", "heart-failure", True),
        ("ICD-9-CM", "4280", "heart-failure", True),
        ("ICD-9-CM", "402.00", "heart-failure", False),
        ("ICD-9-CM", "402.01", "heart-failure", True),
        ("ICD-10", "I50.9", "heart-failure", True),
        ("ICD-10-CM", "i509", "heart-failure", True),
        ("ICD-10", "I51.9", "heart-failure", False),
        ("ICD-9-CM", "427.31", "atrial-fibrillation", True),
        ("ICD-9-CM", "427.41", "atrial-fibrillation", False),
        ("ICD-9-CM", "531.40", "gi-bleed", True),
        ("ICD-9-CM", "531.70", "gi-bleed", False),
        ("ICD-9-CM", "531.70", "peptic-ulcer", True),
        ("ICD-10", "K92.1", "gi-bleed", True),
        ("ICD-10", "K25.9", "gi-bleed", False),
        ("ICD-9-CM", "410.71", "acute-myocardial-infarction", True),
        ("ICD-9-CM", "412", "acute-myocardial-infarction", False),
        ("ICD-9-CM", "412", "myocardial-infarction", True),
        ("ICD-9-CM", "585.6", "dialysis-dependent", True),
        ("ICD-9-CM", "585.5", "dialysis-dependent", False),
        ("ICD-10", "N18.5", "dialysis-dependent", False),
        ("ICD-10", "N18.6", "dialysis-dependent", True),
        ("ICD-10", "Z99.2", "dialysis-dependent", True),
        ("ICD-10", "N18.5", "ckd-stage-5", True),
        ("ICD-10", "Z99.2", "ckd-stage-5", False),
        ("ICD-9-CM", "585.3", "dialysis-dependent", False),
        ("ICD-9-CM", "585.3", "chronic-kidney-disease", True),
        ("ICD-9-CM", "282.60", "sickle-cell", True),
        ("ICD-9-CM", "282.5", "sickle-cell", False),
        ("ICD-10", "D57.3", "sickle-cell", False),
        ("ICD-10", "D57.1", "sickle-cell", True),
        ("ICD-9-CM", "289.84", "hit-history", True),
        ("ICD-10", "D75.829", "hit-history", True),
        ("ICD-9-CM", "V66.7", "palliative-care", True),
        ("ICD-9-CM", "250.01", "type-1-diabetes", True),
        ("ICD-9-CM", "250.00", "type-1-diabetes", False),
        ("ICD-9-CM", "250.00", "diabetes", True),
        ("ICD-10", "C44.9", "cancer", False),
        ("ICD-9-CM", "E888.9", "falls", True),
        ("SNOMED CT", "44054006", "diabetes", True),
        ("SNOMED CT", "440540060", "diabetes", False),
        ("local", "428.0", "heart-failure", False),
    ],
)
def test_the_group_of_a_code(system: str, code: str, group: str, there: bool) -> None:
    assert group in DIAGNOSES.titles
    assert (group in DIAGNOSES.groups_of(system, code)) is there


def test_cancer_is_what_the_published_algorithm_counts() -> None:
    # Quan 2005: ICD-9-CM 140-172, 174-195, 196-199, 200-208, 238.6; ICD-10 C00-C26, C30-C34, C37-C41, C43, C45-C58, C60-C85,
    # C88, C90-C97, to which ours adds C86 and C96 by their titles
    for number in {*range(100, 320)} - {177, 178}:  # no such codes
        expected = 140 <= number <= 172 or 174 <= number <= 208
        assert ("cancer" in DIAGNOSES.groups_of("ICD-9-CM", str(number))) is expected, number
    spans = ((0, 26), (30, 34), (37, 41), (43, 43), (45, 58), (60, 86), (88, 88), (90, 97))
    for number in range(100):
        expected = any(low <= number <= high for low, high in spans)
        assert ("cancer" in DIAGNOSES.groups_of("ICD-10", f"C{number:02}.1")) is expected, number


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("Two Words,t,ICD-10,K25,,g,unverified,a,rxvigil", "group"),
        ("cancer,another title,ICD-10,K25,,g,unverified,a,rxvigil", "title"),
        ("cancer,cancer,ICD-11,K25,,g,unverified,a,rxvigil", "system"),
        ("cancer,cancer,ICD-10,25.K,,g,unverified,a,rxvigil", "codes"),
        ("cancer,cancer,ICD-9-CM,K25,,g,unverified,a,rxvigil", "codes"),
        ("cancer,cancer,ICD-10,C43,,g,unverified,a,rxvigil", "codes"),
        ("cancer,cancer,SNOMED CT,44054007,,g,unverified,a,rxvigil", "codes"),
    ],
)
def test_a_row_that_contradicts_is_refused_with_its_place(tmp_path: Path, row: str, column: str) -> None:
    path = copy_knowledge(tmp_path) / "condition_groups/groups.csv"
    path.write_text(path.read_text("utf-8") + row + "\n", "utf-8")
    with pytest.raises(KnowledgeError) as caught:
        load_from(tmp_path)
    assert (caught.value.file, caught.value.column) == ("condition_groups/groups.csv", column)
