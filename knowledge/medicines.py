"""Names, codes, vehicles, words and routes of medicines: ``drugs/``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from knowledge.model import Word, WordKind, plain_name
from knowledge.sources import Sources
from knowledge.tables import Row, read


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


class RouteRow(Row, frozen=True, kw_only=True):
    """A route or a dose form as data say it, and whether it keeps a medicine where it is put."""

    word: str
    acts: Literal["topical", "systemic"]
    reason: str


def read_names(root: Traversable, sources: Sources) -> Mapping[str, tuple[str, ...]]:
    """The own names stand over those of the dictionary."""
    sources.checked(read(root, "drugs/refused.csv", RefusedRow))
    names: dict[str, tuple[str, ...]] = {}
    for file in ("drugs/names.csv", "drugs/names_extra.csv"):
        table = sources.checked(read(root, file, NameRow))
        own: set[str] = set()
        for row in table.rows:
            if row.name != plain_name(row.name):
                raise table.error(row, "name", f"is to be written {plain_name(row.name)!r}")
            if row.name in own:
                raise table.error(row, "name", f"{row.name!r} is there twice")
            if not row.ingredients or any(each != plain_name(each) for each in row.ingredients):
                raise table.error(row, "ingredients", "names of ingredients in lower case, separated by '|'")
            own.add(row.name)
            names[row.name] = row.ingredients
    return names


def read_codes(root: Traversable, sources: Sources) -> Mapping[tuple[str, str], str]:
    table = sources.checked(read(root, "drugs/codes.csv", CodeRow))
    codes: dict[tuple[str, str], str] = {}
    for row in table.rows:
        if (row.system, row.code) in codes:
            raise table.error(row, "code", f"{row.system} {row.code} is there twice")
        codes[row.system, row.code] = row.name
    return codes


def read_vehicles(root: Traversable, sources: Sources) -> frozenset[str]:
    table = sources.checked(read(root, "drugs/vehicles.csv", VehicleRow))
    for row in table.rows:
        if row.name != plain_name(row.name):
            raise table.error(row, "name", f"is to be written {plain_name(row.name)!r}")
    return frozenset(row.name for row in table.rows)


def read_words(root: Traversable, sources: Sources) -> Mapping[str, Word]:
    table = sources.checked(read(root, "drugs/words.csv", WordRow))
    words: dict[str, Word] = {}
    for row in table.rows:
        if row.word in words:
            raise table.error(row, "word", f"{row.word!r} is there twice")
        if (row.kind == "form") != bool(row.meaning):
            raise table.error(row, "meaning", "a form word, and no other, says which dose form it means")
        words[row.word] = Word(kind=row.kind, meaning=row.meaning)
    return words


def read_routes(root: Traversable, sources: Sources) -> tuple[frozenset[str], frozenset[str]]:
    """The routes and forms that are topical, and the forms that are systemic whatever the route says."""
    table = sources.checked(read(root, "drugs/routes.csv", RouteRow))
    topical = frozenset(row.word for row in table.rows if row.acts == "topical")
    systemic = frozenset(row.word for row in table.rows if row.acts == "systemic")
    for row in table.rows:
        if row.word != row.word.lower():
            raise table.error(row, "word", "is to be written in lower case")
        if row.word in topical & systemic:
            raise table.error(row, "acts", f"{row.word!r} is said to be both")
    return topical, systemic
