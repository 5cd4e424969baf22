"""Reads duplicates and what is none: ``duplicates/``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from importlib.resources.abc import Traversable

from knowledge.conditions import Names
from knowledge.duplicate import Allowed, DuplicateClass, Duplicates, How, Kind
from knowledge.reading.cells import conditions, meant, words
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, Row, StatementRow, Table, read
from knowledge.statement import Step
from schemas.values import Severity

FOLDER = "duplicates"
EVERY = "*"
_NOT = "not "


class ClassRow(AdvisedRow, frozen=True, kw_only=True):
    """``members`` are properties and ingredients, less those after ``not``; ``*`` is every ingredient."""

    id: str
    kind: Kind
    members: tuple[str, ...]
    severity: Severity
    grace_hours: float
    grace_reason: str
    problem: str = ""


class LongActingRow(Row, frozen=True, kw_only=True):
    """A word of a form that lasts, as it stands in names, forms and routes."""

    word: str
    author: str


class AllowedRow(StatementRow, frozen=True, kw_only=True):
    """``classes``: their ids, ``*`` for all. Of one class the first row that holds decides."""

    classes: tuple[str, ...]
    one: tuple[str, ...]
    other: tuple[str, ...]
    how: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    severity: Step
    reason: str


def read_duplicates(root: Traversable, sources: Sources, known: Pharmacology, names: Names) -> Duplicates:
    """``names`` are what a condition may speak of."""
    classes = _classes(root, sources, known)
    long_acting = sources.checked(read(root, f"{FOLDER}/long_acting.csv", LongActingRow))
    return Duplicates(
        classes=classes,
        allowed=_allowed(root, sources, known, classes, names),
        classes_of=_classes_of(classes),
        long_acting=tuple(row.word for row in long_acting.rows),
    )


def _members(cells: Sequence[str], known: Pharmacology) -> frozenset[str]:
    """Raises ``ValueError`` for a cell that names nothing."""
    found: set[str] = set()
    for cell in cells:
        name = cell.removeprefix(_NOT)
        who = set(known.ingredients if cell == EVERY else known.who(name))
        found = found | who if name == cell else found - who
    return frozenset(found)


def _classes(root: Traversable, sources: Sources, known: Pharmacology) -> Mapping[str, DuplicateClass]:
    table = sources.checked(read(root, f"{FOLDER}/classes.csv", ClassRow))
    table.each_once("id")
    classes: dict[str, DuplicateClass] = {}
    for row in table.rows:
        if row.id == EVERY:
            raise table.error(row, "id", f"{EVERY!r} stands for every class")
        if row.grace_hours < 0:
            raise table.error(row, "grace_hours", "is not less than nothing")
        of = meant(table, row, "members", lambda cells: _members(cells, known))
        if len(of) < (2 if row.kind == "class" else 1):
            raise table.error(row, "members", "names too few ingredients for a duplicate")
        classes[row.id] = sources.made(DuplicateClass, row, members=of, grace=timedelta(hours=row.grace_hours))
    return classes


def _classes_of(classes: Mapping[str, DuplicateClass]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    same: set[str] = set()
    for each in classes.values():
        for ingredient in each.members - (same if each.kind == "same" else frozenset()):
            found.setdefault(ingredient, []).append(each.id)
        if each.kind == "same":
            same |= each.members
    return found


def _allowed(
    root: Traversable, sources: Sources, known: Pharmacology, classes: Collection[str], names: Names
) -> Mapping[str, Sequence[Allowed]]:
    table = sources.checked(read(root, f"{FOLDER}/allowed.csv", AllowedRow))
    found: dict[str, list[Allowed]] = {}
    for row in table.rows:
        words(table, row, "how", How)
        allowed = sources.made(
            Allowed,
            row,
            one=meant(table, row, "one", lambda cells: _side(cells, known)),
            other=meant(table, row, "other", lambda cells: _side(cells, known)),
            when=conditions(table, row, "when", names),
            reference=f"{FOLDER}/allowed.csv#{','.join('|'.join(cells) for cells in (row.classes, row.one, row.other))}",
        )
        for id_ in _ids(row, table, classes):
            found.setdefault(id_, []).append(allowed)
    return found


def _side(cells: Sequence[str], known: Pharmacology) -> frozenset[str] | None:
    return None if tuple(cells) == (EVERY,) else _members(cells, known)


def _ids(row: AllowedRow, table: Table[AllowedRow], classes: Collection[str]) -> Iterator[str]:
    for id_ in row.classes:
        if id_ == EVERY:
            yield from classes
        elif id_ in classes:
            yield id_
        else:
            raise table.error(row, "classes", f"{id_!r} is not in classes.csv")
