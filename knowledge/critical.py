"""What makes a critical value more or less grave than its limit says, what could explain it, and which changes are too fast."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.statement import Advised
from schemas.values import Citation, Severity

Direction = Literal["low", "high"]
Course = Literal["low", "high", "rise"]
Specimen = Literal["haemolysed", "implausible"]

CONTEXT = "labs/critical_context.csv"
EXPLAINED_BY = "labs/explained_by.csv"
CHANGES = "labs/critical_changes.csv"


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


class TooFast(Advised, frozen=True, kw_only=True):
    """A row of ``critical_changes.csv``."""

    id: str
    analyte: str
    over: float
    within: timedelta
    began_below: float
    unless: Conditions
    severity: Severity


class CriticalReading(Struct, frozen=True, kw_only=True):
    """By analyte and direction, in the order of the files; ``too_fast`` by analyte."""

    contexts: Mapping[tuple[str, str], tuple[Context, ...]] = {}
    explanations: Mapping[tuple[str, str], tuple[Explanation, ...]] = {}
    too_fast: Mapping[str, tuple[TooFast, ...]] = {}
