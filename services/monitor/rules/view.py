"""A patient's state as rules ask of it: what acts, by ingredient and by property, and the diagnoses by groups.

Most events change neither the orders nor the diagnoses, so what is made of them is kept from one event of a patient to the next:
as long as the state has the same orders and none of them ends.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
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
_NONE: frozenset[str] = frozenset()


def _by_start(order: Order) -> tuple[datetime, str, str, str]:
    return order.starts, order.source, order.record_id, order.kind


class _Acting:
    """What acts of these orders and supplies, the same at every time from ``since`` until ``until``."""

    __slots__ = ("all", "by_ingredient", "knowledge", "made", "orders", "since", "supplies", "systemic", "until")

    def __init__(self, state: PatientState, knowledge: Knowledge, before: _Acting | None = None) -> None:
        self.orders, self.supplies, self.since = state.orders, state.supplies, state.clock
        self.knowledge = knowledge
        self.made: dict[object, tuple[AbstractSet[str] | None, Any]] = {}
        """With the ingredients whose orders alone it follows from, where these are known."""
        if before is None or state.supplies or before.supplies or before.since > state.clock:
            # a state that was stored and read again has its orders in another order
            self.all = sorted(state.acting(), key=_by_start)
            self.by_ingredient, self.systemic = _of_each(self.all), _of_each([o for o in self.all if o.systemic])
        else:
            self._follow(before, state.clock)
        self.until: datetime = min(
            [until for order in self.all if (until := order.acts_until) is not None], default=LAST
        )

    def _follow(self, before: _Acting, clock: datetime) -> None:
        """As ``before``, but for the orders that differ: one event changes few of them."""
        gone = {id(order): order for order in before.all if order.over(clock)} if clock >= before.until else {}
        new: list[Order] = []
        added = 0
        if before.orders is not self.orders:
            for key, order in self.orders.items():
                known = before.orders.get(key)
                if known is not order:
                    if known is None:
                        added += 1
                    else:
                        gone[id(known)] = known
                    if not order.over(clock):
                        new.append(order)
            if len(self.orders) != len(before.orders) + added:
                gone |= {id(order): order for key, order in before.orders.items() if key not in self.orders}
        self.all = [order for order in before.all if id(order) not in gone] if gone else [*before.all]
        for order in new:
            insort(self.all, order, key=_by_start)
        changed = _NONE.union(*[order.ingredients for order in (*gone.values(), *new)])
        self.by_ingredient = _again(before.by_ingredient, changed, self.all)
        self.systemic = _again(before.systemic, changed, [order for order in self.all if order.systemic])
        for made_as, kept in before.made.items():
            if kept[0] is not None and kept[0].isdisjoint(changed):
                self.made[made_as] = kept

    def having(self, name: str, grade: str) -> Sequence[Order]:
        members = self.knowledge.properties.get(name, {})
        found: dict[int, Order] = {}
        for ingredient in self.by_ingredient.keys() & members.keys():
            member = members[ingredient]
            if not grade or member.grade == grade:
                of = self.by_ingredient if member.applies == "any" else self.systemic
                found |= {id(order): order for order in of.get(ingredient, ())}
        return sorted(found.values(), key=_by_start)


def _of_each(orders: Sequence[Order]) -> dict[str, list[Order]]:
    found: dict[str, list[Order]] = {}
    for order in orders:
        for ingredient in dict.fromkeys(order.ingredients):
            found.setdefault(ingredient, []).append(order)
    return found


def _again(
    before: Mapping[str, list[Order]], changed: AbstractSet[str], orders: Sequence[Order]
) -> dict[str, list[Order]]:
    """``before`` with the orders of each of the ingredients that changed as they are in ``orders``, in the order of names."""
    found = {name: of for name, of in before.items() if name not in changed}
    for ingredient in changed:
        of = [order for order in orders if ingredient in order.ingredients]
        if of:
            found[ingredient] = of
    return found


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
    """Of one state. What is made of it is made when it is first asked for."""

    __slots__ = ("_diagnoses_made", "_given", "_in_force", "_made", "_parts_made", "knowledge", "state")

    def __init__(self, state: PatientState, knowledge: Knowledge) -> None:
        self.state, self.knowledge = state, knowledge
        self._made: _Acting | None = None
        self._diagnoses_made: _Diagnoses | None = None
        self._parts_made: dict[object, Any] | None = None
        self._given: frozenset[str] | None = None
        self._in_force: Sequence[Medicine] | None = None

    def parts_of(self, rule: str) -> Sequence[str]:
        """The parts of a rule of which something stands."""
        standing = self.state.standing
        last = self.kept.get("standing")
        if last is None or last[0] is not standing:
            of: dict[str, list[str]] = {}
            for each in standing.values():
                of.setdefault(each.rule, []).append(each.part)
            last = self.kept["standing"] = (standing, of)
        found: Sequence[str] = last[1].get(rule, ())
        return found

    def _acting(self) -> _Acting:
        self._made = _acting_of(self.state, self.knowledge)
        return self._made

    def _diagnoses(self) -> _Diagnoses:
        self._diagnoses_made = _diagnoses_of(self.state, self.knowledge)
        return self._diagnoses_made

    @property
    def acting(self) -> Sequence[Order]:
        """Orders and supplies that act now or will."""
        return (self._made or self._acting()).all

    @property
    def by_ingredient(self) -> Mapping[str, Sequence[Order]]:
        """What acts, by each of its ingredients, by whatever route."""
        return (self._made or self._acting()).by_ingredient

    @property
    def systemic(self) -> Mapping[str, Sequence[Order]]:
        """As ``by_ingredient``, of what acts in the whole body."""
        return (self._made or self._acting()).systemic

    def having(self, name: str, grade: str = "") -> Sequence[Order]:
        """What acts and has a property, of that grade where one is given, by a route by which it has it."""
        acting = self._made or self._acting()
        members = self.knowledge.properties.get(name, {})
        return self.made_of_acting((name, grade), lambda: acting.having(name, grade), members.keys())

    def made_of_acting(self, key: object, make: Callable[[], T], of: AbstractSet[str] | None = None) -> T:
        """What ``make`` gives, kept under ``key`` as long as the same orders act, or those with one of the ingredients ``of``
        alone. It may follow from them and the knowledge only: neither from the clock nor from anything else of the state."""
        made = (self._made or self._acting()).made
        known = made.get(key)
        if known is None:
            known = made[key] = (of, make())
        found: T = known[1]
        return found

    @property
    def given(self) -> frozenset[str]:
        """The ingredients of all doses that are kept."""
        if self._given is None:
            doses = self.state.doses
            self._given = self.made_of(
                doses,
                "given",
                lambda: frozenset(chain.from_iterable([dose.what.ingredients for dose in doses.values()])),
            )
        return self._given

    @property
    def given_alone(self) -> frozenset[str]:
        """The ingredients of doses that are kept of which nothing acts."""
        given, ordered = self.given, self.by_ingredient
        last = self.kept.get("given alone")
        if last is None or last[0] is not given or last[1] is not ordered:
            last = self.kept["given alone"] = (given, ordered, given - ordered.keys())
        found: frozenset[str] = last[2]
        return found

    @property
    def in_force(self) -> Sequence[Medicine]:
        """The medicines in force by the patient's clock."""
        if self._in_force is None:
            self._in_force = self.state.in_force(self.state.clock)
        return self._in_force

    @property
    def kept(self) -> dict[object, Any]:
        """What is kept from one state of the patient to the next; who keeps something sees whether it still holds."""
        if self._parts_made is None:
            self._parts_made = _kept_parts.get(self.state.patient_id)
            if self._parts_made is None:
                self._parts_made = _keep(_kept_parts, self.state.patient_id, {})
        return self._parts_made

    def made_of(self, part: object, key: object, make: Callable[[], T]) -> T:
        """What ``make`` gives, kept under ``key`` as long as ``part`` of the state stays the same object. It may follow from that
        part and the knowledge alone."""
        kept = self.kept
        last = kept.get(key)
        if last is None or last[0] is not part:
            last = kept[key] = (part, make())
        found: T = last[1]
        return found

    @property
    def conditions(self) -> Sequence[Condition] | None:
        """What the patient has or had; None where nobody has said."""
        return (self._diagnoses_made or self._diagnoses()).listed

    @property
    def groups(self) -> Mapping[str, Sequence[Condition]]:
        """What the patient has or had, by groups of diagnoses."""
        return (self._diagnoses_made or self._diagnoses()).groups


_last: list[View] = []
_kept_acting: dict[str, _Acting] = {}
_kept_diagnoses: dict[str, _Diagnoses] = {}
_kept_parts: dict[str, dict[object, Any]] = {}


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
    made = _Acting(state, knowledge, kept if kept is not None and kept.knowledge is knowledge else None)
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
