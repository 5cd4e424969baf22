"""Drug-drug interactions: two orders in force together whose ingredients the knowledge pairs.

Which pairs, how grave and why is data (``knowledge/interactions``). Code decides only what "together" means: both orders
act by a systemic route, their periods overlap and neither is over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from knowledge.model import Interaction, Knowledge
from schemas.alerts import Implicated
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.change import Change
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import WHOLE, Finding, Reads
from services.monitor.rules.view import view_of

Combination = tuple[Interaction, Order, Order]
"""An interaction with the order of its object and that of its precipitant."""


class DrugInteraction:
    """One finding for each interacting pair of ingredients and pair class, whatever number of orders carry them."""

    id = "drug-drug-interaction"
    version = "1"
    family = "interaction"
    title = "Two medicines that harm together"
    data = ("interactions/pairs.csv", "interactions/members.csv", "interactions/combinations.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=knowledge.partners.keys(), doses=False)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        of_all = (each for found in knowledge.interactions.values() for each in found)
        return dict.fromkeys(c for each in of_all for c in (*each.citations, *each.pair.citations))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return (WHOLE,)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        found = sorted(_combinations(state, knowledge), key=lambda each: (_subject(each[0]), each[1].starts))
        by_subject = (
            _finding(subject, list(same)) for subject, same in groupby(found, key=lambda each: _subject(each[0]))
        )
        # two members of one class in a combination product are one problem of the same orders
        once: dict[tuple[str, tuple[Implicated, ...]], Finding] = {}
        for finding in sorted(
            filter(None, by_subject), key=lambda each: (SEVERITIES.index(each.severity), each.subject)
        ):
            once.setdefault((finding.subject.split(":", 1)[0], finding.implicated), finding)
        return once.values()


def _combinations(state: PatientState, knowledge: Knowledge) -> Iterator[Combination]:
    by_ingredient = view_of(state, knowledge).systemic
    for ingredient in by_ingredient:
        for partner in knowledge.partners.get(ingredient, frozenset()) & by_ingredient.keys():
            if ingredient < partner:
                for interaction in knowledge.interactions[(ingredient, partner)]:
                    yield from _together(interaction, by_ingredient)


def _together(interaction: Interaction, by_ingredient: Mapping[str, Sequence[Order]]) -> Iterator[Combination]:
    for order in by_ingredient[interaction.object]:
        for other in by_ingredient[interaction.precipitant]:
            if order is not other and order.overlaps(other):
                yield interaction, order, other


def _subject(interaction: Interaction) -> str:
    return f"{interaction.pair.id}:{'+'.join(sorted((interaction.object, interaction.precipitant)))}"


def _severity(interaction: Interaction, known: float, all_known: bool) -> Severity | None:
    """None when the label permits the combination at the dose ordered; a dose that is not known is said, not assumed."""
    limit = interaction.max_daily_mg
    if limit is None or known > limit:
        return interaction.pair.severity
    return None if all_known else "moderate"


class _Graded(NamedTuple):
    """A combination with how grave it is and the daily dose of its object, None when it is not known."""

    severity: Severity
    interaction: Interaction
    orders: tuple[Order, ...]
    since: datetime
    daily_mg: float | None


def _graded(each: Combination, same: list[Combination]) -> _Graded | None:
    """Graded by all that is ordered of the object at the time from which the two act together."""
    interaction, order, other = each
    since = max(order.starts, other.starts)
    objects = [o for _, o, with_ in same if with_ is other and o.acts_at(since)]
    doses = [o.daily_mg_of(interaction.object) for o in objects]
    known = sum(dose for dose in doses if dose is not None)
    severity = _severity(interaction, known, None not in doses)
    if severity is None:
        return None
    daily = known if None not in doses or severity != "moderate" else None
    return _Graded(severity, interaction, (*objects, other), since, daily)


def _finding(subject: str, same: list[Combination]) -> Finding | None:
    graded = [found for each in same if (found := _graded(each, same)) is not None]
    if not graded:
        return None
    gravest = min(graded, key=lambda each: SEVERITIES.index(each.severity))
    interaction = gravest.interaction
    orders = {(o.kind, o.source, o.record_id): o for each in graded for o in each.orders}
    involved = sorted(orders.values(), key=lambda o: (o.starts, o.source, o.record_id, o.kind))
    pair = interaction.pair
    return Finding(
        subject=subject,
        severity=gravest.severity,
        summary=f"{interaction.object} with {interaction.precipitant}: {pair.title}"[:139],
        detail=" ".join(
            part
            for part in (f"{pair.effect} {pair.mechanism}".strip(), _dose_remark(interaction, gravest.daily_mg))
            if part
        ),
        actions=pair.actions,
        patient_explanation=pair.patient_explanation,
        evidence_grade=pair.evidence_grade,
        implicated=tuple(map(implicate_order, involved)),
        citations=tuple(dict.fromkeys((*interaction.citations, *pair.citations))),
        since=min(each.since for each in graded),
        until=min((until for order in involved if (until := order.acts_until) is not None), default=None),
        rows=(f"interactions/pairs.csv#{pair.id}",),
        medicines=tuple(sorted((interaction.object, interaction.precipitant))),
        origins=tuple(o.origin for o in involved if o.origin is not None),
    )


def _dose_remark(interaction: Interaction, daily_mg: float | None) -> str:
    if interaction.max_daily_mg is None:
        return ""
    limit = f"The label permits {interaction.object} up to {interaction.max_daily_mg:g} mg a day with {interaction.precipitant}"
    ordered = "the daily dose ordered is not known" if daily_mg is None else f"{daily_mg:g} mg a day is ordered"
    return f"{limit}; {ordered}."
