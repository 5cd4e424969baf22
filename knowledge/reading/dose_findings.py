"""Reads what rules of doses say beside the numbers of labels: ``dosing/`` dose_findings, dose_numbers and liver_classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources.abc import Traversable
from typing import get_args

from knowledge.dose import ChildPugh
from knowledge.dose_findings import (
    FINDINGS,
    LIVER,
    NUMBERS,
    DoseFindings,
    DoseText,
    FindingKind,
    LiverClass,
    NumberName,
)
from knowledge.reading.cells import words
from knowledge.reading.sources import Sources
from knowledge.reading.tables import StatementRow, Table, read

_UNITS: Mapping[str, str] = {
    "tenfold": "times", "heaviest": "kg", "grace": "h", "divided": "h", "far-below": "times", "early": "h", "early-daily": "h",
}  # fmt: skip


class FindingRow(StatementRow, frozen=True, kw_only=True):
    """``actions`` come before those of the row that was met."""

    finding: FindingKind
    actions: tuple[str, ...] = ()
    patient_explanation: str


class NumberRow(StatementRow, frozen=True, kw_only=True):
    name: NumberName
    value: float
    unit: str
    note: str


class LiverRow(StatementRow, frozen=True, kw_only=True):
    """Either a band of the score or a group of diagnoses; more than one class: which of them is not known."""

    child_pugh: tuple[str, ...]
    score_from: int | None = None
    score_to: int | None = None
    history: str = ""


def read_dose_findings(root: Traversable, sources: Sources, groups: Collection[str]) -> DoseFindings:
    """Raises ``KnowledgeError`` at the first row that is twice there or names what is not known, and where one is missing."""
    texts = sources.checked(read(root, FINDINGS, FindingRow))
    numbers = sources.checked(read(root, NUMBERS, NumberRow))
    livers = sources.checked(read(root, LIVER, LiverRow))
    texts.each_of("finding", get_args(FindingKind))
    numbers.each_of("name", get_args(NumberName))
    for row in numbers.rows:
        if row.unit != _UNITS[row.name] or row.value <= 0:
            raise numbers.error(row, "unit", f"{row.name} is more than nothing and in {_UNITS[row.name]!r}")
    return DoseFindings(
        texts={row.finding: sources.made(DoseText, row) for row in texts.rows},
        numbers={row.name: row.value for row in numbers.rows},
        livers=tuple(_liver(row, livers, sources, groups) for row in livers.rows),
    )


def _liver(row: LiverRow, table: Table[LiverRow], sources: Sources, groups: Collection[str]) -> LiverClass:
    scored = row.score_from is not None and row.score_to is not None
    if scored == bool(row.history):
        raise table.error(row, "history", "a row goes by a score with both ends, or by a group of diagnoses")
    if row.history and row.history not in groups:
        raise table.error(row, "history", f"{row.history!r} is no group of condition_groups/groups.csv")
    score = f"{row.score_from or ''},{row.score_to or ''}"
    return sources.made(
        LiverClass,
        row,
        classes=words(table, row, "child_pugh", ChildPugh),
        row=f"{LIVER}#{'|'.join(row.child_pugh)},{score},{row.history}".rstrip(","),
    )
