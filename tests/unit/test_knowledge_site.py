"""A site's own files stand over the shipped ones, row by row, and a slip in them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.loader import load, load_from
from knowledge.model import plain_unit
from knowledge.reading.sources import KEYS
from knowledge.reading.tables import KnowledgeError
from schemas.events import Drug
from schemas.values import Coding
from services.ingest.terminology.drugs import DrugResolver
from tests.support.knowledge import copy_knowledge

SHIPPED = Path(__file__).parents[2] / "knowledge"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What is shipped, without its large tables: they would only make these tests slow."""
    return copy_knowledge(tmp_path / "shipped")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def write(site: Path, file: str, *rows: str) -> None:
    (site / file).parent.mkdir(exist_ok=True)
    (site / file).write_text("\n".join(rows) + "\n", "utf-8")


def names(drug: Drug) -> list[str]:
    return [each.name for each in drug.ingredients]


def test_a_row_of_the_site_adds_or_stands_over_one_that_is_shipped(root: Path, site: Path) -> None:
    write(site, "drugs/names_extra.csv", "name,ingredients,sources", "house mixture 7,lidocaine|diphenhydramine,site",
          "advil cold,ibuprofen,site")  # fmt: skip
    write(site, "drugs/codes.csv", "system,code,name,sources", "NDC,11111000101,simvastatin 20 MG Oral Tablet,site",
          "pharmacy,42,house mixture 7,site", "ATC,C10AA01,advil cold,site")  # fmt: skip
    write(site, "drugs/vehicles.csv", "name,sources", "house diluent,site")
    knowledge = load_from(root, site)
    resolve = DrugResolver(knowledge).resolve
    assert names(resolve(Drug(text="House Mixture 7"))) == ["lidocaine", "diphenhydramine"]
    assert names(resolve(Drug(text="Advil Cold"))) == ["ibuprofen"]
    assert names(resolve(Drug(codings=(Coding("NDC", "11111-0001-01"),)))) == ["simvastatin"]
    assert names(resolve(Drug(codings=(Coding("pharmacy", "42"),)))) == ["lidocaine", "diphenhydramine"]
    assert names(resolve(Drug(codings=(Coding("ATC", "C10AA01"),)))) == ["ibuprofen"]
    assert names(resolve(Drug(text="Zocor"))) == ["simvastatin"]
    assert resolve(Drug(text="house diluent")).resolution == "vehicle"


def test_a_unit_of_the_site_is_known(root: Path, site: Path) -> None:
    write(site, "labs/units.csv", "analyte,spelling,factor,offset,sources", "potassium,kilomol/m3,1000,,site")
    knowledge = load_from(root, site)
    assert plain_unit("kilomol/m3") in knowledge.analytes["2823-3"].factors
    assert plain_unit("kilomol/m3") not in load_from(root).analytes["2823-3"].factors


def test_the_version_follows_the_files_of_the_site(root: Path, site: Path) -> None:
    write(site, "drugs/vehicles.csv", "name,sources", "house diluent,site")
    before = load_from(root, site).version
    write(site, "drugs/vehicles.csv", "name,sources", "other diluent,site")
    assert before != load_from(root, site).version != load_from(root).version


@pytest.mark.parametrize(
    ("file", "rows", "said"),
    [
        ("drugs/names_extra.csv", ("name,ingredients,sources", "Mixture,lidocaine,site"), "line 2, column name"),
        ("drugs/names_extra.csv", ("name,ingredients,sources", "mixture,lidocaine,nobody"), "line 2, column sources"),
        ("drugs/names_extra.csv", ("name,ingredients", "mixture,lidocaine"), "line 1, column sources"),
        ("drugs/codes.csv", ("system,code,name,sources", "NDC,1111-1,simvastatin,site"), "line 2, column code"),
        ("interactions/pairs.csv", ("id",), "no file that a site may bring"),
        ("names.csv", ("id",), "no file that a site may bring"),
    ],
)
def test_a_slip_is_named_with_the_sites_file_and_line(
    root: Path, site: Path, file: str, rows: tuple[str, ...], said: str
) -> None:
    write(site, file, *rows)
    with pytest.raises(KnowledgeError) as caught:
        load_from(root, site)
    assert str(site / file) in str(caught.value)
    assert said in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="no such folder; the setting knowledge_dir"):
        load(str(tmp_path / "nowhere"))


def test_every_file_that_a_site_may_bring_is_shipped_and_named_in_the_readme() -> None:
    readme = (SHIPPED / "README.md").read_text("utf-8")
    for file, key in KEYS.items():
        header = (SHIPPED / file).read_text("utf-8").splitlines()[0].split(",")
        assert set(key) <= set(header)
        assert f"`{file}`" in readme or f"`{Path(file).name}`" in readme, file
