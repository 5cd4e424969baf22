"""A level of a medicine that is too low to do what it is given for, or that was drawn too soon after a dose to say anything.

Levels that are too high are those of ``drug_lab``: where it speaks of a level, this rule says nothing of it. What is too low, and
after how many days at one dose, is data (``knowledge/drug_labs/level_targets.csv``); so is how soon is too soon
(``levels.csv``). A low level counts however soon it was drawn, because later it is lower still. It ends with a newer level, with
another dose, or with the medicine, never by age.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from knowledge.level_target import LevelTarget
from knowledge.model import Knowledge
from schemas.values import Citation
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Situation, all_hold, answers, read_by, reads_of
from services.monitor.rules.corrected_level import as_if_normal
from services.monitor.rules.drug_level_told import Drawn, Low, told_early, told_low
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.sampling import doses_before, drawn_so
from services.monitor.rules.steady import same_dose_since
from services.monitor.rules.taken import Taken, taken

_NEEDS = Need(newest=3)
_RISES = frozenset({">", ">="})


class DrugLevel:
    """At most one finding for each analyte."""

    id = "drug-level"
    version = "1"
    family = "therapeutic drug monitoring"
    title = "Level of a medicine that is too low, or drawn too soon"
    data = ("drug_labs/level_targets.csv", "drug_labs/levels.csv", "drug_labs/corrections.csv")

    def __init__(self) -> None:
        self._index: _Index | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        index = self._index_of(knowledge)
        bound = (each for each in knowledge.thresholds.corrections if each.analyte in index.targets)
        needs = {name: _NEEDS for each in bound for name in (each.analyte, each.by)}
        asked = [read_by((*row.when, *row.unless), knowledge) for rows in index.targets.values() for row in rows]
        asked += [read_by(each.when, knowledge) for each in knowledge.thresholds.corrections]
        own = Reads(analytes=dict.fromkeys(index.ingredients, _NEEDS) | needs, ingredients=index.analytes.keys())
        return reads_of(own, *asked)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        index = self._index_of(knowledge)
        cited = [row.citations for rows in index.targets.values() for row in rows]
        cited += [
            knowledge.thresholds.levels[analyte].citations
            for analyte in index.ingredients
            if _early(analyte, knowledge)
        ]
        return dict.fromkeys(citation for each in cited for citation in each)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The levels that have a result here: without one nothing is low, and nothing stands."""
        stands = {each.part for each in state.standing.values() if each.rule == self.id}
        return (self._index_of(knowledge).ingredients.keys() & state.results.keys()) | stands

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is an analyte."""
        index = self._index_of(knowledge)
        for ingredient in sorted(index.ingredients.get(part, ())):
            acts = taken(ingredient, ingredient, state, knowledge)
            if acts is None or not acts.orders:
                continue
            low = _low(index.targets.get(part, ()), acts, state, knowledge)
            if low is not None:
                yield told_low(low, state)
                return
            drawn = _drawn_early(part, acts, state, knowledge)
            if drawn is not None:
                yield told_early(part, drawn, knowledge.thresholds.levels[part])
                return

    def _index_of(self, knowledge: Knowledge) -> _Index:
        if self._index is None or self._index.knowledge is not knowledge:
            self._index = _Index(knowledge)
        return self._index


class _Index:
    """The targets by analyte, gravest first as in the file; the medicines of each analyte, and the analytes of each medicine."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        targets: dict[str, list[LevelTarget]] = {}
        self.ingredients: dict[str, set[str]] = {}
        self.analytes: dict[str, set[str]] = {}
        for row in knowledge.level_targets:
            targets.setdefault(row.analyte, []).append(row)
            self._note(row.analyte, row.ingredients)
        for step in knowledge.thresholds.steps:
            analyte = step.when[0].name
            if step.when[0].kind == "result" and _early(analyte, knowledge):
                self._note(analyte, step.ingredients if analyte in step.ingredients else ())
        self.targets: Mapping[str, list[LevelTarget]] = targets

    def _note(self, analyte: str, ingredients: Iterable[str]) -> None:
        for each in ingredients:
            self.ingredients.setdefault(analyte, set()).add(each)
            self.analytes.setdefault(each, set()).add(analyte)


def _early(analyte: str, knowledge: Knowledge) -> bool:
    level = knowledge.thresholds.levels.get(analyte)
    return level is not None and bool(level.early)


def _newest(analyte: str, state: PatientState) -> Result | None:
    return next((each for each in reversed(state.results.get(analyte, ())) if each.measured), None)


def _low(rows: Iterable[LevelTarget], acts: Taken, state: PatientState, knowledge: Knowledge) -> Low | None:
    """By the first row that holds."""
    since = same_dose_since(acts, state)
    for row in rows:
        level = _newest(row.analyte, state)
        if acts.ingredient not in row.ingredients or level is None or since + row.steady > level.at:
            continue
        if not _is_below(level, row, acts, state, knowledge):
            continue
        of = Situation(
            state=state, knowledge=knowledge, orders=acts.orders, objects=acts.orders, ingredient=acts.ingredient
        )
        found, excused = answers(row.when, of), answers(row.unless, of)
        if all_hold(found) and not any(each.holds for each in excused):
            return Low(row, acts, since, _drawn(level, acts, state), (*found, *excused))
    return None


def _is_below(level: Result, row: LevelTarget, acts: Taken, state: PatientState, knowledge: Knowledge) -> bool:
    """``<2`` is below 4, and nobody knows whether ``<5`` is. What is corrected for albumin is low only as corrected."""
    if level.value is None or level.remark == "implausible" or level.comparator in _RISES:
        return False
    if row.drawn and not drawn_so(level, row.drawn, knowledge.thresholds.levels.get(row.analyte), acts, state):
        return False
    value = as_if_normal(level, row.analyte, state, knowledge)
    value = level.value if value is None else value
    return value <= row.below if level.comparator == "<" else value < row.below


def _drawn(level: Result, acts: Taken, state: PatientState) -> Drawn:
    given = doses_before((acts.ingredient,), level.at, state)
    return Drawn(level, given[-1] if given else None, acts)


def _drawn_early(analyte: str, acts: Taken, state: PatientState, knowledge: Knowledge) -> Drawn | None:
    """The newest level, where it was drawn too soon and no other rule speaks of it."""
    level, newest = knowledge.thresholds.levels.get(analyte), _newest(analyte, state)
    if level is None or newest is None or newest.value is None or newest.drawn == "peak":
        return None
    drawn = _drawn(newest, acts, state)
    if drawn.after is None or drawn.after >= level.early:
        return None
    return None if _spoken_of(newest, analyte, acts, state, knowledge) else drawn


def _spoken_of(level: Result, analyte: str, acts: Taken, state: PatientState, knowledge: Knowledge) -> bool:
    """Whether a step of ``drug_lab`` holds of the level: it says that it was drawn too soon, and what that means."""
    of = Situation(
        state=state, knowledge=knowledge, orders=acts.orders, objects=acts.orders, ingredient=acts.ingredient
    )
    return any(
        step.when[0].name == analyte
        and step.when[0].op in _RISES
        and step.drawn in ("", level.drawn)
        and all_hold(answers(step.when, of))
        for step in knowledge.thresholds.steps_of.get(acts.ingredient, ())
    )
