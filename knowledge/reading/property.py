"""Reads what medicines are and do: ``properties/``, one file a subject."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from importlib.resources.abc import Traversable
from typing import NamedTuple

from knowledge.property import Applies, Member, Property
from knowledge.reading.cells import check_plain
from knowledge.reading.sources import Sources
from knowledge.reading.tables import Row, StatementRow, Table, read

FOLDER = "properties"
_GRADES = re.compile(r"\bgrades: ([a-z_|]+)\.?$")


class PropertyRow(Row, frozen=True, kw_only=True):
    """A property. Its members stand in ``<subject>.csv``; where they have grades, ``meaning`` ends with ``grades: a|b``,
    gravest first."""

    id: str
    subject: str
    title: str
    meaning: str
    author: str


class MemberRow(StatementRow, frozen=True, kw_only=True):
    """An ingredient that has the property."""

    ingredient: str
    property: str
    grade: str = ""
    applies: Applies = "systemic"
    note: str = ""


class LeftOutRow(Row, frozen=True, kw_only=True):
    """A candidate that does not have the property, and why. The property itself need not exist."""

    property: str
    ingredient: str
    reason: str


class Pharmacology(NamedTuple):
    """``members``: by property and ingredient; ``of``: the properties of an ingredient; ``ingredients``: all that a name stands
    for, with a property or without."""

    kinds: Mapping[str, Property]
    members: Mapping[str, Mapping[str, Member]]
    of: Mapping[str, frozenset[str]]
    ingredients: Collection[str]

    def who(self, name: str) -> Collection[str]:
        """The members of a property, which stands over an ingredient of the same name, or the ingredient. Raises
        ``ValueError`` for any other name."""
        if name in self.kinds:
            return self.members[name]
        if name in self.ingredients:
            return (name,)
        raise ValueError(f"{name!r} is no property of properties/properties.csv and no ingredient of drugs/")


def read_properties(root: Traversable, sources: Sources, ingredients: Collection[str]) -> Pharmacology:
    """Every property with its members, which are all among ``ingredients``. A property without a member is there and empty."""
    kinds = _kinds(sources.checked(read(root, f"{FOLDER}/properties.csv", PropertyRow)), sources)
    subjects = {kind.subject for kind in kinds.values()}
    members: dict[str, dict[str, Member]] = {each: {} for each in kinds}
    for subject in sorted(subjects | _files(root)):
        table = sources.checked(read(root, f"{FOLDER}/{subject}.csv", MemberRow))
        table.each_once("property", "ingredient")
        for row in table.rows:
            _check(row, table, kinds.get(row.property), subject, ingredients)
            members[row.property][row.ingredient] = _member(row, sources)
    _check_left_out(sources.checked(read(root, f"{FOLDER}/left_out.csv", LeftOutRow)), members)
    of: dict[str, set[str]] = {}
    for each, have_it in members.items():
        for ingredient in have_it:
            of.setdefault(ingredient, set()).add(each)
    by_ingredient = {ingredient: frozenset(each) for ingredient, each in of.items()}
    return Pharmacology(kinds, members, by_ingredient, ingredients)


def _files(root: Traversable) -> set[str]:
    """A file whose subject no property has would not be read, so it is read and refused."""
    names = (each.name for each in root.joinpath(FOLDER).iterdir())
    return {name.removesuffix(".csv") for name in names if name.endswith(".csv")} - {"properties", "left_out"}


def _kinds(table: Table[PropertyRow], sources: Sources) -> Mapping[str, Property]:
    kinds: dict[str, Property] = {}
    table.each_once("id")
    for row in table.rows:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.id):
            raise table.error(row, "id", f"{row.id!r} is not in lower case with hyphens between words")
        grades = _GRADES.search(row.meaning)
        if "grades:" in row.meaning and grades is None:
            raise table.error(row, "meaning", "names its grades at the end as 'grades: strong|moderate|weak'")
        kinds[row.id] = sources.made(Property, row, grades=tuple(grades[1].split("|")) if grades else ())
    return kinds


def _check(
    row: MemberRow, table: Table[MemberRow], kind: Property | None, subject: str, ingredients: Collection[str]
) -> None:
    if kind is None:
        raise table.error(row, "property", f"{row.property!r} is not in properties.csv")
    if kind.subject != subject:
        raise table.error(row, "property", f"members of {row.property!r} stand in {kind.subject}.csv")
    check_plain(table, row, "ingredient")
    if row.ingredient not in ingredients:
        raise table.error(row, "ingredient", f"{row.ingredient!r} is no ingredient of a name in drugs/")
    if kind.grades and row.grade not in kind.grades:
        raise table.error(row, "grade", f"a member of {row.property!r} is one of {', '.join(kind.grades)}")
    if not kind.grades and row.grade:
        raise table.error(row, "grade", f"{row.property!r} has no grades")


def _check_left_out(table: Table[LeftOutRow], members: Mapping[str, Mapping[str, Member]]) -> None:
    for row in table.rows:
        if row.ingredient in members.get(row.property, {}):
            raise table.error(row, "ingredient", f"{row.ingredient!r} is a member of {row.property!r}")


def _member(row: MemberRow, sources: Sources) -> Member:
    return sources.made(Member, row)
