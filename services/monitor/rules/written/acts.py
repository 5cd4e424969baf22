"""What a written rule is about in a patient: a medicine that acts, a result, a diagnosis, the end of an order, a stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from knowledge.model import Knowledge
from knowledge.written import Trigger, WrittenRule
from schemas.alerts import Implicated
from schemas.values import Origin
from services.monitor.patient.clock import later
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order, implicate_result
from services.monitor.rules.taken import flushes, implicate_dose
from services.monitor.rules.view import view_of

_BY = {"prescription": "order", "dispensing": "supply"}


class About(NamedTuple):
    """``subject`` is what an alert is about. ``orders`` are those in force, or those that begin first. ``starts`` is since when
    it is so, ``began`` when the course began that it is part of; ``changes`` when time alone next changes it, ``until`` when it
    is over."""

    subject: str
    ingredients: tuple[str, ...]
    starts: datetime
    began: datetime
    changes: datetime | None = None
    until: datetime | None = None
    orders: tuple[Order, ...] = ()
    facts: tuple[Implicated, ...] = ()
    origins: tuple[Origin, ...] = ()


def about(rule: WrittenRule, state: PatientState, knowledge: Knowledge, part: str) -> About | None:
    """None where there is nothing that the rule is about. ``part`` is an ingredient, or empty for all together."""
    match rule.trigger.begins:
        case "medicine":
            return _medicine(rule, state, knowledge, part)
        case "order_end":
            return _ended(part, rule.trigger, state, knowledge)
        case "result":
            return _result(rule.trigger, state)
        case "condition":
            return _diagnosis(rule.trigger, state, knowledge)
    return _stay(rule.trigger, state)


def members_here(trigger: Trigger, state: PatientState, knowledge: Knowledge) -> Iterator[str]:
    """The ingredients of the trigger that act or will, or of which a dose is kept where doses count."""
    view = view_of(state, knowledge)
    here = view.by_ingredient.keys() | view.given if "dose" in trigger.by else view.by_ingredient.keys()
    return (name for name in trigger.members if name in here)


def ordered_ever(state: PatientState, knowledge: Knowledge) -> frozenset[str]:
    """The ingredients of all orders and supplies that are kept, also of those that have ended."""
    view = view_of(state, knowledge)
    ordered = view.made_of(state.orders, "ordered ever", lambda: _names_of(state.orders.values()))
    return ordered | view.made_of(state.supplies, "supplied ever", lambda: _names_of(state.supplies.values()))


def _names_of(orders: Iterable[Order]) -> frozenset[str]:
    return frozenset(name for order in orders for name in order.ingredients)


def _medicine(rule: WrittenRule, state: PatientState, knowledge: Knowledge, part: str) -> About | None:
    if rule.one_per == "medicine":
        return _acting(part, rule.trigger, state, knowledge)
    found = [_acting(name, rule.trigger, state, knowledge) for name in members_here(rule.trigger, state, knowledge)]
    return _joined(rule.id, [each for each in found if each is not None])


def _acting(name: str, trigger: Trigger, state: PatientState, knowledge: Knowledge) -> About | None:
    if name not in trigger.members:
        return None
    view = view_of(state, knowledge)
    here = (view.by_ingredient if trigger.members[name] else view.systemic).get(name, ())
    orders = [each for each in here if _BY[each.kind] in trigger.by and not flushes(each, knowledge)]
    if not orders:
        return _given(name, trigger, state) if "dose" in trigger.by else None
    now = [each for each in orders if each.in_force(state.clock)]
    first = min(each.starts for each in orders)
    acting = tuple(now or [each for each in orders if each.acts_at(first)])
    if not acting:
        return None
    starts = min(each.starts for each in acting)
    begins = [each.starts for each in orders if each.starts > state.clock]
    ends = [each.acts_until for each in acting]
    key = ("course", name, trigger.gap, trigger.members[name], trigger.by)
    began = view.made_of_acting(key, lambda: _course(name, starts, trigger, state)) if now else starts
    return About(
        subject=name,
        ingredients=(name,),
        starts=starts,
        began=min(began, starts),
        changes=earliest((*ends, *begins)),
        until=None if None in ends else max(each for each in ends if each is not None),
        orders=acting,
        facts=tuple(map(implicate_order, acting)),
        origins=tuple(each.origin for each in acting if each.origin is not None),
    )


def _course(name: str, starts: datetime, trigger: Trigger, state: PatientState) -> datetime:
    """When the course began that goes on at ``starts``: back over orders and supplies that left no gap longer than that of the
    rule. What was held counts until it was."""
    began = starts
    spans = sorted(_spans(name, trigger, (*state.orders.values(), *state.supplies.values())), reverse=True)
    for since, until in sorted(spans, key=lambda span: span[1], reverse=True):
        if since < began and later(until, trigger.gap) >= began:
            began = since
    return began


def _spans(name: str, trigger: Trigger, orders: Iterable[Order]) -> Iterator[tuple[datetime, datetime]]:
    for each in orders:
        counts = name in each.ingredients and _BY[each.kind] in trigger.by and not each.void
        if counts and (each.systemic or trigger.members[name]):
            until = each.acts_until
            if each.held:
                until = each.said_at if until is None else min(until, each.said_at)
            if until is not None and until > each.starts:
                yield each.starts, until


def _given(name: str, trigger: Trigger, state: PatientState) -> About | None:
    """Doses given that still count, by whatever order."""
    doses = [
        fact for fact in state.doses.values()
        if name in fact.what.ingredients and fact.what.status == "given" and not fact.void
        and fact.at <= state.clock < later(fact.at, trigger.within) and (fact.what.systemic or trigger.members[name])
    ]  # fmt: skip
    if not doses:
        return None
    doses.sort(key=lambda fact: (fact.at, fact.key))
    until = later(doses[-1].at, trigger.within)
    return About(
        subject=name,
        ingredients=(name,),
        starts=doses[0].at,
        began=doses[0].at,
        changes=until,
        until=until,
        facts=tuple(map(implicate_dose, doses)),
        origins=tuple(fact.origin for fact in doses if fact.origin is not None),
    )


def _joined(subject: str, found: Sequence[About]) -> About | None:
    """Several medicines as one: since the first of them."""
    if not found:
        return None
    ends = [each.until for each in found]
    return About(
        subject=subject,
        ingredients=tuple(name for each in found for name in each.ingredients),
        starts=min(each.starts for each in found),
        began=min(each.began for each in found),
        changes=earliest(each.changes for each in found),
        until=None if None in ends else max(each for each in ends if each is not None),
        orders=tuple({id(order): order for each in found for order in each.orders}.values()),
        facts=tuple(dict.fromkeys(fact for each in found for fact in each.facts)),
        origins=tuple(dict.fromkeys(origin for each in found for origin in each.origins)),
    )


def _ended(name: str, trigger: Trigger, state: PatientState, knowledge: Knowledge) -> About | None:
    """The last order of a medicine, where it ended of late and nothing of it acts."""
    if name in view_of(state, knowledge).by_ingredient:
        return None
    orders = [
        each for each in (*state.orders.values(), *state.supplies.values())
        if name in each.ingredients and not each.void and _BY[each.kind] in trigger.by
        and (each.systemic or trigger.members[name])
    ]  # fmt: skip
    ends = [(until, each) for each in orders if (until := each.acts_until) is not None and until > each.starts]
    if not ends or len(ends) < len(orders):
        return None
    end, last = max(ends, key=lambda each: (each[0], each[1].source, each[1].record_id))
    until = later(end, trigger.within)
    if not end <= state.clock < until:
        return None
    began = _course(name, last.starts, trigger, state)
    origins = (last.origin,) if last.origin is not None else ()
    return About(name, (name,), end, began, changes=until, until=until, facts=(implicate_order(last),), origins=origins)


def ends_by_itself(rule: WrittenRule, state: PatientState, knowledge: Knowledge, part: str) -> datetime | None:
    """When the last order of a medicine runs out, of a rule about its end: no event comes then."""
    if rule.trigger.begins != "order_end":
        return None
    ends = [each.acts_until for each in view_of(state, knowledge).by_ingredient.get(part, ())]
    known = [each for each in ends if each is not None]
    return max(known) if known and len(known) == len(ends) else None


def _result(trigger: Trigger, state: PatientState) -> About | None:
    newest = next((each for each in reversed(state.results.get(trigger.name, ())) if each.measured), None)
    if newest is None:
        return None
    origins = (newest.origin,) if newest.origin is not None else ()
    return About(trigger.name, (), newest.at, newest.at, facts=(implicate_result(newest),), origins=origins)


def _diagnosis(trigger: Trigger, state: PatientState, knowledge: Knowledge) -> About | None:
    listed = view_of(state, knowledge).groups.get(trigger.name)
    if not listed:
        return None
    facts = [fact for fact in state.condition_facts.values() if not fact.void and any(c in fact.what for c in listed)]
    since = min((fact.at for fact in facts), default=state.clock)
    origins = tuple(fact.origin for fact in facts if fact.origin is not None)
    return About(trigger.name, (), since, since, origins=origins)


def _stay(trigger: Trigger, state: PatientState) -> About | None:
    stay = state.stay
    if stay is None or known_or(stay.encounter_class, None) not in ("inpatient", "emergency"):
        return None
    time = known_or(stay.admitted_at if trigger.begins == "admission" else stay.discharged_at, None)
    if time is None or (trigger.begins == "admission" and known_or(stay.discharged_at, None) is not None):
        return None
    until = later(time, trigger.within)
    if not time <= state.clock < until:
        return None
    return About(trigger.begins, (), time, time, changes=until, until=until)
