"""From when to when a medicine was really there: by what was handed out and what was given, not by what was ordered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from knowledge.model import Knowledge
from schemas.alerts import Implicated
from schemas.values import Origin
from services.monitor.patient.administrations import medicine_of
from services.monitor.patient.bounds import LAST, MAX_DOSES, ONCE_COUNTS
from services.monitor.patient.clock import later
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.medicines import OrderNames
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import handed_out
from services.monitor.rules.taken import implicate_dose
from services.monitor.rules.view import view_of


class Exposure(NamedTuple):
    """``began`` is when it was first handed out or given without a gap since; ``surely`` false: at the earliest then, because its
    first doses are not kept any more. ``ends`` is exclusive; ``stopped``: somebody stopped it then, where it else ran out.
    ``given``: doses are known, and not only supplies."""

    began: datetime
    surely: bool
    ends: datetime
    stopped: bool
    given: bool
    facts: tuple[Implicated, ...]
    origins: tuple[Origin, ...]


def exposed(ingredient: str, state: PatientState, knowledge: Knowledge, gap: timedelta) -> Exposure | None:
    """The last time without an interruption longer than ``gap``; in the whole body."""
    names: OrderNames = view_of(state, knowledge).made_of_acting(OrderNames, lambda: OrderNames(state.orders))
    found = [*_by_supplies(ingredient, names, state), *_by_doses(ingredient, names, state)]
    last: Exposure | None = None
    for each in sorted(found, key=lambda one: (one.began, one.ends)):
        last = each if last is None or each.began - last.ends > gap else _joined(last, each)
    return last


def dose_changed(ingredient: str, state: PatientState) -> datetime | None:
    """When the dose of a day last became another one, as far as orders and supplies say it."""
    changes = [
        other.starts
        for of in (state.orders, state.supplies)
        for one, other in pairwise(sorted((o for o in of.values() if _counts(o, ingredient, state)), key=_by_start))
        if _dose(one, ingredient) != _dose(other, ingredient)
    ]
    for order in state.orders.values():
        if ingredient in order.ingredients and not order.void:
            told = [version for version in order.versions if version.dose is not None]
            changes += [other.at for one, other in pairwise(told) if one.dose != other.dose]
    return max((time for time in changes if time <= state.clock), default=None)


def _counts(order: Order, ingredient: str, state: PatientState) -> bool:
    return ingredient in order.ingredients and not order.void and order.starts <= state.clock


def _by_start(order: Order) -> tuple[datetime, str, str]:
    return (order.starts, order.source, order.record_id)


def _dose(order: Order, ingredient: str) -> object:
    """By the dose of a day, or else by the strength."""
    return order.daily_mg_of(ingredient) or order.strengths.get(ingredient)


def _by_supplies(ingredient: str, names: OrderNames, state: PatientState) -> Iterator[Exposure]:
    for supply in handed_out(state):
        if ingredient not in supply.ingredients or not supply.systemic:
            continue
        order = state.orders.get(names.key(supply.source, supply.order_id) or "")
        ends = supply.acts_until or LAST
        stop = _stop(order)
        stopped = stop is not None and supply.starts <= stop < ends
        if stop is not None and stopped:
            ends = stop
        origins = () if supply.origin is None else (supply.origin,)
        yield Exposure(supply.starts, True, ends, stopped, False, (implicate_order(supply),), origins)


def _by_doses(ingredient: str, names: OrderNames, state: PatientState) -> Iterator[Exposure]:
    of: dict[tuple[str, ...], list[Fact[Given]]] = {}
    for dose in state.doses.values():
        given = dose.what
        counts = not dose.void and given.status == "given" and given.systemic and dose.at <= state.clock
        if counts and ingredient in given.ingredients:
            of.setdefault(medicine_of(dose), []).append(dose)
    for doses in of.values():
        yield _of_doses(sorted(doses, key=lambda each: (each.at, each.key)), names, state)


def _of_doses(doses: Sequence[Fact[Given]], names: OrderNames, state: PatientState) -> Exposure:
    """Of many doses only the newest are kept: the first may then have been given as early as the order began."""
    first, last = doses[0], doses[-1]
    order = state.orders.get(names.key(last.source, last.what.order_id) or "")
    began, surely = first.at, len(doses) < MAX_DOSES
    if not surely and order is not None:
        began = min(began, order.starts)
    ends = later(max(last.at, last.what.stopped_at or last.at), ONCE_COUNTS)
    stop = _stop(order)
    stopped = stop is not None and last.at <= stop
    if stop is not None and stopped:
        ends = min(ends, stop)
    ends_of = (last,) if first is last else (first, last)
    facts = tuple(map(implicate_dose, ends_of))
    origins = tuple(each.origin for each in ends_of if each.origin is not None)
    return Exposure(began, surely, ends, stopped, True, facts, origins)


def _stop(order: Order | None) -> datetime | None:
    """When somebody said that an order is not to act any more."""
    if order is None:
        return None
    times: Iterable[datetime | None] = (order.stopped, order.replaced_at, order.said_at if order.held else None)
    return min((time for time in times if time is not None), default=None)


def _joined(one: Exposure, other: Exposure) -> Exposure:
    longer = other if other.ends >= one.ends else one
    return Exposure(
        began=one.began,
        surely=one.surely,
        ends=longer.ends,
        stopped=longer.stopped,
        given=one.given or other.given,
        facts=(one.facts[0], *other.facts[-1:]),
        origins=(*one.origins[:1], *other.origins[-1:]),
    )
