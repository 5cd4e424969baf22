"""At which value of a laboratory result a medicine matters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.statement import Advised
from schemas.events import Drawn
from schemas.values import SEVERITIES, Citation, Severity

Family = Literal[4, 10, 12]
"""4: medicine and value; 10: falling counts; 12: levels and counts that page."""


class Step(Advised, frozen=True, kw_only=True):
    """One step of a rule: it holds when all of ``when`` hold and none of ``unless`` does. ``medicine`` is a property or an
    ingredient as the data name it, ``ingredients`` who that is.

    ``drawn``: a result of a level counts only where its code says that it was drawn so. Empty: however it was drawn.
    ``problem`` is shared with other rules that show the same, empty where none does. ``grace``: how long the right action is
    waited for before anybody is told.
    """

    rule: str
    family: Family
    problem: str
    medicine: str
    ingredients: frozenset[str]
    when: Conditions
    unless: Conditions
    drawn: Drawn
    severity: Severity
    grace: timedelta


class LiverStep(Advised, frozen=True, kw_only=True):
    """A step of liver injury. ``enzyme_over`` (ALT or AST, the higher of the two), ``bilirubin_over`` and
    ``alkaline_phosphatase_under`` are multiples of the upper limit of normal, ``inr_over`` is an INR; None: not asked.
    ``for_over_days``: the enzyme has been so high for longer than this."""

    rule: str
    enzyme_over: float
    bilirubin_over: float | None
    inr_over: float | None
    alkaline_phosphatase_under: float | None
    for_over_days: float | None
    severity: Severity


class ScorePart(Struct, frozen=True, kw_only=True):
    """Points for a part of a score; of one part the row with most points that holds counts. Without conditions in ``when`` the
    part rests on more than results: a rule computes it or says that it is not known."""

    score: str
    part: str
    points: int
    when: Conditions
    title: str
    citations: tuple[Citation, ...]


class ScoreBand(Struct, frozen=True, kw_only=True):
    """What a sum of at least ``points_from`` means."""

    score: str
    points_from: int
    severity: Severity
    title: str
    citations: tuple[Citation, ...]


class Correction(Struct, frozen=True, kw_only=True):
    """A level as if another analyte were normal: level / (``slope`` x value of ``by`` + ``intercept``), both in canonical
    units. Of several rows the last whose ``when`` holds counts."""

    analyte: str
    by: str
    slope: float
    intercept: float
    when: Conditions
    title: str
    citations: tuple[Citation, ...]


class Level(Struct, frozen=True, kw_only=True):
    """The level of a medicine in the blood. Drawn sooner than ``early`` after a dose it says little: it is no graver than
    ``early_severity`` then, unless it is at or above ``anyhow_from`` (in the canonical unit), and ``what_to_do`` comes first.

    ``trough_share``: from which share of the interval between two doses on a sample is a trough, where its code does not say how
    it was drawn. ``interval`` counts where neither the order nor two doses say one. None: only the code says it."""

    analyte: str
    early: timedelta = timedelta(0)
    anyhow_from: float | None = None
    early_severity: Severity = "moderate"
    what_to_do: str = ""
    trough_share: float | None = None
    interval: timedelta = timedelta(0)
    evidence_grade: str = ""
    citations: tuple[Citation, ...] = ()


class Thresholds(Struct, frozen=True, kw_only=True):
    """Everything, in the order of the files. ``steps_of`` is by ingredient. ``upper_limits`` are the usual upper limits of
    normal by analyte in its canonical unit, for results that bring no range of their own. ``levels`` are by analyte.

    ``lasting``, by analyte or formula: how old a value may be when a medicine begins for it to say how the patient is then.
    """

    steps: tuple[Step, ...] = ()
    steps_of: Mapping[str, tuple[Step, ...]] = {}
    liver: tuple[LiverStep, ...] = ()
    scores: tuple[ScorePart, ...] = ()
    bands: tuple[ScoreBand, ...] = ()
    corrections: tuple[Correction, ...] = ()
    upper_limits: Mapping[str, float] = {}
    levels: Mapping[str, Level] = {}
    lasting: Mapping[str, timedelta] = {}


def gravest(steps: Iterable[Step]) -> Step | None:
    """The step that speaks of those of one rule that hold: the gravest, and the first of the file among equals."""
    return min(steps, key=lambda step: SEVERITIES.index(step.severity), default=None)
