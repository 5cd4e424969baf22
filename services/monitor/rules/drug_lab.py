"""A medicine against a laboratory value (``drug_labs/steps.csv``): at the order, at the supply, and when the result comes.

Which of these comes last does not matter: what is true then is the finding. Rules of the file that show one problem are one
finding, so that the alert stays the same while a value moves through them; what holds beside the gravest is told in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
from services.monitor.rules.conditions import Situation, all_hold, answers, read_by, reads_of
from services.monitor.rules.critical_context import specimen_doubts
from services.monitor.rules.drug_lab_asked import Asked, Held
from services.monitor.rules.drug_lab_told import told
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.taken import taken
from services.monitor.rules.view import view_of

OWN_RULE = frozenset({"heparin-platelets"})
"""Rules of the file that a family of its own asks, with more than conditions can say."""
_NONE: frozenset[str] = frozenset()


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
            return touched
        view = view_of(state, knowledge)
        found = touched & view.made_of_acting(self.id, lambda: index.about(view.by_ingredient))
        if len(found) == len(touched):
            return found
        more = index.about(view.given_alone).union(view.parts_of(self.id))
        return found | (touched & more) if more else found

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is a problem, or a rule of the file that shares none."""
        problem = self._index_of(knowledge).problems.get(part)
        if problem is None:
            return  # of an older release
        view = view_of(state, knowledge)
        about = view.made_of_acting((self.id, part), lambda: problem.about(view.by_ingredient), problem.of.keys())
        more = view.given_alone
        open_ = problem.left_open(about | problem.about(more) if more else about, state)
        if not open_ or not problem.may_hold(open_, state, knowledge):
            return
        steps = [step for place, step in enumerate(problem.steps) if open_ >> place & 1]
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
    """What shows one problem: the steps, gravest first, whom they are about and what they read. ``needs`` are the values that a
    step cannot hold without, each with the steps that ask for it, ``values`` those of them that must be known to hold. Sets of
    steps are whole numbers, a bit for each place: they are asked for at nearly every event."""

    steps: tuple[Step, ...]
    reads: Reads
    of: Mapping[str, int]
    needs: tuple[tuple[Condition, int], ...]
    values: tuple[tuple[Condition, int], ...]

    def about(self, ingredients: Iterable[str]) -> int:
        """The steps that are about one of the ingredients."""
        found = 0
        for each in ingredients:
            found |= self.of.get(each, 0)
        return found

    def left_open(self, steps: int, state: PatientState) -> int:
        """Those that the newest values leave open: nearly always none."""
        newest: dict[str, Result | None] = {}
        for condition, needed_by in self.needs:
            if steps & needed_by:
                name = condition.name
                if name not in newest:
                    newest[name] = _newest(name, state)
                if _denies(newest[name], condition, state):
                    steps &= ~needed_by
                    if not steps:
                        break
        return steps

    def may_hold(self, steps: int, state: PatientState, knowledge: Knowledge) -> bool:
        """Whether any of them may hold by its values and their courses, whoever takes the medicine since when. Those that may not
        are asked all the same where another does: their answers are told beside it."""
        of = Situation(state=state, knowledge=knowledge)
        for condition, asked_by in self.values:
            if steps & asked_by:
                known = _newest(condition.name, state) is not None
                if not known or (condition.kind == "course" and not all_hold(answers((condition,), of))):
                    steps &= ~asked_by
                    if not steps:
                        return False
        return True


class _Index:
    """The problems by what they read."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        of: dict[str, list[Step]] = {}
        for step in knowledge.thresholds.steps:
            if step.rule not in OWN_RULE:
                of.setdefault(step.problem or step.rule, []).append(step)
        self.problems = {name: _problem(steps, knowledge) for name, steps in of.items()}
        by_ingredient, by_analyte = dict[str, set[str]](), dict[str, set[str]]()
        by_person, by_member = dict[str, set[str]](), dict[str, set[str]]()
        for name, problem in self.problems.items():
            person = problem.reads.person
            for kept, names in (
                (by_ingredient, problem.reads.ingredients or ()),
                (by_analyte, problem.reads.analytes),
                (by_person, () if isinstance(person, bool) else person),
                (by_member, problem.of),
            ):
                for each in names:
                    kept.setdefault(each, set()).add(name)
        self._by_ingredient, self._by_analyte, self._by_person, self._by_member = (
            {each: frozenset(names) for each, names in kept.items()}
            for kept in (by_ingredient, by_analyte, by_person, by_member)
        )

    def touched(self, change: Change) -> frozenset[str]:
        """The problems that read what changed."""
        found = _NONE
        for of, changed in (
            (self._by_ingredient, change.ordered),
            (self._by_member, change.given),
            (self._by_analyte, change.analytes),
            (self._by_person, change.person),
        ):
            for each in changed:
                found |= of.get(each, _NONE)
        return found

    def about(self, ingredients: Iterable[str]) -> frozenset[str]:
        """The problems that one of the ingredients can show."""
        return _NONE.union(*[self._by_member[each] for each in ingredients if each in self._by_member])


def _problem(steps: list[Step], knowledge: Knowledge) -> _Problem:
    members = frozenset[str]().union(*(step.ingredients for step in steps))
    asked = reads_of(*(_reads(step, knowledge) for step in steps))
    analyte, _, direction = steps[0].problem.partition(":")
    doubts = (condition for each in specimen_doubts(analyte, direction, knowledge) for condition in each.when)
    asked = reads_of(asked, read_by(doubts, knowledge))
    ordered = sorted(steps, key=lambda step: SEVERITIES.index(step.severity))
    of, needs, values = dict.fromkeys(sorted(members), 0), dict[Condition, int](), dict[Condition, int]()
    for place, step in enumerate(ordered):
        for each in step.ingredients:
            of[each] |= 1 << place
        for condition in step.when:
            if _decides(condition, step):
                needs[condition] = needs.get(condition, 0) | 1 << place
            if condition.kind in ("result", "course") and not step.drawn:
                values[condition] = values.get(condition, 0) | 1 << place
    reads = reads_of(Reads(ingredients=members), asked)
    return _Problem(tuple(ordered), reads, of, tuple(needs.items()), tuple(values.items()))


def _reads(step: Step, knowledge: Knowledge) -> Reads:
    """While the right action is waited for, the beginning of the run must not be forgotten."""
    asked = read_by((*step.when, *step.unless), knowledge)
    if not step.grace:
        return asked
    wait = Need(newest=3, within=2 * step.grace)
    return reads_of(asked, Reads(analytes=dict.fromkeys(asked.analytes, wait)))


def _decides(condition: Condition, step: Step) -> bool:
    """Whether the newest value alone may say that the step does not hold."""
    if condition.kind == "result":
        return not step.drawn
    return condition.kind == "no_result" and condition.within is not None


def _denies(newest: Result | None, condition: Condition, state: PatientState) -> bool:
    if newest is None:
        return False
    if condition.kind == "result":
        return newest.sure and not condition.compares(newest.value or 0.0)
    return condition.within is not None and state.clock - newest.at <= condition.within


def _newest(analyte: str, state: PatientState) -> Result | None:
    return next((each for each in reversed(state.results.get(analyte, ())) if each.measured), None)


def _held(possible: Sequence[Step], steps: Sequence[Step], asked: Asked) -> Iterator[Held]:
    """For each rule and medicine the gravest step that holds; of equals the first of the file. ``steps`` are all of the
    problem."""
    view = view_of(asked.state, asked.knowledge)
    here = view.given.union(view.by_ingredient)
    for rule in dict.fromkeys(step.rule for step in possible):
        of_rule = [step for step in possible if step.rule == rule]
        for ingredient in sorted(here & frozenset[str]().union(*(step.ingredients for step in of_rule))):
            mine = [step for step in of_rule if ingredient in step.ingredients]
            acts = taken(ingredient, mine[0].medicine, asked.state, asked.knowledge)
            found = None if acts is None else asked.gravest(mine, acts, steps)
            if found is not None:
                yield found
