"""Reads what only joined streams show: ``joined/``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple, TypeVar

from knowledge.conditions import Condition, Names
from knowledge.joined import (
    EVERY,
    ByMedicine,
    Differs,
    Joined,
    NotStarted,
    OfMedicine,
    Otherwise,
    Since,
    SinceGiven,
    Twice,
    Unordered,
    Waits,
    gravest_first,
)
from knowledge.reading.cells import check_known, conditions, meant
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, Table, read
from schemas.values import Severity

FOLDER = "joined"


class OfMedicineRow(AdvisedRow, frozen=True, kw_only=True):
    medicine: str
    severity: Severity


class NotStartedRow(OfMedicineRow, frozen=True, kw_only=True):
    waits_for: Waits
    wait_hours: float
    new_after_days: float


class UnorderedRow(OfMedicineRow, frozen=True, kw_only=True):
    wait_hours: float
    after_end_days: float


class OtherwiseRow(OfMedicineRow, frozen=True, kw_only=True):
    differs: Differs
    from_ratio: float


class TwiceRow(OfMedicineRow, frozen=True, kw_only=True):
    """``overlap_percent`` of the shorter of the two supplies."""

    overlap_percent: float


class SinceGivenRow(AdvisedRow, frozen=True, kw_only=True):
    """``moved`` is one condition on the course of the analyte (``creatinine ratio >= 1.5``), without a span of its own."""

    id: str
    rule: Since
    problem: str = ""
    medicine: str
    analyte: str
    after_hours: float
    until_days: float
    baseline_days: float
    ends_after_hours: float
    same_dose: bool
    moved: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    severity: Severity


RowT = TypeVar("RowT", bound=OfMedicineRow)
KindT = TypeVar("KindT", bound=OfMedicine)


class _Read(NamedTuple):
    """What every file of the folder is checked against."""

    root: Traversable
    sources: Sources
    names: Names
    known: Pharmacology

    def table(self, name: str, row_type: type[RowT]) -> Table[RowT]:
        return self.sources.checked(read(self.root, f"{FOLDER}/{name}.csv", row_type))


def read_joined(root: Traversable, sources: Sources, names: Names, known: Pharmacology) -> Joined:
    """``names`` are what conditions may speak of."""
    files = _Read(root, sources, names, known)
    not_started, otherwise = files.table("not_started", NotStartedRow), files.table("otherwise", OtherwiseRow)
    not_started.each_once("waits_for", "medicine")
    otherwise.each_once("differs", "medicine")
    for row in otherwise.rows:
        if row.from_ratio < 1:
            raise otherwise.error(row, "from_ratio", "is a factor of 1 or more")
    unordered, twice = files.table("unordered", UnorderedRow), files.table("twice", TwiceRow)
    unordered.each_once("medicine")
    twice.each_once("medicine")
    for share in twice.rows:
        if not 0 < share.overlap_percent <= 100:
            raise twice.error(share, "overlap_percent", "is a part of a supply: more than 0, at most 100")
    waits = {kind: [row for row in not_started.rows if row.waits_for == kind] for kind in ("supply", "dose")}
    differs = {row.differs: [each for each in otherwise.rows if each.differs == row.differs] for row in otherwise.rows}
    return Joined(
        supplies=_by_medicine(NotStarted, not_started, waits["supply"], files),
        doses=_by_medicine(NotStarted, not_started, waits["dose"], files),
        unordered=_by_medicine(Unordered, unordered, unordered.rows, files),
        otherwise={kind: _by_medicine(Otherwise, otherwise, rows, files) for kind, rows in differs.items()},
        twice=_by_medicine(Twice, twice, twice.rows, files),
        since_given=_since_given(files),
    )


def _by_medicine(kind: type[KindT], table: Table[RowT], rows: Sequence[RowT], files: _Read) -> ByMedicine[KindT]:
    by_ingredient: dict[str, KindT] = {}
    every: KindT | None = None
    for row in rows:
        made = files.sources.made(kind, row, **_spans(row, table))
        if row.medicine == EVERY:
            every = made
            continue
        for ingredient in meant(table, row, "medicine", files.known.who):
            by_ingredient[ingredient] = min(made, by_ingredient.get(ingredient, made), key=gravest_first)
    return ByMedicine(by_ingredient=by_ingredient, every=every)


def _spans(row: RowT, table: Table[RowT]) -> dict[str, Any]:
    match row:
        case NotStartedRow():
            return {"wait": _hours(row, "wait_hours", table), "new_after": _days(row, "new_after_days", table)}
        case UnorderedRow():
            return {"wait": _hours(row, "wait_hours", table), "after_end": _days(row, "after_end_days", table)}
        case TwiceRow():
            return {"overlap": row.overlap_percent / 100}
    return {}


def _since_given(files: _Read) -> tuple[SinceGiven, ...]:
    table = files.sources.checked(read(files.root, f"{FOLDER}/since_given.csv", SinceGivenRow))
    table.each_once("id", "medicine")
    found = []
    for row in table.rows:
        check_known(table, row, "analyte", files.names.analytes, "labs/analytes.csv")
        made = files.sources.made(
            SinceGiven,
            row,
            ingredients=frozenset(meant(table, row, "medicine", files.known.who)),
            after=_hours(row, "after_hours", table),
            until=_days(row, "until_days", table),
            baseline=_days(row, "baseline_days", table),
            ends_after=_hours(row, "ends_after_hours", table),
            moved=_moved(row, table, files.names),
            when=conditions(table, row, "when", files.names),
            unless=conditions(table, row, "unless", files.names),
        )
        if made.moved is None and not made.when:
            raise table.error(
                row, "moved", "neither the course nor the value is asked for: the medicine alone would be enough"
            )
        found.append(made)
    return tuple(found)


def _moved(row: SinceGivenRow, table: Table[SinceGivenRow], names: Names) -> Condition | None:
    found = conditions(table, row, "moved", names)
    if not found:
        return None
    one = found[0]
    if len(found) > 1 or one.kind != "course" or one.name != row.analyte or one.within is not None:
        raise table.error(
            row, "moved", f"is one course of the analyte without a span, as in '{row.analyte} ratio >= 1.5'"
        )
    return one


def _hours(row: Any, column: str, table: Table[Any]) -> timedelta:
    return timedelta(hours=_not_negative(row, column, table))


def _days(row: Any, column: str, table: Table[Any]) -> timedelta:
    return timedelta(days=_not_negative(row, column, table))


def _not_negative(row: Any, column: str, table: Table[Any]) -> float:
    length: float = getattr(row, column)
    if length < 0:
        raise table.error(row, column, "no time is shorter than none")
    return length
