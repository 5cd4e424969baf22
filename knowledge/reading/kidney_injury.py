"""Reads acute kidney injury: ``labs/kidney_injury.csv`` has the criteria by stage, ``labs/kidney_injury_levels.csv`` what each
stage and course comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from itertools import pairwise

from knowledge.kidney_injury import (
    COURSES,
    CRITERIA,
    LEVELS,
    STAGES,
    Course,
    Criterion,
    KidneyInjury,
    Kind,
    Level,
    Stage,
)
from knowledge.reading.sources import Sources
from knowledge.reading.tables import StatementRow, Table, read
from schemas.values import Severity

_UNITS: Mapping[str, str] = {"rise": "mg/dL", "ratio": "1", "value": "mg/dL", "child": "mL/min/1.73 m2", "dialysis": ""}
_SPAN = re.compile(r"(?P<number>[1-9]\d*) (?P<of>h|d)")


class CriterionRow(StatementRow, frozen=True, kw_only=True):
    """``limit`` in ``unit``; ``within`` is the span before a result that it is compared with (``48 h``, ``7 d``)."""

    stage: Stage
    kind: Kind
    limit: float | None = None
    unit: str = ""
    within: str = ""


class LevelRow(StatementRow, frozen=True, kw_only=True):
    """What a stage on a course comes to; ``{medicines}`` in an action stands for those that can harm the kidney."""

    stage: Stage
    course: Course
    severity: Severity
    severity_with_medicine: Severity
    actions: tuple[str, ...]
    patient_explanation: str


def read_kidney_injury(root: Traversable, sources: Sources) -> KidneyInjury:
    """The criteria, with a ratio for each stage and one of each other kind, and a level for each stage and course."""
    table = sources.checked(read(root, CRITERIA, CriterionRow))
    table.each_once("stage", "kind")
    found = {(row.kind, row.stage): _criterion(row, table, sources) for row in table.rows}
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
    return sources.made(Criterion, row, limit=row.limit or 0.0, within=within)


def _levels(table: Table[LevelRow], sources: Sources) -> Mapping[tuple[Stage, Course], Level]:
    table.each_once("stage", "course")
    levels = {(row.stage, row.course): sources.made(Level, row) for row in table.rows}
    for stage in STAGES:
        for course in COURSES:
            if (stage, course) not in levels:
                raise table.error(table.rows[0], "course", f"stage {stage}, {course} is missing")
    return levels
