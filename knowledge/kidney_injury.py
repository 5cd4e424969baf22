"""When a course of creatinine is acute kidney injury, and how grave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, get_args

from msgspec import Struct

from knowledge.statement import Statement
from schemas.values import Citation, Severity

Kind = Literal["rise", "ratio", "value", "child", "dialysis"]
Stage = Literal[1, 2, 3]
Course = Literal["rising", "steady", "improving", "small"]
"""``small``, of adults: a ratio of low values, less than the rise that defines the injury above the baseline."""

CRITERIA = "labs/kidney_injury.csv"
LEVELS = "labs/kidney_injury_levels.csv"
STAGES: tuple[Stage, ...] = get_args(Stage)
COURSES: tuple[Course, ...] = get_args(Course)


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


class Level(Statement, frozen=True, kw_only=True):
    """How grave a stage on a course is, alone and with a medicine in force that can harm the kidney, and what to do."""

    stage: Stage
    course: Course
    severity: Severity
    severity_with_medicine: Severity
    actions: tuple[str, ...]
    patient_explanation: str

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
