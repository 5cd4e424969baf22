"""Reads what is said of opioids: ``dosing/opioid_*.csv``, but for the equivalents."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from knowledge.conditions import Names
from knowledge.dose import Way
from knowledge.opioids import (
    CONTEXT,
    FINDINGS,
    ROLES,
    SCREENS,
    SIGNS,
    Advice,
    Breathing,
    Fact,
    Kind,
    OpioidContext,
    Opioids,
    Role,
    RoleOf,
    Screen,
)
from knowledge.reading.cells import check_known, conditions, grouped, words
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, RowT, StatementRow, Table, read
from knowledge.statement import Step
from schemas.values import Severity


class FindingRow(AdvisedRow, frozen=True, kw_only=True):
    """``days`` and ``gap_days`` are the ``span`` and ``gap`` of ``Advice``; ``factors`` are conditions of which one is enough."""

    finding: Kind
    problem: str = ""
    severity: Severity
    days: int | None = None
    gap_days: int | None = None
    factors: tuple[str, ...] = ()


class ContextRow(StatementRow, frozen=True, kw_only=True):
    finding: Kind
    facts: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    severity: Step
    reason: str


class RoleRow(StatementRow, frozen=True, kw_only=True):
    """``a_day`` (of a patch its rate) is the amount that counts as ``tolerance``; other roles have none."""

    ingredient: str
    ways: tuple[str, ...] = ()
    role: Role
    unit: Literal["mg", "mcg/h"] | None = None
    a_day: float | None = None
    note: str = ""


class SignRow(StatementRow, frozen=True, kw_only=True):
    sign: Literal["respiratory_rate"]
    at_most: float
    unit: str
    within_h: float


class ScreenRow(StatementRow, frozen=True, kw_only=True):
    analyte: str
    substance: str
    severity: Severity


def read_opioids(root: Traversable, sources: Sources, names: Names, ingredients: Collection[str]) -> Opioids:
    """Raises ``KnowledgeError`` at the first row that says what is not known, or says something twice."""
    reader = _Reader(root, sources, names, ingredients)
    contexts = reader.contexts()
    return Opioids(
        advice=reader.advice(contexts), roles=reader.roles(), breathing=reader.breathing(), screens=reader.screens()
    )


class _Reader:
    def __init__(self, root: Traversable, sources: Sources, names: Names, ingredients: Collection[str]) -> None:
        self._root, self._sources, self._names, self._ingredients = root, sources, names, ingredients

    def _table(self, file: str, row_type: type[RowT]) -> Table[RowT]:
        return self._sources.checked(read(self._root, file, row_type))

    def contexts(self) -> Mapping[Kind, tuple[OpioidContext, ...]]:
        table = self._table(CONTEXT, ContextRow)
        seen: set[tuple[Any, ...]] = set()
        for row in table.rows:
            key = (row.finding, frozenset(row.facts), row.when, row.unless)
            if key in seen or not (row.facts or row.when):
                raise table.error(row, "when", "says of whom, and no other row says it of the same")
            seen.add(key)
        return grouped((row.finding, self._context(row, table)) for row in table.rows)

    def _context(self, row: ContextRow, table: Table[ContextRow]) -> OpioidContext:
        return self._sources.made(
            OpioidContext,
            row,
            facts=words(table, row, "facts", Fact),
            when=conditions(table, row, "when", self._names),
            unless=conditions(table, row, "unless", self._names),
        )

    def advice(self, contexts: Mapping[Kind, tuple[OpioidContext, ...]]) -> Mapping[Kind, Advice]:
        table = self._table(FINDINGS, FindingRow)
        table.each_of("finding", get_args(Kind))
        return {
            row.finding: self._sources.made(
                Advice,
                row,
                kind=row.finding,
                span=timedelta(days=row.days or 0),
                gap=timedelta(days=row.gap_days or 0),
                factors=conditions(table, row, "factors", self._names),
                contexts=contexts.get(row.finding, ()),
            )
            for row in table.rows
        }

    def roles(self) -> Mapping[str, tuple[RoleOf, ...]]:
        table = self._table(ROLES, RoleRow)
        for row in table.rows:
            if row.ingredient not in self._ingredients:
                raise table.error(
                    row, "ingredient", f"{row.ingredient!r} is no ingredient that a name in drugs/ stands for"
                )
            if (row.role == "tolerance") != (row.a_day is not None and row.a_day > 0 and row.unit is not None):
                raise table.error(row, "a_day", "of tolerance, and of nothing else, there is an amount with its unit")
        made = self._sources.made
        return grouped(
            (row.ingredient, made(RoleOf, row, ways=words(table, row, "ways", Way), unit=row.unit or ""))
            for row in table.rows
        )

    def breathing(self) -> Breathing:
        table = self._table(SIGNS, SignRow)
        row = table.rows[0]
        if len(table.rows) > 1 or row.at_most <= 0 or row.within_h <= 0:
            raise table.error(row, "sign", "there is one limit of the breathing rate, and it is more than nothing")
        return self._sources.made(Breathing, row, within=timedelta(hours=row.within_h))

    def screens(self) -> tuple[Screen, ...]:
        table = self._table(SCREENS, ScreenRow)
        for row in table.rows:
            check_known(table, row, "analyte", self._names.analytes, "labs/analytes.csv")
        return tuple(self._sources.made(Screen, row) for row in table.rows)
