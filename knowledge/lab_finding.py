"""What rules of blood, liver and heart know beside steps and scores: numbers, and what a long QTc, bleeding and other causes
of low platelets mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Condition, Conditions
from knowledge.statement import Advised
from schemas.values import Citation, Severity

NumberName = Literal[
    "heparin-day-from", "heparin-day-to", "heparin-too-early", "heparin-at-once", "heparin-of-late", "heparin-before",
    "heparin-fall", "heparin-surgery", "heparin-window", "heparin-recovered", "heparin-low",
    "liver-hepatocellular", "liver-cholestatic", "liver-together", "liver-after", "liver-panel",
    "qtc-long", "qtc-rise", "qtc-admission", "qtc-baseline", "qtc-fresh", "qrs-wide", "ecg-together",
    "bleeding-recent",
]  # fmt: skip
Unit = Literal["days", "h", "ms", "%", "ratio", "K/uL"]
Met = Literal["long", "rise", "score"]


class Number(Struct, frozen=True, kw_only=True):
    value: float
    unit: Unit
    citations: tuple[Citation, ...]


class QtcStep(Advised, frozen=True, kw_only=True):
    """A QTc that is ``long``, one that rose, or a ``score`` that is high, with at least so many medicines that prolong QT. The
    rows stand gravest first, and the first that holds counts. ``row`` names it."""

    met: Met
    medicines_from: int
    when: Conditions
    severity: Severity | None
    row: str


class BleedingStep(Advised, frozen=True, kw_only=True):
    """What shows bleeding with at least ``medicines_from`` ``ingredients``: all that a row names must hold, and the first row
    that does counts."""

    ingredients: frozenset[str]
    medicines_from: int
    bleeding: bool
    transfusions_from: int
    when: Conditions
    severity: Severity
    row: str


class Cause(Struct, frozen=True, kw_only=True):
    """Another cause of low platelets."""

    when: Condition
    title: str
    citations: tuple[Citation, ...]


class LabFindings(Struct, frozen=True, kw_only=True):
    """``numbers`` in the units that their rows name."""

    numbers: Mapping[str, Number] = {}
    qtc: tuple[QtcStep, ...] = ()
    bleeding: tuple[BleedingStep, ...] = ()
    heparin_causes: tuple[Cause, ...] = ()

    def value(self, name: NumberName) -> float:
        """A number of the data, in its unit."""
        return self.numbers[name].value

    def span(self, name: NumberName) -> timedelta:
        """A number of days or hours."""
        number = self.numbers[name]
        return timedelta(hours=number.value) if number.unit == "h" else timedelta(days=number.value)
