"""A patient's state as rules ask of it: what acts, by ingredient and by property, and the diagnoses by groups.

Most events change neither the orders nor the diagnoses, so what is made of them is kept from one event of a patient to the next:
as long as the state has the same orders and none of them ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

from knowledge.model import Knowledge
from schemas.events import Condition
from services.monitor.patient.bounds import LAST
from services.monitor.patient.fact import Fact
from services.monitor.patient.medicines import Medicine
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState

T = TypeVar("T")
MOST_KEPT = 4_000
"""Patients whose orders and diagnoses are kept ready, some ten kilobytes each; more than have an event in one batch."""


def _by_start(order: Order) -> tuple[datetime, str, str, str]:
    return order.starts, order.source, order.record_id, order.kind


class _Acting:
    """What acts of these orders and supplies, the same at every time from ``since`` until ``until``."""

    def __init__(self, state: PatientState, knowledge: Knowledge) -> None:
        self.orders, self.supplies, self.since = state.orders, state.supplies, state.clock
        self.knowledge = knowledge
        # a state that was stored and read again has its orders in another order
        self.all: Sequence[Order] = sorted(state.acting(), key=_by_start)
        self.until: datetime = min(
            (until for order in self.all if (until := order.acts_until) is not None), default=LAST
        )
        self.made: dict[object, Any] = {}

    @cached_property
    def by_ingredient(self) -> Mapping[str, Sequence[Order]]:
        found: dict[str, list[Order]] = {}
        for order in self.all:
            for ingredient in order.ingredients:
                found.setdefault(ingredient, []).append(order)
        return found

    @cached_property
    def systemic(self) -> Mapping[str, Sequence[Order]]:
        found = {name: [order for order in orders if order.systemic] for name, orders in self.by_ingredient.items()}
        return {name: orders for name, orders in found.items() if orders}

    def having(self, name: str, grade: str) -> Sequence[Order]:
        members = self.knowledge.properties.get(name, {})
        found: dict[int, Order] = {}
        for ingredient in self.by_ingredient.keys() & members.keys():
            member = members[ingredient]
            if not grade or member.grade == grade:
                orders = (
                    self.by_ingredient[ingredient] if member.applies == "any" else self.systemic.get(ingredient, ())
                )
                found |= {id(order): order for order in orders}
        return sorted(found.values(), key=lambda order: (order.starts, order.source, order.record_id, order.kind))


class _Diagnoses:
    """The diagnoses that these facts come to."""

    def __init__(self, state: PatientState, knowledge: Knowledge) -> None:
        self.facts: Mapping[str, Fact[tuple[Condition, ...]]] = state.condition_facts
        listed = state.conditions
        self.listed = None if not listed and all(fact.void for fact in self.facts.values()) else listed
        self.groups: dict[str, list[Condition]] = {}
        for condition in self.listed or ():
            of = (knowledge.diagnoses.groups_of(each.system, each.code) for each in condition.codings)
            for group in frozenset[str]().union(*of):
                self.groups.setdefault(group, []).append(condition)


class View:
    """Of one state."""

    def __init__(self, state: PatientState, knowledge: Knowledge) -> None:
        self.state, self.knowledge = state, knowledge
        self.answered: dict[int, Any] = {}
        """For ``conditions``: what was asked of this state and its answer, by the identity of the question."""

    @cached_property
    def _acting(self) -> _Acting:
        return _acting_of(self.state, self.knowledge)

    @cached_property
    def _diagnoses(self) -> _Diagnoses:
        return _diagnoses_of(self.state, self.knowledge)

    @cached_property
    def acting(self) -> Sequence[Order]:
        """Orders and supplies that act now or will."""
        return self._acting.all

    @cached_property
    def by_ingredient(self) -> Mapping[str, Sequence[Order]]:
        """What acts, by each of its ingredients, by whatever route."""
        return self._acting.by_ingredient

    @cached_property
    def systemic(self) -> Mapping[str, Sequence[Order]]:
        """As ``by_ingredient``, of what acts in the whole body."""
        return self._acting.systemic

    def having(self, name: str, grade: str = "") -> Sequence[Order]:
        """What acts and has a property, of that grade where one is given, by a route by which it has it."""
        return self.made_of_acting((name, grade), lambda: self._acting.having(name, grade))

    def made_of_acting(self, key: object, make: Callable[[], T]) -> T:
        """What ``make`` gives, kept under ``key`` as long as the same orders act. It may follow from ``acting`` and the knowledge
        alone: neither from the clock nor from anything else of the state."""
        made = self._acting.made
        found: T = made[key] if key in made else made.setdefault(key, make())
        return found

    @cached_property
    def given(self) -> frozenset[str]:
        """The ingredients of all doses that are kept."""
        doses = self.state.doses
        return self.made_of(
            doses, "given", lambda: frozenset(chain.from_iterable([dose.what.ingredients for dose in doses.values()]))
        )

    @cached_property
    def in_force(self) -> Sequence[Medicine]:
        """The medicines in force by the patient's clock."""
        return self.state.in_force(self.state.clock)

    def made_of(self, part: object, key: object, make: Callable[[], T]) -> T:
        """What ``make`` gives, kept under ``key`` as long as ``part`` of the state stays the same object. It may follow from that
        part and the knowledge alone."""
        kept = _kept_parts.get(self.state.patient_id)
        if kept is None:
            kept = _keep(_kept_parts, self.state.patient_id, {})
        last = kept.get(key)
        if last is None or last[0] is not part:
            last = kept[key] = (part, make())
        found: T = last[1]
        return found

    @property
    def conditions(self) -> Sequence[Condition] | None:
        """What the patient has or had; None where nobody has said."""
        return self._diagnoses.listed

    @property
    def groups(self) -> Mapping[str, Sequence[Condition]]:
        """What the patient has or had, by groups of diagnoses."""
        return self._diagnoses.groups


_last: list[View] = []
_kept_acting: dict[str, _Acting] = {}
_kept_diagnoses: dict[str, _Diagnoses] = {}
_kept_parts: dict[str, dict[object, tuple[object, Any]]] = {}


def view_of(state: PatientState, knowledge: Knowledge) -> View:
    """The view of a state; the rules of one evaluation ask for the same one after another."""
    if not _last or _last[0].state is not state or _last[0].knowledge is not knowledge:
        if _last and _last[0].knowledge is not knowledge:
            _kept_acting.clear()
            _kept_diagnoses.clear()
            _kept_parts.clear()
        _last[:] = [View(state, knowledge)]
    return _last[0]


def _acting_of(state: PatientState, knowledge: Knowledge) -> _Acting:
    kept = _kept_acting.get(state.patient_id)
    same = kept is not None and kept.orders is state.orders and kept.supplies is state.supplies
    if kept is not None and same and kept.knowledge is knowledge and kept.since <= state.clock < kept.until:
        return kept
    made = _Acting(state, knowledge)
    # a look back in time, which some rules take, must not push out the present
    if kept is None or not same or kept.since <= state.clock:
        _keep(_kept_acting, state.patient_id, made)
    return made


def _diagnoses_of(state: PatientState, knowledge: Knowledge) -> _Diagnoses:
    kept = _kept_diagnoses.get(state.patient_id)
    if kept is not None and kept.facts is state.condition_facts:
        return kept
    return _keep(_kept_diagnoses, state.patient_id, _Diagnoses(state, knowledge))


def _keep(kept: dict[str, T], patient_id: str, made: T) -> T:
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[patient_id] = made
    return made
