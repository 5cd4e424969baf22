"""What makes a critical value more or less grave than its limit says, what could explain it, and which changes are too fast:
``labs/critical_context.csv``, ``labs/explained_by.csv`` and ``labs/critical_changes.csv``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import Literal, NamedTuple, TypeVar

from msgspec import Struct

from knowledge.conditions import Conditions, Names, parsed
from knowledge.property import Member
from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from schemas.values import Citation, Severity

Direction = Literal["low", "high"]
Course = Literal["low", "high", "rise"]
Specimen = Literal["haemolysed", "implausible"]

RowT = TypeVar("RowT", "ContextRow", "ExplanationRow", "ChangeRow")

CONTEXT = "labs/critical_context.csv"
EXPLAINED_BY = "labs/explained_by.csv"
CHANGES = "labs/critical_changes.csv"


class ContextRow(Row, frozen=True, kw_only=True):
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
    evidence_grade: str
    status: Literal["verified", "unverified"]
    author: str


class ExplanationRow(Row, frozen=True, kw_only=True):
    """A property or an ingredient that could be the reason of a value, also ``counts_d`` days after it ended."""

    analyte: str
    direction: Course
    medicine: str
    counts_d: int = 0
    how: str
    evidence_grade: str
    status: Literal["verified", "unverified"]
    author: str


class ChangeRow(Row, frozen=True, kw_only=True):
    """A rise of more than ``over`` within ``within_h`` hours matters where it began below ``began_below``, both in the unit of
    the analyte, and none of ``unless`` holds. Of several rows that hold the gravest counts."""

    id: str
    analyte: str
    over: float
    within_h: int
    began_below: float
    unless: tuple[str, ...] = ()
    severity: Severity
    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str
    evidence_grade: str
    status: Literal["verified", "unverified"]
    author: str


class Medicines(Struct, frozen=True, kw_only=True):
    """Ingredients by name; of each whether only what acts in the whole body counts."""

    title: str
    systemic_only: Mapping[str, bool]


class Context(Struct, frozen=True, kw_only=True):
    """A row of ``critical_context.csv``."""

    id: str
    specimen: Specimen | None
    again_within: timedelta | None
    after: Medicines | None
    after_for: timedelta
    when: Conditions
    unless: Conditions
    unless_with: Medicines | None
    ignoring: tuple[str, ...]
    severity: Severity
    reason: str
    actions: tuple[str, ...]
    citations: tuple[Citation, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """A row of ``explained_by.csv``."""

    medicines: Medicines
    counts_for: timedelta
    how: str
    row: str
    citations: tuple[Citation, ...]


class TooFast(Struct, frozen=True, kw_only=True):
    """A row of ``critical_changes.csv``."""

    id: str
    analyte: str
    over: float
    within: timedelta
    began_below: float
    unless: Conditions
    severity: Severity
    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str
    evidence_grade: str
    citations: tuple[Citation, ...]


class CriticalReading(Struct, frozen=True, kw_only=True):
    """By analyte and direction, in the order of the files; ``too_fast`` by analyte."""

    contexts: Mapping[tuple[str, str], tuple[Context, ...]] = {}
    explanations: Mapping[tuple[str, str], tuple[Explanation, ...]] = {}
    too_fast: Mapping[str, tuple[TooFast, ...]] = {}


class Named(NamedTuple):
    """What a cell may name: ``properties`` with their members, ``ingredients``, and of conditions ``names``."""

    properties: Mapping[str, Mapping[str, Member]]
    ingredients: Collection[str]
    names: Names


def read_critical_reading(root: Traversable, sources: Sources, named: Named) -> CriticalReading:
    """All three files, checked."""
    contexts: dict[tuple[str, str], tuple[Context, ...]] = {}
    context_rows = _checked(read(root, CONTEXT, ContextRow), sources, named)
    for row in context_rows.rows:
        of = (row.analyte, str(row.direction))
        contexts[of] = (*contexts.get(of, ()), _context(row, context_rows, sources, named))
    explanations: dict[tuple[str, str], tuple[Explanation, ...]] = {}
    explained = _checked(read(root, EXPLAINED_BY, ExplanationRow), sources, named)
    for each in explained.rows:
        by = (each.analyte, str(each.direction))
        explanations[by] = (*explanations.get(by, ()), _explanation(each, explained, sources, named))
    too_fast: dict[str, tuple[TooFast, ...]] = {}
    changes = _checked(read(root, CHANGES, ChangeRow), sources, named)
    for change in changes.rows:
        too_fast[change.analyte] = (*too_fast.get(change.analyte, ()), _too_fast(change, changes, sources, named))
    return CriticalReading(contexts=contexts, explanations=explanations, too_fast=too_fast)


def _checked(table: Table[RowT], sources: Sources, named: Named) -> Table[RowT]:
    table = sources.checked(table)
    for row in table.rows:
        if row.analyte not in named.names.analytes:
            raise table.error(row, "analyte", f"{row.analyte!r} is not in analytes.csv")
    return table


def _context(row: ContextRow, table: Table[ContextRow], sources: Sources, named: Named) -> Context:
    if (not row.after) != (row.after_d is None):
        raise table.error(row, "after_d", "stands with after, and after with it")
    if not (row.specimen or row.again_within_h or row.after or row.when):
        raise table.error(row, "when", "the row says of nothing when it holds")
    try:
        when, unless = parsed(row.when, named.names), parsed(row.unless, named.names)
    except ValueError as error:
        raise table.error(row, "when", str(error)) from error
    return Context(
        id=row.id,
        specimen=row.specimen,
        again_within=timedelta(hours=row.again_within_h) if row.again_within_h else None,
        after=_medicines(row, row.after, "after", table, named) if row.after else None,
        after_for=timedelta(days=row.after_d or 0),
        when=when,
        unless=unless,
        unless_with=_medicines(row, row.unless_with, "unless_with", table, named) if row.unless_with else None,
        ignoring=tuple(word.lower() for word in row.ignoring),
        severity=row.severity,
        reason=row.reason,
        actions=row.actions,
        citations=sources.citations(row.sources),
    )


def _explanation(row: ExplanationRow, table: Table[ExplanationRow], sources: Sources, named: Named) -> Explanation:
    return Explanation(
        medicines=_medicines(row, row.medicine, "medicine", table, named),
        counts_for=timedelta(days=row.counts_d),
        how=row.how,
        row=f"{EXPLAINED_BY}#{row.analyte},{row.direction},{row.medicine}",
        citations=sources.citations(row.sources),
    )


def _too_fast(row: ChangeRow, table: Table[ChangeRow], sources: Sources, named: Named) -> TooFast:
    if row.over <= 0 or row.within_h <= 0:
        raise table.error(row, "over", "a rise and its span are more than nothing")
    try:
        unless = parsed(row.unless, named.names)
    except ValueError as error:
        raise table.error(row, "unless", str(error)) from error
    return TooFast(
        id=row.id,
        analyte=row.analyte,
        over=row.over,
        within=timedelta(hours=row.within_h),
        began_below=row.began_below,
        unless=unless,
        severity=row.severity,
        title=row.title,
        effect=row.effect,
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        citations=sources.citations(row.sources),
    )


def _medicines(row: RowT, name: str, column: str, table: Table[RowT], named: Named) -> Medicines:
    """A property stands over an ingredient of the same name."""
    members = named.properties.get(name)
    if members is not None:
        return Medicines(title=name, systemic_only={i: each.applies == "systemic" for i, each in members.items()})
    if name not in named.ingredients:
        raise table.error(row, column, f"{name!r} is neither a property nor an ingredient that is known")
    return Medicines(title=name, systemic_only={name: True})
