"""What an event changed in a state, so that a rule is evaluated only where it can have become true or false."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from schemas.events import Condition
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState

_Diagnoses = Mapping[str, Fact[tuple[Condition, ...]]]
_NOTHING: frozenset[str] = frozenset()
_SAID = ("age", "said", "history", "allergies", "stay")


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """``analytes`` with other results than before; ``ordered`` are ingredients with other orders or supplies, ``given`` those
    with other doses, ``ingredients`` both; ``medicines``: any of these, also where no ingredient is known. ``person`` is what
    differs of what is known of the person: ``age``, ``history``, ``allergies``, ``stay``, ``said`` (sex, traits, goals,
    procedures, pregnancy), and each kind of measurement (``weight``). ``diagnoses`` are the entries of the lists of problems that
    differ, as they were and as they are; None where they do not say all, or where before or now none is known."""

    analytes: frozenset[str]
    medicines: bool
    person: frozenset[str]
    ordered: frozenset[str] = _NOTHING
    given: frozenset[str] = _NOTHING
    diagnoses: tuple[Condition, ...] | None = None

    @property
    def ingredients(self) -> frozenset[str]:
        return self.ordered | self.given if self.given else self.ordered


def between(before: PatientState | None, after: PatientState) -> Change:
    """What differs. A part that an event leaves alone is the same object in both."""
    if before is None:
        before = PatientState(after.patient_id, after.clock)
    orders = before.orders is not after.orders or before.supplies is not after.supplies
    doses = before.doses is not after.doses
    return Change(
        analytes=frozenset(_differ(before.results, after.results)),
        medicines=orders or doses,
        person=frozenset(_person(before, after)),
        ordered=frozenset((*_of(before.orders, after.orders), *_of(before.supplies, after.supplies)))
        if orders
        else _NOTHING,
        given=frozenset(_of_doses(before.doses, after.doses)) if doses else _NOTHING,
        diagnoses=_diagnoses(before.condition_facts, after.condition_facts),
    )


def _diagnoses(before: _Diagnoses, after: _Diagnoses) -> tuple[Condition, ...] | None:
    if before is after:
        return ()
    # whether anybody has said anything is an answer too
    if all(fact.void for fact in before.values()) or all(fact.void for fact in after.values()):
        return None
    facts = (each.get(key) for key in _differ(before, after) for each in (before, after))
    return tuple(condition for fact in facts if fact is not None for condition in fact.what)


def _person(before: PatientState, after: PatientState) -> Iterator[str]:
    if before.birth_date != after.birth_date:
        yield "age"
    if _differs(before.patient_versions, after.patient_versions):
        yield "said"
    if _differs(before.condition_facts, after.condition_facts):
        yield "history"
    if _differs(before.allergy_facts, after.allergy_facts):
        yield "allergies"
    if _differs(before.stays, after.stays):
        yield "stay"
    for key in _differ(before.measures, after.measures):
        yield from {each.what.kind for each in (before.measures.get(key), after.measures.get(key)) if each is not None}


def _differs(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    return before is not after and bool(before or after)


def _differ(before: Mapping[str, object], after: Mapping[str, object]) -> Iterable[str]:
    """The keys of what is not the same object in both."""
    if before is after:
        return ()
    gone = before.keys() - after.keys()
    return (*gone, *(key for key, each in after.items() if before.get(key) is not each))


def _of(before: Mapping[str, Order], after: Mapping[str, Order]) -> Iterator[str]:
    for key in _differ(before, after):
        for order in (before.get(key), after.get(key)):
            if order is not None:
                yield from order.ingredients


def _of_doses(before: Mapping[str, Fact[Given]], after: Mapping[str, Fact[Given]]) -> Iterator[str]:
    for key in _differ(before, after):
        for dose in (before.get(key), after.get(key)):
            if dose is not None:
                yield from dose.what.ingredients


def everything(before: PatientState, after: PatientState) -> Change:
    """As if all were new, and all that was before were gone."""
    orders = (order for state in (before, after) for of in (state.orders, state.supplies) for order in of.values())
    doses = (dose for state in (before, after) for dose in state.doses.values())
    return Change(
        analytes=frozenset((*before.results, *after.results)),
        medicines=True,
        person=frozenset((*_SAID, *(each.what.kind for state in (before, after) for each in state.measures.values()))),
        ordered=frozenset(each for order in orders for each in order.ingredients),
        given=frozenset(each for dose in doses for each in dose.what.ingredients),
    )
