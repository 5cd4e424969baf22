"""Duplicates: ``duplicates/``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import Literal, get_args

from knowledge.conditions import Conditions, Names, parsed
from knowledge.duplicate import Allowed, DuplicateClass, Duplicates, How, Kind, Status, Step
from knowledge.pharmacology import Pharmacology
from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from schemas.values import Severity

FOLDER = "duplicates"
EVERY = "*"
_NOT = "not "


class _Graded(Row, frozen=True, kw_only=True):
    evidence_grade: str
    status: Status
    author: str


class ClassRow(_Graded, frozen=True, kw_only=True):
    """``members`` are properties and ingredients, less those after ``not``; ``*`` is every ingredient."""

    id: str
    kind: Kind
    title: str
    members: tuple[str, ...]
    severity: Severity
    grace_hours: float
    grace_reason: str
    problem: str = ""
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str


class LongActingRow(Row, frozen=True, kw_only=True):
    """A word of a form that lasts, as it stands in names, forms and routes."""

    word: str
    author: str


class AllowedRow(_Graded, frozen=True, kw_only=True):
    """``classes``: their ids, ``*`` for all. Of one class the first row that holds decides."""

    classes: tuple[str, ...]
    one: tuple[str, ...]
    other: tuple[str, ...]
    how: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    severity: Step
    reason: str


def read_duplicates(
    root: Traversable, sources: Sources, known: Pharmacology, ingredients: Collection[str], names: Names
) -> Duplicates:
    """``ingredients`` are those that a name stands for, ``names`` what a condition may speak of."""
    members = _Members(known, ingredients)
    classes = _classes(root, sources, members)
    words = sources.checked(read(root, f"{FOLDER}/long_acting.csv", LongActingRow))
    return Duplicates(
        classes=classes,
        allowed=_allowed(root, sources, members, classes, names),
        classes_of=_classes_of(classes),
        long_acting=tuple(row.word for row in words.rows),
    )


class _Members:
    """From what a cell names to ingredients."""

    def __init__(self, known: Pharmacology, ingredients: Collection[str]) -> None:
        self._known, self._ingredients = known, ingredients

    def of(
        self, cells: Sequence[str], table: Table[ClassRow] | Table[AllowedRow], row: ClassRow | AllowedRow, column: str
    ) -> frozenset[str]:
        """Every ingredient for ``*``; the property stands over an ingredient of the same name."""
        found: set[str] = set()
        for cell in cells:
            if cell == EVERY:
                found |= set(self._ingredients)
            elif (name := cell.removeprefix(_NOT)) in self._known.kinds:
                found = (
                    found - self._known.members[name].keys()
                    if cell != name
                    else found | self._known.members[name].keys()
                )
            elif name in self._ingredients:
                found = found - {name} if cell != name else found | {name}
            else:
                problem = f"{name!r} is no property of properties/properties.csv and no ingredient of drugs/"
                raise table.error(row, column, problem)  # type: ignore[arg-type]
        return frozenset(found)


def _classes(root: Traversable, sources: Sources, members: _Members) -> Mapping[str, DuplicateClass]:
    table = sources.checked(read(root, f"{FOLDER}/classes.csv", ClassRow))
    classes: dict[str, DuplicateClass] = {}
    for row in table.rows:
        if row.id in classes or row.id == EVERY:
            raise table.error(row, "id", f"{row.id!r} is there twice")
        if row.grace_hours < 0:
            raise table.error(row, "grace_hours", "is not less than nothing")
        of = members.of(row.members, table, row, "members")
        if len(of) < (2 if row.kind == "class" else 1):
            raise table.error(row, "members", "names too few ingredients for a duplicate")
        classes[row.id] = DuplicateClass(
            id=row.id,
            kind=row.kind,
            title=row.title,
            members=of,
            severity=row.severity,
            grace=timedelta(hours=row.grace_hours),
            grace_reason=row.grace_reason,
            problem=row.problem,
            effect=row.effect,
            actions=row.actions,
            patient_explanation=row.patient_explanation,
            evidence_grade=row.evidence_grade,
            status=row.status,
            citations=sources.citations(row.sources),
        )
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
    root: Traversable, sources: Sources, members: _Members, classes: Collection[str], names: Names
) -> Mapping[str, Sequence[Allowed]]:
    table = sources.checked(read(root, f"{FOLDER}/allowed.csv", AllowedRow))
    found: dict[str, list[Allowed]] = {}
    for row in table.rows:
        for how in row.how:
            if how not in get_args(How):
                raise table.error(row, "how", f"{how!r} is none of {', '.join(get_args(How))}")
        allowed = Allowed(
            one=_side(row.one, members, table, row, "one"),
            other=_side(row.other, members, table, row, "other"),
            how=row.how,  # type: ignore[arg-type]
            words=row.words,
            when=_conditions(row, table, names),
            severity=row.severity,
            reason=row.reason,
            evidence_grade=row.evidence_grade,
            status=row.status,
            citations=sources.citations(row.sources),
            reference=f"{FOLDER}/allowed.csv#{','.join('|'.join(cells) for cells in (row.classes, row.one, row.other))}",
        )
        for id_ in _ids(row, table, classes):
            found.setdefault(id_, []).append(allowed)
    return found


def _side(
    cells: Sequence[str], members: _Members, table: Table[AllowedRow], row: AllowedRow, column: Literal["one", "other"]
) -> frozenset[str] | None:
    return None if tuple(cells) == (EVERY,) else members.of(cells, table, row, column)


def _conditions(row: AllowedRow, table: Table[AllowedRow], names: Names) -> Conditions:
    try:
        return parsed(row.when, names)
    except ValueError as error:
        raise table.error(row, "when", str(error)) from error


def _ids(row: AllowedRow, table: Table[AllowedRow], classes: Collection[str]) -> Iterator[str]:
    for id_ in row.classes:
        if id_ == EVERY:
            yield from classes
        elif id_ in classes:
            yield id_
        else:
            raise table.error(row, "classes", f"{id_!r} is not in classes.csv")
