"""Whether a patient is or was in hospital, and which orders are for home, by the stays: an order as kept does not say it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from schemas.events import Stay
from services.monitor.patient.clock import earlier
from services.monitor.patient.fact import Fact
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState

_CLASSES = ("inpatient", "emergency")
_WRITTEN_FOR_HOME = timedelta(days=1)
"""An order so soon before the discharge that still stands after it was written for home. What is for the ward ends with the stay,
or has a dose charted. No pharmacology."""


def in_hospital(state: PatientState) -> bool:
    """Whether the patient is in hospital now, as far as known."""
    return any(_there(fact, state.clock) for fact in _stays(state))


def leaves_at(state: PatientState) -> datetime | None:
    """When a patient who is in hospital is to be home, where that is told ahead."""
    ends = [known_or(fact.what.discharged_at, None) for fact in _stays(state) if _there(fact, state.clock)]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def for_home_since(order: Order, state: PatientState) -> datetime | None:
    """From when an order that stands is for home; None where it is one of the ward. Where no stay is known, it is for home."""
    since = max(order.starts, order.first_seen)
    for fact in _stays(state):
        discharged = known_or(fact.what.discharged_at, None)
        if discharged is None or not _there(fact, order.first_seen):
            continue
        if order.first_seen < earlier(discharged, _WRITTEN_FOR_HOME):
            return None
        since = max(since, discharged)
    return since


def _stays(state: PatientState) -> Iterator[Fact[Stay]]:
    for fact in state.stays.values():
        if not fact.void and known_or(fact.what.encounter_class, "") in _CLASSES:
            yield fact


def _there(fact: Fact[Stay], time: datetime) -> bool:
    """An end that is not known has not come."""
    admitted, discharged = known_or(fact.what.admitted_at, fact.at), known_or(fact.what.discharged_at, None)
    return admitted <= time and (discharged is None or time < discharged)
