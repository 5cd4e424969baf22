"""Whether supplies last, and what is asked at a transfer, as data: what is read, and which slips are refused with their place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from tests.support.knowledge import copy_knowledge

KNOWN = load()


def test_the_measure_is_as_published() -> None:
    groups = KNOWN.adherence.groups
    assert {each.percent for id, each in groups.items() if id != "antiretroviral"} == {80}  # noqa: A001
    assert groups["antiretroviral"].percent == 90
    assert all((each.fills, each.index_before) == (2, timedelta(days=91)) for each in groups.values())
    assert {"lisinopril", "losartan"} <= groups["renin-angiotensin"].ingredients
    assert "insulin glargine" not in groups["diabetes"].ingredients
    assert "warfarin" not in groups["oral-anticoagulant"].ingredients


def test_a_gap_that_harms_soon_is_told_sooner() -> None:
    late = KNOWN.adherence.supplied["late-refill"]
    days = {}
    for name in ("apixaban", "levetiracetam", "tacrolimus", "dolutegravir", "insulin glargine", "atorvastatin"):
        row = late.of((name,))
        assert row is not None
        days[name] = row.after.days
    assert days == {"apixaban": 3, "levetiracetam": 5, "tacrolimus": 3, "dolutegravir": 5, "insulin glargine": 14,
                    "atorvastatin": 15}  # fmt: skip
    assert late.of(("amoxicillin",)) is None


def test_nothing_of_it_pages_at_night() -> None:
    rows = [
        *KNOWN.adherence.groups.values(),
        *(row for of in KNOWN.adherence.supplied.values() for row in of.rows),
        *(row for of in KNOWN.transfers.not_continued.values() for row in of.rows),
        *KNOWN.transfers.harms,
    ]
    assert all(row.severity != "critical" for row in rows)


@pytest.mark.parametrize(
    ("file", "line", "old", "new", "column", "said"),
    [
        ("adherence/covered.csv", 2, ",80,", ",0,", "percent", "more than 0"),
        ("adherence/covered.csv", 2, ",365,91,", ",91,91,", "index_before_days", "less than the period"),
        ("adherence/covered.csv", 2, "statin,statin,", "statin,satin,", "medicines", "satin"),
        ("adherence/supplied.csv", 2, "doac,3,1,", "doac,-3,1,", "after_days", "no time is shorter than none"),
        ("adherence/supplied.csv", 2, "doac,3,1,", "doac,3,0,", "fills", "cannot run out"),
        ("adherence/supplied.csv", 3, "late-refill,vitamin-k-antagonist,", "late-refill,doac,", "medicine", "twice"),
        ("transfer/not_continued.csv", 2, "admission,anticonvulsant,24,", "admission,anticonvulsant,-1,", "wait_hours",
         "no time is shorter than none"),
        ("transfer/not_continued.csv", 2, "admission,", "surgery,", "at", "surgery"),
        ("transfer/harms.csv", 2, "anaphyla|", "Anaphyla|", "words", "small letters"),
    ],
)  # fmt: skip
def test_a_slip_is_refused_with_its_place(
    tmp_path: Path, file: str, line: int, old: str, new: str, column: str, said: str
) -> None:
    root = copy_knowledge(tmp_path)
    path = root / file
    lines = path.read_text(encoding="utf-8").split("\n")
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(KnowledgeError, match=said) as refused:
        load_from(root)
    assert (refused.value.file, refused.value.line, refused.value.column) == (file, line, column)


@pytest.mark.parametrize(
    ("reason", "harm"),
    [
        ("Angioedema", "airway"), ("SJS, 2024", "severe-skin"), ("melaena", "bleeding"), ("agranulocytosis", "blood"),
        ("rhabdomyolysis", "organ"), ("intolerance", "reaction"), ("not tolerated", "reaction"),
        ("angioedema and rash", "airway"), ("never a rash", None), ("no angioedema, but hives", "reaction"),
        ("patient's wish", None),
    ],
)  # fmt: skip
def test_which_harm_a_reason_speaks_of(reason: str, harm: str | None) -> None:
    found = KNOWN.transfers.harm_in(reason)
    assert (found.id if found is not None else None) == harm
