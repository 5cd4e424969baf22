"""Reads the context of critical values: ``labs/`` critical_context, explained_by and critical_changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import TypeVar

from knowledge.conditions import Names
from knowledge.critical import (
    CHANGES,
    CONTEXT,
    EXPLAINED_BY,
    Context,
    Course,
    CriticalReading,
    Direction,
    Explanation,
    Medicines,
    Specimen,
    TooFast,
)
from knowledge.reading.cells import check_known, conditions, grouped, meant
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, StatementRow, Table, read
from schemas.values import Severity

RowT = TypeVar("RowT", "ContextRow", "ExplanationRow", "ChangeRow")
ValueT = TypeVar("ValueT")


class ContextRow(StatementRow, frozen=True, kw_only=True):
    """When a value beyond a critical limit is less grave than the limit says. All that the row says must hold: the
    ``specimen`` is so; it is not worse than a value beyond the same limit ``again_within_h`` hours before this run began,
    with one within the limit in between; ``after`` (a property or an ingredient) acted, or ended not more than ``after_d``
    days before the value; all of ``when`` hold and none of ``unless``; and nothing of ``unless_with`` is in force, orders apart
    whose text has a word of ``ignoring`` (the flush of a line). The first row that holds counts."""

    id: str
    analyte: str
    direction: Direction
    specimen: Specimen | None = None
    again_within_h: int | None = None
    after: str = ""
    after_d: int | None = None
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    unless_with: str = ""
    ignoring: tuple[str, ...] = ()
    severity: Severity
    reason: str
    actions: tuple[str, ...] = ()


class ExplanationRow(StatementRow, frozen=True, kw_only=True):
    """A property or an ingredient that could be the reason of a value, also ``counts_d`` days after it ended."""

    analyte: str
    direction: Course
    medicine: str
    counts_d: int = 0
    how: str


class ChangeRow(AdvisedRow, frozen=True, kw_only=True):
    """A rise of more than ``over`` within ``within_h`` hours matters where it began below ``began_below``, both in the unit of
    the analyte, and none of ``unless`` holds. Of several rows that hold the gravest counts."""

    id: str
    analyte: str
    over: float
    within_h: int
    began_below: float
    unless: tuple[str, ...] = ()
    severity: Severity


def read_critical_reading(root: Traversable, sources: Sources, known: Pharmacology, names: Names) -> CriticalReading:
    """All three files, checked. ``names`` are what conditions may speak of."""
    reader = _Reader(root, sources, known, names)
    contexts = reader.each(CONTEXT, ContextRow, reader.context)
    explanations = reader.each(EXPLAINED_BY, ExplanationRow, reader.explanation)
    too_fast = reader.each(CHANGES, ChangeRow, reader.too_fast)
    return CriticalReading(
        contexts=grouped(((row.analyte, str(row.direction)), made) for row, made in contexts),
        explanations=grouped(((row.analyte, str(row.direction)), made) for row, made in explanations),
        too_fast=grouped((row.analyte, made) for row, made in too_fast),
    )


class _Reader:
    def __init__(self, root: Traversable, sources: Sources, known: Pharmacology, names: Names) -> None:
        self._root, self._sources, self._known, self._names = root, sources, known, names

    def each(
        self, file: str, row_type: type[RowT], made: Callable[[RowT, Table[RowT]], ValueT]
    ) -> list[tuple[RowT, ValueT]]:
        """The rows of a file, each with what it means."""
        table = self._sources.checked(read(self._root, file, row_type))
        for row in table.rows:
            check_known(table, row, "analyte", self._names.analytes, "analytes.csv")
        return [(row, made(row, table)) for row in table.rows]

    def context(self, row: ContextRow, table: Table[ContextRow]) -> Context:
        if (not row.after) != (row.after_d is None):
            raise table.error(row, "after_d", "stands with after, and after with it")
        if not (row.specimen or row.again_within_h or row.after or row.when):
            raise table.error(row, "when", "the row says of nothing when it holds")
        return self._sources.made(
            Context,
            row,
            again_within=timedelta(hours=row.again_within_h) if row.again_within_h else None,
            after=self._medicines(row, "after", table) if row.after else None,
            after_for=timedelta(days=row.after_d or 0),
            when=conditions(table, row, "when", self._names),
            unless=conditions(table, row, "unless", self._names),
            unless_with=self._medicines(row, "unless_with", table) if row.unless_with else None,
            ignoring=tuple(word.lower() for word in row.ignoring),
        )

    def explanation(self, row: ExplanationRow, table: Table[ExplanationRow]) -> Explanation:
        return self._sources.made(
            Explanation,
            row,
            medicines=self._medicines(row, "medicine", table),
            counts_for=timedelta(days=row.counts_d),
            row=f"{EXPLAINED_BY}#{row.analyte},{row.direction},{row.medicine}",
        )

    def too_fast(self, row: ChangeRow, table: Table[ChangeRow]) -> TooFast:
        if row.over <= 0 or row.within_h <= 0:
            raise table.error(row, "over", "a rise and its span are more than nothing")
        return self._sources.made(
            TooFast,
            row,
            within=timedelta(hours=row.within_h),
            unless=conditions(table, row, "unless", self._names),
        )

    def _medicines(self, row: RowT, column: str, table: Table[RowT]) -> Medicines:
        name = getattr(row, column)
        who, members = meant(table, row, column, self._known.who), self._known.members.get(name, {})
        return Medicines(
            title=name, systemic_only={i: i not in members or members[i].applies == "systemic" for i in who}
        )
