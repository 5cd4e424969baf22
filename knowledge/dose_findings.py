"""What rules of doses say beside the numbers of labels (``dosing/``): texts, our own numbers, and what tells a liver's class."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from msgspec import Struct

from knowledge.dose import ChildPugh, Status
from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from schemas.values import Citation

FINDINGS, NUMBERS, LIVER = "dosing/dose_findings.csv", "dosing/dose_numbers.csv", "dosing/liver_classes.csv"

FindingKind = Literal[
    "kidney", "kidney-unknown", "liver", "too-much", "contraindicated", "too-often", "given", "unlike-order",
]  # fmt: skip
NumberName = Literal["tenfold", "heaviest", "grace", "divided", "far-below"]

_UNITS: Mapping[str, str] = {"tenfold": "times", "heaviest": "kg", "grace": "h", "divided": "h", "far-below": "times"}


class FindingRow(Row, frozen=True, kw_only=True):
    """``actions`` come before those of the row that was met."""

    finding: FindingKind
    actions: tuple[str, ...] = ()
    patient_explanation: str
    evidence_grade: str
    status: Status
    author: str


class NumberRow(Row, frozen=True, kw_only=True):
    name: NumberName
    value: float
    unit: str
    note: str
    evidence_grade: str
    status: Status
    author: str


class LiverRow(Row, frozen=True, kw_only=True):
    """Either a band of the score or a group of diagnoses; more than one class: which of them is not known."""

    child_pugh: tuple[str, ...]
    score_from: int | None = None
    score_to: int | None = None
    history: str = ""
    evidence_grade: str
    status: Status
    author: str


class DoseText(Struct, frozen=True, kw_only=True):
    actions: tuple[str, ...]
    patient_explanation: str
    citations: tuple[Citation, ...]


class LiverClass(Struct, frozen=True, kw_only=True):
    """The classes that a liver may be of, by a score (both ends included) or by a diagnosis. ``row`` names the row."""

    classes: frozenset[ChildPugh]
    score_from: int | None
    score_to: int | None
    history: str
    row: str
    citations: tuple[Citation, ...]


class DoseFindings(Struct, frozen=True, kw_only=True):
    """``livers`` by score and by diagnosis, that which says most first. ``numbers`` in the units that their rows name."""

    texts: Mapping[str, DoseText] = {}
    numbers: Mapping[str, float] = {}
    livers: tuple[LiverClass, ...] = ()


def read_dose_findings(root: Traversable, sources: Sources, groups: Collection[str]) -> DoseFindings:
    """Raises ``KnowledgeError`` at the first row that is twice there or names what is not known, and where one is missing."""
    texts = sources.checked(read(root, FINDINGS, FindingRow))
    numbers = sources.checked(read(root, NUMBERS, NumberRow))
    livers = sources.checked(read(root, LIVER, LiverRow))
    _each_once(texts, "finding", [row.finding for row in texts.rows], get_args(FindingKind))
    _each_once(numbers, "name", [row.name for row in numbers.rows], get_args(NumberName))
    for row in numbers.rows:
        if row.unit != _UNITS[row.name] or row.value <= 0:
            raise numbers.error(row, "unit", f"{row.name} is more than nothing and in {_UNITS[row.name]!r}")
    return DoseFindings(
        texts={
            row.finding: DoseText(
                actions=row.actions,
                patient_explanation=row.patient_explanation,
                citations=sources.citations(row.sources),
            )
            for row in texts.rows
        },
        numbers={row.name: row.value for row in numbers.rows},
        livers=tuple(_liver(row, livers, sources, groups) for row in livers.rows),
    )


def _each_once(table: Table[Any], column: str, found: Sequence[str], expected: Collection[str]) -> None:
    for place, name in enumerate(found):
        if name in found[:place]:
            raise table.error(table.rows[place], column, f"{name!r} is there twice")
    missing = [name for name in expected if name not in found]
    if missing:
        raise table.error(table.rows[-1], column, f"there is no row for {', '.join(missing)}")


def _liver(row: LiverRow, table: Table[LiverRow], sources: Sources, groups: Collection[str]) -> LiverClass:
    for name in row.child_pugh:
        if name not in get_args(ChildPugh):
            raise table.error(row, "child_pugh", f"{name!r} is none of {', '.join(get_args(ChildPugh))}")
    scored = row.score_from is not None and row.score_to is not None
    if scored == bool(row.history):
        raise table.error(row, "history", "a row goes by a score with both ends, or by a group of diagnoses")
    if row.history and row.history not in groups:
        raise table.error(row, "history", f"{row.history!r} is no group of condition_groups/groups.csv")
    score = f"{row.score_from or ''},{row.score_to or ''}"
    return LiverClass(
        classes=frozenset(row.child_pugh),  # type: ignore[arg-type]
        score_from=row.score_from,
        score_to=row.score_to,
        history=row.history,
        row=f"{LIVER}#{'|'.join(row.child_pugh)},{score},{row.history}".rstrip(","),
        citations=sources.citations(row.sources),
    )
