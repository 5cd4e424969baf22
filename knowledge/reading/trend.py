"""Reads results that move or come again: ``drug_labs/slopes.csv`` and ``drug_labs/repeated.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import TypeVar

from knowledge.conditions import Conditions, Names
from knowledge.model import Analyte
from knowledge.reading.cells import check_known, conditions, factor, meant
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, Table, read
from knowledge.trend import Direction, Repeated, Slope, Trends
from schemas.values import Severity

SLOPES, REPEATED = "drug_labs/slopes.csv", "drug_labs/repeated.csv"


class _TrendRow(AdvisedRow, frozen=True, kw_only=True):
    id: str
    problem: str = ""
    medicine: str
    analyte: str
    unit: str
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    severity: Severity


class SlopeRow(_TrendRow, frozen=True, kw_only=True):
    """Values in ``unit``, spans in hours."""

    moves: Direction
    by: float
    within_h: float
    over_h: float
    apart_h: float
    arrived: float
    limit: float | None = None
    ahead_h: float | None = None
    times: float | None = None


class RepeatedRow(_TrendRow, frozen=True, kw_only=True):
    """``below`` in ``unit``, spans in hours."""

    below: float
    count: int
    within_h: float
    apart_h: float
    same_time_h: float | None = None


TrendRowT = TypeVar("TrendRowT", bound=_TrendRow)


class _Reader:
    """What both files have in common."""

    def __init__(self, sources: Sources, names: Names, known: Pharmacology, analytes: Mapping[str, Analyte]) -> None:
        self.sources, self.names, self.known, self.analytes = sources, names, known, analytes

    def checked(self, table: Table[TrendRowT]) -> Table[TrendRowT]:
        self.sources.checked(table).each_once("id")
        for row in table.rows:
            check_known(table, row, "analyte", self.analytes, "labs/analytes.csv")
        return table

    def factor(self, table: Table[TrendRowT], row: TrendRowT) -> float:
        return factor(table, row, "unit", self.analytes[row.analyte])

    def who(self, table: Table[TrendRowT], row: TrendRowT) -> frozenset[str]:
        return frozenset(meant(table, row, "medicine", self.known.who))

    def conditions(self, table: Table[TrendRowT], row: TrendRowT, column: str) -> Conditions:
        return conditions(table, row, column, self.names)


def read_trends(
    root: Traversable, sources: Sources, names: Names, known: Pharmacology, analytes: Mapping[str, Analyte]
) -> Trends:
    """``analytes`` by name. Raises ``KnowledgeError`` at the first row that names what is not known or that cannot hold."""
    reader = _Reader(sources, names, known, analytes)
    slopes = reader.checked(read(root, SLOPES, SlopeRow))
    repeated = reader.checked(read(root, REPEATED, RepeatedRow))
    return Trends(
        slopes=tuple(_slope(row, slopes, reader) for row in slopes.rows),
        repeated=tuple(_repeated(row, repeated, reader) for row in repeated.rows),
    )


def _slope(row: SlopeRow, table: Table[SlopeRow], reader: _Reader) -> Slope:
    if (row.limit is None) != (row.ahead_h is None):
        raise table.error(row, "ahead_h", "says within how many hours the limit is reached")
    if row.by <= 0 or not 0 < row.apart_h <= row.over_h < row.within_h:
        raise table.error(row, "by", "a slope has a least size, apart_h is at most over_h, and this less than within_h")
    if row.limit is not None and (row.limit > row.arrived) != (row.moves == "rise"):
        raise table.error(row, "arrived", "lies before the limit")
    each = reader.factor(table, row)
    return reader.sources.made(
        Slope,
        row,
        ingredients=reader.who(table, row),
        by=row.by * each,
        within=timedelta(hours=row.within_h),
        over=timedelta(hours=row.over_h),
        apart=timedelta(hours=row.apart_h),
        arrived=row.arrived * each,
        limit=None if row.limit is None else row.limit * each,
        ahead=timedelta(hours=row.ahead_h or 0),
        when=reader.conditions(table, row, "when"),
        unless=reader.conditions(table, row, "unless"),
        row=f"{SLOPES}#{row.id}",
    )


def _repeated(row: RepeatedRow, table: Table[RepeatedRow], reader: _Reader) -> Repeated:
    if row.count < 2:
        raise table.error(row, "count", "once is not again")
    return reader.sources.made(
        Repeated,
        row,
        ingredients=reader.who(table, row),
        below=row.below * reader.factor(table, row),
        within=timedelta(hours=row.within_h),
        apart=timedelta(hours=row.apart_h),
        same_time=None if row.same_time_h is None else timedelta(hours=row.same_time_h),
        when=reader.conditions(table, row, "when"),
        unless=reader.conditions(table, row, "unless"),
        row=f"{REPEATED}#{row.id}",
    )
