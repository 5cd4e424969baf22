"""Reads what rules of blood, liver and heart know beside steps and scores (``drug_labs/``) into the types of ``lab_finding``."""

from __future__ import annotations

from collections.abc import Collection
from importlib.resources.abc import Traversable
from typing import Any, Literal, TypeVar, get_args

from knowledge.conditions import Conditions, Names, parsed
from knowledge.lab_finding import BleedingStep, Cause, LabFindings, Met, Number, NumberName, QtcStep, Unit
from knowledge.pharmacology import Pharmacology
from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from schemas.values import Severity

NUMBERS, QTC, BLEEDING, CAUSES = (f"drug_labs/{name}.csv" for name in ("numbers", "qtc", "bleeding", "heparin_causes"))

RowT = TypeVar("RowT", bound=Row)


class _Graded(Row, frozen=True, kw_only=True):
    evidence_grade: str
    status: Literal["verified", "unverified"]
    author: str


class NumberRow(_Graded, frozen=True, kw_only=True):
    name: NumberName
    value: float
    unit: Unit
    note: str


class QtcRow(_Graded, frozen=True, kw_only=True):
    """``severity`` is absent where the band of the score says it."""

    met: Met
    medicines_from: int
    when: tuple[str, ...] = ()
    severity: Severity | None = None
    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str


class BleedingRow(_Graded, frozen=True, kw_only=True):
    """``medicine`` are properties; ``bleeding`` asks for bleeding on record."""

    medicine: tuple[str, ...]
    medicines_from: int
    bleeding: Literal["yes"] | None = None
    transfusions_from: int | None = None
    when: tuple[str, ...] = ()
    severity: Severity
    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str


class CauseRow(_Graded, frozen=True, kw_only=True):
    when: tuple[str, ...]
    title: str


def read_lab_findings(root: Traversable, sources: Sources, names: Names, known: Pharmacology) -> LabFindings:
    """Raises ``KnowledgeError`` at the first row that names what is not known, and where a number is missing or there twice."""
    qtc, bleeding, causes = (
        sources.checked(read(root, QTC, QtcRow)),
        sources.checked(read(root, BLEEDING, BleedingRow)),
        sources.checked(read(root, CAUSES, CauseRow)),
    )
    return LabFindings(
        numbers=_numbers(sources.checked(read(root, NUMBERS, NumberRow)), sources),
        qtc=tuple(_qtc(row, qtc, sources, names) for row in qtc.rows),
        bleeding=tuple(_bleeding(row, bleeding, sources, names, known) for row in bleeding.rows),
        heparin_causes=tuple(_cause(row, causes, sources, names) for row in causes.rows),
    )


def _numbers(table: Table[NumberRow], sources: Sources) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for row in table.rows:
        if row.name in found or row.value <= 0:
            raise table.error(row, "name", f"{row.name!r} is there twice, or is not more than nothing")
        found[row.name] = Number(value=row.value, unit=row.unit, citations=sources.citations(row.sources))
    missing = [name for name in get_args(NumberName) if name not in found]
    if missing:
        raise table.error(table.rows[-1], "name", f"there is no row for {', '.join(missing)}")
    return found


def _conditions(row: Any, table: Table[RowT], names: Names) -> Conditions:
    try:
        return parsed(row.when, names)
    except ValueError as error:
        raise table.error(row, "when", str(error)) from error


def _qtc(row: QtcRow, table: Table[QtcRow], sources: Sources, names: Names) -> QtcStep:
    if (row.severity is None) != (row.met == "score"):
        raise table.error(row, "severity", "the band of a score says how grave it is, and the row of every other")
    when = "|".join(row.when)
    return QtcStep(
        met=row.met,
        medicines_from=row.medicines_from,
        when=_conditions(row, table, names),
        severity=row.severity,
        title=row.title,
        effect=row.effect,
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        row=f"{QTC}#{row.met},{row.medicines_from},{when}".rstrip(","),
        citations=sources.citations(row.sources),
    )


def _bleeding(
    row: BleedingRow, table: Table[BleedingRow], sources: Sources, names: Names, known: Pharmacology
) -> BleedingStep:
    for name in row.medicine:
        if name not in known.kinds:
            raise table.error(row, "medicine", f"{name!r} is no property of properties/properties.csv")
    if row.bleeding is None and row.transfusions_from is None and not row.when:
        raise table.error(row, "when", "nothing is asked: the medicine alone would be enough")
    asked = f"{row.bleeding or ''},{row.transfusions_from or ''},{'|'.join(row.when)}"
    return BleedingStep(
        ingredients=_members(row.medicine, known),
        medicines_from=row.medicines_from,
        bleeding=row.bleeding is not None,
        transfusions_from=row.transfusions_from or 0,
        when=_conditions(row, table, names),
        severity=row.severity,
        title=row.title,
        effect=row.effect,
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        row=f"{BLEEDING}#{'|'.join(row.medicine)},{row.medicines_from},{asked}".rstrip(","),
        citations=sources.citations(row.sources),
    )


def _members(properties: Collection[str], known: Pharmacology) -> frozenset[str]:
    return frozenset(ingredient for name in properties for ingredient in known.members[name])


def _cause(row: CauseRow, table: Table[CauseRow], sources: Sources, names: Names) -> Cause:
    found = _conditions(row, table, names)
    if len(found) != 1:
        raise table.error(row, "when", "a cause is one condition")
    return Cause(when=found[0], title=row.title, citations=sources.citations(row.sources))
