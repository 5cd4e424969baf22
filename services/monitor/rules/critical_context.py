"""What makes a value beyond a critical limit less grave than the limit says (``knowledge/labs/critical_context.csv``): a spoiled
specimen, a course that is known, a medicine that explains it, another result. Nothing here makes it graver, and nothing
silences it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from knowledge.critical import Context, Medicines, Specimen
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.alerts import Implicated
from services.monitor.patient.clock import said_at
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, all_hold, answers, earliest, said
from services.monitor.rules.evidence import implicate_order, implicate_result, value_of
from services.monitor.rules.explaining import acted

Distance = Callable[[Result], float | None]
"""How far a result lies beyond the limit, nothing within it; None where it does not say."""


class Asked(Struct, frozen=True, kw_only=True):
    """What was asked of one row, and the answer. ``outweighs`` are the facts that keep a value grave although the row would make
    it milder."""

    context: Context
    holds: bool
    conditions: tuple[ConditionSaid, ...] = ()
    facts: tuple[Implicated, ...] = ()
    outweighs: tuple[str, ...] = ()
    until: datetime | None = None


class Value(Struct, frozen=True, kw_only=True):
    """A value beyond a limit: the result that shows it, all results of the analyte, and how far each lies beyond."""

    shown: Result
    results: Sequence[Result]
    distance: Distance


def spoiled(result: Result) -> Specimen | None:
    """What can be wrong with the specimen."""
    if result.haemolysed:
        return "haemolysed"
    return "implausible" if result.remark == "implausible" else None


def asked_of(contexts: Sequence[Context], value: Value, state: PatientState, knowledge: Knowledge) -> tuple[Asked, ...]:
    """The rows up to the first that holds; those before it whose specimen, course or medicine does not fit are left out."""
    found: list[Asked] = []
    for context in contexts:
        asked = _asked(context, value, state, knowledge)
        if asked is not None:
            found.append(asked)
            if asked.holds:
                break
    return tuple(found)


def specimen_doubts(analyte: str, direction: str, knowledge: Knowledge) -> list[Context]:
    """The rows by which other results alone, of the same time, say something against the specimen."""
    rows = knowledge.critical.contexts.get((analyte, direction), ())
    return [
        each
        for each in rows
        if each.when
        and all(condition.kind == "result" for condition in each.when)
        and not (each.specimen or each.again_within or each.after or each.unless or each.unless_with)
    ]


def again(value: Value, within: timedelta) -> Result | None:
    """An earlier result at least as far beyond the limit, not more than ``within`` before this run of results beyond it began,
    with one in between that was not beyond."""
    began, back, now = value.shown, False, value.distance(value.shown)
    for result in reversed(value.results):
        distance = value.distance(result) if result.at < value.shown.at else None
        if distance is None or now is None:
            continue
        if distance <= 0:
            back = True
        elif not back:
            began = result
        elif began.at - result.at > within:
            return None
        elif distance >= now:
            return result
    return None


def _asked(context: Context, value: Value, state: PatientState, knowledge: Knowledge) -> Asked | None:
    conditions: list[ConditionSaid] = []
    facts: list[Implicated] = []
    if context.specimen is not None:
        if spoiled(value.shown) != context.specimen:
            return None
        conditions.append(_yes(f"specimen {context.specimen}", value_of(value.shown)))
    if context.again_within is not None:
        earlier = again(value, context.again_within)
        if earlier is None:
            return None
        conditions.append(_yes("beyond the same limit before", f"{value_of(earlier)} at {said_at(earlier.at)}"))
        facts.append(implicate_result(earlier))
    if context.after is not None:
        names = acted(context.after, state, value.shown.at, context.after_for)
        if not names:
            return None
        conditions.append(_yes(f"after {context.after.title}", ", ".join(sorted(names))))
    return _answered(context, conditions, facts, state, knowledge)


def _answered(
    context: Context,
    conditions: list[ConditionSaid],
    facts: list[Implicated],
    state: PatientState,
    knowledge: Knowledge,
) -> Asked:
    of = Situation(state=state, knowledge=knowledge)
    when, unless = answers(context.when, of), answers(context.unless, of)
    against: list[Answer] = [each for each in unless if each.holds is True]
    orders, until = _in_force(context.unless_with, context.ignoring, state)
    names = tuple(dict.fromkeys(order.label for order in orders))
    if context.unless_with is not None:
        found = ", ".join(names) or "none in force"
        conditions.append(
            ConditionSaid(text=f"with {context.unless_with.title}", answer="yes" if orders else "no", found=found)
        )
    fits, holds = all_hold(when), all_hold(when) and not against and not orders
    speaking = when if holds else against
    return Asked(
        context=context,
        holds=holds,
        conditions=(*conditions, *said((*when, *unless))),
        facts=(*facts, *(fact for each in speaking for fact in each.facts), *map(implicate_order, orders))
        if fits
        else (),
        outweighs=(*(f"{each.condition.text} ({each.found})" for each in against), *names) if fits else (),
        until=earliest((until, *(each.until for each in (*when, *unless)))),
    )


def _in_force(
    medicines: Medicines | None, ignoring: Sequence[str], state: PatientState
) -> tuple[list[Order], datetime | None]:
    """What acts now of them, and when that changes by time alone."""
    if medicines is None:
        return [], None
    of = [each for each in state.acting() if _is(each, medicines) and not _says(each, ignoring)]
    now = sorted((each for each in of if each.in_force(state.clock)), key=lambda o: (o.starts, o.source, o.record_id))
    changes = [order.starts if order.starts > state.clock else order.acts_until for order in of]
    return now, earliest(changes)


def _is(order: Order, medicines: Medicines) -> bool:
    only = medicines.systemic_only
    return any(order.systemic or not only[each] for each in order.ingredients if each in only)


def _says(order: Order, words: Sequence[str]) -> bool:
    said_of = f"{order.label} {order.dosage}".lower()
    return any(word in said_of for word in words)


def _yes(text: str, found: str) -> ConditionSaid:
    return ConditionSaid(text=text, answer="yes", found=found)
