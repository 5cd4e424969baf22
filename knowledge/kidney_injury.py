"""When a course of creatinine is acute kidney injury, and how grave: ``labs/kidney_injury.csv`` has the criteria by stage,
``labs/kidney_injury_levels.csv`` what each stage and course comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import Literal, get_args

from msgspec import Struct

from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from schemas.values import Citation, Severity

Kind = Literal["rise", "ratio", "value", "child", "dialysis"]
Stage = Literal[1, 2, 3]
Course = Literal["rising", "steady", "improving", "small"]
"""``small``, of adults: a ratio of low values, less than the rise that defines the injury above the baseline."""

CRITERIA = "labs/kidney_injury.csv"
LEVELS = "labs/kidney_injury_levels.csv"
STAGES: tuple[Stage, ...] = get_args(Stage)
COURSES: tuple[Course, ...] = get_args(Course)

_UNITS: Mapping[str, str] = {"rise": "mg/dL", "ratio": "1", "value": "mg/dL", "child": "mL/min/1.73 m2", "dialysis": ""}
_SPAN = re.compile(r"(?P<number>[1-9]\d*) (?P<of>h|d)")


class CriterionRow(Row, frozen=True, kw_only=True):
    """``limit`` in ``unit``; ``within`` is the span before a result that it is compared with (``48 h``, ``7 d``)."""

    stage: Stage
    kind: Kind
    limit: float | None = None
    unit: str = ""
    within: str = ""
    evidence_grade: str
    status: Literal["verified", "unverified"]
    author: str


class LevelRow(Row, frozen=True, kw_only=True):
    """What a stage on a course comes to; ``{medicines}`` in an action stands for those that can harm the kidney."""

    stage: Stage
    course: Course
    severity: Severity
    severity_with_medicine: Severity
    actions: tuple[str, ...]
    patient_explanation: str
    evidence_grade: str
    status: Literal["verified", "unverified"]
    author: str


class Criterion(Struct, frozen=True, kw_only=True):
    """Of a ``rise``: mg/dL above the lowest of ``within``; of a ``ratio``: times the lowest of ``within``, once the injury is
    found times its baseline; of a ``value``: mg/dL. These hold from ``limit`` on. ``child``: under 18 years an eGFR in mL/min
    for 1.73 m² below ``limit``. ``dialysis`` has no limit: it began in the injury."""

    stage: Stage
    kind: Kind
    limit: float
    within: timedelta
    citations: tuple[Citation, ...]

    @property
    def row(self) -> str:
        """Which row of the knowledge it is."""
        return f"{CRITERIA}#{self.stage},{self.kind}"


class Level(Struct, frozen=True, kw_only=True):
    """How grave a stage on a course is, alone and with a medicine in force that can harm the kidney, and what to do."""

    stage: Stage
    course: Course
    severity: Severity
    severity_with_medicine: Severity
    actions: tuple[str, ...]
    patient_explanation: str
    evidence_grade: str
    citations: tuple[Citation, ...]

    @property
    def row(self) -> str:
        """Which row of the knowledge it is."""
        return f"{LEVELS}#{self.stage},{self.course}"


class KidneyInjury(Struct, frozen=True, kw_only=True):
    """``rise`` and the last of ``ratios`` define the injury; ``ratios`` stand gravest first. ``levels`` has every stage and
    course."""

    rise: Criterion
    ratios: tuple[Criterion, ...]
    value: Criterion
    child: Criterion
    dialysis: Criterion
    levels: Mapping[tuple[Stage, Course], Level]

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """All of them, gravest first."""
        others = (self.rise, self.value, self.child, self.dialysis)
        return tuple(sorted((*self.ratios, *others), key=lambda each: -each.stage))


def read_kidney_injury(root: Traversable, sources: Sources) -> KidneyInjury:
    """The criteria, with a ratio for each stage and one of each other kind, and a level for each stage and course."""
    table = sources.checked(read(root, CRITERIA, CriterionRow))
    found: dict[tuple[Kind, Stage], Criterion] = {}
    for row in table.rows:
        if (row.kind, row.stage) in found:
            raise table.error(row, "kind", f"a {row.kind} of stage {row.stage} is there twice")
        found[row.kind, row.stage] = _criterion(row, table, sources)
    ratios = tuple(found["ratio", stage] for stage in reversed(STAGES) if ("ratio", stage) in found)
    if len(ratios) < len(STAGES) or any(graver.limit <= milder.limit for graver, milder in pairwise(ratios)):
        raise table.error(table.rows[0], "limit", "each stage has a ratio, and a graver stage a greater one")
    return KidneyInjury(
        rise=_only("rise", 1, found, table),
        ratios=ratios,
        value=_only("value", 3, found, table),
        child=_only("child", 3, found, table),
        dialysis=_only("dialysis", 3, found, table),
        levels=_levels(sources.checked(read(root, LEVELS, LevelRow)), sources),
    )


def _only(
    kind: Kind, stage: Stage, found: Mapping[tuple[Kind, Stage], Criterion], table: Table[CriterionRow]
) -> Criterion:
    others = [each for each in found.values() if each.kind == kind and each.stage != stage]
    if others or (kind, stage) not in found:
        raise table.error(table.rows[0], "kind", f"there is one {kind}, and it is of stage {stage}")
    return found[kind, stage]


def _criterion(row: CriterionRow, table: Table[CriterionRow], sources: Sources) -> Criterion:
    if (row.limit is None) == (row.kind != "dialysis") or (row.limit is not None and row.limit <= 0):
        raise table.error(row, "limit", "is more than nothing, and empty where dialysis is the criterion")
    if row.unit != _UNITS[row.kind]:
        raise table.error(row, "unit", f"of a {row.kind} is {_UNITS[row.kind]!r}")
    span = _SPAN.fullmatch(row.within)
    defines = row.stage == 1
    if (span is None) == defines or (row.within and not defines):
        raise table.error(row, "within", "is '48 h' or '7 d' where stage 1 is defined, and empty elsewhere")
    within = timedelta(0)
    if span is not None:
        number = int(span["number"])
        within = timedelta(hours=number) if span["of"] == "h" else timedelta(days=number)
    citations = sources.citations(row.sources)
    return Criterion(stage=row.stage, kind=row.kind, limit=row.limit or 0.0, within=within, citations=citations)


def _levels(table: Table[LevelRow], sources: Sources) -> Mapping[tuple[Stage, Course], Level]:
    levels: dict[tuple[Stage, Course], Level] = {}
    for row in table.rows:
        if (row.stage, row.course) in levels:
            raise table.error(row, "course", f"stage {row.stage}, {row.course} is there twice")
        levels[row.stage, row.course] = Level(
            stage=row.stage,
            course=row.course,
            severity=row.severity,
            severity_with_medicine=row.severity_with_medicine,
            actions=row.actions,
            patient_explanation=row.patient_explanation,
            evidence_grade=row.evidence_grade,
            citations=sources.citations(row.sources),
        )
    for stage in STAGES:
        for course in COURSES:
            if (stage, course) not in levels:
                raise table.error(table.rows[0], "course", f"stage {stage}, {course} is missing")
    return levels
