"""Reads the values of results at which a medicine matters: ``drug_labs/``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import Literal, TypeVar, get_args

from knowledge.conditions import Conditions, Names
from knowledge.model import Analyte
from knowledge.reading.cells import check_known, conditions, factor, grouped, meant
from knowledge.reading.laboratory import DrawnCell
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, Row, StatementRow, Table, read
from knowledge.threshold import (
    Correction,
    Family,
    Level,
    LiverStep,
    ScoreBand,
    ScorePart,
    Step,
    Thresholds,
)
from schemas.values import Severity

FOLDER = "drug_labs"
ANALYTES = "labs/analytes.csv"
RowT = TypeVar("RowT", bound=Row)
AnalyteRowT = TypeVar("AnalyteRowT", "UpperLimitRow", "LevelRow")
Formula = Literal["egfr", "crcl"]
"""Of the kidney, as conditions name them."""


class StepRow(AdvisedRow, frozen=True, kw_only=True):
    """``medicine`` is a property, which stands over an ingredient of the same name, or an ingredient. ``grace`` is in hours
    (``4 h``)."""

    rule: str
    family: Family
    problem: str = ""
    medicine: str
    when: tuple[str, ...]
    unless: tuple[str, ...] = ()
    drawn: DrawnCell | None = None
    severity: Severity
    grace: str = ""


class LiverRow(AdvisedRow, frozen=True, kw_only=True):
    rule: str
    enzyme_over: float
    bilirubin_over: float | None = None
    inr_over: float | None = None
    alkaline_phosphatase_under: float | None = None
    for_over_days: float | None = None
    severity: Severity


class UpperLimitRow(StatementRow, frozen=True, kw_only=True):
    analyte: str
    unit: str
    limit: float


class ScoreRow(StatementRow, frozen=True, kw_only=True):
    score: str
    part: str
    points: int
    when: tuple[str, ...] = ()
    title: str


class BandRow(StatementRow, frozen=True, kw_only=True):
    score: str
    points_from: int
    severity: Severity
    title: str


class CorrectionRow(StatementRow, frozen=True, kw_only=True):
    analyte: str
    by: str
    slope: float
    intercept: float
    when: tuple[str, ...]
    title: str


class LevelRow(StatementRow, frozen=True, kw_only=True):
    """``anyhow_from`` in ``unit``; a row with the analyte alone says that it is the level of a medicine. ``trough_share`` of the
    interval between two doses, ``interval_hours`` where none is known."""

    analyte: str
    early_hours: float | None = None
    anyhow_from: float | None = None
    unit: str = ""
    early_severity: Severity | None = None
    what_to_do: str = ""
    trough_share: float | None = None
    interval_hours: float | None = None


class LastingRow(StatementRow, frozen=True, kw_only=True):
    """``name`` is an analyte, ``egfr`` or ``crcl``."""

    name: str
    days: int
    reason: str


class LeftOutRow(Row, frozen=True, kw_only=True):
    """A limit that is not used, and why."""

    rule: str
    medicine: str = ""
    limit: str
    reason: str


def read_thresholds(
    root: Traversable,
    sources: Sources,
    names: Names,
    known: Pharmacology,
    analytes: Mapping[str, Analyte],
) -> Thresholds:
    """``names`` are what conditions may speak of, ``analytes`` by name."""
    files = _Files(root, sources, names)
    steps = _steps(files, known)
    scores, bands = _scores(files)
    files.table("left_out", LeftOutRow)
    return Thresholds(
        steps=steps,
        steps_of=grouped((ingredient, step) for step in steps for ingredient in step.ingredients),
        liver=_liver(files),
        scores=scores,
        bands=bands,
        corrections=_corrections(files),
        upper_limits=_upper_limits(files, analytes),
        levels=_levels(files, analytes),
        lasting=_lasting(files),
    )


class _Files:
    """The files of the folder, and their conditions."""

    def __init__(self, root: Traversable, sources: Sources, names: Names) -> None:
        self._root, self.sources, self.names = root, sources, names

    def table(self, name: str, row_type: type[RowT]) -> Table[RowT]:
        return self.sources.checked(read(self._root, f"{FOLDER}/{name}.csv", row_type))

    def conditions(self, table: Table[RowT], row: RowT, column: str) -> Conditions:
        return conditions(table, row, column, self.names)


def _steps(files: _Files, known: Pharmacology) -> tuple[Step, ...]:
    table = files.table("steps", StepRow)
    table.each_once("rule", "medicine", "drawn", "unless", "when")
    families: dict[str, int] = {}
    for row in table.rows:
        if not row.when:
            raise table.error(row, "when", "names no condition: the medicine alone would be enough")
        if families.setdefault(row.rule, row.family) != row.family:
            raise table.error(row, "family", f"{row.rule} is of another family further up")
    return tuple(
        files.sources.made(
            Step,
            row,
            ingredients=frozenset(meant(table, row, "medicine", known.who)),
            when=files.conditions(table, row, "when"),
            unless=files.conditions(table, row, "unless"),
            drawn="" if row.drawn is None else row.drawn.replace(" ", "_"),
            grace=_hours(row, table),
        )
        for row in table.rows
    )


def _hours(row: StepRow, table: Table[StepRow]) -> timedelta:
    number, _, unit = row.grace.partition(" ")
    if row.grace and not (number.isdecimal() and unit == "h"):
        raise table.error(row, "grace", f"{row.grace!r} is no number of hours, written '4 h'")
    return timedelta(hours=int(number or 0))


def _liver(files: _Files) -> tuple[LiverStep, ...]:
    table = files.table("liver_injury", LiverRow)
    for row in table.rows:
        if row.enzyme_over < 1:
            raise table.error(row, "enzyme_over", "a multiple of the upper limit of normal is 1 or more")
    return tuple(files.sources.made(LiverStep, row) for row in table.rows)


def _scores(files: _Files) -> tuple[tuple[ScorePart, ...], tuple[ScoreBand, ...]]:
    parts, bands = files.table("scores", ScoreRow), files.table("score_bands", BandRow)
    lowest = {band.score for band in bands.rows if band.points_from == 0}
    for part in parts.rows:
        if part.score not in lowest:
            raise parts.error(part, "score", f"score_bands.csv has no band of {part.score!r} from 0 points")
    return (
        tuple(files.sources.made(ScorePart, row, when=files.conditions(parts, row, "when")) for row in parts.rows),
        tuple(files.sources.made(ScoreBand, row) for row in bands.rows),
    )


def _corrections(files: _Files) -> tuple[Correction, ...]:
    table = files.table("corrections", CorrectionRow)
    for row in table.rows:
        for column in ("analyte", "by"):
            check_known(table, row, column, files.names.analytes, ANALYTES)
    return tuple(files.sources.made(Correction, row, when=files.conditions(table, row, "when")) for row in table.rows)


def _upper_limits(files: _Files, analytes: Mapping[str, Analyte]) -> Mapping[str, float]:
    table = files.table("upper_limits", UpperLimitRow)
    limits = {row.analyte: row.limit * _factor(row, table, analytes) for row in table.rows}
    table.each_once("analyte")
    return limits


def _factor(row: AnalyteRowT, table: Table[AnalyteRowT], analytes: Mapping[str, Analyte]) -> float:
    """From the unit of a row to that of its analyte."""
    check_known(table, row, "analyte", analytes, ANALYTES)
    return factor(table, row, "unit", analytes[row.analyte])


def _levels(files: _Files, analytes: Mapping[str, Analyte]) -> Mapping[str, Level]:
    table = files.table("levels", LevelRow)
    levels: dict[str, Level] = {}
    table.each_once("analyte")
    for row in table.rows:
        check_known(table, row, "analyte", analytes, ANALYTES)
        if (row.early_hours is None) != (row.early_severity is None):
            raise table.error(row, "early_severity", "says how grave a level is that was drawn within early_hours")
        if (row.trough_share is None) != (row.interval_hours is None):
            raise table.error(row, "interval_hours", "is the interval that trough_share counts by where none is known")
        if row.trough_share is not None and not 0 < row.trough_share <= 1:
            raise table.error(row, "trough_share", "is more than 0 and at most 1")
        levels[row.analyte] = files.sources.made(
            Level,
            row,
            early=timedelta(hours=row.early_hours or 0),
            anyhow_from=None if row.anyhow_from is None else row.anyhow_from * _factor(row, table, analytes),
            early_severity=row.early_severity or "moderate",
            interval=timedelta(hours=row.interval_hours or 0),
        )
    return levels


def _lasting(files: _Files) -> Mapping[str, timedelta]:
    table = files.table("lasting", LastingRow)
    table.each_once("name")
    for row in table.rows:
        if row.name not in files.names.analytes and row.name not in get_args(Formula):
            raise table.error(row, "name", f"{row.name!r} is neither in labs/analytes.csv nor a formula of the kidney")
        if row.days < 1:
            raise table.error(row, "days", f"{row.name!r} lasts a day or longer")
    return {row.name: timedelta(days=row.days) for row in table.rows}
