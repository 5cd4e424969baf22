"""What was handed out of a medicine for home, and how long it lasts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from knowledge.model import Knowledge
from services.monitor.patient.change import Change
from services.monitor.patient.covered import Fill, begin_of, day_of, taken
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.handed_out import handed_out, same_class
from services.monitor.rules.in_hospital import for_home_since, leaves_at
from services.monitor.rules.stayed import infers


class Course(NamedTuple):
    """``supplies``: at least one, the earliest first, on so many different ``days``. ``ends``: the beginning of the first day for
    which none is left."""

    supplies: Sequence[Order]
    days: int
    ends: datetime


def touched(rule: str, names: Collection[str], change: Change, state: PatientState, knowledge: Knowledge) -> set[str]:
    """The ingredients among ``names`` of which something was handed out and that ``change`` can bear on, beside the parts of
    which something stands or is waited for."""
    parts = {each.part for each in state.standing.values() if each.rule == rule}
    parts |= {each.part for each in state.obligations.values() if each.source == rule}
    if not state.supplies:
        return parts
    there = {name for supply in state.supplies.values() for name in supply.ingredients if name in names}
    if "stay" in change.person or (change.ordered and infers(state)):
        return parts | there
    changed = tuple(change.ordered)
    return parts | {name for name in there if name in change.ordered or same_class((name,), changed, knowledge)}


def for_home(ingredients: Collection[str], state: PatientState, away: Collection[int]) -> list[Order]:
    """What was handed out of any of them to be taken at home as a rule, the earliest first."""
    found = [
        supply
        for supply in handed_out(state)
        if supply.systemic
        and not _as_needed(supply)
        and not set(supply.ingredients).isdisjoint(ingredients)
        and day_of(supply.starts) not in away
    ]
    return sorted(found, key=lambda each: (each.starts, each.source, each.record_id))


def at_home(rule: str, ingredients: Collection[str], part: str, state: PatientState) -> Iterator[Obligation]:
    """To be looked at when a patient who is in hospital is to be home, where that is told ahead."""
    home = leaves_at(state)
    seen = [each.first_seen for each in handed_out(state) if not set(each.ingredients).isdisjoint(ingredients)]
    if home is not None and seen:
        yield Obligation("review", part, home, rule, min(seen), part)


def fill_of(supply: Order) -> Fill | None:
    """None where it is only assumed for how long it is."""
    ends = supply.acts_until
    if supply.basis == "assumed" or ends is None:
        return None
    return Fill(day_of(supply.starts), round((ends - supply.starts).total_seconds() / 86_400))


def course_of(ingredient: str, state: PatientState, away: Collection[int]) -> Course | None:
    """None where nothing was handed out, or it is not known for how long."""
    supplies = for_home((ingredient,), state, away)
    fills = [fill for supply in supplies if (fill := fill_of(supply)) is not None]
    spans = taken(fills, away) if supplies and len(fills) == len(supplies) else ()
    if not spans:
        return None
    return Course(supplies, len({fill.day for fill in fills}), begin_of(max(span.last for span in spans) + 1))


def orders_of(ingredients: Collection[str], state: PatientState) -> Iterator[Order]:
    """Orders of any of them for home, to be taken as a rule, whether they go on or not."""
    for order in state.orders.values():
        if (
            not order.void
            and order.systemic
            and not order.one_time
            and not _as_needed(order)
            and not set(order.ingredients).isdisjoint(ingredients)
            and for_home_since(order, state) is not None
        ):
            yield order


def go_on(orders: Collection[Order], state: PatientState) -> list[Order]:
    """Those in force now."""
    return [order for order in orders if order.in_force(state.clock)]


def _as_needed(order: Order) -> bool:
    return order.dose is not None and order.dose.as_needed is True
