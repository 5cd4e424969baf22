"""What a value did since a medicine was really handed out or given (``joined/since_given.csv``): it got worse, or it does not
show the effect that it should.

An order alone begins nothing. The value before is the last one before the first supply or dose; where there is none, nothing is
compared. It ends with a newer result that says otherwise, or when the medicine was stopped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from knowledge.joined import Since, SinceGiven
from knowledge.model import Knowledge
from schemas.values import Citation
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.clock import later, said_at, said_span
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.answer import Answer, Situation
from services.monitor.rules.conditions import all_hold, answer_apart, answers, earliest, read_by, reads_of, said
from services.monitor.rules.evidence import implicate_result, value_of
from services.monitor.rules.exposure import Exposure, dose_changed, exposed
from services.monitor.rules.handed_out import SUMMARY
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.view import view_of

_KEPT = Need(newest=3)
"""Results that are kept for it; of frequent ones the one before the medicine is soon gone, and then those since count."""
_FILE = "joined/since_given.csv"


class _SinceGiven:
    """One finding for each row of the file, whatever number of medicines may be the cause."""

    version = "1"
    family = "joined streams"
    data = (_FILE,)
    id: Since

    def __init__(self) -> None:
        self._index: _Index | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        return reads_of(*(_reads(row, knowledge) for row in self._index_of(knowledge).rows))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(chain.from_iterable(row.citations for row in self._index_of(knowledge).rows))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The rows whose medicine was handed out or given, and which read what changed."""
        standing = {each.part for each in state.standing.values() if each.rule == self.id}
        if not state.supplies and not state.doses:
            return standing
        index = self._index_of(knowledge)
        read = index.of_ingredients(change.ingredients) | index.of_analytes(change.analytes)
        read |= index.of_beside(change.ordered)
        if not read and not change.person:
            return standing
        here = index.of_ingredients(_present(state, knowledge))
        return standing | (here if change.person else here & read)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is the id of a row."""
        found = [
            seen
            for row in self._index_of(knowledge).by_id.get(part, ())
            for ingredient in sorted(row.ingredients & _present(state, knowledge))
            if (seen := _seen(row, ingredient, state, knowledge)) is not None
        ]
        if found:
            yield _finding(part, found)

    def _index_of(self, knowledge: Knowledge) -> _Index:
        if self._index is None or self._index.knowledge is not knowledge:
            self._index = _Index(knowledge, self.id)
        return self._index


class WorseSinceGiven(_SinceGiven):
    """A value that got worse since a medicine that can make it so was really there."""

    id = "worse-since-given"
    title = "A value worse since a medicine was given"


class NoEffect(_SinceGiven):
    """A value that does not show the effect of a medicine that was really there for long enough."""

    id = "no-effect"
    title = "No effect of a medicine that was given"


class _Index:
    """The rows of a rule, and the ids of those that are about an ingredient, an analyte or a medicine beside."""

    def __init__(self, knowledge: Knowledge, rule: Since) -> None:
        self.knowledge = knowledge
        self.rows = [row for row in knowledge.joined.since_given if row.rule == rule]
        self.by_id: dict[str, list[SinceGiven]] = {}
        ingredients, analytes, beside = dict[str, set[str]](), dict[str, set[str]](), dict[str, set[str]]()
        for row in self.rows:
            self.by_id.setdefault(row.id, []).append(row)
            asked = read_by((*row.when, *row.unless), knowledge)
            for kept, names in (
                (ingredients, row.ingredients),
                (analytes, (row.analyte, *asked.analytes)),
                (beside, asked.ingredients or ()),
            ):
                for name in names:
                    kept.setdefault(name, set()).add(row.id)
        self._ingredients, self._analytes, self._beside = ingredients, analytes, beside

    def of_ingredients(self, names: Iterable[str]) -> set[str]:
        return _ids(self._ingredients, names)

    def of_analytes(self, names: Iterable[str]) -> set[str]:
        return _ids(self._analytes, names)

    def of_beside(self, names: Iterable[str]) -> set[str]:
        return _ids(self._beside, names)


def _ids(of: Mapping[str, set[str]], names: Iterable[str]) -> set[str]:
    return set[str]().union(*(of[name] for name in names if name in of))


def _reads(row: SinceGiven, knowledge: Knowledge) -> Reads:
    own = Reads(ingredients=row.ingredients, analytes={row.analyte: _KEPT})
    return reads_of(own, read_by((*row.when, *row.unless), knowledge))


def _ingredients(state: PatientState) -> frozenset[str]:
    return frozenset(name for supply in state.supplies.values() for name in supply.ingredients)


def _present(state: PatientState, knowledge: Knowledge) -> frozenset[str]:
    view = view_of(state, knowledge)
    return view.given | view.made_of(state.supplies, "supplied", lambda: _ingredients(state))


class _Seen(NamedTuple):
    """A row that holds of a medicine. ``began`` is when its time began, ``before`` the value then, where one is compared."""

    row: SinceGiven
    ingredient: str
    exposure: Exposure
    began: datetime
    before: Result | None
    newest: Result
    asked: tuple[Answer, ...]
    until: datetime


def _seen(row: SinceGiven, ingredient: str, state: PatientState, knowledge: Knowledge) -> _Seen | None:
    newest = next((each for each in reversed(state.results.get(row.analyte, ())) if each.measured), None)
    if newest is None or (row.moved is not None and not newest.sure):
        return None
    exposure = exposed(ingredient, state, knowledge, row.baseline)
    if exposure is None:
        return None
    until = exposure.ends if exposure.stopped else later(exposure.ends, row.ends_after)
    began = exposure.began
    if row.same_dose and (changed := dose_changed(ingredient, state)) is not None:
        began = max(began, changed)
    if state.clock >= until or not later(began, row.after) <= newest.at <= later(began, row.until):
        return None
    before = _before(row, began, newest, state)
    asked = [
        *_moved(row, before, newest, state, knowledge),
        *answers(row.when, Situation(state=state, knowledge=knowledge)),
    ]
    if not all_hold(asked):
        return None
    excused = answers(row.unless, Situation(state=state, knowledge=knowledge))
    if any(answer.holds for answer in excused):
        return None
    return _Seen(row, ingredient, exposure, began, before, newest, (*asked, *excused), until)


def _before(row: SinceGiven, began: datetime, newest: Result, state: PatientState) -> Result | None:
    """The last sure value up to the beginning, unless it is too old to say how it was then. Where there is none, what got worse
    is compared with the best value since: so much worse at least."""
    sure = [each for each in state.results.get(row.analyte, ()) if each.sure]
    last = next((each for each in reversed(sure) if each.at <= began), None)
    if last is not None and began - last.at <= row.baseline:
        return last
    if row.moved is None or row.rule != "worse-since-given":
        return None
    since = [each for each in sure if began < each.at < newest.at]
    best = min if row.moved.course in ("rise", "ratio") else max
    return best(since, key=lambda each: (each.value or 0.0, each.at), default=None)


def _moved(
    row: SinceGiven, before: Result | None, newest: Result, state: PatientState, knowledge: Knowledge
) -> Iterator[Answer]:
    """How the newest value compares with the one before the medicine alone."""
    if row.moved is not None:
        pair = (newest,) if before is None else (before, newest)
        then = replace(state, results={row.analyte: pair})
        yield answer_apart(row.moved, Situation(state=then, knowledge=knowledge))


def _finding(part: str, found: Sequence[_Seen]) -> Finding:
    first = min(found, key=lambda each: (each.began, each.ingredient))
    row, newest, before = first.row, first.newest, first.before
    names = sorted({each.ingredient for each in found})
    was = "" if before is None or row.moved is None else f", {value_of(before)} before"
    results = (newest,) if before is None or row.moved is None else (newest, before)
    facts = (*map(implicate_result, results), *chain.from_iterable(each.exposure.facts for each in found))
    asked = list({answer.condition.text: answer for each in found for answer in each.asked}.values())
    origins = (*(each.origin for each in results), *chain.from_iterable(each.exposure.origins for each in found))
    return Finding(
        subject=part,
        severity=row.severity,
        summary=f"{', '.join(names)}: {row.title}; {row.analyte} {value_of(newest)}{was}"[:SUMMARY],
        detail=" ".join(_detail(found, row, newest, before)),
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=tuple(dict.fromkeys(facts)),
        citations=row.citations,
        since=newest.at,
        rank=_distance(before, newest),
        origins=tuple(dict.fromkeys(origin for origin in origins if origin is not None)),
        until=earliest((*(each.until for each in found), *(answer.until for answer in asked))),
        conditions=said(asked),
        rows=tuple(dict.fromkeys(f"{_FILE}#{each.row.id},{each.row.medicine}" for each in found)),
        medicines=tuple(names),
        problem=row.problem,
    )


def _distance(before: Result | None, newest: Result) -> float:
    """How far it has moved, as a part of what it was."""
    if before is None or not before.value or newest.value is None:
        return 0.0
    return round(abs(newest.value - before.value) / before.value, 6)


def _detail(found: Sequence[_Seen], row: SinceGiven, newest: Result, before: Result | None) -> Iterator[str]:
    yield row.effect
    then = "" if before is None else f"{value_of(before)} at {said_at(before.at)}, then "
    yield f"{row.analyte[:1].upper()}{row.analyte[1:]}: {then}{value_of(newest)} at {said_at(newest.at)}."
    for each in found:
        how = "given" if each.exposure.given else "handed out"
        surely = "first" if each.exposure.surely else "earlier doses are not kept; first at the earliest"
        span = said_span(newest.at - each.began)
        yield f"{each.ingredient} was {surely} {how} at {said_at(each.exposure.began)}; the value is of {span} later."
        if each.began > each.exposure.began:
            yield f"That is counted from the change of its dose at {said_at(each.began)}."
    if not any(each.exposure.given for each in found):
        yield "Not known: whether it was taken."
