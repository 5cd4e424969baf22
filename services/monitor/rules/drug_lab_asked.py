"""What the steps of ``drug_labs/steps.csv`` ask of a patient, and which of them hold.

A value that was there before the medicine counts only when it was fresh as the medicine began (``within`` of the step,
``drug_labs/lasting.csv``); one that came while the medicine acts counts until a newer one says otherwise, however old it gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from knowledge.conditions import Condition
from knowledge.model import Knowledge
from knowledge.threshold import Level, Step
from schemas.alerts import Implicated
from schemas.values import SEVERITIES, Severity
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, acting_with, answer_apart, answers, read_by
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.sampling import drawn_so
from services.monitor.rules.taken import Taken, flushes, implicate_dose, last_dose

_OF_THE_MEDICINE = frozenset(
    {"with", "without", "dose", "no_dose", "single", "no_single", "route", "way", "other_way", "together"}
)
"""Kinds of conditions whose answer depends on which medicine is asked about."""
_OF_RESULTS = frozenset({"result", "course", "kidney"})


class Drawn(NamedTuple):
    """A level of a medicine: its result, and the last dose before it as far as known."""

    level: Level
    result: Implicated
    dose: Implicated | None

    @property
    def after(self) -> timedelta | None:
        return None if self.dose is None else self.result.at - self.dose.at

    @property
    def early(self) -> bool:
        """Drawn too soon after the dose to say much, and not so high that it counts anyhow."""
        anyhow = self.level.anyhow_from
        extreme = anyhow is not None and self.result.value is not None and self.result.value >= anyhow
        return self.after is not None and self.after < self.level.early and not extreme


class Held(NamedTuple):
    """A step that holds of a medicine, with its severity here. ``began`` is when it came to be so, ``waits`` how long the right
    action is waited for from then; ``open_`` are answers that are not known and could change how grave it is."""

    step: Step
    severity: Severity
    taken: Taken
    answers: tuple[Answer, ...]
    began: datetime
    waits: timedelta
    open_: tuple[Answer, ...]
    drawn: Drawn | None


class Asked:
    """The questions of one evaluation, each asked once. ``all``: every answer, by what was asked."""

    def __init__(self, state: PatientState, knowledge: Knowledge) -> None:
        self.state, self.knowledge = state, knowledge
        self.all: dict[str, Answer] = {}
        self._known: dict[tuple[str, str, datetime | None], Answer] = {}

    def gravest(self, steps: Sequence[Step], of: Taken, of_problem: Sequence[Step]) -> Held | None:
        """The first of ``steps`` that holds of a medicine; they stand gravest first. ``of_problem`` are all that show it."""
        open_: list[Answer] = []
        for step in steps:
            found = list(self._until_no(step, of))
            if any(each.holds is False for each in found):
                continue
            if any(each.holds is None for each in found):
                # worth saying where only this is missing
                open_ += (each for each in found if each.holds is None) if any(each.holds for each in found) else ()
                continue
            excused = [self._answer(each, of) for each in step.unless]
            if not any(each.holds for each in excused):
                open_ += (each for each in excused if each.holds is None)
                return self._held(step, of, tuple(found), tuple(open_), of_problem)
        return None

    def _held(
        self, step: Step, of: Taken, found: tuple[Answer, ...], open_: tuple[Answer, ...], of_problem: Sequence[Step]
    ) -> Held:
        drawn = self._drawn(of, found)
        early = drawn is not None and drawn.early
        severity = step.severity
        if drawn is not None and early:
            severity = _said_early(step, drawn.level)
        run = list(self._run(step, of))
        began = max([of.starts, *run[-1:]])
        waits = step.grace if step.grace and not self._was_graver(step, of_problem, of, run) else timedelta(0)
        return Held(step, severity, of, found, began, waits, open_, drawn)

    def _until_no(self, step: Step, of: Taken) -> Iterator[Answer]:
        for condition in step.when:
            answer = self._answer(condition, of, _drawn_as(step, condition))
            yield answer
            if answer.holds is False:
                return

    def _answer(self, condition: Condition, of: Taken, drawn: str = "") -> Answer:
        medicine = of.ingredient if condition.kind in _OF_THE_MEDICINE else ""
        key = (f"{condition.text} {drawn}", medicine, of.starts if condition.kind in _OF_RESULTS else None)
        if key not in self._known:
            self._known[key] = _ask(condition, of, self.state, self.knowledge, drawn)
        self.all[condition.text] = self._known[key]
        return self._known[key]

    def _drawn(self, of: Taken, found: Iterable[Answer]) -> Drawn | None:
        for answer in found:
            level = self.knowledge.thresholds.levels.get(answer.condition.name)
            if level is not None and answer.facts and answer.condition.kind == "result":
                result = answer.facts[0]
                dose = last_dose(of.ingredient, result.at, self.state)
                return Drawn(level, result, None if dose is None else implicate_dose(dose))
        return None

    def _run(self, step: Step, of: Taken) -> Iterator[datetime]:
        """The times of the results, back from the newest, as of which it held."""
        asked = [each for each in step.when if each.kind in _OF_RESULTS]
        names = read_by(asked, self.knowledge).analytes
        times = {each.at for name in names for each in self.state.results.get(name, ()) if each.measured}
        for time in sorted(times, reverse=True):
            if not self._held_at(step, of, time):
                return
            yield time

    def _held_at(self, step: Step, of: Taken, time: datetime) -> bool:
        """By the results up to a time; what else was so then is not asked."""
        asked = [each for each in step.when if each.kind in _OF_RESULTS]
        names = read_by(asked, self.knowledge).analytes
        known = {name: tuple(each for each in self.state.results.get(name, ()) if each.at <= time) for name in names}
        then = replace(self.state, results={**self.state.results, **known})
        return all(_ask(each, of, then, self.knowledge, _drawn_as(step, each)).holds for each in asked)

    def _was_graver(self, step: Step, of_problem: Sequence[Step], of: Taken, run: Sequence[datetime]) -> bool:
        """Whether it was worse in this run: the right action has been waited for long enough then."""
        worse = SEVERITIES.index(step.severity)
        graver = [
            each
            for each in of_problem
            if of.ingredient in each.ingredients and SEVERITIES.index(each.severity) < worse and not each.grace
        ]
        return any(self._held_at(each, of, time) for each in graver for time in run)


def _said_early(step: Step, level: Level) -> Severity:
    """How grave a level is that was drawn too soon: where nothing else speaks for harm, it is only said to be so, unless it would
    have paged."""
    if len(step.when) == 1 and step.severity != "critical":
        return "info"
    return max(step.severity, level.early_severity, key=SEVERITIES.index)


def _drawn_as(step: Step, condition: Condition) -> str:
    """The first condition names the level, which counts only as it was drawn."""
    return step.drawn if condition is step.when[0] else ""


def _ask(condition: Condition, of: Taken, state: PatientState, knowledge: Knowledge, drawn: str) -> Answer:
    if condition.kind in ("with", "without"):
        return _beside(condition, of, state, knowledge)
    if condition.kind in _OF_RESULTS:
        analyte = "creatinine" if condition.kind == "kidney" else condition.name
        results = state.results.get(analyte, ())
        if drawn:
            level = knowledge.thresholds.levels.get(analyte)
            results = tuple(each for each in results if drawn_so(each, drawn, level, of, state))
            state = replace(state, results={**state.results, analyte: results})
        newest = next((each for each in reversed(results) if each.measured), None)
        lasting = knowledge.thresholds.lasting.get(condition.name)
        if newest is not None and lasting is not None and of.starts - newest.at > lasting:
            said = f"the newest is of {newest.at:%Y-%m-%d}, too old to say"
            return Answer(condition=condition, holds=None, found=said)
        if condition.within is not None and condition.kind == "result":
            state = replace(state, clock=of.starts)
    situation = Situation(
        state=state, knowledge=knowledge, orders=of.orders, objects=of.orders, ingredient=of.ingredient
    )
    answer = (
        answer_apart(condition, situation) if condition.kind in _OF_RESULTS else answers((condition,), situation)[0]
    )
    # what is compared with the beginning of the medicine does not age
    return replace(answer, until=None) if condition.kind == "result" else answer


def _beside(condition: Condition, of: Taken, state: PatientState, knowledge: Knowledge) -> Answer:
    """Another medicine with a property; the flush of a line is none."""
    situation = Situation(state=state, knowledge=knowledge, orders=of.orders, objects=of.orders)
    found = [each for each in acting_with(condition.name, situation, condition.grade) if not flushes(each, knowledge)]
    others = [each for each in found if of.ingredient not in each.ingredients]
    return Answer(
        condition=condition,
        holds=bool(others) == (condition.kind == "with"),
        found=", ".join(dict.fromkeys(each.label for each in others)) or "none ordered",
        facts=tuple(map(implicate_order, others)) if condition.kind == "with" else (),
    )
