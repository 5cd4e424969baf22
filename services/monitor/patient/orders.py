"""An order from its versions. Each says some parts; they are told from the oldest to the newest, and what one leaves out
stays as it was. Everything else about the order follows from the end of the tale, so the order of arrival does not matter.
"""

from __future__ import annotations

from datetime import datetime
from functools import reduce

from msgspec import UNSET
from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.events import Drug, Prescription
from schemas.values import Quantity
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.known import known_or
from services.monitor.patient.precedence import precedence
from services.monitor.patient.state import (
    KEEP_ENDED_ORDERS,
    MAX_ORDERS,
    MAX_VERSIONS,
    Dose,
    Order,
    PatientState,
    Version,
    thing_key,
)

_STATUS = ("ordered", "changed", "held", "resumed", "discontinued", "entered_in_error")


def with_prescription(state: PatientState, event: Prescription, knowledge: Knowledge) -> PatientState:
    """The state with the order as ``event`` leaves it; ``state`` itself when that version is known."""
    key = thing_key(event.source, event.record_id)
    known, version = state.orders.get(key), _version(event, knowledge)
    versions = _versions(known) if known is not None else ()
    if any(version.precedence == each.precedence for each in versions):
        return state
    first_seen = min(version.at, known.first_seen) if known is not None else version.at
    told = _bounded(sorted((*versions, version), key=lambda each: each.precedence), knowledge)
    order = _order(event.source, event.record_id, first_seen, told, knowledge)
    return replace(state, orders=_kept(state, {**state.orders, key: order}, key))


def _version(event: Prescription, knowledge: Knowledge) -> Version:
    drug, dosage = event.drug, event.dosage
    form = None if drug.form is UNSET else drug.form or ""
    route = None if dosage.route is UNSET else dosage.route or ""
    says_dose = bool(dosage.text) or dosage.dose is not UNSET or dosage.frequency_per_day is not UNSET
    return Version(
        precedence=precedence(event, _STATUS.index(event.status)),
        status=event.status,
        at=clinical_time(event),
        origin=event.origin,
        label=_label(drug),
        ingredients=tuple(sorted({each.name for each in drug.ingredients})),
        strengths={i.name: i.strength for i in drug.ingredients if isinstance(i.strength, Quantity)},
        form=form,
        route=route,
        systemic=knowledge.is_systemic(route or "", form or ""),
        dose=Dose(dosage.text, known_or(dosage.dose, None), known_or(dosage.frequency_per_day, None))
        if says_dose
        else None,
        start=event.start,
        end=known_or(event.end, None),
        says_end=event.end is not UNSET,
        stopped=clinical_time(event) if event.status == "discontinued" else None,
        one_time=known_or(event.one_time, None),
    )


def _label(drug: Drug) -> str:
    named = drug.text or " / ".join(each.name for each in drug.ingredients)
    return named or next((coding.display or coding.code for coding in drug.codings), "")


def _bounded(versions: list[Version], knowledge: Knowledge) -> tuple[Version, ...]:
    spare = max(0, len(versions) - MAX_VERSIONS)
    oldest = reduce(lambda before, by: _followed(before, by, knowledge), versions[: spare + 1])
    return (oldest, *versions[spare + 1 :])


def _followed(before: Version, by: Version, knowledge: Knowledge) -> Version:
    """What stands after ``by``. Form, route and dose of another medicine do not pass on to the one that ``by`` names."""
    if by.label and not _same_medicine(before, by):
        before = replace(before, form=None, route=None, systemic=by.systemic, dose=None)
    named = by if by.label else before
    end, says_end = (by.end, True) if by.says_end else (before.end, before.says_end)
    if by.status == "resumed" and not by.says_end and end is not None and end <= by.at:
        end = None  # it goes on after its end, so that is not its end any more
    goes_on = by.status in ("ordered", "resumed") or by.says_end
    return replace(
        by,
        label=named.label,
        ingredients=named.ingredients,
        strengths=named.strengths,
        form=before.form if by.form is None else by.form,
        route=before.route if by.route is None else by.route,
        systemic=_systemic(before, by, knowledge),
        dose=before.dose if by.dose is None else by.dose,
        start=before.start if by.start is None else by.start,
        end=end,
        says_end=says_end,
        stopped=by.stopped or (None if goes_on else before.stopped),
        one_time=before.one_time if by.one_time is None else by.one_time,
    )


def _same_medicine(one: Version, other: Version) -> bool:
    """By what acts in them, or by name when that is not known. A name that is not understood is another medicine's."""
    if not one.label or one.ingredients or other.ingredients:
        return one.ingredients == other.ingredients or not one.label
    return one.label.casefold() == other.label.casefold()


def _systemic(before: Version, by: Version, knowledge: Knowledge) -> bool:
    """A new form with an old route, or the reverse, may be another way to give it: it is topical only when the new word alone
    says so and the old one does not contradict. Eye drops that become a tablet are systemic, whatever the route was."""
    form = before.form if by.form is None else by.form
    route = before.route if by.route is None else by.route
    if (form, route) == (before.form, before.route):
        return before.systemic
    return by.systemic or knowledge.is_systemic(route or "", form or "")


def _order(
    source: str, record_id: str, first_seen: datetime, versions: tuple[Version, ...], knowledge: Knowledge
) -> Order:
    now = reduce(lambda before, by: _followed(before, by, knowledge), versions)
    ends = [end for end in (now.end, now.stopped) if end is not None]
    order = Order(
        source=source,
        record_id=record_id,
        version=now.precedence[0],
        precedence=now.precedence,
        status=now.status,
        label=now.label or "medicine not named",
        ingredients=now.ingredients,
        systemic=now.systemic,
        route=now.route or "",
        form=now.form or "",
        dosage=now.dose.text if now.dose is not None else "",
        daily_mg=None,
        start=now.start,
        end=min(ends, default=None),
        first_seen=first_seen,
        held=now.status == "held",
        void=now.status == "entered_in_error",
        origin=now.origin,
        stopped=now.stopped,
        dose=now.dose,
        strengths=now.strengths,
        one_time=now.one_time,
        versions=versions,
    )
    return replace(order, daily_mg=order.daily_mg_of(now.ingredients[0]) if len(now.ingredients) == 1 else None)


def _versions(order: Order) -> tuple[Version, ...]:
    """The versions of an order; of one that was stored before they were kept, what is known of it as one version."""
    if order.versions:
        return order.versions
    stopped = order.end if order.status == "discontinued" else None
    former = Version(
        precedence=order.precedence,
        status=order.status,
        at=order.first_seen,
        origin=order.origin,
        label=order.label,
        ingredients=order.ingredients,
        strengths={},
        form=order.form or None,
        route=order.route or None,
        systemic=order.systemic,
        dose=Dose(order.dosage, None, None) if order.dosage else None,
        start=order.start,
        end=None if stopped else order.end,
        says_end=order.end is not None,
        stopped=stopped,
        one_time=None,
    )
    return (former,)


def _kept(state: PatientState, orders: dict[str, Order], newest: str) -> dict[str, Order]:
    # the age of an end and not the date before which it is old: a clock may stand in the year 1
    kept = {key: order for key, order in orders.items() if key == newest or not _old(order, state.clock)}
    if len(kept) <= MAX_ORDERS:
        return kept
    by_use = sorted(kept, key=lambda key: (key == newest, not kept[key].over(state.clock), kept[key].last_heard, key))
    spare = set(by_use[: len(kept) - MAX_ORDERS])
    return {key: order for key, order in kept.items() if key not in spare}


def _old(order: Order, clock: datetime) -> bool:
    ended = order.last_heard if order.void else order.acts_until
    return ended is not None and clock - ended >= KEEP_ENDED_ORDERS
