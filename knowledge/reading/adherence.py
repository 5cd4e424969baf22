"""Reads whether supplies last: ``adherence/``."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources.abc import Traversable

from knowledge.adherence import Adherence, CoveredGroup, RunsOut, Supplied
from knowledge.reading.by_medicine import OfMedicineRow, by_medicine, days
from knowledge.reading.cells import meant
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, read
from schemas.values import Severity

FOLDER = "adherence"


class CoveredRow(AdvisedRow, frozen=True, kw_only=True):
    """``medicines`` are properties or ingredients."""

    id: str
    medicines: tuple[str, ...]
    percent: float
    period_days: float
    index_before_days: float
    fills: int
    severity: Severity


class RunsOutRow(OfMedicineRow, frozen=True, kw_only=True):
    rule: Supplied
    after_days: float
    fills: int


def read_adherence(root: Traversable, sources: Sources, known: Pharmacology) -> Adherence:
    table = sources.checked(read(root, f"{FOLDER}/supplied.csv", RunsOutRow))
    table.each_once("rule", "medicine")
    for row in table.rows:
        if row.fills < 1:
            raise table.error(row, "fills", "what was never handed out cannot run out")
    spans = {id(row): {"after": days(table, row, "after_days")} for row in table.rows}
    return Adherence(
        groups=_groups(root, sources, known),
        supplied={
            rule: by_medicine(
                RunsOut,
                table,
                [row for row in table.rows if row.rule == rule],
                sources,
                known,
                lambda row: spans[id(row)],
            )
            for rule in dict.fromkeys(row.rule for row in table.rows)
        },
    )


def _groups(root: Traversable, sources: Sources, known: Pharmacology) -> dict[str, CoveredGroup]:
    table = sources.checked(read(root, f"{FOLDER}/covered.csv", CoveredRow))
    table.each_once("id")
    found: dict[str, CoveredGroup] = {}
    for row in table.rows:
        if not 0 < row.percent <= 100:
            raise table.error(row, "percent", "is a part of the days: more than 0, at most 100")
        names = meant(table, row, "medicines", lambda cell: [name for each in cell for name in known.who(each)])
        found[row.id] = sources.made(
            CoveredGroup,
            row,
            ingredients=frozenset(names),
            period=days(table, row, "period_days"),
            index_before=days(table, row, "index_before_days"),
        )
        if found[row.id].index_before > found[row.id].period - timedelta(days=1):
            raise table.error(row, "index_before_days", "is less than the period, or it is never so long ago")
    return found
