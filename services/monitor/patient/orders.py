"""Orders and supplies of a patient: what an event adds to them, which order replaces which, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import UNSET
from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.events import Dispensing, Dosage, Drug, Prescription
from schemas.values import Quantity
from services.monitor.patient.bounds import KEEP_ENDED_ORDERS, MAX_ORDERS, MAX_TEXT
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.known import known_or, said
from services.monitor.patient.order import ORDER_STATUS, SUPPLY_STATUS, Dose, Order, Version, thing_key
from services.monitor.patient.precedence import precedence
from services.monitor.patient.versions import told

Orders = Mapping[str, Order]

_STOPS = frozenset({"discontinued", "returned"})
_ENDS = frozenset({"discontinued", "held"})


def with_prescription(orders: Orders, event: Prescription, day: datetime, knowledge: Knowledge) -> Orders:
    """The orders with one as ``event`` leaves it; ``orders`` itself when that version is known. ``day`` is the patient's."""
    version = replace(
        _version(event, event.drug, event.dosage, ORDER_STATUS.index(event.status), knowledge),
        start=event.start,
        end=known_or(event.end, None),
        says_end=event.end is not UNSET,
        one_time=known_or(event.one_time, None),
        replaces=said(event.replaces, ""),
        indication=known_or(event.indication, None),
        protocol=None if (protocol := known_or(event.protocol, None)) is None else protocol[:MAX_TEXT],
        harmed=_harmed(event, knowledge),
    )
    return with_versions(orders, _blank(event, "prescription"), [version], day, knowledge)


def with_dispensing(supplies: Orders, event: Dispensing, day: datetime, knowledge: Knowledge) -> Orders:
    """The supplies with one as ``event`` leaves it; ``supplies`` itself when that version is known."""
    version = replace(
        _version(event, event.drug, event.dosage, SUPPLY_STATUS.index(event.status), knowledge),
        order_id=said(event.order_id, ""),
        quantity=known_or(event.quantity, None),
        days=known_or(event.days_supply, None),
    )
    return with_versions(supplies, _blank(event, "dispensing"), [version], day, knowledge)


def with_versions(
    orders: Orders, order: Order, versions: Sequence[Version], day: datetime, knowledge: Knowledge
) -> Orders:
    """``order`` gives the identity and the kind; its versions come in any order."""
    key = thing_key(order.source, order.record_id)
    known = orders.get(key)
    after = told(known, versions, order, knowledge)
    if after is known:
        return orders
    if known is None and _old(after, day) and not after.replaces:
        return orders
    changed = {**orders, key: after}
    if known is None or known.replaces != after.replaces or known.starts != after.starts or known.void != after.void:
        _link(changed, after, known)
    return _kept(changed, key, day)


def _harmed(event: Prescription, knowledge: Knowledge) -> str:
    """The reason of a stop or a hold, where it speaks of harm. No other is kept: no rule asks for it, and most stops have one."""
    reason = known_or(event.reason, "")
    if not reason or event.status not in _ENDS or knowledge.transfers.harm_in(reason) is None:
        return ""
    return reason[:MAX_TEXT]


def label_of(drug: Drug) -> str:
    """What people call it."""
    named = drug.text or " / ".join(each.name for each in drug.ingredients)
    return (named or next((coding.display or coding.code for coding in drug.codings), ""))[:MAX_TEXT]


def ingredients_of(drug: Drug) -> tuple[str, ...]:
    if len(drug.ingredients) == 1:
        return (drug.ingredients[0].name,)
    return tuple(sorted({each.name for each in drug.ingredients}))


def _version(event: Prescription | Dispensing, drug: Drug, dosage: Dosage, rank: int, knowledge: Knowledge) -> Version:
    form, route = said(drug.form, ""), said(dosage.route, "")
    at = clinical_time(event)
    return Version(
        precedence=precedence(event, rank),
        status=event.status,
        at=at,
        origin=event.origin,
        label=label_of(drug),
        ingredients=ingredients_of(drug),
        strengths={i.name: i.strength for i in drug.ingredients if isinstance(i.strength, Quantity)},
        form=form,
        route=route,
        systemic=knowledge.is_systemic(route or "", form or ""),
        dose=_dose(dosage),
        start=None,
        end=None,
        says_end=False,
        stopped=at if event.status in _STOPS else None,
        one_time=None,
        precise={each.name: each.precise for each in drug.ingredients if each.precise},
    )


def _dose(dosage: Dosage) -> Dose | None:
    """None when the dosage says neither how much, nor how fast, nor how often."""
    if not dosage.text and dosage.dose is UNSET and dosage.frequency_per_day is UNSET and dosage.rate is UNSET:
        return None
    dose = Dose(
        text=dosage.text[:MAX_TEXT],
        amount=known_or(dosage.dose, None),
        frequency=known_or(dosage.frequency_per_day, None),
        frequency_high=known_or(dosage.frequency_high, None),
        as_needed=known_or(dosage.as_needed, None),
        max_daily=known_or(dosage.max_daily_dose, None),
        remark=dosage.remark,
        rate=known_or(dosage.rate, None),
    )
    daily = known_or(dosage.daily_dose, None)
    return dose if daily is None or daily == dose.follows else replace(dose, daily=daily)


def _blank(event: Prescription | Dispensing, kind: str) -> Order:
    return blank(event.source, event.record_id, kind, clinical_time(event))


def blank(source: str, record_id: str, kind: str, at: datetime) -> Order:
    """An order of which no version has been told yet."""
    return Order(
        source=source, record_id=record_id, version=0, precedence=(0, 0.0, 0, ""), status="", label="", ingredients=(),
        systemic=True, route="", form="", dosage="", daily_mg=None, start=None, end=None, first_seen=at, held=False,
        void=False, origin=None, kind=kind,
    )  # fmt: skip


def _link(orders: dict[str, Order], order: Order, before: Order | None) -> None:
    """Set when orders are replaced: the one that ``order`` names, the one that it named before, and itself."""
    named = {order.record_id, order.replaces, before.replaces if before is not None else ""} - {""}
    starts: dict[str, datetime] = {}
    for each in orders.values():
        names_another = each.replaces in named and each.replaces != each.record_id
        if names_another and each.source == order.source and not each.void:
            starts[each.replaces] = min(each.starts, starts.get(each.replaces, each.starts))
    for record_id in named:
        key = thing_key(order.source, record_id)
        replaced = orders.get(key)
        if replaced is not None and replaced.replaced_at != starts.get(record_id):
            orders[key] = replace(replaced, replaced_at=starts.get(record_id))


def _kept(orders: dict[str, Order], newest: str, day: datetime) -> dict[str, Order]:
    if _old(orders[newest], day):
        # what it replaced may have ended as long ago
        return dict(without_old(orders, day))
    while len(orders) > MAX_ORDERS:
        del orders[min(orders, key=lambda key: (key == newest, not orders[key].over(day), orders[key].last_heard, key))]
    return orders


def without_old(orders: Orders, day: datetime) -> Orders:
    """Without those that ended long ago."""
    if any(_old(order, day) for order in orders.values()):
        return {key: order for key, order in orders.items() if not _old(order, day)}
    return orders


def _old(order: Order, day: datetime) -> bool:
    # the age of an end and not the date before which it is old: a clock may stand in the year 1
    ended = order.last_heard if order.void else order.acts_until
    return ended is not None and day - ended >= KEEP_ENDED_ORDERS
