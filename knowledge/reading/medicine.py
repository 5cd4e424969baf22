"""Reads names, codes, vehicles, words and routes of medicines: ``drugs/``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from knowledge.model import Place, RouteWord, Salt, Word, WordKind, plain_name
from knowledge.reading.cells import check_plain
from knowledge.reading.sources import Sources
from knowledge.reading.tables import Row, read


class NameRow(Row, frozen=True, kw_only=True):
    name: str
    ingredients: tuple[str, ...]


class RefusedRow(Row, frozen=True, kw_only=True):
    """A name of the dictionary that ``convert`` does not take over."""

    name: str
    reason: str


class CodeRow(Row, frozen=True, kw_only=True):
    """``name`` is the code's display: a name of ours or RxNorm's grammar."""

    system: str
    code: str
    name: str


class VehicleRow(Row, frozen=True, kw_only=True):
    name: str


class WordRow(Row, frozen=True, kw_only=True):
    word: str
    kind: WordKind
    meaning: str = ""


class SaltRow(Row, frozen=True, kw_only=True):
    """A salt or formulation whose doses are not those of the ingredient's others. ``written`` are the words beside the name
    of the ingredient, or the brands, that mean it."""

    ingredient: str
    precise: str
    written: tuple[str, ...]
    reason: str


class RouteRow(Row, frozen=True, kw_only=True):
    """A route or a dose form as data say it: whether it keeps a medicine where it is put, and where that is."""

    word: str
    acts: Literal["topical", "systemic", "either"]
    place: Place
    reason: str


def read_names(root: Traversable, sources: Sources) -> Mapping[str, tuple[str, ...]]:
    """The own names stand over those of the dictionary."""
    sources.checked(read(root, "drugs/refused.csv", RefusedRow))
    names: dict[str, tuple[str, ...]] = {}
    for file in ("drugs/names.csv", "drugs/names_extra.csv"):
        table = sources.checked(read(root, file, NameRow))
        table.each_once("name")
        for row in table.rows:
            check_plain(table, row, "name")
            if not row.ingredients or any(each != plain_name(each) for each in row.ingredients):
                raise table.error(row, "ingredients", "names of ingredients in lower case, separated by '|'")
            names[row.name] = row.ingredients
    return names


def read_codes(root: Traversable, sources: Sources) -> Mapping[tuple[str, str], str]:
    table = sources.checked(read(root, "drugs/codes.csv", CodeRow))
    table.each_once("system", "code")
    for row in table.rows:
        if row.system == "NDC" and not (row.code.isdecimal() and len(row.code) in (9, 11)):
            raise table.error(row, "code", "an NDC is 11 digits, or 9 for every package of a product, without hyphens")
    return {(row.system, row.code): row.name for row in table.rows}


def read_vehicles(root: Traversable, sources: Sources) -> frozenset[str]:
    table = sources.checked(read(root, "drugs/vehicles.csv", VehicleRow))
    for row in table.rows:
        check_plain(table, row, "name")
    return frozenset(row.name for row in table.rows)


def read_words(root: Traversable, sources: Sources) -> Mapping[str, Word]:
    table = sources.checked(read(root, "drugs/words.csv", WordRow))
    table.each_once("word")
    for row in table.rows:
        if (row.kind == "form") != bool(row.meaning):
            raise table.error(row, "meaning", "a form word, and no other, says which dose form it means")
    return {row.word: Word(kind=row.kind, meaning=row.meaning) for row in table.rows}


def read_salts(root: Traversable, sources: Sources) -> Mapping[str, tuple[Salt, ...]]:
    """The salts by ingredient."""
    table = sources.checked(read(root, "drugs/salts.csv", SaltRow))
    salts: dict[str, tuple[Salt, ...]] = {}
    for row in table.rows:
        if any(word != plain_name(word) for word in (row.ingredient, row.precise, *row.written)):
            raise table.error(row, "written", "names are to be written in lower case, as in names.csv")
        known = salts.get(row.ingredient, ())
        if any(salt.precise == row.precise or set(salt.written) & set(row.written) for salt in known):
            raise table.error(row, "written", f"one of these means another salt of {row.ingredient} further up")
        salts[row.ingredient] = (*known, Salt(precise=row.precise, written=row.written))
    return salts


def read_routes(root: Traversable, sources: Sources) -> Mapping[str, RouteWord]:
    table = sources.checked(read(root, "drugs/routes.csv", RouteRow))
    table.each_once("word")
    for row in table.rows:
        if row.word != row.word.lower():
            raise table.error(row, "word", "is to be written in lower case")
        if (row.acts == "systemic" and row.place != "body") or (row.acts == "topical" and row.place == "body"):
            raise table.error(row, "place", "what is systemic is put in the body, what is topical is not")
    return {row.word: RouteWord(acts=row.acts, place=row.place) for row in table.rows}
