"""What conditions of the knowledge mean of a patient: each is yes, no or not known, with what it was answered from.

Not known is an answer of its own: a rule never takes it for a no, and an alert says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from knowledge.conditions import Condition, Kind
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from services.monitor.patient.bounds import Need
from services.monitor.patient.estimates import STEADY
from services.monitor.patient.state import PatientState
from services.monitor.rules import answers_of_medicines as of_medicines
from services.monitor.rules import answers_of_person as of_person
from services.monitor.rules import answers_of_results as of_results
from services.monitor.rules.answer import Answer, Situation
from services.monitor.rules.answers_of_isolates import resistant, tests
from services.monitor.rules.answers_of_medicines import acting_with, daily_mg
from services.monitor.rules.rule import Reads
from services.monitor.rules.view import view_of


def answers(conditions: Iterable[Condition], of: Situation) -> tuple[Answer, ...]:
    """One answer for each condition, in their order."""
    return tuple([_answered(condition, of) for condition in conditions])


def answer_apart(condition: Condition, of: Situation) -> Answer:
    """As ``answers``, of a state as it was or would be, which is asked no more: what is kept of the present one stays."""
    return _answer(condition, of)


class _Kept(NamedTuple):
    """An answer about the patient that stands as long as what it ``rests_on`` is the same, from ``since`` until ``until``."""

    condition: Condition
    rests_on: object
    since: datetime
    until: datetime | None
    answer: Answer

    def stands(self, rests_on: object, clock: datetime) -> bool:
        same = self.rests_on is rests_on or self.rests_on == rests_on
        return same and self.since <= clock and (self.until is None or clock < self.until)


def _answered(condition: Condition, of: Situation) -> Answer:
    """What is about the patient alone is answered anew only where what it rests on differs; the conditions are those of the
    knowledge, which stay."""
    if condition.kind not in _RESTS_ON:
        return _answer(condition, of)
    state = of.state
    kept, rests_on = view_of(state, of.knowledge).kept, _RESTS_ON[condition.kind](condition, state)
    known: _Kept | None = kept.get(id(condition))
    if known is not None and known.condition is condition and known.stands(rests_on, state.clock):
        return known.answer
    answer = _answer(condition, of)
    kept[id(condition)] = _Kept(condition, rests_on, state.clock, _stands_until(condition, answer, state), answer)
    return answer


def _stands_until(condition: Condition, answer: Answer, state: PatientState) -> datetime | None:
    if condition.kind not in ("weight", "kidney", "measure"):
        return answer.until
    # one that is dated ahead counts from its time on
    return earliest((answer.until, *(fact.at for fact in state.measures.values() if fact.at > state.clock)))


def of_the_patient(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Those whose answer is the same whichever orders are asked about, each once."""
    return tuple(dict.fromkeys(each for each in conditions if each.kind in _RESTS_ON))


def read_by(conditions: Iterable[Condition], knowledge: Knowledge) -> Reads:
    """What has to be looked at to answer them."""
    needs: dict[str, Need] = {}
    ingredients: set[str] = set()
    person: set[str] = set()
    every = False
    for each in conditions:
        match each.kind:
            case "result" | "course" | "own" | "no_result" | "old_result" | "resistant":
                need = _need(each)
                for name in tests(knowledge) if each.kind == "resistant" else (each.name,):
                    needs[name] = needs.get(name, need).joined(need)
            case "kidney":
                needs["creatinine"] = needs.get("creatinine", STEADY).joined(STEADY)
                person |= {"age", "said", "weight", "height"}
            case "with" | "without" | "count" | "score":
                ingredients |= knowledge.properties.get(each.name, {}).keys()
            case "beside" | "not_beside":
                ingredients.add(each.name)
            case "also_way":
                every = True
            case "measure":
                person.add(each.name)
            case "unit":
                person |= {"said", "stay"}
            case "age" | "weight" | "history":
                person.add(each.kind)
            case "trait" | "no_trait" | "sex":
                person |= {"said", "stay"}
            case _:
                pass  # asks of the rule's own orders
    return Reads(ingredients=None if every else ingredients, analytes=needs, person=frozenset(person), doses=False)


def _need(condition: Condition) -> Need:
    """Of a course all of its span; two more to fall back on when the newest is cancelled or says nothing (what is kept is counted
    from the end of the day, so a span needs a day more)."""
    if condition.within is None or condition.kind not in ("course", "own", "resistant"):
        return Need(newest=3)
    return Need(newest=3, within=condition.within + timedelta(days=1))


def reads_of(*all_: Reads) -> Reads:
    """Several as one."""
    needs: dict[str, Need] = {}
    for each in all_:
        for analyte, need in each.analytes.items():
            needs[analyte] = needs[analyte].joined(need) if analyte in needs else need
    every = any(each.ingredients is None for each in all_)
    ingredients = None if every else frozenset(name for each in all_ for name in each.ingredients or ())
    whole = any(each.person is True for each in all_)
    person = frozenset(name for each in all_ if not isinstance(each.person, bool) for name in each.person)
    doses = any(each.doses for each in all_)
    return Reads(ingredients=None if every else ingredients, analytes=needs, person=whole or person, doses=doses)


def earliest(times: Iterable[datetime | None]) -> datetime | None:
    """The first of those that are known."""
    return min((time for time in times if time is not None), default=None)


def said(found: Iterable[Answer]) -> tuple[ConditionSaid, ...]:
    """The answers as an alert tells them."""
    words: dict[bool | None, Literal["yes", "no", "unknown"]] = {True: "yes", False: "no", None: "unknown"}
    return tuple(ConditionSaid(text=each.condition.text, answer=words[each.holds], found=each.found) for each in found)


def all_hold(found: Iterable[Answer]) -> bool:
    """Whether every one is a known yes."""
    return all(each.holds is True for each in found)


def _answer(condition: Condition, of: Situation) -> Answer:
    of_state = _OF_STATE.get(condition.kind)
    return of_state(condition, of.state) if of_state is not None else _OF_ORDERS[condition.kind](condition, of)


def _of_traits(_: Condition, state: PatientState) -> object:
    return (
        state.pregnancy, state.lactating, state.goals, state.stays, state.traits, state.procedures,
        state.clock if state.procedures else None,
    )  # fmt: skip


_RESTS_ON: dict[Kind, Callable[[Condition, PatientState], object]] = {
    "result": lambda condition, state: state.results.get(condition.name),
    "course": lambda condition, state: state.results.get(condition.name),
    "own": lambda condition, state: state.results.get(condition.name),
    "no_result": lambda condition, state: state.results.get(condition.name),
    "old_result": lambda condition, state: state.results.get(condition.name),
    "age": lambda _, state: (state.birth_date, state.clock.date()),
    "weight": lambda _, state: state.measures,
    "kidney": lambda _, state: (state.results.get("creatinine"), state.measures, state.birth_date, state.sex),
    "measure": lambda _, state: state.measures,
    "history": lambda _, state: state.condition_facts,
    "sex": lambda _, state: state.sex,
    "trait": _of_traits,
    "no_trait": _of_traits,
    "unit": lambda _, state: (state.stays, state.unit),
}  # fmt: skip
"""Kinds whose answer is the same whichever orders are asked about, with all of the state that it rests on beside the clock."""
_OF_STATE: dict[Kind, Callable[[Condition, PatientState], Answer]] = {
    "result": of_results.result, "course": of_results.course, "own": of_results.own, "no_result": of_results.no_result,
    "old_result": of_results.old_result, "age": of_person.measured, "weight": of_person.measured,
    "kidney": of_person.measured, "measure": of_person.observed, "sex": of_person.sex, "trait": of_person.trait,
    "no_trait": of_person.no_trait, "unit": of_person.unit,
}  # fmt: skip
_OF_ORDERS: dict[Kind, Callable[[Condition, Situation], Answer]] = {
    "with": of_medicines.with_, "without": of_medicines.with_, "beside": of_medicines.beside,
    "not_beside": of_medicines.beside, "count": of_medicines.count, "score": of_medicines.count,
    "dose": of_medicines.dose, "no_dose": of_medicines.dose, "single": of_medicines.single,
    "no_single": of_medicines.single, "route": of_medicines.route, "way": of_medicines.way,
    "other_way": of_medicines.way, "also_way": of_medicines.also_way, "resistant": resistant, "history": of_person.history,
    "together": of_medicines.together, "acting": of_medicines.acting,
}  # fmt: skip

__all__ = [
    "Answer", "Situation", "acting_with", "all_hold", "answer_apart", "answers", "daily_mg", "earliest", "of_the_patient",
    "read_by", "reads_of", "said",
]  # fmt: skip
