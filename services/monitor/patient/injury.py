"""Acute kidney injury as a fold over a course of creatinine: results in, the injury that runs at the newest one out. Pure.

Each result is compared with the lowest of the two days and of the seven days before it, as KDIGO defines the injury; what was
measured counts, and no baseline is calculated back. The first result that meets the definition begins an injury, and its
baseline, the lowest of the seven days, then stands: on a plateau the injury does not vanish because seven days have passed.
It is over with the first result that is under 1.5 times the baseline and less than 0.3 mg/dL above it. Only a rise can begin
one, so creatinine that comes down from a height that nobody saw begin is none.

An injury is remembered as long as its baseline is kept among the results (``bounds.Need`` of the rule).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from knowledge.kidney_injury import Course, Criterion, KidneyInjury, Stage
from services.monitor.patient.result import Result

Filtration = Callable[[Result], float | None]
"""The eGFR of a child at a result, in mL/min for 1.73 m²; None of an adult, or where it is not known."""


class Injury(Struct, frozen=True, kw_only=True):
    """``first`` is the result that met the definition, ``before`` what it had risen from, ``highest`` the highest since.

    ``stage`` is that of ``newest``, ``worst`` the gravest so far; ``met`` is what makes ``newest`` of its stage.
    """

    baseline: Result
    before: Result
    first: Result
    highest: Result
    newest: Result
    stage: Stage
    worst: Stage
    met: Criterion
    course: Course = "rising"


def injury(
    results: Sequence[Result], of: KidneyInjury, filtration: Filtration | None = None, *, adult: bool = False
) -> Injury | None:
    """The injury that runs at the newest of ``results``, which are creatinine in mg/dL, oldest first; None where none does.
    ``adult``: known to be one, so that 0.3 after 0.2 is small, which it is not in an infant."""
    sure = [each for each in results if each.sure and _value(each) > 0]
    if len(sure) < 2 or not _begins(max(map(_value, sure)), min(map(_value, sure)), of):
        return None  # almost always: nothing in the whole course is far enough above anything else
    found = _last(sure, of, filtration)
    return None if found is None else replace(found, course=_course(found, sure, of, adult=adult))


def _last(sure: Iterable[Result], of: KidneyInjury, filtration: Filtration | None) -> Injury | None:
    """The injury that runs at the newest result, without its course."""
    week, two_days = _Lowest(of.ratios[-1]), _Lowest(of.rise)
    found: tuple[Result, Result] | None = None
    first = highest = newest = None
    for at, group in groupby(sure, key=attrgetter("at")):
        together = tuple(group)
        # two machines may report one time: the higher one is asked, the lower one is what others are compared with
        newest = together[0] if len(together) == 1 else max(together, key=_value)
        if found is None or not _begins(_value(newest), _value(found[0]), of):
            found = _begun(newest, week.before(at), two_days.before(at), of)
            first = highest = newest
        elif highest is None or _value(newest) > _value(highest):
            highest = newest
        for each in together:
            week.add(each)
            two_days.add(each)
    if found is None or first is None or highest is None or newest is None:
        return None
    baseline, before = found
    met = _met(newest, baseline, of, filtration)
    return Injury(
        baseline=baseline,
        before=before,
        first=first,
        highest=highest,
        newest=newest,
        stage=met.stage,
        worst=max(met.stage, _met(highest, baseline, of, filtration).stage),
        met=met,
    )


class _Lowest:
    """The lowest result of the span of a criterion, of equals the newest, while results are added by time."""

    def __init__(self, criterion: Criterion) -> None:
        self._span = criterion.within
        self._rising: deque[Result] = deque()  # what is under all that came after it

    def add(self, result: Result) -> None:
        while self._rising and _value(self._rising[-1]) >= _value(result):
            self._rising.pop()
        self._rising.append(result)

    def before(self, at: datetime) -> Result | None:
        """Of the span before ``at``, which does not go back."""
        while self._rising and at - self._rising[0].at > self._span:
            self._rising.popleft()
        return self._rising[0] if self._rising else None


def risen(now: float, then: float) -> float:
    """By how many mg/dL, to what laboratories report: 1.2 after 0.9 has risen by 0.3, and 106.5 after 80 µmol/L too."""
    return round(now - then, 2)


def times(now: float, then: float) -> float:
    """How many times as high, without the noise of binary fractions."""
    return round(now / then, 6)


def _begins(now: float, lowest: float, of: KidneyInjury) -> bool:
    return risen(now, lowest) >= of.rise.limit or times(now, lowest) >= of.ratios[-1].limit


def _begun(
    result: Result, week: Result | None, two_days: Result | None, of: KidneyInjury
) -> tuple[Result, Result] | None:
    """The baseline and what the result has risen from, where it meets the definition."""
    if week is None:
        return None
    if times(_value(result), _value(week)) >= of.ratios[-1].limit:
        return week, week
    if two_days is not None and risen(_value(result), _value(two_days)) >= of.rise.limit:
        return week, two_days
    return None


def _met(result: Result, baseline: Result, of: KidneyInjury, filtration: Filtration | None) -> Criterion:
    """The gravest criterion, where the injury is found: the rise alone is the mildest."""
    ratio = times(_value(result), _value(baseline))
    by_ratio = next((each for each in of.ratios if ratio >= each.limit), of.rise)
    if by_ratio.stage < of.value.stage and round(_value(result), 2) >= of.value.limit:
        return of.value
    if by_ratio.stage < of.child.stage and filtration is not None:
        filtered = filtration(result)
        if filtered is not None and filtered < of.child.limit:
            return of.child
    return by_ratio


def _course(found: Injury, sure: Sequence[Result], of: KidneyInjury, *, adult: bool) -> Course:
    """Improving: under its height by as much as counts as a rise, and not risen again by so much in two days. Small: never so far
    above the baseline at all."""
    if adult and risen(_value(found.highest), _value(found.baseline)) < of.rise.limit:
        return "small"
    if found.newest is found.highest:
        return "rising"
    since = (each for each in sure if found.highest.at < each.at < found.newest.at)
    recent = [_value(each) for each in since if found.newest.at - each.at <= of.rise.within]
    if recent and risen(_value(found.newest), min(recent)) >= of.rise.limit:
        return "rising"
    fallen = risen(_value(found.highest), _value(found.newest)) >= of.rise.limit
    return "improving" if fallen else "steady"


def _value(result: Result) -> float:
    assert result.value is not None
    return result.value
