"""What was handed out is not what was ordered: another medicine, salt, form or dose (``joined/otherwise.csv``).

A generic for a brand is no difference, and neither is another strength that comes to the same dose of a day. It is compared with
the order as it was when the supply was handed out; where a later version of the order says what was handed out, it was agreed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from knowledge.joined import Otherwise
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.order import Order
from services.monitor.patient.orders import blank
from services.monitor.patient.state import PatientState
from services.monitor.patient.versions import told, versions_of
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import SUMMARY, handed_out, name_of, order_of, supplies_with_orders
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.supply_difference import Difference, differences
from services.monitor.rules.view import view_of


class DispensedOtherwise:
    """One finding for each medicine that was ordered, about all supplies of it that still last."""

    id = "dispensed-otherwise"
    version = "1"
    family = "joined streams"
    title = "Dispensed otherwise than ordered"
    data = ("joined/otherwise.csv",)

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=None, doses=False)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        rows = chain.from_iterable(of.rows for of in knowledge.joined.otherwise.values())
        return dict.fromkeys(citation for row in rows for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The medicines whose order or supply changed."""
        standing = view_of(state, knowledge).parts_of(self.id)
        if not state.supplies or not change.ordered:
            return standing
        changed = (
            name_of(order)
            for supply, order in supplies_with_orders(state, knowledge)
            if order is not None and not change.ordered.isdisjoint((*supply.ingredients, *order.ingredients))
        )
        return {*standing, *changed}

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is the ordered medicine by its ingredients."""
        found = [
            wrong
            for supply in handed_out(state)
            if not supply.over(state.clock)
            and (order := order_of(supply, state, knowledge)) is not None
            and part
            and name_of(order) == part
            and (wrong := _wrong(order, supply, knowledge)) is not None
        ]
        if found:
            yield _finding(part, sorted(found, key=_gravest_first))


class _Wrong(NamedTuple):
    order: Order
    supply: Order
    difference: Difference
    row: Otherwise


def _gravest_first(wrong: _Wrong) -> tuple[int, float, str]:
    return (SEVERITIES.index(wrong.row.severity), -wrong.difference.ratio, wrong.supply.record_id)


def _wrong(order: Order, supply: Order, knowledge: Knowledge) -> _Wrong | None:
    """The gravest difference from the order as it was then; None where there is none from it, or none from it any more."""
    then, *later = _as_told(order, supply, knowledge)
    found = list(_counting(then, supply, knowledge))
    if not found or any(not list(_counting(each, supply, knowledge)) for each in later):
        return None
    difference, row = min(found, key=lambda each: SEVERITIES.index(each[1].severity))
    return _Wrong(order, supply, difference, row)


def _counting(order: Order, supply: Order, knowledge: Knowledge) -> Iterator[tuple[Difference, Otherwise]]:
    for difference in differences(order, supply, knowledge):
        rows = knowledge.joined.otherwise.get(difference.differs)
        row = None if rows is None else rows.of((*order.ingredients, *supply.ingredients))
        if row is not None and difference.ratio >= row.from_ratio:
            yield difference, row


def _as_told(order: Order, supply: Order, knowledge: Knowledge) -> Iterator[Order]:
    """The order as its versions told it when the supply was handed out, and after each later one."""
    versions = versions_of(order)
    if len(versions) == 1:
        yield order
        return
    known = sum(version.at <= supply.first_seen for version in versions)
    start = blank(order.source, order.record_id, order.kind, order.first_seen)
    for count in range(max(known, 1), len(versions) + 1):
        yield told(None, versions[:count], start, knowledge)


def _finding(part: str, found: Sequence[_Wrong]) -> Finding:
    first = found[0]
    difference, row, supply = first.difference, first.row, first.supply
    what = f"{difference.supplied} for {difference.ordered}"
    facts = tuple(dict.fromkeys(implicate_order(each) for wrong in found for each in (wrong.order, wrong.supply)))
    return Finding(
        subject=part,
        severity=row.severity,
        summary=f"{part}: {row.title}, {what}"[:SUMMARY],
        detail=" ".join(_detail(found)),
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=facts,
        citations=row.citations,
        since=min(each.supply.first_seen for each in found),
        rank=difference.ratio,
        origins=tuple(each.supply.origin for each in found if each.supply.origin is not None),
        until=earliest(each.supply.acts_until for each in found),
        conditions=(ConditionSaid(text=f"handed out as ordered ({difference.differs})", answer="no", found=what),),
        rows=tuple(dict.fromkeys(f"joined/otherwise.csv#{each.row.differs},{each.row.medicine}" for each in found)),
        medicines=tuple(sorted({*first.order.ingredients, *supply.ingredients})),
    )


def _detail(found: Sequence[_Wrong]) -> Iterator[str]:
    yield found[0].row.effect
    for each in found:
        one = each.difference
        yield (
            f"Ordered: {one.ordered} ({each.order.label}). Handed out at {said_at(each.supply.first_seen)}: {one.supplied} "
            f"({each.supply.label})."
        )
        if one.differs == "daily" and each.supply.dose is None:
            yield "The dose of a day is computed from the amount and the days of the supply."
    yield "Not known: whether the change was agreed with the prescriber."
