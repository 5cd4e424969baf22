"""Interactions that a site brought in from elsewhere and chose to count (``choices.csv``): as grave as their source says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from knowledge.model import Knowledge
from knowledge.outside import Theirs
from schemas.values import Citation
from services.monitor.patient.change import Change
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import WHOLE, Finding, Reads, Rule
from services.monitor.rules.view import View, view_of

Together = tuple[Theirs, tuple[Order, ...]]
_NOTHING: frozenset[str] = frozenset()
INTERACTION = "interaction"
"""The family of all rules about two medicines that harm together."""


class OutsideInteraction:
    """One finding for each pair of ingredients, whatever number of orders carry them."""

    id = "outside-interaction"
    version = "1"
    family = INTERACTION
    title = "Two medicines that a source of the site's own says harm together"
    data = ()

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=knowledge.outside.partners.keys(), doses=False)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(map(_citation, knowledge.outside.counting.values()))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return (WHOLE,)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        view = view_of(state, knowledge)
        return map(_finding, view.made_of_acting(self.id, lambda: tuple(_together(view, knowledge))))


def _together(view: View, knowledge: Knowledge) -> Iterator[Together]:
    acting, outside = view.systemic, knowledge.outside
    for one in sorted(acting):
        for other in sorted(outside.partners.get(one, _NOTHING) & acting.keys()):
            if one < other:
                orders = {
                    id(order): order
                    for first in acting[one]
                    for second in acting[other]
                    if first is not second and first.overlaps(second)
                    for order in (first, second)
                }
                if orders:
                    involved = sorted(orders.values(), key=lambda o: (o.starts, o.source, o.record_id, o.kind))
                    yield outside.counting[one, other], tuple(involved)


def _finding(together: Together) -> Finding:
    theirs, orders = together
    one, other = theirs.pair
    return Finding(
        subject=f"{one}+{other}",
        severity=theirs.severity,
        summary=f"{one} with {other}: {theirs.said} ({theirs.source})"[:139],
        detail=f"{theirs.effect} {theirs.source}, edition {theirs.edition}: {theirs.said}.".strip(),
        actions=(f"See what {theirs.source} says of the two, and decide whether both are needed",),
        patient_explanation=(
            f"{one.capitalize()} and {other} may not go well together. Your care team is checking this. "
            "Do not stop or change a medicine on your own."
        ),
        evidence_grade="as its source says",
        implicated=tuple(map(implicate_order, orders)),
        citations=(_citation(theirs),),
        since=_since(theirs, orders),
        until=min((until for order in orders if (until := order.acts_until) is not None), default=None),
        rows=(theirs.row,),
        medicines=theirs.pair,
        origins=tuple(order.origin for order in orders if order.origin is not None),
    )


def _since(theirs: Theirs, orders: tuple[Order, ...]) -> datetime:
    """When the first two acted together."""
    one, other = ([order for order in orders if each in order.ingredients] for each in theirs.pair)
    return min(max(a.starts, b.starts) for a in one for b in other if a is not b and a.overlaps(b))


def _citation(theirs: Theirs) -> Citation:
    return Citation(
        id=f"{theirs.source}-{theirs.edition}",
        text=f"{theirs.source}, edition {theirs.edition}; licence: {theirs.licence}",
        url="",
        status="unverified",
    )


def outside_rules(knowledge: Knowledge) -> tuple[Rule, ...]:
    """The rule, where anything that was brought in counts."""
    return (OutsideInteraction(),) if knowledge.outside.counting else ()
