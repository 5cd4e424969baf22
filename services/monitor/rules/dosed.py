"""An order, or a dose given, in the terms of the rows of ``knowledge/dosing``: which rows are about it, and how much it is.

None is "not certain" everywhere: an amount whose unit does not fit, a way that nobody named, an indication that nobody gave.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from knowledge.conditions import Conditions
from knowledge.dose import NO_SALT, Amount, Form, Indication, Limit, Way, amount
from knowledge.model import Knowledge
from schemas.values import SEVERITIES, Quantity, Severity
from services.monitor.patient.change import Change
from services.monitor.patient.daily_dose import milligrams
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import read_by, reads_of
from services.monitor.rules.diagnosed import about, groups_of
from services.monitor.rules.rule import Reads
from services.monitor.rules.view import View, view_of

_EXTENDED = frozenset({"xr", "er", "xl", "extended", "extended-release"})
_PROPHYLAXIS = "prophyla"
_TOLD_APART = frozenset({"atrial-fibrillation", "venous-thromboembolism"})
_READ_SYSTEMS = ("ICD-9-CM", "ICD-10", "SNOMED CT")
_UNITS = {"units": "units", "unit": "units", "iu": "units", "meq": "mEq"}
_IN_LIQUID = re.compile(r"(?P<unit>[a-zµ]+)/(?P<volume>\d*\.?\d*) ?ml")
_PER_TIME = re.compile(r"/\s*(?:hour|hr|h)\b")
_PER_MINUTE = re.compile(r"/\s*(?:minute|min)\b")


MOST_KEPT = 20_000
"""Orders and doses of which is kept what was made of them; when there are more, all is made again."""
_kept: dict[int, tuple[object, Knowledge, dict[Any, Any]]] = {}


def kept_of(what: Order | Fact[Given], knowledge: Knowledge) -> dict[Any, Any]:
    """A place for what follows from an order, or a dose given, and the knowledge alone. Most events of a patient leave nearly all
    of them the same object."""
    kept = _kept.get(id(what))
    # it holds the order, whose identity is no other's as long
    if kept is None or kept[0] is not what or kept[1] is not knowledge:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        kept = _kept[id(what)] = (what, knowledge, {})
    return kept[2]


class Row(Protocol):
    """What the rows of limits, steps and intervals share."""

    @property
    def ingredient(self) -> str: ...
    @property
    def ways(self) -> frozenset[Way]: ...


RowT = TypeVar("RowT", bound=Row)


def for_every_day(limit: Limit, what: Order | Given, view: View) -> bool:
    """Whether a limit is that of a dose for every day, where the label has one of its own for a single (loading) dose."""
    if limit.kind != "daily" or limit.max is None or limit.max.per_kg:
        return False
    others = view.knowledge.doses.limits.get(limit.ingredient, ())
    return any(each.kind == "single" and gets_in(each, what, view.knowledge) for each in others)


def graver(severity: Severity) -> Severity:
    """One step graver."""
    return SEVERITIES[max(SEVERITIES.index(severity) - 1, 0)]


def milder(severity: Severity) -> Severity:
    """One step milder."""
    return SEVERITIES[min(SEVERITIES.index(severity) + 1, len(SEVERITIES) - 1)]


def at_most(severity: Severity, most: Severity) -> Severity:
    """The milder of the two."""
    return max(severity, most, key=SEVERITIES.index)


class Parts:
    """The ingredients that rows are about, by what the rows read: of each beside ``always`` its own conditions, what ``also``
    names of the person, and the ``groups`` of diagnoses."""

    def __init__(
        self,
        rows: Mapping[str, Sequence[Conditions]],
        knowledge: Knowledge,
        always: Reads,
        also: Mapping[str, Collection[str]] = MappingProxyType({}),
        groups: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> None:
        self.knowledge = knowledge
        self.ingredients = frozenset(rows)
        of = {
            name: reads_of(
                Reads(ingredients=(name,), person=also.get(name, ()), doses=False),
                Reads(person=("history",) if groups.get(name) else (), doses=False),
                always,
                read_by((c for when in asked for c in when), knowledge),
            )
            for name, asked in rows.items()
        }
        self.reads = reads_of(*of.values()) if of else Reads()
        self._by_ingredient: dict[str, set[str]] = {}
        self._by_analyte: dict[str, set[str]] = {}
        self._by_person: dict[str, set[str]] = {}
        self._by_group: dict[str, set[str]] = {}
        for name, asked in rows.items():
            for group in groups_of(asked).union(groups.get(name, ())):
                self._by_group.setdefault(group, set()).add(name)
        for name, reads in of.items():
            for each in reads.ingredients or ():
                if each != name:
                    self._by_ingredient.setdefault(each, set()).add(name)
            for each in reads.analytes:
                self._by_analyte.setdefault(each, set()).add(name)
            for each in reads.person if not isinstance(reads.person, bool) else ():
                self._by_person.setdefault(each, set()).add(name)

    def touched(self, change: Change, state: PatientState, knowledge: Knowledge, rule: str) -> set[str]:
        """Those that changed, and those ordered, given or found before that read what did."""
        found = {name for name in change.ingredients if name in self.ingredients}
        for by, changed in (
            (self._by_ingredient, change.ordered),
            (self._by_analyte, change.analytes),
            *self._of_person(change, knowledge),
        ):
            for each in changed:
                reading = by.get(each)
                if reading:
                    found |= _here(reading, state, view_of(state, knowledge), rule, doses=self.reads.doses)
        return found

    def _of_person(
        self, change: Change, knowledge: Knowledge
    ) -> Iterator[tuple[Mapping[str, Set[str]], Collection[str]]]:
        groups = about(change, knowledge) if "history" in change.person else None
        if groups is None:
            yield self._by_person, change.person
        else:
            yield self._by_person, change.person - {"history"}
            yield self._by_group, groups


def indicated_by(indication: Indication | None) -> frozenset[str]:
    """The groups of diagnoses by which ``given_for`` answers."""
    return _TOLD_APART | {indication.replace("_", "-")} if indication is not None else frozenset()


def _here(among: Set[str], state: PatientState, view: View, rule: str, *, doses: bool) -> set[str]:
    """What is ordered, was given where that is asked for, or has a finding of a rule."""
    found = among & view.by_ingredient.keys()
    if doses:
        found |= {name for dose in state.doses.values() for name in dose.what.ingredients if name in among}
    return found | {each.part for each in state.standing.values() if each.rule == rule and each.part in among}


def gets_in(row: Row, what: Order | Given, knowledge: Knowledge) -> bool | None:
    """Whether it is taken in a way that a row is about."""
    form = what.form if isinstance(what, Order) else ""
    way = knowledge.doses.way_of(what.route, form)
    if way is None:
        place = knowledge.place_of(what.route, form)
        return None if place in (None, "body") and what.systemic else False
    return way in row.ways if row.ways else what.systemic


def of_form(form: Form | None, order: Order) -> bool:
    """Whether an order is of a form; what is not said to be extended is immediate."""
    if form is None:
        return True
    words = {word.strip(".,;()") for word in f"{order.label} {order.form}".casefold().split()}
    return (form == "extended") == (not words.isdisjoint(_EXTENDED))


def of_salt(precise: str, order: Order, ingredient: str) -> bool:
    """Whether an order is of a salt or formulation; a row without one is about all."""
    said = order.precise.get(ingredient, "")
    return not precise or (not said if precise == NO_SALT else said == precise)


def given_for(indication: Indication | None, order: Order, view: View) -> tuple[bool | None, str]:
    """Whether an order is for an indication, and from where that is known: what it says itself, else the list of problems."""
    if indication is None:
        return True, ""
    group = indication.replace("_", "-")
    if order.indication:
        groups = view.knowledge.diagnoses.groups_of
        for coding in order.indication:
            prevents = _PROPHYLAXIS in coding.display.casefold()
            if prevents if indication == "prophylaxis" else group in groups(coding.system, coding.code):
                return True, f"ordered for {coding.display or coding.code}"
        read = any(coding.system.startswith(_READ_SYSTEMS) for coding in order.indication)
        return (False if read else None), "ordered for something else" if read else "the indication was not understood"
    other = _TOLD_APART - {group}
    if group in view.groups and not view.groups.keys() & other:
        return True, f"{group.replace('-', ' ')} by the list of problems"
    return None, "the order does not say what it is for"


def amount_in(unit: str, quantity: Quantity | None, strength: Quantity | None, *, alone: bool) -> float | None:
    """The most in a quantity, in ``mg``, ``mEq`` or ``units``; tablets and millilitres by their strength."""
    if quantity is None:
        return None
    most = quantity.value if quantity.high is None else max(quantity.value, quantity.high)
    written = quantity.unit.strip().lower()
    found: float | None = None
    if written == "ml" and strength is not None:
        found = _in_liquid(unit, most, strength)
    elif unit == "mg":
        as_mg = Quantity(most, "g" if written == "gm" else written)
        both = milligrams(as_mg, strength, alone=alone)
        found = both[1] if both is not None else None
    elif _UNITS.get(written) == unit:
        found = most if alone else None
    elif strength is not None and _UNITS.get(strength.unit.strip().lower()) == unit and written.rstrip("s") in _COUNTED:
        found = most * strength.value
    return None if found is None or found <= 0 else round(found, 6)


_COUNTED = frozenset({"tab", "tablet", "cap", "capsule", "packet"})


def _in_liquid(unit: str, millilitres: float, strength: Quantity) -> float | None:
    written = _IN_LIQUID.fullmatch(strength.unit.strip().lower())
    if written is None:
        return None
    volume = float(written["volume"] or 1)
    each = amount_in(unit, Quantity(strength.value, written["unit"]), None, alone=True)
    return None if each is None or volume <= 0 else millilitres * each / volume


def once(order: Order, ingredient: str, unit: str) -> float | None:
    """The most at one time."""
    return _of(order, ingredient, unit, order.dose.amount if order.dose is not None else None)


def a_day(order: Order, ingredient: str, unit: str) -> float | None:
    """The most in a day; of a single dose that dose."""
    if order.one_time:
        return once(order, ingredient, unit)
    return _of(order, ingredient, unit, order.dose.a_day if order.dose is not None else None)


def scheduled_a_day(order: Order, ingredient: str, unit: str) -> float | None:
    """What is to be taken in a day in any case; nothing of what is taken as needed."""
    least = order.dose.a_day if order.dose is not None else None
    if least is None:
        return None
    if order.dose is not None and order.dose.as_needed:
        return 0.0
    return _of(order, ingredient, unit, Quantity(least.value, least.unit))


def _of(order: Order, ingredient: str, unit: str, quantity: Quantity | None) -> float | None:
    return amount_in(unit, quantity, order.strengths.get(ingredient), alone=order.ingredients == (ingredient,))


def an_hour(rate: Quantity | None, weight: float | None, most: Amount) -> float | None:
    """A rate in the unit of ``most`` for an hour (for each kg where it is); None where the units do not fit."""
    if rate is None:
        return None
    written = _PER_TIME.sub("/h", _PER_MINUTE.sub("/min", rate.unit.strip().lower().replace(" ", "")))
    written = written.replace("meq", "mEq").replace("µg", "mcg").replace("ug/", "mcg/")
    value = rate.value if rate.high is None else max(rate.value, rate.high)
    try:
        each = amount(f"1 {written}")
    except ValueError:
        return None
    if not each.per_hour or each.unit != most.unit:
        return None
    found = each.value * value
    if each.per_kg and not most.per_kg:
        return None if weight is None else found * weight
    if most.per_kg and not each.per_kg:
        return None if not weight else found / weight
    return found


def gravest(severities: Iterable[Severity]) -> Severity:
    return min(severities, key=SEVERITIES.index)
