"""One medicine handed out by two pharmacies for the same time (``joined/twice.csv``).

A pharmacy is known by the system that tells of its supplies. Two supplies of one pharmacy are a refill; what a hospital hands out
to its own patients counts only once they are home. What ``duplicate-therapy`` says of two orders is not said again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import combinations
from typing import NamedTuple

from knowledge.joined import Twice
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import Citation
from services.monitor.patient.bounds import LAST
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at, said_span
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.duplicate_therapy import DuplicateTherapy
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import SUMMARY, handed_out
from services.monitor.rules.in_hospital import in_hospital, leaves_at
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.view import view_of

_SEVERAL = 2
_DUPLICATES = DuplicateTherapy()


class FilledTwice:
    """One finding for each ingredient, whatever number of supplies there are."""

    id = "filled-twice"
    version = "1"
    family = "joined streams"
    title = "The same medicine from two pharmacies"
    data = ("joined/twice.csv",)

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=None, doses=False, person=("stay",))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(citation for row in knowledge.joined.twice.rows for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        standing = view_of(state, knowledge).parts_of(self.id)
        if len(state.supplies) < _SEVERAL:
            return standing
        supplied = {name for supply in state.supplies.values() for name in supply.ingredients}
        return {*standing, *(supplied if change.person else supplied & change.ordered)}

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        """``part`` is an ingredient. Of a product of several the first speaks, so that it is one problem."""
        row = knowledge.joined.twice.of((part,))
        if row is None:
            return
        supplies = [
            supply
            for supply in handed_out(state)
            if part in supply.ingredients and supply.systemic and not supply.over(state.clock)
        ]
        pairs = [pair for pair in _pairs(supplies, part, row) if not _told(pair, part, state, knowledge)]
        if pairs and in_hospital(state):
            home = leaves_at(state)
            if home is not None:
                yield Obligation("review", part, home, self.id, pairs[0].other.starts, part)
        elif pairs:
            yield _finding(part, pairs, row)


class _Pair(NamedTuple):
    """Two supplies, the earlier first; both last from the later one until ``until``."""

    one: Order
    other: Order
    until: datetime


def _pairs(supplies: Sequence[Order], part: str, row: Twice) -> Iterator[_Pair]:
    for one, other in combinations(sorted(supplies, key=_first), _SEVERAL):
        if one.source == other.source or part != min(set(one.ingredients) & set(other.ingredients)):
            continue
        spans = [(each.acts_until or LAST) - each.starts for each in (one, other)]
        until = min(one.acts_until or LAST, other.acts_until or LAST)
        if until - other.starts > row.overlap * min(spans):
            yield _Pair(one, other, until)


def _first(supply: Order) -> tuple[datetime, str, str]:
    return (supply.starts, supply.source, supply.record_id)


def _told(pair: _Pair, part: str, state: PatientState, knowledge: Knowledge) -> bool:
    """Whether ``duplicate-therapy`` tells of the two."""
    both = {(each.source, each.record_id) for each in (pair.one, pair.other)}
    parts = (f"{of.id}:{part}" for of in knowledge.duplicates.of(part) if of.kind == "same")
    return any(
        not finding.held and both <= {(fact.source, fact.record_id) for fact in finding.implicated}
        for each in parts
        for finding in _DUPLICATES.findings(state, knowledge, each)
    )


def _finding(part: str, pairs: Sequence[_Pair], row: Twice) -> Finding:
    supplies = {(each.source, each.record_id): each for pair in pairs for each in (pair.one, pair.other)}
    ordered = sorted(supplies.values(), key=_first)
    first, second = pairs[0].one, pairs[0].other
    days = said_span(pairs[0].until - second.starts)
    return Finding(
        subject=part,
        severity=row.severity,
        summary=f"{part} {row.title}: {said_at(first.starts)} and {said_at(second.starts)}, both last for {days}"[
            :SUMMARY
        ],
        detail=" ".join(_detail(ordered, row)),
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=tuple(map(implicate_order, ordered)),
        citations=row.citations,
        since=min(pair.other.starts for pair in pairs),
        rank=float(len(ordered)),
        origins=tuple(each.origin for each in ordered if each.origin is not None),
        until=min(pair.until for pair in pairs),
        conditions=(
            ConditionSaid(
                text=f"both last for more than {row.overlap:.0%} of the shorter supply",
                answer="yes",
                found=f"for {days}",
            ),
        ),
        rows=(f"joined/twice.csv#{row.medicine}",),
        medicines=(part,),
    )


def _detail(supplies: Sequence[Order], row: Twice) -> Iterator[str]:
    yield row.effect
    for each in supplies:
        until = "" if each.acts_until is None else f", lasts until {said_at(each.acts_until)}"
        assumed = ", which is assumed" if each.basis == "assumed" else ""
        yield f"{each.label}, handed out by {each.source} at {said_at(each.starts)}{until}{assumed}."
    yield "Not known: whether both are taken."
