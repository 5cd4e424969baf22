"""A medicine that a patient takes, by its ingredient: what is ordered or supplied of it, or a dose given without either."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from knowledge.model import Knowledge
from schemas.alerts import Implicated
from schemas.values import Origin
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.view import View, view_of

_FLUSH = "flush"
"""The dose form of what keeps a line open (``drugs/words.csv``): no treatment, whatever is in it."""


class Taken(NamedTuple):
    """``orders`` are those in force, or those that begin first. Empty: a dose counts that was given without an order or after
    its end. ``starts`` is when what acts now began, ``changes`` when time alone next changes who acts."""

    ingredient: str
    orders: tuple[Order, ...]
    starts: datetime
    changes: datetime | None
    facts: tuple[Implicated, ...]
    origins: tuple[Origin, ...]


def taken(ingredient: str, medicine: str, state: PatientState, knowledge: Knowledge) -> Taken | None:
    """An ingredient as a member of ``medicine`` (a property, or itself): in the whole body, or by any route where the property is
    one by any route. None where it neither acts nor will."""
    member = knowledge.properties.get(medicine, {}).get(ingredient)
    anywhere = member is not None and member.applies == "any"
    view = view_of(state, knowledge)
    here = view.by_ingredient if anywhere else view.systemic
    if ingredient in here:
        key = (_Acting, ingredient, anywhere)
        acting = view.made_of_acting(key, lambda: _Acting([o for o in here[ingredient] if not flushes(o, knowledge)]))
        if acting.orders:
            return acting.at(ingredient, state)
    return _only_given(ingredient, anywhere, view)


class _Acting:
    """What acts of an ingredient, and what it last came to, which stays so until one of the orders begins or ends."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self.orders = orders
        self._last: tuple[datetime, Taken] | None = None

    def at(self, ingredient: str, state: PatientState) -> Taken:
        clock = state.clock
        if self._last is not None:
            since, found = self._last
            if since <= clock and (found.changes is None or clock < found.changes):
                return found
        found = _ordered(ingredient, self.orders, state)
        self._last = (clock, found)
        return found


def last_dose(ingredient: str, before: datetime, state: PatientState) -> Fact[Given] | None:
    """The last dose of an ingredient given before a time, as far as known."""
    given = (
        fact for fact in state.doses.values()
        if not fact.void and fact.what.status == "given" and ingredient in fact.what.ingredients and fact.at <= before
    )  # fmt: skip
    return max(given, key=lambda fact: (fact.at, fact.key), default=None)


def implicate_dose(fact: Fact[Given], until: datetime | None = None) -> Implicated:
    """A dose given as evidence."""
    given = fact.what
    amount = "" if given.dose is None else f"{given.dose.value:g} {given.dose.unit}".strip()
    return Implicated(
        kind="administration",
        source=fact.source,
        record_id=fact.record_id,
        version=fact.precedence[0],
        label=" ".join(part for part in (given.label, amount, given.route) if part),
        at=fact.at,
        until=until,
    )


def flushes(order: Order, knowledge: Knowledge) -> bool:
    """Whether it only keeps a line open."""
    words = (word.strip(".,;:()") for word in f"{order.label} {order.form}".casefold().split())
    return any((known := knowledge.words.get(word)) is not None and known.meaning == _FLUSH for word in words)


def _ordered(ingredient: str, orders: Sequence[Order], state: PatientState) -> Taken:
    now = [order for order in orders if order.in_force(state.clock)]
    first = min(order.starts for order in orders)
    acting = now or [order for order in orders if order.acts_at(first)]
    later = [order.starts for order in orders if order.starts > state.clock]
    return Taken(
        ingredient=ingredient,
        orders=tuple(acting),
        starts=min(order.starts for order in acting),
        changes=earliest((*(order.acts_until for order in acting), *later)),
        facts=tuple(map(implicate_order, acting)),
        origins=tuple(order.origin for order in acting if order.origin is not None),
    )


def _only_given(ingredient: str, anywhere: bool, view: View) -> Taken | None:
    if ingredient not in view.given:
        return None
    found = [
        (each.last_given, each)
        for each in view.in_force
        if each.by == "dose" and ingredient in each.ingredients and (each.systemic or anywhere)
    ]
    given = [(fact, each.until) for fact, each in found if fact is not None]
    if not given:
        return None
    return Taken(
        ingredient=ingredient,
        orders=(),
        starts=min(fact.at for fact, _ in given),
        changes=earliest(until for _, until in given),
        facts=tuple(implicate_dose(fact, until) for fact, until in given),
        origins=tuple(fact.origin for fact, _ in given if fact.origin is not None),
    )
