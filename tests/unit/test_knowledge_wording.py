"""The words of instructions as data: what is refused when a file is read, and how a text falls into tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.loader import load
from knowledge.reading.sources import read_sources
from knowledge.reading.tables import KnowledgeError
from knowledge.reading.wording import read_wording
from knowledge.wording import Wording, tokens

HEADERS = {
    "frequencies": "phrase,times,days,sources",
    "units": "spelling,unit,measure,size,sources",
    "words": "phrase,kind,meaning,sources",
}


def written(root: Path, **rows: str) -> Wording:
    (root / "instructions").mkdir()
    (root / "sources.csv").write_text("id,text,url,date,licence,status\na,A,,2026-11-24,facts,unverified\n", "utf-8")
    for name, header in HEADERS.items():
        text = "\n".join([header, *filter(None, [rows.get(name, "")])])
        (root / "instructions" / f"{name}.csv").write_text(text + "\n", "utf-8")
    return read_wording(root, read_sources(root))


@pytest.mark.parametrize(
    ("file", "rows", "column"),
    [
        ("frequencies", "bid,0,1,a", "times"),
        ("frequencies", "bid,2,-1,a", "times"),
        ("frequencies", "BID,2,1,a", "phrase"),
        ("frequencies", "bid,2,1,a\nb.i.d.,2,1,a", "phrase"),
        ("frequencies", "bid,2,1,nobody", "sources"),
        ("units", "mg,mg,mass,0,a", "size"),
        ("units", "mg,mg,weight,1,a", "measure"),
        ("words", "one,number,one,a", "meaning"),
        ("words", "po,route,,a", "kind"),
    ],
)
def test_a_fault_names_file_line_and_column(tmp_path: Path, file: str, rows: str, column: str) -> None:
    with pytest.raises(KnowledgeError) as raised:
        written(tmp_path, **{file: rows})
    assert (raised.value.file, raised.value.column) == (f"instructions/{file}.csv", column)
    assert raised.value.line == len(rows.splitlines()) + 1


def test_a_word_cannot_be_a_frequency_and_something_else(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"words\.csv, line 2, column phrase: 'bid' is in frequencies\.csv"):
        written(tmp_path, frequencies="bid,2,1,a", words="bid,filler,,a")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 Tab. P.O. b.i.d.", ["1", "tab", "po", "bid"]),
        ("q4-6h", ["q", "4", "-", "6", "h"]),
        ("10mg–20mg", ["10", "mg", "-", "20", "mg"]),
        ("1½ tabs", ["1", "1", "/", "2", "tabs"]),
        ("twice-daily, 5-mg", ["twice", "daily", ",", "5", "mg"]),
        ("Mon-Fri", ["mon", "to", "fri"]),
        ("5,000 units", ["5,000", "units"]),
        ("2,5 mg", ["2", ",", "5", "mg"]),
        ("1,2345", ["1", ",", "2345"]),
        (".5 mg", [".5", "mg"]),
        ("1.2.3", ["1.2", ".", "3"]),
        ("-5 mg", ["minus", "5", "mg"]),
        ("1\N{NO-BREAK SPACE}tab\ndaily", ["1", "tab", ";", "daily"]),
        ("75 μg ５ 10⁵", ["75", "µg", "５", "10", "⁵"]),
        ("", []),
    ],
)
def test_how_a_text_falls_into_tokens(text: str, found: list[str]) -> None:
    assert tokens(text) == found


def test_a_unit_is_known_however_it_is_written() -> None:
    wording = load().wording
    for spelling, name in (("MG", "mg"), ("Tab.", "tablet"), ("million units", "unit"), ("mEq", "mEq"), ("IU", "unit")):
        unit = wording.unit_named(spelling)
        assert unit is not None, spelling
        assert unit.name == name
    assert wording.unit_named("U") is None
    assert wording.unit_named("") is None


def test_every_unit_is_measured_in_the_size_of_its_own_name() -> None:
    """So that a million units become units: the name of a unit is one of its spellings."""
    wording = load().wording
    for unit in wording.units.values():
        named = wording.unit_named(unit.name)
        assert named is None or named.measure == unit.measure, unit
        assert named is not None or unit.name == "L", unit
