"""A medicine that was stopped because it harmed, by the reason that its order gave, and is ordered or handed out again
(``transfer/harms.csv``).

An entry in the list of allergies and intolerances is what another rule is about. A harm of which no reason of a stop speaks is
not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from knowledge.model import Knowledge
from knowledge.transfer import Harm
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import SUMMARY
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.view import view_of


class RestartedAfterHarm:
    """One finding for each ingredient, with the gravest harm."""

    id = "restarted-after-harm"
    version = "1"
    family = "transfer"
    title = "Started again after it was stopped for harm"
    data = ("transfer/harms.csv",)

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=None, doses=False)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(citation for row in knowledge.transfers.harms for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        standing = {each.part for each in state.standing.values() if each.rule == self.id}
        harmed = view_of(state, knowledge).made_of(state.orders, self.id, lambda: _harmed_names(state))
        return standing | (harmed & change.ordered)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is an ingredient."""
        stops = list(_stops(part, state, knowledge))
        if not stops:
            return
        stop = min(stops, key=lambda each: (SEVERITIES.index(each.harm.severity), each.at, each.order.record_id))
        again = [
            order
            for order in view_of(state, knowledge).by_ingredient.get(part, ())
            if order.systemic and _after(order, stop)
        ]
        if again:
            yield _finding(part, stop, sorted(again, key=lambda each: (each.first_seen, each.source, each.record_id)))


class _Stop(NamedTuple):
    order: Order
    at: datetime
    reason: str
    harm: Harm


def _harmed_names(state: PatientState) -> frozenset[str]:
    return frozenset(
        name
        for order in state.orders.values()
        if order.versions and any(version.harmed for version in order.versions)
        for name in order.ingredients
    )


def _stops(ingredient: str, state: PatientState, knowledge: Knowledge) -> Iterator[_Stop]:
    for order in state.orders.values():
        if ingredient in order.ingredients and order.systemic and order.status != "entered_in_error":
            for version in order.versions:
                harm = knowledge.transfers.harm_in(version.harmed) if version.harmed else None
                if harm is not None:
                    yield _Stop(order, version.at, version.harmed, harm)


def _after(order: Order, stop: _Stop) -> bool:
    """Whether an order was written or a supply handed out after the stop, or the stopped order itself resumed."""
    if (order.kind, order.source, order.record_id) == (stop.order.kind, stop.order.source, stop.order.record_id):
        return order.said_at > stop.at
    return order.first_seen > stop.at


def _finding(part: str, stop: _Stop, again: list[Order]) -> Finding:
    first, harm = again[0], stop.harm
    since = first.said_at if first.first_seen <= stop.at else first.first_seen
    shown = (*again, stop.order)
    return Finding(
        subject=part,
        severity=harm.severity,
        summary=f"{part} is ordered again after it was stopped for {harm.title} ({stop.at:%Y-%m-%d}: {stop.reason})"[
            :SUMMARY
        ],
        detail=" ".join((
            harm.effect,
            f"{stop.order.label} was stopped at {said_at(stop.at)}; the reason given was: {stop.reason}.",
            f"{first.label} again from {said_at(since)}.",
            "Not known: whether who ordered it knows of that, and how sure it was that this medicine did it.",
        )),
        actions=harm.actions,
        patient_explanation=harm.patient_explanation,
        evidence_grade=harm.evidence_grade,
        implicated=tuple(dict.fromkeys(map(implicate_order, shown))),
        citations=harm.citations,
        since=since,
        origins=tuple(each.origin for each in shown if each.origin is not None),
        until=earliest(each.acts_until for each in again),
        conditions=(
            ConditionSaid(text="stopped for harm before", answer="yes", found=f"{stop.reason}, {said_at(stop.at)}"),
        ),
        rows=(f"transfer/harms.csv#{harm.id}",),
        medicines=(part,),
    )  # fmt: skip
