"""Whether a result lies beyond a critical limit of ``knowledge/labs/critical_limits.csv``, and how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Literal

from msgspec import Struct

from knowledge.model import CriticalLimit, Knowledge
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState

Direction = Literal["low", "high"]
Band = Literal["adult", "child", "newborn"]

_BANDS: tuple[Band, ...] = ("adult", "child", "newborn")
_OUTWARD = {"low": ("<", "<="), "high": (">", ">=")}

NEWBORN = timedelta(days=28)
"""WHO: the newborn period is the first 28 days of life."""
ADULT_YEARS = 18

A_DAY = timedelta(days=1)
"""What is kept of an analyte is counted from the end of the day (``clock.end_of_day``), so a span needs a day more."""

_ONTO = 1e-9
"""How far ``<x`` lies beyond a limit of x: by less than anybody can say."""


class Beyond(Struct, frozen=True, kw_only=True):
    """The results of one time that lie beyond the limit ``bound``; ``shown`` lies farthest."""

    direction: Direction
    limit: CriticalLimit
    bound: float
    beyond: Sequence[Result]
    shown: Result

    @property
    def distance(self) -> float:
        """How far ``shown`` lies beyond the limit, in the unit of the limit."""
        return abs(_distance(self.direction, self.bound, self.shown))


def limits_of(analyte: str, knowledge: Knowledge) -> Mapping[Band, CriticalLimit]:
    """The limits of an analyte by age band."""
    found = ((band, knowledge.limits.get((analyte, band))) for band in _BANDS)
    return {band: limit for band, limit in found if limit is not None}


def newest_beyond(
    direction: Direction, results: tuple[Result, ...], limits: Mapping[Band, CriticalLimit], state: PatientState
) -> Beyond | None:
    """The results of the newest time that says whether the limit is passed decide; two machines may report one time."""
    for _, same_time in groupby(reversed(results), key=lambda result: result.at):
        together = list(same_time)[::-1]
        limit = limits.get(_band(state, together[0]))
        if limit is None:
            return None
        answers = [_beyond(result, limit, direction) for result in together]
        if True in answers:
            beyond = [result for result, answer in zip(together, answers, strict=True) if answer]
            bound = limit.low if direction == "low" else limit.high
            assert bound is not None
            shown = max(beyond, key=lambda each: _distance(direction, bound, each))
            return Beyond(direction=direction, limit=limit, bound=bound, beyond=beyond, shown=shown)
        if False in answers:
            return None
    return None


def _band(state: PatientState, result: Result) -> Band:
    """Unknown age counts as adult, and the finding says so."""
    age, years = state.age(result.at), state.years(result.at)
    if age is None or years is None or years >= ADULT_YEARS:
        return "adult"
    return "newborn" if age < NEWBORN else "child"


def _distance(direction: Direction, bound: float, result: Result) -> float:
    """Seen from the limit, outward is positive in both directions."""
    assert result.value is not None
    return bound - result.value if direction == "low" else result.value - bound


def _beyond(result: Result, limit: CriticalLimit, direction: Direction) -> bool | None:
    """Whether the value lies beyond the limit; None when the result does not say.

    Given as "<x" it is below a low limit when x does not exceed it and not above a high one when x does not either; anything
    else is left open, and so upward. A number that is more likely a slip than a finding never says that all is well.
    """
    bound = limit.low if direction == "low" else limit.high
    if bound is None or result.value is None or result.void:
        return None
    distance = _distance(direction, bound, result)
    if not result.comparator:
        beyond: bool | None = distance > 0
    elif result.comparator in _OUTWARD[direction]:
        beyond = True if distance > 0 or (distance == 0 and result.comparator in ("<", ">")) else None
    else:
        beyond = False if distance <= 0 else None
    return None if beyond is False and result.remark == "implausible" else beyond


def how_far(result: Result, found: Beyond) -> float | None:
    """How far beyond, nothing within the limit; None where it does not say."""
    answer = _beyond(result, found.limit, found.direction)
    if answer:
        return _distance(found.direction, found.bound, result) or _ONTO
    return None if answer is None else 0.0
