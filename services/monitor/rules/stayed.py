"""When a patient was in hospital: what is taken there comes from no supply of the patient's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.events import Stay
from services.monitor.patient.clock import earlier, later
from services.monitor.patient.covered import day_of
from services.monitor.patient.fact import Fact
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState

_CLASSES = ("inpatient", "emergency")
_ENDS_WITH = timedelta(hours=12)
"""So near the discharge an order of the ward ends with it. No pharmacology."""
_LONGEST = timedelta(days=60)
"""How long before a discharge an order may have begun that is taken for one of the ward: longer is rare. No pharmacology."""


class Stayed(NamedTuple):
    """``ends`` None: the patient is still there, as far as known. ``surely`` false: that it began then is inferred."""

    begins: datetime
    ends: datetime | None
    surely: bool


def stays_of(state: PatientState) -> Sequence[Stayed]:
    """The stays that are known, the earliest first. Of a source that only tells the discharge, it began with the first order that
    ended with it."""
    found = (stayed for fact in state.stays.values() if not fact.void for stayed in _stayed(fact, state))
    return sorted(found, key=lambda each: (each.begins, each.ends is None, each.ends or each.begins))


def infers(state: PatientState) -> bool:
    """Whether it follows from the orders when a stay began."""
    return any(not fact.void and _admitted(fact) is None for fact in state.stays.values())


def days_away(state: PatientState, through: datetime) -> frozenset[int]:
    """The days in hospital, with that of the admission and without that of the discharge; of a stay that goes on, up to the day
    of ``through``."""
    days: set[int] = set()
    for each in stays_of(state):
        end = through if each.ends is None else min(each.ends, through)
        days.update(range(day_of(each.begins), day_of(end) + (each.ends is None)))
    return frozenset(days)


def _stayed(fact: Fact[Stay], state: PatientState) -> Iterator[Stayed]:
    admitted, discharged = _admitted(fact), known_or(fact.what.discharged_at, None)
    inside = known_or(fact.what.encounter_class, "") in _CLASSES
    if inside and (admitted is not None or discharged is None):
        yield Stayed(fact.at if admitted is None else admitted, discharged, admitted is not None)
    elif discharged is not None and admitted is None:
        starts = [order.starts for order in state.orders.values() if _of_ward(order, discharged)]
        if starts:
            yield Stayed(min(starts), discharged, False)


def _admitted(fact: Fact[Stay]) -> datetime | None:
    return known_or(fact.what.admitted_at, None)


def _of_ward(order: Order, discharged: datetime) -> bool:
    ends = order.acts_until
    if order.void or ends is None:
        return False
    near = earlier(discharged, _ENDS_WITH) <= ends <= later(discharged, _ENDS_WITH)
    return near and earlier(discharged, _LONGEST) <= order.starts < discharged
