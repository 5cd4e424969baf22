"""What can be said of two orders that show the same, so that they are no duplicate: ``How`` of ``knowledge.duplicate``."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.duplicate import How, says
from knowledge.model import Knowledge
from services.monitor.patient.bounds import ONCE_COUNTS
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.in_hospital import in_hospital, left_at_home

_INJECTED = ("intravenous", "subcutaneous", "intramuscular", "epidural", "intrathecal")


def holds(how: Sequence[How], one: Order, other: Order, state: PatientState, knowledge: Knowledge) -> bool:
    """Whether everything that is named is known of the two."""
    return all(_holds(each, one, other, state, knowledge) for each in how)


def says_any(order: Order, words: tuple[str, ...]) -> bool:
    """Whether one of the words stands in what an order says of its medicine."""
    return says(" ".join((order.label, order.form, order.route, order.dosage)).lower(), words)


def _holds(how: How, one: Order, other: Order, state: PatientState, knowledge: Knowledge) -> bool:
    both = (one, other)
    match how:
        case "as-needed":
            return any(order.dose is not None and order.dose.as_needed is True for order in both)
        case "one-time":
            return any(_once(order) for order in both)
        case "injected":
            return any(knowledge.doses.way_of(order.route, order.form) in _INJECTED for order in both)
        case "other-way":
            return _other_way(one, other, knowledge)
        case "one-long":
            return says_any(one, knowledge.duplicates.long_acting) != says_any(other, knowledge.duplicates.long_acting)
        case "both-long":
            return all(says_any(order, knowledge.duplicates.long_acting) for order in both)
        case "started-together":
            return one.starts == other.starts and _other_dose(one, other)
        case "refill":
            return all(order.kind == "dispensing" for order in both) and _same_label(one, other)
        case "at-home":
            return in_hospital(state) and _one_for_home(one, other, state)


def _once(order: Order) -> bool:
    until = order.acts_until
    return order.one_time is True or (until is not None and until - order.starts <= ONCE_COUNTS)


def _other_way(one: Order, other: Order, knowledge: Knowledge) -> bool:
    ways = [knowledge.doses.way_of(order.route, order.form) for order in (one, other)]
    places = [knowledge.place_of(order.route, order.form) for order in (one, other)]
    return any(None not in said and said[0] != said[1] for said in (ways, places))


def _other_dose(one: Order, other: Order) -> bool:
    """Whether both say how much they hold or how much is taken, and not the same."""
    strengths = one.strengths != other.strengths and bool(one.strengths and other.strengths)
    amounts = [order.dose.amount if order.dose is not None else None for order in (one, other)]
    return strengths or (None not in amounts and amounts[0] != amounts[1])


def _same_label(one: Order, other: Order) -> bool:
    return one.label.casefold() == other.label.casefold()


def _one_for_home(one: Order, other: Order, state: PatientState) -> bool:
    """A supply beside an order, or an order from before the stay beside one of it."""
    return one.kind != other.kind or left_at_home(one, state) != left_at_home(other, state)
