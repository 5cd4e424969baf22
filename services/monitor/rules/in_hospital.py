"""Whether a patient is or was in hospital, and which orders are for home, by the stays: an order as kept does not say it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from schemas.events import Stay
from services.monitor.patient.clock import earlier
from services.monitor.patient.fact import Fact
from services.monitor.patient.known import known_or
from services.monitor.patient.medicines import OrderNames
from services.monitor.patient.order import Order, thing_key
from services.monitor.patient.state import PatientState

_CLASSES = ("inpatient", "emergency")
_WRITTEN_FOR_HOME = timedelta(days=1)
"""An order so soon before the discharge that still stands after it was written for home. What is for the ward ends with the stay,
or has a dose charted. No pharmacology."""

_TOLD_BY_DAYS = timedelta(days=1)
_LED_TO = timedelta(days=1)
"""A stay that ended so soon before the next is taken for its beginning. No pharmacology."""


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


def left_at_home(order: Order, state: PatientState) -> bool:
    """Whether an order began before the stay that the patient is in, and no dose of it was charted there. One that began less
    than a day before may be of the ward: some sources tell orders by days only."""
    begins = _came_at(state)
    if begins is None or order.starts >= earlier(begins, _TOLD_BY_DAYS):
        return False
    names = OrderNames(state.orders)
    return not any(
        not dose.void and dose.what.status == "given" and dose.at >= begins
        and names.key(dose.source, dose.what.order_id) == thing_key(order.source, order.record_id)
        for dose in state.doses.values()
    )  # fmt: skip


def _came_at(state: PatientState) -> datetime | None:
    """When the patient who is in hospital came there: a stay that led to the one of now, as that in the emergency department,
    belongs to it."""
    stays = [
        (known_or(fact.what.admitted_at, fact.at), known_or(fact.what.discharged_at, None)) for fact in _stays(state)
    ]
    now = [fact for fact in _stays(state) if _there(fact, state.clock)]
    begins = min((known_or(fact.what.admitted_at, fact.at) for fact in now), default=None)
    if begins is None:
        return None
    for admitted, discharged in sorted(stays, key=lambda each: each[0], reverse=True):
        if admitted < begins and (discharged is None or discharged >= earlier(begins, _LED_TO)):
            begins = admitted
    return begins


def _stays(state: PatientState) -> Iterator[Fact[Stay]]:
    for fact in state.stays.values():
        if not fact.void and known_or(fact.what.encounter_class, "") in _CLASSES:
            yield fact


def _there(fact: Fact[Stay], time: datetime) -> bool:
    """An end that is not known has not come."""
    admitted, discharged = known_or(fact.what.admitted_at, fact.at), known_or(fact.what.discharged_at, None)
    return admitted <= time and (discharged is None or time < discharged)
