"""Drug-drug interactions: two orders in force together whose ingredients the knowledge pairs.

Which pairs, how grave and why is data (``knowledge/interactions``). Code decides only what "together" means: both orders
act by a systemic route, their periods overlap and neither is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from knowledge.model import Interaction, Knowledge
from schemas.alerts import Alert, Implicated
from schemas.events import AnyEvent, Prescription
from schemas.values import SEVERITIES, Severity
from services.monitor.patient.state import Order, PatientState, thing_key
from services.monitor.rules.rule import Finding, implicate_order

Combination = tuple[Interaction, Order, Order]
"""An interaction with the order of its object and that of its precipitant."""


class DrugInteraction:
    """One finding for each interacting pair of ingredients and pair class, whatever number of orders carry them."""

    id = "drug-drug-interaction"
    version = "1"
    family = "interaction"

    def touched_by(self, event: AnyEvent, knowledge: Knowledge) -> bool:
        return isinstance(event, Prescription)

    def findings(self, state: PatientState, knowledge: Knowledge) -> Iterable[Finding]:
        found = sorted(_combinations(state, knowledge), key=lambda each: (_subject(each[0]), each[1].starts))
        of_one_pair: dict[tuple[str, tuple[Implicated, ...]], Finding] = {}
        for subject, same in groupby(found, key=lambda each: _subject(each[0])):
            finding = _finding(subject, list(same))
            if finding is not None:
                # a combination product brings two members of one class: the same orders, the same problem, told once
                key = (subject.split(":", 1)[0], finding.implicated)
                of_one_pair[key] = min(of_one_pair.get(key, finding), finding, key=_gravest)
        yield from of_one_pair.values()

    def ended(self, alert: Alert, state: PatientState) -> str:
        for fact in alert.implicated:
            order = state.orders.get(thing_key(fact.source, fact.record_id))
            if order is None or order.over(state.clock):
                status = "ended" if order is None or order.status in ("ordered", "changed", "resumed") else order.status
                return f"The order {fact.label} is {status.replace('_', ' ')}."
        return "The orders no longer act together."


def _gravest(finding: Finding) -> tuple[int, str]:
    return SEVERITIES.index(finding.severity), finding.subject


def _combinations(state: PatientState, knowledge: Knowledge) -> Iterator[Combination]:
    by_ingredient: dict[str, list[Order]] = {}
    for order in state.in_force():
        if order.systemic:
            for ingredient in order.ingredients:
                by_ingredient.setdefault(ingredient, []).append(order)
    for ingredient in by_ingredient:
        for partner in knowledge.partners.get(ingredient, frozenset()) & by_ingredient.keys():
            if ingredient < partner:
                for interaction in knowledge.interactions[(ingredient, partner)]:
                    yield from _together(interaction, by_ingredient)


def _together(interaction: Interaction, by_ingredient: dict[str, list[Order]]) -> Iterator[Combination]:
    for order in by_ingredient[interaction.object]:
        for other in by_ingredient[interaction.precipitant]:
            if order is not other and order.overlaps(other):
                yield interaction, order, other


def _subject(interaction: Interaction) -> str:
    return f"{interaction.pair.id}:{'+'.join(sorted((interaction.object, interaction.precipitant)))}"


class _Ordered(NamedTuple):
    """The daily dose of the object with every order of it that overlaps; ``is_all`` is false where one has no known dose."""

    mg: float
    is_all: bool


def _ordered(order: Order, same: list[Combination]) -> _Ordered:
    together = {(each.source, each.record_id): each for _, each, _ in same if each is order or each.overlaps(order)}
    doses = [each.daily_mg for each in together.values()]
    return _Ordered(sum(dose for dose in doses if dose is not None), None not in doses)


def _severity(interaction: Interaction, ordered: _Ordered) -> Severity | None:
    """None when the label permits the combination at the dose ordered; a dose that is not known is said, not assumed."""
    limit = interaction.max_daily_mg
    if limit is None or ordered.mg > limit:
        return interaction.pair.severity
    return None if ordered.is_all else "moderate"


def _finding(subject: str, same: list[Combination]) -> Finding | None:
    graded = [
        (severity, ordered, each)
        for each in same
        if (severity := _severity(each[0], ordered := _ordered(each[1], same))) is not None
    ]
    if not graded:
        return None
    severity, ordered, (interaction, _, _) = min(graded, key=lambda each: SEVERITIES.index(each[0]))
    orders = {(o.source, o.record_id): o for _, _, (_, first, second) in graded for o in (first, second)}
    involved = sorted(orders.values(), key=lambda o: (o.starts, o.source, o.record_id))
    pair = interaction.pair
    return Finding(
        subject=subject,
        severity=severity,
        summary=f"{interaction.object} with {interaction.precipitant}: {pair.title}"[:139],
        detail=" ".join(
            part for part in (f"{pair.effect} {pair.mechanism}".strip(), _dose_remark(interaction, ordered)) if part
        ),
        actions=pair.actions,
        patient_explanation=pair.patient_explanation,
        evidence_grade=pair.evidence_grade,
        implicated=tuple(map(implicate_order, involved)),
        citations=tuple(dict.fromkeys((*interaction.citations, *pair.citations))),
        since=min(max(first.starts, second.starts) for _, _, (_, first, second) in graded),
        origins=tuple(o.origin for o in involved if o.origin is not None),
    )


def _dose_remark(interaction: Interaction, ordered: _Ordered) -> str:
    if interaction.max_daily_mg is None:
        return ""
    limit = f"The label permits {interaction.object} up to {interaction.max_daily_mg:g} mg a day with {interaction.precipitant}"
    if ordered.is_all:
        return f"{limit}; {ordered.mg:g} mg a day is ordered."
    known = f" beyond {ordered.mg:g} mg" if ordered.mg else ""
    return f"{limit}; the daily dose ordered is not known{known}."
