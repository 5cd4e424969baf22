"""Values of results at which a medicine matters: ``drug_labs/``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import Literal, TypeVar, get_args

from msgspec import convert

from knowledge.conditions import Conditions, Names, parsed
from knowledge.laboratory import DrawnCell
from knowledge.model import Analyte, plain_unit
from knowledge.pharmacology import Pharmacology
from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from knowledge.threshold import (
    Correction,
    Family,
    Level,
    LiverStep,
    ScoreBand,
    ScorePart,
    Status,
    Step,
    Thresholds,
)
from schemas.events import Drawn
from schemas.values import Severity

FOLDER = "drug_labs"
RowT = TypeVar("RowT", bound=Row)
Formula = Literal["egfr", "crcl"]
"""Of the kidney, as conditions name them."""


class _Graded(Row, frozen=True, kw_only=True):
    evidence_grade: str
    status: Status
    author: str


class StepRow(_Graded, frozen=True, kw_only=True):
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
    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str


class LiverRow(_Graded, frozen=True, kw_only=True):
    rule: str
    enzyme_over: float
    bilirubin_over: float | None = None
    inr_over: float | None = None
    alkaline_phosphatase_under: float | None = None
    for_over_days: float | None = None
    severity: Severity
    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str


class UpperLimitRow(_Graded, frozen=True, kw_only=True):
    analyte: str
    unit: str
    limit: float


class ScoreRow(_Graded, frozen=True, kw_only=True):
    score: str
    part: str
    points: int
    when: tuple[str, ...] = ()
    title: str


class BandRow(_Graded, frozen=True, kw_only=True):
    score: str
    points_from: int
    severity: Severity
    title: str


class CorrectionRow(_Graded, frozen=True, kw_only=True):
    analyte: str
    by: str
    slope: float
    intercept: float
    when: tuple[str, ...]
    title: str


class LevelRow(_Graded, frozen=True, kw_only=True):
    """``anyhow_from`` in ``unit``; a row with the analyte alone says that it is the level of a medicine."""

    analyte: str
    early_hours: float | None = None
    anyhow_from: float | None = None
    unit: str = ""
    early_severity: Severity | None = None
    what_to_do: str = ""


class LastingRow(_Graded, frozen=True, kw_only=True):
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
    ingredients: Collection[str],
    analytes: Mapping[str, Analyte],
) -> Thresholds:
    """``ingredients`` are those that a name stands for, ``names`` what conditions may speak of, ``analytes`` by name."""
    files = _Files(root, sources, names)
    steps = _steps(files, known, ingredients)
    steps_of: dict[str, tuple[Step, ...]] = {}
    for step in steps:
        for ingredient in step.ingredients:
            steps_of[ingredient] = (*steps_of.get(ingredient, ()), step)
    scores, bands = _scores(files)
    files.table("left_out", LeftOutRow)
    return Thresholds(
        steps=steps,
        steps_of=steps_of,
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
        try:
            return parsed(getattr(row, column), self.names)
        except ValueError as error:
            raise table.error(row, column, str(error)) from error


def _steps(files: _Files, known: Pharmacology, ingredients: Collection[str]) -> tuple[Step, ...]:
    table = files.table("steps", StepRow)
    steps: list[Step] = []
    seen: set[tuple[object, ...]] = set()
    families: dict[str, int] = {}
    for row in table.rows:
        if not row.when:
            raise table.error(row, "when", "names no condition: the medicine alone would be enough")
        if (row.rule, row.medicine, row.when, row.unless, row.drawn) in seen:
            raise table.error(row, "when", f"the same conditions of {row.rule} for {row.medicine!r} are there twice")
        if families.setdefault(row.rule, row.family) != row.family:
            raise table.error(row, "family", f"{row.rule} is of another family further up")
        seen.add((row.rule, row.medicine, row.when, row.unless, row.drawn))
        steps.append(
            Step(
                rule=row.rule,
                family=row.family,
                problem=row.problem,
                medicine=row.medicine,
                ingredients=_who(row, table, known, ingredients),
                when=files.conditions(table, row, "when"),
                unless=files.conditions(table, row, "unless"),
                drawn="" if row.drawn is None else convert(row.drawn.replace(" ", "_"), Drawn),
                severity=row.severity,
                grace=_hours(row, table),
                title=row.title,
                effect=row.effect,
                actions=row.actions,
                patient_explanation=row.patient_explanation,
                evidence_grade=row.evidence_grade,
                status=row.status,
                citations=files.sources.citations(row.sources),
            )
        )
    return tuple(steps)


def _hours(row: StepRow, table: Table[StepRow]) -> timedelta:
    number, _, unit = row.grace.partition(" ")
    if row.grace and not (number.isdecimal() and unit == "h"):
        raise table.error(row, "grace", f"{row.grace!r} is no number of hours, written '4 h'")
    return timedelta(hours=int(number or 0))


def _who(row: StepRow, table: Table[StepRow], known: Pharmacology, ingredients: Collection[str]) -> frozenset[str]:
    if row.medicine in known.kinds:
        return frozenset(known.members[row.medicine])
    if row.medicine in ingredients:
        return frozenset((row.medicine,))
    problem = f"{row.medicine!r} is no property of properties/properties.csv and no ingredient of drugs/"
    raise table.error(row, "medicine", problem)


def _liver(files: _Files) -> tuple[LiverStep, ...]:
    table = files.table("liver_injury", LiverRow)
    for row in table.rows:
        if row.enzyme_over < 1:
            raise table.error(row, "enzyme_over", "a multiple of the upper limit of normal is 1 or more")
    return tuple(
        LiverStep(
            rule=row.rule,
            enzyme_over=row.enzyme_over,
            bilirubin_over=row.bilirubin_over,
            inr_over=row.inr_over,
            alkaline_phosphatase_under=row.alkaline_phosphatase_under,
            for_over_days=row.for_over_days,
            severity=row.severity,
            title=row.title,
            effect=row.effect,
            actions=row.actions,
            patient_explanation=row.patient_explanation,
            evidence_grade=row.evidence_grade,
            status=row.status,
            citations=files.sources.citations(row.sources),
        )
        for row in table.rows
    )


def _scores(files: _Files) -> tuple[tuple[ScorePart, ...], tuple[ScoreBand, ...]]:
    parts, bands = files.table("scores", ScoreRow), files.table("score_bands", BandRow)
    lowest = {band.score for band in bands.rows if band.points_from == 0}
    for part in parts.rows:
        if part.score not in lowest:
            raise parts.error(part, "score", f"score_bands.csv has no band of {part.score!r} from 0 points")
    return (
        tuple(
            ScorePart(
                score=row.score,
                part=row.part,
                points=row.points,
                when=files.conditions(parts, row, "when"),
                title=row.title,
                citations=files.sources.citations(row.sources),
            )
            for row in parts.rows
        ),
        tuple(
            ScoreBand(
                score=row.score,
                points_from=row.points_from,
                severity=row.severity,
                title=row.title,
                citations=files.sources.citations(row.sources),
            )
            for row in bands.rows
        ),
    )


def _corrections(files: _Files) -> tuple[Correction, ...]:
    table = files.table("corrections", CorrectionRow)
    for row in table.rows:
        for column in ("analyte", "by"):
            if getattr(row, column) not in files.names.analytes:
                raise table.error(row, column, f"{getattr(row, column)!r} is not in labs/analytes.csv")
    return tuple(
        Correction(
            analyte=row.analyte,
            by=row.by,
            slope=row.slope,
            intercept=row.intercept,
            when=files.conditions(table, row, "when"),
            title=row.title,
            citations=files.sources.citations(row.sources),
        )
        for row in table.rows
    )


def _upper_limits(files: _Files, analytes: Mapping[str, Analyte]) -> Mapping[str, float]:
    table = files.table("upper_limits", UpperLimitRow)
    limits: dict[str, float] = {}
    for row in table.rows:
        if row.analyte not in analytes:
            raise table.error(row, "analyte", f"{row.analyte!r} is not in labs/analytes.csv")
        factor = analytes[row.analyte].factors.get(plain_unit(row.unit))
        if factor is None:
            raise table.error(row, "unit", f"{row.unit!r} is no unit of {row.analyte} in labs/units.csv")
        if row.analyte in limits:
            raise table.error(row, "analyte", f"{row.analyte!r} is there twice")
        limits[row.analyte] = row.limit * factor
    return limits


def _levels(files: _Files, analytes: Mapping[str, Analyte]) -> Mapping[str, Level]:
    table = files.table("levels", LevelRow)
    levels: dict[str, Level] = {}
    for row in table.rows:
        if row.analyte not in analytes or row.analyte in levels:
            raise table.error(row, "analyte", f"{row.analyte!r} is not in labs/analytes.csv, or here twice")
        factor = 1.0 if row.anyhow_from is None else analytes[row.analyte].factors.get(plain_unit(row.unit))
        if factor is None:
            raise table.error(row, "unit", f"{row.unit!r} is no unit of {row.analyte} in labs/units.csv")
        if (row.early_hours is None) != (row.early_severity is None):
            raise table.error(row, "early_severity", "says how grave a level is that was drawn within early_hours")
        levels[row.analyte] = Level(
            analyte=row.analyte,
            early=timedelta(hours=row.early_hours or 0),
            anyhow_from=None if row.anyhow_from is None else row.anyhow_from * factor,
            early_severity=row.early_severity or "moderate",
            what_to_do=row.what_to_do,
            citations=files.sources.citations(row.sources),
        )
    return levels


def _lasting(files: _Files) -> Mapping[str, timedelta]:
    table = files.table("lasting", LastingRow)
    lasting: dict[str, timedelta] = {}
    for row in table.rows:
        if row.name not in files.names.analytes and row.name not in get_args(Formula):
            raise table.error(row, "name", f"{row.name!r} is neither in labs/analytes.csv nor a formula of the kidney")
        if row.name in lasting or row.days < 1:
            raise table.error(row, "days", f"{row.name!r} is there twice, or lasts less than a day")
        lasting[row.name] = timedelta(days=row.days)
    return lasting
