"""Supplies that were handed out, and the orders that they are for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from knowledge.model import Knowledge
from services.monitor.patient.medicines import OrderNames
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.view import view_of

SUMMARY = 139
"""Characters of a summary."""


def name_of(medicine: Order) -> str:
    """The ingredients of an order or a supply as the subject of a finding; empty where none is known."""
    names = medicine.ingredients
    return names[0] if len(names) == 1 else "/".join(sorted(names))


def handed_out(state: PatientState) -> Iterator[Order]:
    """The supplies that reached the patient, so far as known: neither cancelled nor entered in error nor brought back."""
    for supply in state.supplies.values():
        if not supply.void and supply.stopped is None and supply.first_seen <= state.clock:
            yield supply


def order_of(supply: Order, state: PatientState, knowledge: Knowledge) -> Order | None:
    """The order that a supply names, where it is known."""
    names: OrderNames = view_of(state, knowledge).made_of_acting(OrderNames, lambda: OrderNames(state.orders))
    return state.orders.get(names.key(supply.source, supply.order_id) or "")


def supplies_with_orders(state: PatientState, knowledge: Knowledge) -> Sequence[tuple[Order, Order | None]]:
    """Every supply, whatever became of it, with the order that it names; kept as long as the orders and supplies are the same."""

    def made() -> Sequence[tuple[Order, Order | None]]:
        return [(supply, order_of(supply, state, knowledge)) for supply in state.supplies.values()]

    return view_of(state, knowledge).made_of_acting("supplies with orders", made)


def shares(one: Order, other: Order) -> bool:
    """Whether they have an ingredient in common."""
    return not set(one.ingredients).isdisjoint(other.ingredients)


def same_class(one: Sequence[str], other: Sequence[str], knowledge: Knowledge) -> bool:
    """Whether one of the ingredients can stand for one of the others: of them one is enough (``duplicates/classes.csv``)."""
    return not _classes(one, knowledge).isdisjoint(_classes(other, knowledge))


def _classes(ingredients: Sequence[str], knowledge: Knowledge) -> set[str]:
    return {of.id for name in ingredients for of in knowledge.duplicates.of(name) if of.kind == "class"}
