"""A supply for which there is no order, or only one that was stopped before (``joined/unordered.csv``).

Judged only of a patient of whom at least one supply names an order that is known: where prescriptions and supplies do not come
together, a supply without an order says nothing. One that names an order which was stopped is found by ``given-after-stop``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from knowledge.joined import Unordered
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.change import Change
from services.monitor.patient.clock import later, said_at, said_span
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import SUMMARY, handed_out, name_of, order_of, shares, supplies_with_orders
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.view import view_of


class WithoutOrder:
    """One finding for each medicine, whatever number of supplies there are."""

    id = "dispensed-without-order"
    version = "1"
    family = "joined streams"
    title = "Dispensed without an order"
    data = ("joined/unordered.csv", "stops/after_stop.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=None, doses=False)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        stops = (*knowledge.after_stops.by_ingredient.values(), knowledge.after_stops.every)
        rows = (*knowledge.joined.unordered.rows, *(row for row in stops if row is not None))
        return dict.fromkeys(citation for row in rows for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The medicines of which a supply names no order that is known, and that changed. A supply that does name one, and
        changed, may be news for all of them."""
        standing = view_of(state, knowledge).parts_of(self.id)
        if not state.supplies:
            return standing
        supplies = supplies_with_orders(state, knowledge)
        named = [(supply, order) for supply, order in supplies if order is not None]
        if not named or len(named) == len(supplies):
            return standing
        alone = (supply for supply, order in supplies if order is None)
        if not any(_touches(change, *each) for each in named):
            alone = (supply for supply in alone if _touches(change, supply))
        return {*standing, *filter(None, map(name_of, alone))}

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is a medicine by its ingredients."""
        supplies = [supply for supply in handed_out(state) if name_of(supply) == part and not supply.over(state.clock)]
        row = knowledge.joined.unordered.of(supplies[0].ingredients) if supplies else None
        if row is None or not _come_together(state, knowledge):
            return
        wrong = list(_wrong(supplies, row, state, knowledge))
        if wrong:
            yield _finding(part, sorted(wrong, key=lambda each: each.supply.first_seen), row, knowledge)


def _touches(change: Change, *medicines: Order) -> bool:
    """Whether one of them may have changed; of one without a known ingredient nobody knows."""
    return any(not each.ingredients or not change.ordered.isdisjoint(each.ingredients) for each in medicines)


class _Wrong(NamedTuple):
    """``stopped``: an order of it that had been stopped before."""

    supply: Order
    stopped: Order | None


def _come_together(state: PatientState, knowledge: Knowledge) -> bool:
    return any(order_of(supply, state, knowledge) is not None for supply in handed_out(state))


def _wrong(supplies: Sequence[Order], row: Unordered, state: PatientState, knowledge: Knowledge) -> Iterator[_Wrong]:
    for supply in supplies:
        if order_of(supply, state, knowledge) is not None:
            continue
        orders = [order for order in state.orders.values() if shares(order, supply)]
        if not any(_is_for(supply, order, row) for order in orders):
            stopped = [order for order in orders if order.stopped is not None and order.stopped <= supply.first_seen]
            yield _Wrong(supply, max(stopped, key=lambda each: (each.stopped, each.record_id), default=None))


def _is_for(supply: Order, order: Order, row: Unordered) -> bool:
    """Whether the supply may be for an order that it does not name: one in force, one that ran out, one that came soon after."""
    if order.void or order.starts > later(supply.first_seen, row.wait):
        return False
    ends = order.acts_until
    if ends is None or ends > supply.first_seen:
        return not order.held or order.said_at > supply.first_seen
    return order.stopped is None and supply.first_seen - ends <= row.after_end


def _finding(part: str, wrong: Sequence[_Wrong], row: Unordered, knowledge: Knowledge) -> Finding:
    first = wrong[0]
    stopped = next((each for each in wrong if each.stopped is not None), None)
    shown, order = (first, None) if stopped is None else (stopped, stopped.stopped)
    severity, rows, citations = _graded(order, row, knowledge)
    since = first.supply.first_seen
    what = row.title if order is None else "handed out after its order was stopped, under no other"
    orders = [each.stopped for each in wrong if each.stopped is not None]
    return Finding(
        subject=part,
        severity=severity,
        summary=f"{part} {what} ({shown.supply.label}, {said_at(shown.supply.first_seen)})"[:SUMMARY],
        detail=" ".join(_detail(wrong, row)),
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=tuple(dict.fromkeys(map(implicate_order, (*(each.supply for each in wrong), *orders)))),
        citations=citations,
        since=since,
        rank=float(len(wrong)),
        origins=tuple(each.supply.origin for each in wrong if each.supply.origin is not None),
        until=earliest(each.supply.acts_until for each in wrong),
        conditions=(
            ConditionSaid(text="an order of it is known", answer="no", found=f"none within {said_span(row.wait)}"),
        ),
        rows=rows,
        medicines=tuple(sorted(first.supply.ingredients)),
        opens=later(since, row.wait) if row.wait > timedelta(0) else None,
    )


def _graded(
    stopped: Order | None, row: Unordered, knowledge: Knowledge
) -> tuple[Severity, tuple[str, ...], tuple[Citation, ...]]:
    """After a stop it is as grave as a supply that names the stopped order, at least."""
    own = (f"joined/unordered.csv#{row.medicine}",)
    after = None if stopped is None else knowledge.after_stops.of(stopped.ingredients)
    if after is None:
        return row.severity, own, row.citations
    severity = min(row.severity, after.dispensed, key=SEVERITIES.index)
    cited = tuple(dict.fromkeys((*row.citations, *after.citations)))
    return severity, (*own, f"stops/after_stop.csv#{after.medicine}"), cited


def _detail(wrong: Sequence[_Wrong], row: Unordered) -> Iterator[str]:
    yield row.effect
    for each in wrong:
        named = f"names order {each.supply.order_id}, which is not known" if each.supply.order_id else "names no order"
        yield f"{each.supply.label} was handed out at {said_at(each.supply.first_seen)} and {named}."
        if each.stopped is not None and each.stopped.stopped is not None:
            yield f"{each.stopped.label} had been stopped at {said_at(each.stopped.stopped)}."
    yield "Other supplies of this patient name orders that are known."
    yield "Not known: whether somebody else prescribed it."
