"""Rows of which each is about a medicine: a property, an ingredient, or ``*`` for every other one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from knowledge.joined import EVERY, ByMedicine, OfMedicine, gravest_first
from knowledge.reading.cells import meant
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, Table
from schemas.values import Severity


class OfMedicineRow(AdvisedRow, frozen=True, kw_only=True):
    medicine: str
    severity: Severity


RowT = TypeVar("RowT", bound=OfMedicineRow)
KindT = TypeVar("KindT", bound=OfMedicine)


def by_medicine(
    kind: type[KindT],
    table: Table[RowT],
    rows: Sequence[RowT],
    sources: Sources,
    known: Pharmacology,
    more: Callable[[RowT], Mapping[str, Any]],
) -> ByMedicine[KindT]:
    """What ``rows`` of a table say of each medicine, with ``more`` of each row."""
    by_ingredient: dict[str, KindT] = {}
    every: KindT | None = None
    for row in rows:
        made = sources.made(kind, row, **more(row))
        if row.medicine == EVERY:
            every = made
            continue
        for ingredient in meant(table, row, "medicine", known.who):
            by_ingredient[ingredient] = min(made, by_ingredient.get(ingredient, made), key=gravest_first)
    return ByMedicine(by_ingredient=by_ingredient, every=every)


def days(table: Table[Any], row: Any, column: str) -> timedelta:
    """A length of time that a cell gives in days."""
    return timedelta(days=_length(table, row, column))


def hours(table: Table[Any], row: Any, column: str) -> timedelta:
    """A length of time that a cell gives in hours."""
    return timedelta(hours=_length(table, row, column))


def _length(table: Table[Any], row: Any, column: str) -> float:
    length: float = getattr(row, column)
    if length < 0:
        raise table.error(row, column, "no time is shorter than none")
    return length
