"""A medicine against a laboratory value (``drug_labs/steps.csv``): at the order, at the supply, and when the result comes.

Which of these comes last does not matter: what is true then is the finding. Rules of the file that show one problem are one
finding, so that the alert stays the same while a value moves through them; what holds beside the gravest is told in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from knowledge.conditions import Condition
from knowledge.model import Knowledge
from knowledge.threshold import Step
from schemas.values import SEVERITIES, Citation
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import read_by, reads_of
from services.monitor.rules.critical_context import specimen_doubts
from services.monitor.rules.drug_lab_asked import Asked, Held
from services.monitor.rules.drug_lab_told import told
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.taken import taken
from services.monitor.rules.view import view_of

OWN_RULE = frozenset({"heparin-platelets"})
"""Rules of the file that a family of its own asks, with more than conditions can say."""


class DrugLab:
    """One finding for each problem, whatever number of medicines and results show it."""

    id = "drug-lab"
    version = "1"
    family = "medicine and laboratory"
    title = "A medicine against a laboratory value"
    data = ("drug_labs/steps.csv", "drug_labs/levels.csv", "drug_labs/lasting.csv")

    def __init__(self) -> None:
        self._index: _Index | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        return reads_of(*(each.reads for each in self._index_of(knowledge).problems.values()))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        of = knowledge.thresholds
        cited = (*(each.citations for each in of.steps), *(each.citations for each in of.levels.values()))
        return dict.fromkeys(chain.from_iterable(cited))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The problems that read what changed and have a medicine here, or had one until now."""
        index = self._index_of(knowledge)
        touched = index.touched(change)
        if not touched:
            return ()
        here = _here(state, knowledge)
        standing = {each.part for each in state.standing.values() if each.rule == self.id}
        return {each for each in touched if each in standing or not index.problems[each].members.isdisjoint(here)}

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is a problem, or a rule of the file that shares none."""
        problem = self._index_of(knowledge).problems.get(part)
        if problem is None:
            return  # of an older release
        steps = [step for step in problem.steps if _possible(step, state)]
        if not steps:
            return
        asked = Asked(state, knowledge)
        found = list(_held(steps, problem.steps, asked))
        if found:
            found.sort(key=lambda each: (SEVERITIES.index(each.severity), problem.steps.index(each.step)))
            yield told(part, found, problem.steps, asked.all.values(), state, knowledge)

    def _index_of(self, knowledge: Knowledge) -> _Index:
        if self._index is None or self._index.knowledge is not knowledge:
            self._index = _Index(knowledge)
        return self._index


class _Problem(NamedTuple):
    """What shows one problem: the steps, gravest first, whom they are about and what they read."""

    steps: tuple[Step, ...]
    members: frozenset[str]
    reads: Reads


class _Index:
    """The problems by what they read."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        of: dict[str, list[Step]] = {}
        for step in knowledge.thresholds.steps:
            if step.rule not in OWN_RULE:
                of.setdefault(step.problem or step.rule, []).append(step)
        self.problems = {name: _problem(steps, knowledge) for name, steps in of.items()}
        self._by_ingredient: dict[str, set[str]] = {}
        self._by_analyte: dict[str, set[str]] = {}
        self._by_person: set[str] = set()
        for name, problem in self.problems.items():
            for ingredient in problem.reads.ingredients or ():
                self._by_ingredient.setdefault(ingredient, set()).add(name)
            for analyte in problem.reads.analytes:
                self._by_analyte.setdefault(analyte, set()).add(name)
            if problem.reads.person:
                self._by_person.add(name)

    def touched(self, change: Change) -> set[str]:
        found: set[str] = set()
        for ingredient in change.ingredients:
            found |= self._by_ingredient.get(ingredient, set())
        for analyte in change.analytes:
            found |= self._by_analyte.get(analyte, set())
        return found | self._by_person if change.person else found


def _problem(steps: list[Step], knowledge: Knowledge) -> _Problem:
    members = frozenset[str]().union(*(step.ingredients for step in steps))
    asked = reads_of(*(_reads(step, knowledge) for step in steps))
    analyte, _, direction = steps[0].problem.partition(":")
    doubts = (condition for each in specimen_doubts(analyte, direction, knowledge) for condition in each.when)
    asked = reads_of(asked, read_by(doubts, knowledge))
    ordered = sorted(steps, key=lambda step: SEVERITIES.index(step.severity))
    return _Problem(tuple(ordered), members, reads_of(Reads(ingredients=members), asked))


def _reads(step: Step, knowledge: Knowledge) -> Reads:
    """While the right action is waited for, the beginning of the run must not be forgotten."""
    asked = read_by((*step.when, *step.unless), knowledge)
    if not step.grace:
        return asked
    wait = Need(newest=3, within=2 * step.grace)
    return reads_of(asked, Reads(analytes=dict.fromkeys(asked.analytes, wait)))


def _here(state: PatientState, knowledge: Knowledge) -> set[str]:
    """Whatever is ordered, supplied, or was given lately."""
    given = (ingredient for dose in state.doses.values() for ingredient in dose.what.ingredients)
    return {*view_of(state, knowledge).by_ingredient, *given}


def _possible(step: Step, state: PatientState) -> bool:
    """Whether the newest values leave it open: asked of every event, and nearly always the end of it."""
    for condition in step.when:
        if condition.kind == "result" and not step.drawn:
            newest = _newest(condition, state)
            if newest is not None and newest.sure and not condition.compares(newest.value or 0.0):
                return False
        elif condition.kind == "no_result" and condition.within is not None:
            newest = _newest(condition, state)
            if newest is not None and state.clock - newest.at <= condition.within:
                return False
    return True


def _newest(condition: Condition, state: PatientState) -> Result | None:
    return next((each for each in reversed(state.results.get(condition.name, ())) if each.measured), None)


def _held(possible: Sequence[Step], steps: Sequence[Step], asked: Asked) -> Iterator[Held]:
    """For each rule and medicine the gravest step that holds; of equals the first of the file. ``steps`` are all of the
    problem."""
    here = _here(asked.state, asked.knowledge)
    for rule in dict.fromkeys(step.rule for step in possible):
        of_rule = [step for step in possible if step.rule == rule]
        for ingredient in sorted(here & frozenset[str]().union(*(step.ingredients for step in of_rule))):
            mine = [step for step in of_rule if ingredient in step.ingredients]
            acts = taken(ingredient, mine[0].medicine, asked.state, asked.knowledge)
            found = None if acts is None else asked.gravest(mine, acts, steps)
            if found is not None:
                yield found
