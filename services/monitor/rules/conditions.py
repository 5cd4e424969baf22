"""What conditions of the knowledge mean of a patient: each is yes, no or not known, with what it was answered from.

Not known is an answer of its own: a rule never takes it for a no, and an alert says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Condition, Kind
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.alerts import Implicated
from services.monitor.patient.bounds import Need
from services.monitor.patient.clock import earlier, later, said_at
from services.monitor.patient.estimates import STEADY, clearance, filtration, in_unit
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_order, implicate_result
from services.monitor.rules.rule import Reads
from services.monitor.rules.view import View, view_of

_MOMENT = timedelta(microseconds=1)
"""After which what was within a span no longer is."""
_OUTWARD = {">": (">", ">="), ">=": (">", ">="), "<": ("<", "<="), "<=": ("<", "<=")}


class Situation(Struct, frozen=True, kw_only=True):
    """What the conditions of one finding are asked of. ``orders`` are those of the finding; ``objects`` those of them that the
    row is about, and ``ingredient`` the one of theirs whose dose is asked for."""

    state: PatientState
    knowledge: Knowledge
    orders: Sequence[Order] = ()
    objects: Sequence[Order] = ()
    ingredient: str = ""

    @property
    def since(self) -> datetime:
        """From when the orders act together."""
        return max((order.starts for order in self.orders), default=self.state.clock)


class Answer(Struct, frozen=True, kw_only=True):
    """``holds`` is None where it is not known. ``found`` is what was looked at, in words; ``facts`` are the facts behind it.
    ``until``: when time alone may change the answer."""

    condition: Condition
    holds: bool | None
    found: str
    facts: tuple[Implicated, ...] = ()
    until: datetime | None = None


_OF_THE_PATIENT = frozenset({"result", "course", "no_result", "age", "weight", "kidney", "history", "sex", "trait"})
"""Kinds whose answer is the same whichever orders are asked about."""


def answers(conditions: Iterable[Condition], of: Situation) -> tuple[Answer, ...]:
    """One answer for each condition, in their order."""
    return tuple([_answered(condition, of) for condition in conditions])


def answer_apart(condition: Condition, of: Situation) -> Answer:
    """As ``answers``, of a state as it was or would be, which is asked no more: what is kept of the present one stays."""
    return _answer(condition, of)


def _answered(condition: Condition, of: Situation) -> Answer:
    """Asked once of a state, where it is about the patient alone; the conditions are those of the knowledge, which stay."""
    if condition.kind not in _OF_THE_PATIENT:
        return _answer(condition, of)
    view = view_of(of.state, of.knowledge)
    answered = view.answered
    known = answered.get(id(condition))
    if known is None or known[0] is not condition:
        known = answered[id(condition)] = (condition, _kept(condition, of, view))
    return known[1]


def _kept(condition: Condition, of: Situation, view: View) -> Answer:
    """A course is dear and follows from the results alone."""
    if condition.kind != "course":
        return _answer(condition, of)
    results = of.state.results.get(condition.name, ())
    return view.made_of(results, (_course, condition.text), lambda: _course(condition, of.state))


def of_the_patient(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Those whose answer is the same whichever orders are asked about, each once."""
    return tuple(dict.fromkeys(each for each in conditions if each.kind in _OF_THE_PATIENT))


def read_by(conditions: Iterable[Condition], knowledge: Knowledge) -> Reads:
    """What has to be looked at to answer them."""
    needs: dict[str, Need] = {}
    ingredients: set[str] = set()
    person: set[str] = set()
    for each in conditions:
        match each.kind:
            case "result" | "course" | "no_result":
                # of a course all of its span; two more to fall back on when the newest is cancelled or says nothing
                # (what is kept is counted from the end of the day, so a span needs a day more)
                span = timedelta(0)
                if each.kind == "course" and each.within is not None:
                    span = each.within + timedelta(days=1)
                need = Need(newest=3, within=span)
                needs[each.name] = needs[each.name].joined(need) if each.name in needs else need
            case "kidney":
                needs["creatinine"] = needs.get("creatinine", STEADY).joined(STEADY)
                person |= {"age", "said", "weight", "height"}
            case "with" | "without":
                ingredients |= knowledge.properties.get(each.name, {}).keys()
            case "age" | "weight" | "history":
                person.add(each.kind)
            case "trait" | "sex":
                person |= {"said", "stay"}
            case _:
                pass  # asks of the rule's own orders
    return Reads(ingredients=ingredients, analytes=needs, person=frozenset(person), doses=False)


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
    return Reads(ingredients=ingredients, analytes=needs, person=whole or person, doses=doses)


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


def acting_with(name: str, of: Situation, grade: str = "") -> Iterator[Order]:
    """Orders with a member of a property that act together with those of the situation, or now where it has none."""
    for order in view_of(of.state, of.knowledge).having(name, grade):
        if of.objects:
            if all(order is not each and order.overlaps(each) for each in of.objects):
                yield order
        elif order.in_force(of.state.clock):
            yield order


def _answer(condition: Condition, of: Situation) -> Answer:
    of_state = _OF_STATE.get(condition.kind)
    return of_state(condition, of.state) if of_state is not None else _OF_ORDERS[condition.kind](condition, of)


def _result(condition: Condition, state: PatientState) -> Answer:
    """The newest result that says on which side of the limit it lies."""
    oldest = None if condition.within is None else earlier(state.clock, condition.within)
    for result in reversed(state.results.get(condition.name, ())):
        if oldest is not None and result.at < oldest:
            break
        side = _side(condition, result)
        if side is not None:
            until = None if condition.within is None else later(result.at, condition.within + _MOMENT)
            return Answer(
                condition=condition, holds=side, found=_said(result), facts=(implicate_result(result),), until=until
            )
    return Answer(condition=condition, holds=None, found=f"no {condition.name} that says it")


def _side(condition: Condition, result: Result) -> bool | None:
    if not result.measured or result.value is None or result.remark == "implausible":
        return None
    if not result.comparator:
        return condition.compares(result.value)
    if result.comparator in _OUTWARD[condition.op]:
        return True if condition.compares(result.value) else None
    beyond = condition.compares(result.value)
    return False if not beyond or (result.value == condition.value and result.comparator in ("<", ">")) else None


def _course(condition: Condition, state: PatientState) -> Answer:
    """The newest sure result against the others of the span before it."""
    sure = [each for each in state.results.get(condition.name, ()) if each.sure]
    newest = sure[-1] if sure else None
    if newest is None or newest.value is None:
        return Answer(condition=condition, holds=None, found=f"no {condition.name} known")
    span = condition.within or timedelta.max
    before = [each for each in sure if each.at < newest.at and newest.at - each.at <= span]
    against = _against(condition, newest, before)
    if against is None or against.value is None:
        return Answer(condition=condition, holds=None, found=f"no {condition.name} before {_said(newest)}")
    moved = _moved(condition, newest.value, against.value)
    return Answer(
        condition=condition,
        holds=None if moved is None else condition.compares(moved),
        found=f"{_said(against)}, then {_said(newest)}",
        facts=(implicate_result(against), implicate_result(newest)),
    )


def _against(condition: Condition, newest: Result, before: Sequence[Result]) -> Result | None:
    valued = [each for each in before if each.value is not None]
    if not valued:
        return None
    match condition.course:
        case "rise" | "ratio":
            return min(valued, key=lambda each: (each.value or 0, each.at))
        case "fall" | "drop":
            return max(valued, key=lambda each: (each.value or 0, each.at))
    return max(valued, key=lambda each: (abs((newest.value or 0) - (each.value or 0)), each.at))


def _moved(condition: Condition, now: float, then: float) -> float | None:
    """By how much, rounded to what a laboratory reports: 1.3 after 1.0 has risen by 0.3."""
    match condition.course:
        case "rise":
            return round(now - then, 6)
        case "fall":
            return round(then - now, 6)
        case "change":
            return round(abs(now - then), 6)
        case "ratio":
            return round(now / then, 6) if then > 0 else None
    return round((then - now) / then * 100, 6) if then > 0 else None


def _no_result(condition: Condition, state: PatientState) -> Answer:
    newest = next((each for each in reversed(state.results.get(condition.name, ())) if each.measured), None)
    if newest is None:
        return Answer(condition=condition, holds=True, found=f"no {condition.name} known")
    old = condition.within is not None and state.clock - newest.at > condition.within
    until = None if old or condition.within is None else later(newest.at, condition.within + _MOMENT)
    return Answer(condition=condition, holds=old, found=_said(newest), facts=(implicate_result(newest),), until=until)


def _measured(condition: Condition, state: PatientState) -> Answer:
    value: float | None = None
    unit = condition.unit
    if condition.kind == "age":
        age = state.age(state.clock)
        value = age.days if condition.unit == "days" and age is not None else state.years(state.clock)
    elif condition.kind == "weight":
        value = in_unit(state, "weight", "kg")
    else:
        estimate = filtration(state) if condition.name == "egfr" else clearance(state)
        if estimate is not None:
            value, unit = estimate.value, f"{estimate.unit} ({estimate.formula})"
    if value is None:
        return Answer(condition=condition, holds=None, found="not known")
    return Answer(condition=condition, holds=condition.compares(value), found=f"{value:.4g} {unit}".strip())


def _with(condition: Condition, of: Situation) -> Answer:
    found = list(acting_with(condition.name, of, condition.grade))
    return Answer(
        condition=condition,
        holds=bool(found) == (condition.kind == "with"),
        found=", ".join(dict.fromkeys(order.label for order in found)) or "none ordered",
        facts=tuple(map(implicate_order, found)) if condition.kind == "with" else (),
    )


def daily_mg(of: Situation) -> tuple[float, bool]:
    """What is ordered of the ingredient a day by all objects that act together, and whether all of it is known."""
    doses = [order.daily_mg_of(of.ingredient) for order in of.objects if of.ingredient in order.ingredients]
    return sum(dose for dose in doses if dose is not None), bool(doses) and None not in doses


def _dose(condition: Condition, of: Situation) -> Answer:
    known, all_known = daily_mg(of)
    said = (
        f"{known:g} mg/day" if all_known else f"{known:g} mg/day and a dose that is not known" if known else "not known"
    )
    if condition.kind == "no_dose":
        return Answer(condition=condition, holds=not all_known, found=said)
    # what is known is the least that it can be
    enough = condition.op in (">", ">=") and condition.compares(known) and known > 0
    return Answer(condition=condition, holds=condition.compares(known) if all_known else (enough or None), found=said)


def _route(condition: Condition, of: Situation) -> Answer:
    places = [(order, of.knowledge.place_of(order.route, order.form)) for order in of.objects]
    said = ", ".join(dict.fromkeys(order.route or order.form or "not known" for order, _ in places))
    if any(place is None for _, place in places) or not places:
        return Answer(condition=condition, holds=None, found=said or "not known")
    return Answer(condition=condition, holds=any(place == condition.name for _, place in places), found=said)


def _single(condition: Condition, of: Situation) -> Answer:
    doses = [order.single_mg_of(of.ingredient) for order in of.objects if of.ingredient in order.ingredients]
    known = [dose for dose in doses if dose is not None]
    said = f"{max(known):g} mg" if known else "not known"
    all_known = bool(known) and len(known) == len(doses)
    if condition.kind == "no_single":
        return Answer(condition=condition, holds=not all_known, found=said)
    # the largest that is known is the least that the largest can be
    enough = condition.op in (">", ">=") and bool(known) and condition.compares(max(known))
    return Answer(
        condition=condition, holds=condition.compares(max(known)) if all_known else enough or None, found=said
    )


def _way(condition: Condition, of: Situation) -> Answer:
    """Of every order of the finding that is one of the row's medicine, or of every other one."""
    own = condition.kind == "way"
    asked = of.objects if own else [order for order in of.orders if all(order is not each for each in of.objects)]
    ways = [of.knowledge.doses.way_of(order.route, order.form) for order in asked]
    said = ", ".join(dict.fromkeys(way or "not known" for way in ways))
    if not ways or None in ways:
        return Answer(condition=condition, holds=None, found=said or "not known")
    return Answer(condition=condition, holds=all(way == condition.name for way in ways), found=said)


def _history(condition: Condition, of: Situation) -> Answer:
    view = view_of(of.state, of.knowledge)
    if view.conditions is None:
        return Answer(condition=condition, holds=None, found="no diagnoses known")
    found = view.groups.get(condition.name, ())
    names = (each.codings[0].display or each.codings[0].code for each in found)
    return Answer(
        condition=condition, holds=bool(found), found=", ".join(dict.fromkeys(names)) or "not among those known"
    )


def _trait(condition: Condition, state: PatientState) -> Answer:
    holds = _has_trait(condition.name, state)
    return Answer(condition=condition, holds=holds, found={True: "yes", False: "no", None: "not known"}[holds])


def _has_trait(name: str, state: PatientState) -> bool | None:
    match name:
        case "pregnant":
            return None if state.pregnancy is None else state.pregnancy.pregnant
        case "lactating":
            return state.lactating
        case "end_of_life":
            return None if state.goals is None else known_or(state.goals.end_of_life, None)
        case "inpatient":
            stay = state.stay
            encounter = None if stay is None else known_or(stay.encounter_class, None)
            return None if encounter is None else encounter in ("inpatient", "emergency")
        case "benign_ethnic_neutropenia":
            return None if state.traits is None else known_or(state.traits.benign_ethnic_neutropenia, None)
    if state.procedures is None:
        return None
    kind = {"dialysis": "dialysis", "ventilated": "ventilation"}[name]
    return any(
        each.kind == kind and (known_or(each.end, None) is None or known_or(each.end, state.clock) > state.clock)
        for each in state.procedures
    )


def _together(condition: Condition, of: Situation) -> Answer:
    since = of.since
    days = (of.state.clock - since) / timedelta(days=1)
    until = later(since, timedelta(days=condition.value)) if days < condition.value else None
    return Answer(
        condition=condition, holds=condition.compares(days), found=f"for {max(days, 0):.3g} days", until=until
    )


def _said(result: Result) -> str:
    written = result.received or f"{result.comparator}{result.value:g} {result.unit}".strip()
    return f"{written} at {said_at(result.at)}"


def _sex(condition: Condition, state: PatientState) -> Answer:
    holds = state.sex == condition.name if state.sex else None
    return Answer(condition=condition, holds=holds, found=state.sex or "not known")


_OF_STATE: dict[Kind, Callable[[Condition, PatientState], Answer]] = {
    "result": _result, "course": _course, "no_result": _no_result, "age": _measured, "weight": _measured,
    "kidney": _measured, "sex": _sex, "trait": _trait,
}  # fmt: skip
_OF_ORDERS: dict[Kind, Callable[[Condition, Situation], Answer]] = {
    "with": _with, "without": _with, "dose": _dose, "no_dose": _dose, "single": _single, "no_single": _single,
    "route": _route, "way": _way, "other_way": _way, "history": _history, "together": _together,
}  # fmt: skip
