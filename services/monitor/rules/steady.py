"""Since when a patient has had a medicine at the dose that is ordered now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from services.monitor.patient.bounds import LAST
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.taken import Taken

GAP = timedelta(days=1)
"""An order that ends and one that begins within a day are one treatment: orders are written anew at each transfer."""


def same_dose_since(taken: Taken, state: PatientState) -> datetime:
    """The beginning of the unbroken run of orders and supplies with the dose of those in force. A dose that is not known is
    taken for the same only where none of them is known."""
    since, dose = max(map(_changed, taken.orders), default=taken.starts), _daily(taken.orders, taken.ingredient)
    if since > taken.starts:
        return since
    since = taken.starts
    for order in _before(taken, state):
        if not order.starts < since <= _until(order):
            continue
        if _daily((order,), taken.ingredient) != dose:
            return since
        changed = _changed(order)
        since = min(since, changed)
        if changed > order.starts:
            return since
    return since


def _before(taken: Taken, state: PatientState) -> Iterator[Order]:
    """Earlier orders and supplies of the ingredient, those that began last first."""
    of = [
        order
        for order in (*state.orders.values(), *state.supplies.values())
        if taken.ingredient in order.ingredients and order.systemic and not order.void and order.starts < taken.starts
    ]
    yield from sorted(of, key=lambda order: (order.starts, order.source, order.record_id, order.kind), reverse=True)


def _until(order: Order) -> datetime:
    until = order.acts_until
    return LAST if until is None else until + min(GAP, LAST - until)


def _changed(order: Order) -> datetime:
    """When its dose was last changed, or else its beginning."""
    said = [version for version in order.versions if version.dose is not None]
    changes = [
        later.at
        for earlier, later in pairwise(said)
        if earlier.dose is not None and later.dose is not None and earlier.dose.a_day != later.dose.a_day
    ]
    return max((order.starts, *changes))


def _daily(orders: Sequence[Order], ingredient: str) -> float | None:
    doses = [order.daily_mg_of(ingredient) for order in orders]
    known = [dose for dose in doses if dose is not None]
    return sum(known) if known and len(known) == len(doses) else None
