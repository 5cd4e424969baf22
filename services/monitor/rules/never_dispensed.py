"""Ordered, and nothing came of it: no supply for a patient at home, no dose charted for one in hospital
(``joined/not_started.csv``).

It is judged only where it could be seen: a supply only of a patient of whom supplies are known at all, a dose only where most of
what the patient is to get is charted. What is not yet due is an obligation. A supply of the medicine, or of another one of its
class, ends it, and so do a stop, a hold and a newer order, which is given its own time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from knowledge.joined import ByMedicine, NotStarted
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import Citation
from services.monitor.patient.change import Change
from services.monitor.patient.clock import earlier, later, said_at, said_span
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.order import Order, thing_key
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import SUMMARY, handed_out, name_of, order_of, same_class, shares
from services.monitor.rules.in_hospital import for_home_since, in_hospital, leaves_at
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.view import View, view_of

_DAY = timedelta(days=1)
_JUDGED = timedelta(days=14)
"""How long after the order a first dose is asked for: doses are not kept for ever, and one that was given long ago must not be
missed. No pharmacology."""


class NeverDispensed:
    """One finding for each medicine, about its newest order."""

    id = "never-dispensed"
    version = "1"
    family = "joined streams"
    title = "Ordered and never dispensed or given"
    data = ("joined/not_started.csv",)

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=None, person=("stay",))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        rows = (*knowledge.joined.supplies.rows, *knowledge.joined.doses.rows)
        return dict.fromkeys(citation for row in rows for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """Every medicine that is ordered, where there is anything that one could see it by: whether supplies are known, and
        whether doses are charted, is asked of all of them together. In hospital only those whose first dose is asked for and
        is not charted."""
        view = view_of(state, knowledge)
        parts = {*view.parts_of(self.id), *(each.part for each in state.obligations.values() if each.source == self.id)}
        if not state.supplies and not state.doses:
            return parts
        if change.person or not in_hospital(state) or leaves_at(state) is not None:
            return parts | _by_name(view).keys()
        rows = knowledge.joined.doses
        of = rows.by_ingredient.keys() if rows.every is None else None
        urgent = view.made_of_acting(self.id, lambda: _urgent(_by_name(view), rows), of)
        if urgent:
            charted = view.made_of(state.doses, self.id, lambda: _Charted(state.doses.values()))
            parts |= {name for name, (order, since) in urgent.items() if not charted.any_of(order, since)}
        return parts

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        """``part`` is a medicine by its ingredients."""
        orders = _by_name(view_of(state, knowledge)).get(part)
        if not orders or not (state.supplies or state.doses):
            return
        order = _newest(orders)
        if order.dose is not None and order.dose.as_needed:
            return
        if in_hospital(state):
            home = leaves_at(state)
            if home is not None:
                yield Obligation("review", part, home, self.id, order.first_seen, part)
            yield from _not_given(self.id, order, state, knowledge, part)
        else:
            yield from _not_supplied(self.id, order, state, knowledge, part)


def _by_name(view: View) -> Mapping[str, Sequence[Order]]:
    """The orders of each medicine that acts, or will, in the whole body."""

    def made() -> Mapping[str, Sequence[Order]]:
        found: dict[str, list[Order]] = {}
        for order in view.acting:
            if order.kind == "prescription" and order.systemic and order.ingredients:
                found.setdefault(name_of(order), []).append(order)
        return found

    return view.made_of_acting("ordered by name", made)


def _newest(orders: Sequence[Order]) -> Order:
    return max(orders, key=lambda each: (each.starts, each.first_seen, each.source, each.record_id))


def _urgent(
    ordered: Mapping[str, Sequence[Order]], rows: ByMedicine[NotStarted]
) -> Mapping[str, tuple[Order, datetime]]:
    """The medicines whose first dose is asked for: the order, and since when a dose is one of it."""
    found: dict[str, tuple[Order, datetime]] = {}
    for name, orders in ordered.items():
        row = rows.of(orders[0].ingredients)
        if row is not None:
            order = _newest(orders)
            found[name] = (order, earlier(_starts(order), row.wait))
    return found


def _starts(order: Order) -> datetime:
    return max(order.starts, order.first_seen)


class _Charted:
    """Doses, given or not: of which orders, and the newest of each ingredient."""

    def __init__(self, doses: Iterable[Fact[Given]]) -> None:
        self._orders: set[str] = set()
        self._newest: dict[str, datetime] = {}
        for dose in doses:
            if not dose.void:
                self._orders.add(dose.what.order_id)
                for name in dose.what.ingredients:
                    self._newest[name] = max(self._newest.get(name, dose.at), dose.at)

    def any_of(self, order: Order, since: datetime) -> bool:
        """Whether a dose of the order is charted, or one of the medicine since then: somebody has decided about it."""
        newest = self._newest
        return order.record_id in self._orders or any(
            name in newest and newest[name] >= since for name in order.ingredients
        )


def _not_supplied(
    rule: str, order: Order, state: PatientState, knowledge: Knowledge, part: str
) -> Iterator[Finding | Obligation]:
    row = knowledge.joined.supplies.of(order.ingredients)
    since = for_home_since(order, state)
    if row is None or since is None or order.one_time or not any(handed_out(state)):
        return
    if _was_supplied(order, since, row, state, knowledge) or _Charted(state.doses.values()).any_of(order, since):
        return
    due = later(since, row.wait)
    if state.clock < due:
        yield Obligation("supply", thing_key(order.source, order.record_id), due, rule, since, part)
        return
    waited = said_span(row.wait)
    before = said_span(row.new_after)
    yield _finding(part, order, row, since, due, f"ordered at {said_at(since)} and {row.title}", (
        row.effect,
        f"No supply of it, nor of another medicine of its class, within {waited}, nor in the {before} before.",
        "Other supplies of this patient are known.",
        "Not known: whether it was collected where no record comes from, or somebody told the patient not to take it.",
    ))  # fmt: skip


def _was_supplied(order: Order, since: datetime, row: NotStarted, state: PatientState, knowledge: Knowledge) -> bool:
    new = earlier(since, row.new_after)
    return any(
        order_of(supply, state, knowledge) is order
        or (
            supply.first_seen >= new
            and (shares(supply, order) or same_class(supply.ingredients, order.ingredients, knowledge))
        )
        for supply in handed_out(state)
    )


def _not_given(
    rule: str, order: Order, state: PatientState, knowledge: Knowledge, part: str
) -> Iterator[Finding | Obligation]:
    row = knowledge.joined.doses.of(order.ingredients)
    starts = _starts(order)
    if row is None or _Charted(state.doses.values()).any_of(order, earlier(starts, row.wait)):
        return
    due = later(starts, _until_next(order) + row.wait)
    if state.clock < due:
        yield Obligation("dose", thing_key(order.source, order.record_id), due, rule, starts, part)
        return
    over, charted = later(starts, _JUDGED), _charted(order, due, state, knowledge)
    if charted is None or state.clock >= over:
        return
    finding = _finding(part, order, row, starts, due, f"ordered from {said_at(starts)}: {row.title}", (
        row.effect,
        f"The next dose was due at {said_at(later(starts, _until_next(order)))}; none is charted, neither given nor held back.",
        f"Doses of other medicines were, last {charted.what.label} at {said_at(charted.at)}.",
        "Not known: whether it was given and not charted.",
    ))  # fmt: skip
    yield _ending(finding, over)


def _until_next(order: Order) -> timedelta:
    """How long the first dose may be away: until the next is due. Where that is not known, a day."""
    if order.one_time:
        return timedelta(0)
    frequency = order.dose.frequency if order.dose is not None else None
    return _DAY / frequency if frequency is not None and frequency > 0 else _DAY


def _charted(order: Order, due: datetime, state: PatientState, knowledge: Knowledge) -> Fact[Given] | None:
    """The last dose of another medicine from the day before this one was due on, where doses are charted at least of every second
    scheduled order: a chart that shows only a few says nothing of the others."""
    charted = [dose for dose in state.doses.values() if not dose.void and dose.at >= earlier(due, _DAY)]
    others = [each for each in view_of(state, knowledge).acting if each is not order and _scheduled(each, due)]
    known = [each for each in others if any(_is_of(dose, each) for dose in charted)]
    if not known or 2 * len(known) < len(others):
        return None
    return max(charted, key=lambda dose: (dose.at, dose.key))


def _scheduled(order: Order, due: datetime) -> bool:
    return order.kind == "prescription" and order.starts < due and not (order.dose is not None and order.dose.as_needed)


def _is_of(dose: Fact[Given], order: Order) -> bool:
    given = dose.what
    return given.order_id == order.record_id or not set(given.ingredients).isdisjoint(order.ingredients)


def _ending(finding: Finding, over: datetime) -> Finding:
    return replace(finding, subject=f"{finding.subject}:dose", until=earliest((finding.until, over)))


def _finding(
    part: str, order: Order, row: NotStarted, since: datetime, due: datetime, what: str, detail: tuple[str, ...]
) -> Finding:
    found = f"ordered at {said_at(since)}, waited for until {said_at(due)}"
    return Finding(
        subject=part,
        severity=row.severity,
        summary=f"{part} {what}"[:SUMMARY],
        detail=" ".join(detail),
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=(implicate_order(order),),
        citations=row.citations,
        since=due,
        origins=() if order.origin is None else (order.origin,),
        until=order.acts_until,
        conditions=(ConditionSaid(text=f"no {row.waits_for} within {said_span(row.wait)}", answer="yes", found=found),),
        rows=(f"joined/not_started.csv#{row.waits_for},{row.medicine}",),
        medicines=tuple(sorted(order.ingredients)),
    )
