"""Reads what rules of blood, liver and heart know beside steps and scores: ``drug_labs/``."""

from __future__ import annotations

from collections.abc import Collection
from importlib.resources.abc import Traversable
from typing import Literal, get_args

from knowledge.conditions import Names
from knowledge.lab_finding import BleedingStep, Cause, LabFindings, Met, Number, NumberName, QtcStep, Unit
from knowledge.reading.cells import conditions
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, StatementRow, Table, read
from schemas.values import Severity

NUMBERS, QTC, BLEEDING, CAUSES = (f"drug_labs/{name}.csv" for name in ("numbers", "qtc", "bleeding", "heparin_causes"))


class NumberRow(StatementRow, frozen=True, kw_only=True):
    name: NumberName
    value: float
    unit: Unit
    note: str


class QtcRow(AdvisedRow, frozen=True, kw_only=True):
    """``severity`` is absent where the band of the score says it."""

    met: Met
    medicines_from: int
    when: tuple[str, ...] = ()
    severity: Severity | None = None


class BleedingRow(AdvisedRow, frozen=True, kw_only=True):
    """``medicine`` are properties; ``bleeding`` asks for bleeding on record."""

    medicine: tuple[str, ...]
    medicines_from: int
    bleeding: Literal["yes"] | None = None
    transfusions_from: int | None = None
    when: tuple[str, ...] = ()
    severity: Severity


class CauseRow(StatementRow, frozen=True, kw_only=True):
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
    table.each_of("name", get_args(NumberName))
    for row in table.rows:
        if row.value <= 0:
            raise table.error(row, "name", f"{row.name!r} is not more than nothing")
    return {row.name: sources.made(Number, row) for row in table.rows}


def _qtc(row: QtcRow, table: Table[QtcRow], sources: Sources, names: Names) -> QtcStep:
    if (row.severity is None) != (row.met == "score"):
        raise table.error(row, "severity", "the band of a score says how grave it is, and the row of every other")
    when = "|".join(row.when)
    return sources.made(
        QtcStep,
        row,
        when=conditions(table, row, "when", names),
        row=f"{QTC}#{row.met},{row.medicines_from},{when}".rstrip(","),
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
    return sources.made(
        BleedingStep,
        row,
        ingredients=_members(row.medicine, known),
        bleeding=row.bleeding is not None,
        transfusions_from=row.transfusions_from or 0,
        when=conditions(table, row, "when", names),
        row=f"{BLEEDING}#{'|'.join(row.medicine)},{row.medicines_from},{asked}".rstrip(","),
    )


def _members(properties: Collection[str], known: Pharmacology) -> frozenset[str]:
    return frozenset(ingredient for name in properties for ingredient in known.members[name])


def _cause(row: CauseRow, table: Table[CauseRow], sources: Sources, names: Names) -> Cause:
    found = conditions(table, row, "when", names)
    if len(found) != 1:
        raise table.error(row, "when", "a cause is one condition")
    return sources.made(Cause, row, when=found[0])
