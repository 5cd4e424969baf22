"""Results that move towards a limit while a medicine moves them, and results that are too low again and again.

An early warning: where a rule of limits speaks of the same problem, this one is silent. What moves how far, and when it is said,
is data (``knowledge/drug_labs/slopes.csv``, ``repeated.csv``). It takes three results, each further on than the one before; two
machines that report one time are one. It ends with a newer result that goes another way, never by age.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from knowledge.model import Knowledge
from knowledge.trend import Course, Repeated, Slope
from schemas.values import SEVERITIES, Citation
from services.monitor.patient.bounds import LAST, Need
from services.monitor.patient.change import Change
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, all_hold, answers, read_by, reads_of
from services.monitor.rules.critical_limit import A_DAY
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.taken import Taken, taken
from services.monitor.rules.trend_told import Again, Moved, told_again, told_moved
from services.monitor.rules.view import view_of

_RESULTS = 3
"""Two results are a difference, three a course."""
_DAY = timedelta(days=1)


class Trend:
    """One finding for each analyte and direction, and one for each analyte that is low again and again."""

    id = "trend"
    version = "1"
    family = "trend"
    title = "Results that move towards a limit, or are low again and again"
    data = ("drug_labs/slopes.csv", "drug_labs/repeated.csv")

    def __init__(self) -> None:
        self._index: _Index | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        return self._index_of(knowledge).reads

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(citation for row in knowledge.trends.all for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The analytes that read what changed and have a medicine here that moves them, or a finding that stands."""
        index, view = self._index_of(knowledge), view_of(state, knowledge)
        touched = index.touched(change)
        moved = view.made_of_acting(self.id, lambda: index.moved_by(view.by_ingredient))
        more = index.moved_by(view.given - view.by_ingredient.keys())
        stands = {each.part for each in state.standing.values() if each.rule == self.id}
        return touched & (moved | more | stands)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is an analyte."""
        results = [each for each in state.results.get(part, ()) if each.sure and not each.haemolysed]
        moved = [
            each
            for row in knowledge.trends.slopes
            if row.analyte == part and (each := _moved(row, results, state, knowledge)) is not None
        ]
        again = [
            other
            for row in knowledge.trends.repeated
            if row.analyte == part and (other := _again(row, results, state, knowledge)) is not None
        ]
        if moved:
            yield told_moved(sorted(moved, key=lambda each: SEVERITIES.index(each.row.severity)))
        if again:
            yield told_again(sorted(again, key=lambda each: SEVERITIES.index(each.row.severity)))

    def _index_of(self, knowledge: Knowledge) -> _Index:
        if self._index is None or self._index.knowledge is not knowledge:
            self._index = _Index(knowledge)
        return self._index


class _Index:
    """What is read, and which analytes read which; ``of`` has those that a medicine moves."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        of: dict[str, set[str]] = {}
        readers: dict[str, set[str]] = {}
        all_: list[Reads] = []
        for row in knowledge.trends.all:
            within = row.within + A_DAY if isinstance(row, Repeated) else timedelta(0)
            own = Reads(analytes={row.analyte: Need(newest=_RESULTS, within=within)}, ingredients=row.ingredients)
            reads = reads_of(own, read_by((*row.when, *row.unless), knowledge))
            all_.append(reads)
            for analyte in reads.analytes:
                readers.setdefault(analyte, set()).add(row.analyte)
            for ingredient in row.ingredients:
                of.setdefault(ingredient, set()).add(row.analyte)
        self.reads = reads_of(*all_)
        self._of, self._readers = of, readers
        self._every = frozenset(row.analyte for row in knowledge.trends.all)

    def touched(self, change: Change) -> frozenset[str]:
        """Those that read what changed: all, where it is no result."""
        if change.medicines or change.person:
            return self._every
        return frozenset[str]().union(*(self._readers.get(each, ()) for each in change.analytes))

    def moved_by(self, ingredients: Iterable[str]) -> frozenset[str]:
        return frozenset[str]().union(*(self._of[each] for each in ingredients if each in self._of))


def _moved(row: Slope, results: Sequence[Result], state: PatientState, knowledge: Knowledge) -> Moved | None:
    course = _course(row, results)
    if course is None:
        return None
    reached = _reached(row, course)
    if row.limit is not None and (reached is None or reached - course[-1].at > row.ahead):
        return None
    held = _held(row, course[-1].at, state, knowledge)
    return None if held is None else Moved(row, course, reached, *held)


def _course(row: Slope, results: Sequence[Result]) -> tuple[Result, Result, Result] | None:
    """The newest three, where they go one way, far enough and neither too fast to be one course nor too slowly."""
    times = _times(row, results)
    if len(times) < _RESULTS:
        return None
    first, second, newest = times
    sign = 1 if row.moves == "rise" else -1
    values = [sign * _value(each) for each in times]
    far = round(values[2] - values[0], 6) >= row.by and row.beyond(_value(newest), row.arrived)
    if not (values[0] < values[1] < values[2] and far and row.over <= newest.at - first.at <= row.within):
        return None
    if row.times is not None and _value(newest) < row.times * _value(first):
        return None
    return first, second, newest


def _times(row: Slope, results: Sequence[Result]) -> list[Result]:
    """The newest three that lie apart, oldest first. Of those that do not, the one that lies least far on: two machines differ,
    and a repeat is taken because a value was not believed."""
    least = min if row.moves == "rise" else max
    times: list[Result] = []
    near: list[Result] = []
    for each in reversed(results):
        if near and near[0].at - each.at >= row.apart:
            times.append(least(near, key=_value))
            near = []
            if len(times) == _RESULTS:
                break
        near.append(each)
    if near:
        times.append(least(near, key=_value))
    return times[:_RESULTS][::-1]


def _reached(row: Slope, course: tuple[Result, Result, Result]) -> datetime | None:
    """When the limit is reached by the slower of the whole course and its last step. None: it is behind, or there is none."""
    first, second, newest = course
    if row.limit is None or row.beyond(_value(newest), row.limit):
        return None
    paces = [abs(_value(newest) - _value(each)) / ((newest.at - each.at) / _DAY) for each in (first, second)]
    ahead = timedelta(days=min(abs(row.limit - _value(newest)) / min(paces), 10_000))
    return newest.at + min(ahead, LAST - newest.at)


def _again(row: Repeated, results: Sequence[Result], state: PatientState, knowledge: Knowledge) -> Again | None:
    if not results:
        return None
    low = [each for each in results if _value(each) < row.below and results[-1].at - each.at <= row.within]
    found = _apart(low, row) if row.same_time is None else _same_time(low, row, row.same_time)
    if len(found) < row.count:
        return None
    held = _held(row, found[-1].at, state, knowledge)
    return None if held is None else Again(row, tuple(found), *held)


def _apart(low: Iterable[Result], row: Repeated) -> list[Result]:
    """Those that are no repeat of the one before."""
    found: list[Result] = []
    for each in low:
        if not found or each.at - found[-1].at >= row.apart:
            found.append(each)
    return found


def _same_time(low: Sequence[Result], row: Repeated, span: timedelta) -> list[Result]:
    """The most that lie at one time of day; of equals the newest."""
    found: list[Result] = []
    for anchor in low:
        same = _apart((each for each in low if _time_between(each.at, anchor.at) <= span), row)
        if len(same) >= len(found):
            found = same
    return found


def _time_between(one: datetime, other: datetime) -> timedelta:
    """Of the two times of day, the short way round the clock."""
    between = (one - other) % _DAY
    return min(between, _DAY - between)


def _held(
    row: Course, at: datetime, state: PatientState, knowledge: Knowledge
) -> tuple[tuple[Taken, ...], tuple[Answer, ...]] | None:
    """The medicines that had begun by then, and what was asked, where it holds of all of them."""
    view = view_of(state, knowledge)
    here = sorted(row.ingredients & view.given.union(view.by_ingredient))
    acting = [
        acts for each in here if (acts := taken(each, row.medicine, state, knowledge)) is not None and acts.starts <= at
    ]
    if not acting:
        return None
    orders = [order for acts in acting for order in acts.orders]
    of = Situation(state=state, knowledge=knowledge, orders=orders, objects=orders)
    found, excused = answers(row.when, of), answers(row.unless, of)
    if not all_hold(found) or any(each.holds for each in excused):
        return None
    return tuple(acting), (*found, *excused)


def _value(result: Result) -> float:
    assert result.value is not None
    return result.value
