"""An order or a supply from its versions. Each says some parts; they are told from the oldest to the newest, and what one
leaves out stays as it was. Everything else about the order follows from the last, so the order of arrival does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import reduce

from msgspec.structs import replace

from knowledge.model import Knowledge
from services.monitor.patient.bounds import ASSUMED_SUPPLY, LAST, LONGEST_SUPPLY, MAX_VERSIONS
from services.monitor.patient.daily_dose import days_of
from services.monitor.patient.order import Dose, Order, Version
from services.monitor.patient.precedence import content

_GOES_ON = frozenset({"ordered", "resumed", "dispensed"})
_VOID = frozenset({"entered_in_error", "cancelled"})
_UNNAMED = "medicine not named"


def told(known: Order | None, fresh: Sequence[Version], order: Order, knowledge: Knowledge) -> Order:
    """``order`` (its identity and kind) as its ``fresh`` and known versions tell it; ``known`` itself when nothing is new."""
    before = versions_of(known) if known is not None else ()
    new = [version for version in fresh if not any(_same_version(version, each) for each in before)]
    if known is not None and not new:
        return known
    first_seen = min(order.first_seen, *(version.at for version in new))
    if known is not None:
        first_seen = min(first_seen, known.first_seen)
        order = known  # when it was replaced is not told by its own versions
    ordered = (*before, *new)
    if len(ordered) > 1:
        ordered = _bounded(sorted(ordered, key=_place), knowledge)
    return _order(replace(order, first_seen=first_seen), ordered, knowledge)


def versions_of(order: Order) -> tuple[Version, ...]:
    """The versions of an order, oldest first."""
    return order.versions or (_only_version(order),)


def _place(version: Version) -> tuple[object, ...]:
    return version.precedence[:3], content(replace(version, origin=None))


def _same_version(one: Version, other: Version) -> bool:
    """Whichever feed brought them."""
    return one.precedence[:3] == other.precedence[:3] and replace(one, origin=None) == replace(other, origin=None)


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
    goes_on = by.status in _GOES_ON or by.says_end
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
        replaces=before.replaces if by.replaces is None else by.replaces,
        order_id=before.order_id if by.order_id is None else by.order_id,
        quantity=before.quantity if by.quantity is None else by.quantity,
        days=before.days if by.days is None else by.days,
        indication=before.indication if by.indication is None else by.indication,
        protocol=before.protocol if by.protocol is None else by.protocol,
        precise=named.precise,
        harmed=by.harmed or before.harmed,
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


def _order(order: Order, versions: tuple[Version, ...], knowledge: Knowledge) -> Order:
    now = reduce(lambda before, by: _followed(before, by, knowledge), versions)
    end, basis = (now.end, "") if order.kind == "prescription" else _supplied(now, now.start or order.first_seen)
    if now.stopped is not None and (end is None or now.stopped < end):
        end = now.stopped
    told = Order(
        source=order.source,
        record_id=order.record_id,
        version=now.precedence[0],
        precedence=now.precedence,
        status=now.status,
        label=now.label or _UNNAMED,
        ingredients=now.ingredients,
        systemic=now.systemic,
        route=now.route or "",
        form=now.form or "",
        dosage=now.dose.text if now.dose is not None else "",
        daily_mg=None,
        start=now.start,
        end=end,
        first_seen=order.first_seen,
        held=now.status == "held",
        void=now.status in _VOID,
        origin=now.origin,
        stopped=now.stopped,
        dose=replace(now.dose, text="") if now.dose is not None else None,
        strengths=now.strengths,
        one_time=now.one_time,
        kind=order.kind,
        replaces=now.replaces or "",
        replaced_at=order.replaced_at,
        order_id=now.order_id or "",
        quantity=now.quantity,
        days=now.days,
        basis=basis,
        unsaid=_unsaid(now),
        indication=now.indication,
        protocol=now.protocol,
        precise=now.precise,
    )
    if len(now.ingredients) == 1 and now.dose is not None:
        told = replace(told, daily_mg=told.daily_mg_of(now.ingredients[0]))
    if len(versions) > 1 or _only_version(told) != versions[0]:
        told = replace(told, versions=versions, unsaid="")
    return told


def _supplied(now: Version, start: datetime) -> tuple[datetime, str]:
    """Until when a supply lasts and how we know."""
    days, basis = now.days, "days_supply"
    if days is None and now.quantity is not None and now.dose is not None:
        days, basis = days_of(now.quantity, now.dose.a_day), "quantity"
    if days is None or not 0 < days <= LONGEST_SUPPLY / timedelta(days=1):
        lasts, basis = ASSUMED_SUPPLY, "assumed"
    else:
        lasts = timedelta(days=days)
    return start + min(lasts, LAST - start), basis


def _unsaid(version: Version) -> str:
    """Which of the parts that an order cannot show as "not said" its only version did not say."""
    parts = (
        ("f", version.form is None),
        ("r", version.route is None),
        ("e", not version.says_end),
        ("l", version.replaces is None),
        ("o", version.order_id is None),
    )
    return "".join(letter for letter, unsaid in parts if unsaid)


def _only_version(order: Order) -> Version:
    """The version of an order that has one; of one that an older release stored, what is known of it as one version."""
    unsaid, stopped = order.unsaid, order.stopped
    if stopped is None and order.status == "discontinued":
        stopped = order.end
    supply = order.kind != "prescription"
    dose = order.dose or (Dose("", None, None) if order.dosage else None)
    return Version(
        precedence=order.precedence,
        status=order.status,
        at=order.first_seen,
        origin=order.origin,
        label="" if order.label == _UNNAMED else order.label,
        ingredients=order.ingredients,
        strengths=order.strengths,
        form=None if not order.form and (not unsaid or "f" in unsaid) else order.form,
        route=None if not order.route and (not unsaid or "r" in unsaid) else order.route,
        systemic=order.systemic,
        dose=replace(dose, text=order.dosage) if dose is not None else None,
        start=order.start,
        end=None if stopped or supply else order.end,
        says_end="e" not in unsaid if unsaid else order.end is not None,
        stopped=stopped,
        one_time=order.one_time,
        replaces=None if not order.replaces and (not unsaid or "l" in unsaid) else order.replaces,
        order_id=None if not order.order_id and (not unsaid or "o" in unsaid) else order.order_id,
        quantity=order.quantity,
        days=order.days,
        indication=order.indication,
        protocol=order.protocol,
        precise=order.precise,
    )
