"""A dose given, or a supply handed out, after its order had been stopped, held or entered in error (``stops/after_stop.csv``).

It is none when the dose was on its way as the order was stopped, when it is the tail of an infusion that ran, when another
order of the medicine is in force, and when the stop is a date without a time on the same day. A dose has reached the patient:
the alert stays until a person has answered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from knowledge.after_stop import AfterStop
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.alerts import Implicated
from schemas.values import SEVERITIES, Citation, Origin, Severity
from services.monitor.patient.bounds import INFUSION_COUNTS, LAST, ONCE_COUNTS
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at, said_span
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.medicines import OrderNames
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.patient.versions import versions_of
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.taken import implicate_dose
from services.monitor.rules.view import view_of

_STOPS = frozenset({"held", "discontinued", "entered_in_error"})
_SUMMARY = 139


class GivenAfterStop:
    """One finding for each medicine, whatever number of doses were given."""

    id = "given-after-stop"
    version = "1"
    family = "given after stop"
    title = "Given or dispensed after its order was stopped"
    data = ("stops/after_stop.csv",)

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=None)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        rows = (*knowledge.after_stops.by_ingredient.values(), knowledge.after_stops.every)
        return dict.fromkeys(citation for row in rows if row is not None for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The medicines that were given or handed out for an order that was ever stopped, or stand, and have an ingredient of
        what changed, or none that is known."""
        standing = any(each.rule == self.id for each in state.standing.values())
        stopped = view_of(state, knowledge).made_of_acting("ever stopped", lambda: _stopped_records(state))
        if not standing and not stopped:
            return ()
        taken: list[Given | Order] = [fact.what for fact in state.doses.values()]
        taken += state.supplies.values()
        touched = change.ingredients
        return {
            _name(each)
            for each in taken
            if (standing or each.order_id in stopped) and _touches(each.ingredients, touched)
        }

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is a medicine by its ingredients, or by its name where none is known."""
        given = [dose for dose in state.doses.values() if _name(dose.what) == part]
        supplies = [supply for supply in state.supplies.values() if _name(supply) == part]
        if not given and not supplies:
            return
        ingredients = (given[0].what if given else supplies[0]).ingredients
        row = knowledge.after_stops.of(ingredients)
        if row is None:
            return
        names: OrderNames = view_of(state, knowledge).made_of_acting(OrderNames, lambda: OrderNames(state.orders))
        wrong = [*_doses(given, names, row, state), *_handed_out(supplies, names, row, state)]
        if wrong:
            yield _finding(part, ingredients, sorted(wrong, key=lambda each: each.at), row)


class _Stop(NamedTuple):
    """``at`` is clinical time, ``known`` when it was recorded; ``by`` in a word."""

    at: datetime
    known: datetime
    by: str


class _Wrong(NamedTuple):
    """What was given or handed out all the same. ``until``: how long it counts."""

    what: str
    at: datetime
    label: str
    order: Order
    stop: _Stop
    severity: Severity
    until: datetime | None
    fact: Implicated
    origin: Origin | None


def _doses(given: Sequence[Fact[Given]], names: OrderNames, row: AfterStop, state: PatientState) -> Iterator[_Wrong]:
    for dose in given:
        until = dose.at + min(ONCE_COUNTS, LAST - dose.at)
        if until <= state.clock or dose.void or dose.what.status != "given" or dose.at > state.clock:
            continue
        order = state.orders.get(names.key(dose.source, dose.what.order_id) or "")
        stop = None if order is None or not _ever_stopped(order) else _stopped(order, dose.at)
        if order is None or stop is None or not _late(dose.at, stop, row.charting):
            continue
        if _tail(dose, given, stop, row) or _other_order(dose.what.ingredients, order, dose.at, state):
            continue
        severity = _known_in_time(row.given, dose.at, stop)
        yield _Wrong("given", dose.at, dose.what.label, order, stop, severity, until, implicate_dose(dose), dose.origin)


def _handed_out(supplies: Sequence[Order], names: OrderNames, row: AfterStop, state: PatientState) -> Iterator[_Wrong]:
    for supply in supplies:
        order = state.orders.get(names.key(supply.source, supply.order_id) or "")
        at = supply.first_seen
        if order is None or supply.over(state.clock) or at > state.clock:
            continue
        stop = _stopped(order, at)
        if stop is None or not _late(at, stop, row.charting):
            continue
        if _other_order(supply.ingredients, order, at, state):
            continue
        severity = _known_in_time(row.dispensed, at, stop)
        fact = implicate_order(supply)
        yield _Wrong("dispensed", at, supply.label, order, stop, severity, supply.acts_until, fact, supply.origin)


def _stopped_records(state: PatientState) -> frozenset[str]:
    return frozenset(order.record_id for order in state.orders.values() if _ever_stopped(order))


def _ever_stopped(order: Order) -> bool:
    """Whether it was at any time, so that something may have been given after it."""
    if order.replaced_at is not None or order.status in _STOPS:
        return True
    return any(version.status in _STOPS for version in order.versions)


def _stopped(order: Order, at: datetime) -> _Stop | None:
    """What had stopped the order by a time; None where it went on then, or merely ran out."""
    before = [each for each in versions_of(order) if each.at <= at]
    stop = None
    if before and before[-1].status in _STOPS:
        first = before[-1]
        for each in reversed(before):
            if each.status not in _STOPS:
                break
            first = each
        by = before[-1].status.replace("_", " ")
        stop = _Stop(first.at, datetime.fromtimestamp(first.precedence[1], UTC), by)
    elif order.replaced_at is not None and order.replaced_at <= at:
        stop = _Stop(order.replaced_at, order.replaced_at, "replaced")
    return stop


def _late(at: datetime, stop: _Stop, charting: timedelta) -> bool:
    """Whether it was not on its way any more. A stop at midnight is a date without a time: it holds from the next day on."""
    on = stop.at
    if (on.hour, on.minute, on.second, on.microsecond) == (0, 0, 0, 0):
        on += min(timedelta(days=1), LAST - on)
    return at - on > charting


def _tail(dose: Fact[Given], given: Sequence[Fact[Given]], stop: _Stop, row: AfterStop) -> bool:
    """Whether it is an infusion that ran as the order was stopped, charted on for a while."""
    if dose.what.rate is None and dose.what.stopped_at is None:
        return False
    ran = any(
        each.at <= stop.at < _ran_until(each)
        for each in given
        if each is not dose
        and not each.void
        and each.what.status == "given"
        and each.what.order_id == dose.what.order_id
    )
    return ran and dose.at - stop.at <= row.tail


def _ran_until(dose: Fact[Given]) -> datetime:
    infusion = dose.what.rate is not None or dose.what.stopped_at is not None
    if not infusion:
        return dose.at
    return dose.what.stopped_at or dose.at + min(INFUSION_COUNTS, LAST - dose.at)


def _other_order(ingredients: Collection[str], order: Order, at: datetime, state: PatientState) -> bool:
    """Whether another order of the medicine was in force then: it was given for that one."""
    asked = frozenset(ingredients)
    return bool(asked) and any(
        each is not order and asked <= frozenset(each.ingredients) and each.in_force(at)
        for each in state.orders.values()
    )


def _known_in_time(severity: Severity, at: datetime, stop: _Stop) -> Severity:
    """A stop that was recorded only afterwards could not be known: nobody acted against it."""
    return max(severity, "moderate", key=SEVERITIES.index) if stop.known > at else severity


def _finding(part: str, ingredients: Sequence[str], wrong: Sequence[_Wrong], row: AfterStop) -> Finding:
    severity = min((each.severity for each in wrong), key=SEVERITIES.index)
    gravest = next(each for each in wrong if each.severity == severity)
    orders = list({id(each.order): each.order for each in wrong}.values())
    names = " / ".join(ingredients) or part
    stop = gravest.stop
    since = wrong[0].at
    summary = f"{names} {gravest.what} at {said_at(gravest.at)}, after its order was {stop.by} at {said_at(stop.at)}"
    return Finding(
        subject=part,
        severity=severity,
        summary=summary[:_SUMMARY],
        detail=" ".join(_detail(wrong, row)),
        actions=row.actions,
        patient_explanation=_explained(gravest),
        evidence_grade=row.evidence_grade,
        implicated=tuple(dict.fromkeys((*map(implicate_order, orders), *(each.fact for each in wrong)))),
        citations=row.citations,
        since=since,
        rank=float(len(wrong)),
        origins=tuple(each.origin for each in wrong if each.origin is not None),
        until=earliest(each.until for each in wrong),
        conditions=tuple(_said(each, row) for each in wrong),
        rows=(f"stops/after_stop.csv#{row.medicine}",),
        medicines=tuple(sorted(ingredients)),
        opens=since + min(row.waits, LAST - since),
        needs_closure=any(each.what == "given" for each in wrong),
    )


def _detail(wrong: Sequence[_Wrong], row: AfterStop) -> Iterator[str]:
    yield row.harm
    for each in wrong:
        late = said_span(each.at - each.stop.at)
        yield f"{each.label} was {each.what} {late} after its order {each.order.record_id} was {each.stop.by}."
        if each.stop.known > each.at:
            yield f"The stop was recorded only at {said_at(each.stop.known)}, after that."
    yield "No other order of it was in force then. Not known: whether somebody asked for it by word of mouth."


def _said(each: _Wrong, row: AfterStop) -> ConditionSaid:
    minutes = row.charting // timedelta(minutes=1)
    found = f"{each.stop.by} at {said_at(each.stop.at)}, {each.what} at {said_at(each.at)}"
    return ConditionSaid(text=f"more than {minutes} minutes after the stop", answer="yes", found=found)


def _explained(gravest: _Wrong) -> str:
    if gravest.what == "given":
        return (
            "A medicine that had been stopped was given to you. Your care team has been told and will look after you. "
            "Tell them at once if you feel unwell."
        )
    return (
        "A medicine that had been stopped was handed out to you. Ask your care team whether you are to take it before the "
        "next dose, and do not change your other medicines on your own."
    )


def _name(of: Given | Order) -> str:
    names = of.ingredients
    return (names[0] if len(names) == 1 else "/".join(sorted(names))) or of.label.casefold()


def _touches(ingredients: Sequence[str], changed: frozenset[str]) -> bool:
    return not ingredients or not changed.isdisjoint(ingredients)
