"""What all readers of the knowledge share: a row is there once, and a type is made of its columns."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from knowledge.reading.sources import Sources, read_sources
from knowledge.reading.tables import KnowledgeError, Row, Table, read
from schemas.values import Citation


class FruitRow(Row, frozen=True, kw_only=True):
    name: str
    colour: str
    days: int
    author: str = ""


class Fruit(Struct, frozen=True, kw_only=True):
    name: str
    days: int
    colours: tuple[str, ...] = ()
    citations: tuple[Citation, ...]


def test_a_type_takes_columns_of_its_names_and_citations(sources: Sources, table: Table[FruitRow]) -> None:
    made = sources.made(Fruit, table.rows[0], colours=("red", "green"))
    cited = (Citation(id="book", text="A book", url="", status="verified"),)
    assert made == Fruit(name="apple", days=3, colours=("red", "green"), citations=cited)


def test_what_is_said_beside_stands_over_the_row(sources: Sources, table: Table[FruitRow]) -> None:
    assert sources.made(Fruit, table.rows[0], days=9).days == 9


def test_a_value_of_another_type_is_refused(sources: Sources, table: Table[FruitRow]) -> None:
    with pytest.raises(msgspec.ValidationError, match="days"):
        sources.made(Fruit, table.rows[0], days="soon")


def test_a_name_that_the_type_has_not_is_refused(sources: Sources, table: Table[FruitRow]) -> None:
    with pytest.raises(AssertionError, match="color"):
        sources.made(Fruit, table.rows[0], color="red")


def test_the_second_of_two_equal_rows_is_named(table: Table[FruitRow]) -> None:
    table.each_once("name", "colour")
    with pytest.raises(KnowledgeError, match=r"fruit\.csv, line 4, column name: 'apple' is there twice"):
        table.each_once("name")


def test_each_expected_row_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "fruit.csv").write_text("name,colour,days,author,sources\napple,red,3,a,book\npear,green,4,a,book\n")
    table = read(tmp_path, "fruit.csv", FruitRow)
    table.each_of("name", ("pear", "apple"))
    with pytest.raises(KnowledgeError, match="there is no row for plum"):
        table.each_of("name", ("pear", "plum", "apple"))


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    (tmp_path / "sources.csv").write_text("id,text,url,date,licence,status\nbook,A book,,2020,none,verified\n")
    return read_sources(tmp_path)


@pytest.fixture
def table(tmp_path: Path) -> Table[FruitRow]:
    rows = "apple,red,3,a,book\npear,green,4,a,book\napple,yellow,5,a,book\n"
    (tmp_path / "fruit.csv").write_text("name,colour,days,author,sources\n" + rows)
    return read(tmp_path, "fruit.csv", FruitRow)
