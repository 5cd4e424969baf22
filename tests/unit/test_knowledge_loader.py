"""What the loader refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.loader import load, load_from, version_of
from knowledge.reading.tables import KnowledgeError
from tests.support.knowledge import copy_knowledge

DATA = Path(__file__).parents[2] / "knowledge"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the data, to be broken."""
    return copy_knowledge(tmp_path)


def lines(root: Path, file: str) -> list[str]:
    return (root / file).read_text("utf-8").splitlines()


def write(root: Path, file: str, content: list[str]) -> None:
    (root / file).write_text("\n".join(content) + "\n", "utf-8")


def change(root: Path, file: str, line: int, edit: Callable[[str], str]) -> None:
    content = lines(root, file)
    content[line - 1] = edit(content[line - 1])
    write(root, file, content)


def refusal(root: Path) -> KnowledgeError:
    with pytest.raises(KnowledgeError) as caught:
        load_from(root)
    error = caught.value
    assert error.file in str(error)
    assert not error.line or f"line {error.line}" in str(error)
    assert error.column in str(error)
    return error


def test_what_is_shipped_loads_once() -> None:
    assert load() is load()
    assert load().version == version_of(DATA)


def test_the_version_follows_the_content(root: Path) -> None:
    before = load_from(root).version
    assert load_from(root).version == before
    change(root, "labs/critical_limits.csv", 2, lambda line: line.replace("2.8", "2.9"))
    assert load_from(root).version != before


def test_a_row_without_a_source_is_refused(root: Path) -> None:
    change(root, "labs/loinc.csv", 3, lambda line: line.rsplit(",", 1)[0] + ",")
    error = refusal(root)
    assert (error.file, error.line, error.column) == ("labs/loinc.csv", 3, "sources")


def test_a_source_that_is_not_listed_is_refused(root: Path) -> None:
    change(root, "interactions/members.csv", 4, lambda line: line.rsplit(",", 1)[0] + ",nobody-2020")
    error = refusal(root)
    assert (error.file, error.line, error.column) == ("interactions/members.csv", 4, "sources")
    assert "nobody-2020" in str(error)


def test_a_number_that_is_none_is_refused(root: Path) -> None:
    change(root, "labs/critical_limits.csv", 2, lambda line: line.replace("2.8", "two"))
    error = refusal(root)
    assert (error.file, error.line, error.column) == ("labs/critical_limits.csv", 2, "limit")


def test_an_unknown_severity_is_refused(root: Path) -> None:
    change(root, "interactions/pairs.csv", 3, lambda line: line.replace(",high,", ",awful,", 1))
    error = refusal(root)
    assert (error.file, error.line, error.column) == ("interactions/pairs.csv", 3, "severity")


def test_a_missing_column_is_refused(root: Path) -> None:
    change(root, "labs/analytes.csv", 1, lambda line: line.replace("unit", "units"))
    error = refusal(root)
    assert (error.file, error.line) == ("labs/analytes.csv", 1)
    assert "unit" in error.column


def test_a_missing_cell_is_refused(root: Path) -> None:
    change(root, "labs/analytes.csv", 2, lambda line: line.replace("mmol/L", ""))
    error = refusal(root)
    assert (error.file, error.line, error.column) == ("labs/analytes.csv", 2, "unit")


def test_a_row_too_short_is_refused(root: Path) -> None:
    write(root, "drugs/vehicles.csv", [*lines(root, "drugs/vehicles.csv"), "zz water"])
    error = refusal(root)
    assert (error.file, error.line) == ("drugs/vehicles.csv", len(lines(root, "drugs/vehicles.csv")))


def test_a_line_number_counts_cells_of_several_lines(root: Path) -> None:
    content = lines(root, "sources.csv")
    write(root, "sources.csv", [content[0], 'x,"a\nb",,2020-01-01,none,verified', *content[1:3], content[2]])
    error = refusal(root)
    assert (error.file, error.line, error.column) == ("sources.csv", 6, "id")


@pytest.mark.parametrize(
    ("file", "row", "column"),
    [
        ("interactions/members.csv", "no-pair,object,x,,label,unverified,rxvigil,rxvigil", "pair"),
        ("interactions/members.csv", "ssri-maoi,object,sertraline,,label,unverified,rxvigil,rxvigil", "ingredient"),
        ("interactions/members.csv", "ssri-maoi,object,Sertraline.,,label,unverified,rxvigil,rxvigil", "ingredient"),
        ("interactions/left_out.csv", "ssri-maoi,object,sertraline,because,rxvigil", "ingredient"),
        ("interactions/combinations.csv", "ssri-maoi,aspirin,linezolid,high,,l,r,unverified,a,rxvigil", "object"),
        ("interactions/combinations.csv", "ssri-maoi,sertraline,aspirin,high,,l,r,unverified,a,rxvigil", "precipitant"),
        ("interactions/combinations.csv", "ssri-maoi,sertraline,x,high,-1,l,r,unverified,a,rxvigil", "max_daily_mg"),
        ("labs/units.csv", "potassium,furlongs,0,,rxvigil", "factor"),
        ("labs/units.csv", "potassium,meq/litre,2,,rxvigil", "factor"),
        ("labs/units.csv", "potassium,mEq/L,1,3,rxvigil", "factor"),
        ("labs/units.csv", "pregnancy test,mg/dL,1,,rxvigil", "analyte"),
        ("labs/units.csv", "kryptonite,mg/dL,1,,rxvigil", "analyte"),
        ("labs/spellings.csv", "furlongs,fur,rxvigil", "unit"),
        ("labs/analytes.csv", "kryptonite,mg/dL,1,,rxvigil", "plausible_low"),
        ("labs/loinc.csv", "2823-4,potassium,serum or plasma,,slip,loinc", "code"),
        ("labs/loinc.csv", "2823-3,sodium,serum or plasma,,again,loinc", "code"),
        ("labs/loinc.csv", "1742-8,kryptonite,serum or plasma,,what,loinc", "analyte"),
        ("labs/local_codes.csv", "Lab,K,kryptonite,blood,,what,rxvigil", "analyte"),
        ("labs/local_codes.csv", "mimic-iii/itemid,50986,tacrolimus,blood,,again,rxvigil", "code"),
        ("labs/specimens.csv", "Whole Blood,blood,rxvigil", "word"),
        ("labs/specimens.csv", "urine,blood,rxvigil", "kind"),
        ("labs/critical_limits.csv", "potassium,adult,low,1,mmol/L,high,s,act,say,a,rxvigil", "direction"),
        ("labs/critical_limits.csv", "creatinine,adult,low,1,furlongs,high,s,act,say,a,rxvigil", "unit"),
        ("drugs/names_extra.csv", "Zocor,simvastatin,rxvigil", "name"),
        ("drugs/names_extra.csv", "zz,Simvastatin,rxvigil", "ingredients"),
        ("drugs/codes.csv", "ATC,C10AA01,simvastatin,atc", "code"),
        ("drugs/words.csv", "zz,form,,rxvigil", "meaning"),
        ("drugs/routes.csv", "patch,topical,skin,x,rxvigil", "word"),
    ],
)
def test_a_row_that_contradicts_is_refused_with_its_place(root: Path, file: str, row: str, column: str) -> None:
    write(root, file, [*lines(root, file), row])
    error = refusal(root)
    assert (error.file, error.column) == (file, column)


def test_a_low_limit_above_the_high_one_is_refused(root: Path) -> None:
    change(root, "labs/critical_limits.csv", 2, lambda line: line.replace("2.8", "7.8"))
    assert refusal(root).column == "limit"


def test_a_file_that_is_missing_or_no_text_is_refused(root: Path) -> None:
    (root / "drugs/routes.csv").write_bytes(b"\xff\xfe\x00")
    assert refusal(root).file == "drugs/routes.csv"
    (root / "drugs/routes.csv").unlink()
    assert refusal(root).file == "drugs/routes.csv"
