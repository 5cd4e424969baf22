"""Reads the levels that are too low: ``drug_labs/level_targets.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable

from knowledge.conditions import Names
from knowledge.level_target import LevelTarget
from knowledge.model import Analyte
from knowledge.reading.cells import check_known, conditions, factor, meant
from knowledge.reading.laboratory import DrawnCell
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, read
from schemas.values import Severity

FILE = "drug_labs/level_targets.csv"


class TargetRow(AdvisedRow, frozen=True, kw_only=True):
    """``below`` in ``unit``; ``steady_d`` in days, ``missed_h`` in hours."""

    id: str
    medicine: str
    analyte: str
    below: float
    unit: str
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    drawn: DrawnCell | None = None
    steady_d: float
    missed_h: float
    severity: Severity


def read_level_targets(
    root: Traversable, sources: Sources, names: Names, known: Pharmacology, analytes: Mapping[str, Analyte]
) -> tuple[LevelTarget, ...]:
    """``analytes`` by name. Raises ``KnowledgeError`` at the first row that names what is not known."""
    table = sources.checked(read(root, FILE, TargetRow))
    table.each_once("id")
    for row in table.rows:
        check_known(table, row, "analyte", analytes, "labs/analytes.csv")
        if row.below <= 0 or row.steady_d < 0 or row.missed_h <= 0:
            raise table.error(row, "below", "limit, days and hours are more than nothing")
    return tuple(
        sources.made(
            LevelTarget,
            row,
            ingredients=frozenset(meant(table, row, "medicine", known.who)),
            below=row.below * factor(table, row, "unit", analytes[row.analyte]),
            when=conditions(table, row, "when", names),
            unless=conditions(table, row, "unless", names),
            drawn="" if row.drawn is None else row.drawn.replace(" ", "_"),
            steady=timedelta(days=row.steady_d),
            missed=timedelta(hours=row.missed_h),
            row=f"{FILE}#{row.id}",
        )
        for row in table.rows
    )
