"""Results that move towards a limit while a medicine moves them, and results that are too low again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.statement import Advised
from schemas.values import Severity

Direction = Literal["rise", "fall"]


class Course(Advised, frozen=True, kw_only=True):
    """What both kinds have. ``ingredients`` are the medicines that move ``analyte``; it counts with any of them, where all of
    ``when`` hold and none of ``unless``. ``problem`` is shared with other rules that show the same. ``row`` is its place in the
    data. Values are in the canonical unit."""

    id: str
    problem: str
    medicine: str
    ingredients: frozenset[str]
    analyte: str
    when: Conditions
    unless: Conditions
    severity: Severity
    row: str


class Slope(Course, frozen=True, kw_only=True):
    """The newest three results each lie further on than the one before, together by ``by`` or more, within ``within`` and over
    no less than ``over``; of results less than ``apart`` from one another one counts. The newest has come as far as ``arrived``.
    With a ``limit`` it is reached within ``ahead`` if it goes on as it did; ``times`` asks that the newest is so many times the
    first."""

    moves: Direction
    by: float
    within: timedelta
    over: timedelta
    apart: timedelta
    arrived: float
    limit: float | None
    ahead: timedelta
    times: float | None

    def beyond(self, value: float, bound: float) -> bool:
        """Whether ``value`` has come as far as ``bound``."""
        return value >= bound if self.moves == "rise" else value <= bound


class Repeated(Course, frozen=True, kw_only=True):
    """So many results (``count``) below ``below`` within the span before the newest result, each ``apart`` or more from the one
    before. ``same_time``: at times of day that lie no further apart."""

    below: float
    count: int
    within: timedelta
    apart: timedelta
    same_time: timedelta | None


class Trends(Struct, frozen=True, kw_only=True):
    """In the order of the files."""

    slopes: tuple[Slope, ...] = ()
    repeated: tuple[Repeated, ...] = ()

    @property
    def all(self) -> tuple[Course, ...]:
        return (*self.slopes, *self.repeated)
