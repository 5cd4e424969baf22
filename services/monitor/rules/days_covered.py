"""Of the days of the last year, supplies cover too few (``adherence/covered.csv``): the published proportion of days covered, for
each group of medicines that stand for one another.

Counted from the first supply of the period through yesterday (``patient/covered.py``). Days in hospital and days on which every
order of the group was stopped do not count. Nothing is said where the length of a supply is only assumed, of a medicine that is
stopped now, and while the patient is in hospital. What was handed out is kept for 400 days after its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from knowledge.adherence import CoveredGroup
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import Citation
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.covered import Fill, Share, begin_of, covered_days, day_of, share
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import SUMMARY, order_of
from services.monitor.rules.in_hospital import in_hospital
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.stayed import days_away, infers
from services.monitor.rules.supplied import at_home, fill_of, for_home, go_on, orders_of

_DAY = timedelta(days=1)


class DaysCovered:
    """One finding for each group of medicines."""

    id = "days-covered"
    version = "1"
    family = "adherence"
    title = "Supplies cover too few days"
    data = ("adherence/covered.csv",)

    def reads(self, knowledge: Knowledge) -> Reads:
        groups = knowledge.adherence.groups.values()
        # from the orders of a ward it may follow when a stay began
        return Reads(ingredients=None if groups else (), doses=False, person=("stay",))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(citation for row in knowledge.adherence.groups.values() for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        parts = {each.part for each in state.standing.values() if each.rule == self.id}
        parts |= {each.part for each in state.obligations.values() if each.source == self.id}
        if not state.supplies:
            return parts
        names = change.ordered
        if "stay" in change.person or (change.ordered and infers(state)):
            names |= {name for supply in state.supplies.values() for name in supply.ingredients}
        return parts | {
            group.id for group in knowledge.adherence.groups.values() if not group.ingredients.isdisjoint(names)
        }

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        """``part`` is a group."""
        group = knowledge.adherence.groups.get(part)
        if group is None or not state.supplies:
            return
        if in_hospital(state):
            yield from at_home(self.id, group.ingredients, part, state)
            return
        stayed = days_away(state, state.clock)
        supplies = _of_period(for_home(group.ingredients, state, stayed), group, state.clock)
        orders = list(orders_of(group.ingredients, state))
        fills = _fills(supplies, group)
        if fills is None or not _goes_on(orders, supplies, state, knowledge):
            return
        yield from _judged(self.id, group, supplies, fills, stayed | _stopped_days(orders, state.clock), state)


def _of_period(supplies: Sequence[Order], group: CoveredGroup, clock: datetime) -> list[Order]:
    first = day_of(clock) - group.period // _DAY
    return [supply for supply in supplies if day_of(supply.starts) >= first]


def _fills(supplies: Sequence[Order], group: CoveredGroup) -> dict[str, list[Fill]] | None:
    """By ingredient; None where there are too few, or it is not known how long one lasts."""
    found: dict[str, list[Fill]] = {}
    for supply in supplies:
        fill = fill_of(supply)
        if fill is None:
            return None
        for name in group.ingredients.intersection(supply.ingredients):
            found.setdefault(name, []).append(fill)
    return found if len({fill.day for of in found.values() for fill in of}) >= group.fills else None


def _goes_on(orders: Sequence[Order], supplies: Sequence[Order], state: PatientState, knowledge: Knowledge) -> bool:
    """Whether it is to be taken now: an order goes on, or a supply lasts that no stopped order stands behind."""
    if go_on(orders, state):
        return True
    if any(order.withheld for order in orders):
        return False
    return any(supply.in_force(state.clock) for supply in supplies if order_of(supply, state, knowledge) is None)


def _stopped_days(orders: Sequence[Order], clock: datetime) -> frozenset[int]:
    """The days after a stop on which no order of the group was in force."""
    days: set[int] = set()
    for stop in (order.stopped for order in orders if order.stopped is not None and order.stopped < clock):
        if not any(order.acts_at(stop) for order in orders):
            again = min((order.starts for order in orders if order.starts > stop), default=clock)
            days.update(range(day_of(stop), day_of(min(again, clock))))
    return frozenset(days)


def _judged(
    rule: str,
    group: CoveredGroup,
    supplies: Sequence[Order],
    fills: dict[str, list[Fill]],
    away: frozenset[int],
    state: PatientState,
) -> Iterator[Finding | Obligation]:
    covered = covered_days(fills, away)
    index = min(fill.day for of in fills.values() for fill in of)
    through = day_of(state.clock) - 1
    now = _short(share(covered, index, through, away), group, through)
    last = index + group.period // _DAY
    day = through + 1
    # at the latest when the first supply leaves the period
    while day < last and _short(share(covered, index, day, away), group, day) is now:
        day += 1
    turns = begin_of(day + 1)
    if now:
        out = None if through + 1 in covered else begin_of(max(covered) + 1)
        yield _finding(group, supplies, share(covered, index, through, away), turns, out)
    else:
        yield Obligation("review", group.id, turns, rule, begin_of(index), group.id)


def _short(found: Share, group: CoveredGroup, through: int) -> bool:
    long_enough = through - found.first >= group.index_before // _DAY
    return long_enough and 100 * found.covered < group.percent * found.days


def _finding(
    group: CoveredGroup, supplies: Sequence[Order], found: Share, turns: datetime, out: datetime | None
) -> Finding:
    """``out``: since when none is left; None while there is."""
    names = sorted({name for each in supplies for name in group.ingredients.intersection(each.ingredients)})
    newest = min(group.ingredients.intersection(supplies[-1].ingredients))
    since = f"{begin_of(found.first):%Y-%m-%d}"
    said = f"{found.covered} of {found.days} days since {since}"
    first = f"{'/'.join(names)}: supplies cover {int(found.percent)} % of days, wanted {group.percent:g} %"
    return Finding(
        subject=group.id,
        severity=group.severity,
        summary=f"{first} ({said})"[:SUMMARY],
        detail=" ".join(filter(None, (
            group.effect,
            "" if out is None else f"None is left since {said_at(out)}.",
            f"As {group.title} {', '.join(names)} was handed out {len(supplies)} times; that covers {said}.",
            "What was left over when the next was handed out counts, days in hospital do not.",
            "Not known: what was collected where no record comes from, and whether what was collected is taken.",
        ))),
        actions=group.actions,
        patient_explanation=group.patient_explanation,
        evidence_grade=group.evidence_grade,
        implicated=tuple(dict.fromkeys(map(implicate_order, (supplies[0], supplies[-1])))),
        citations=group.citations,
        since=begin_of(found.first + group.index_before // _DAY + 1),
        rank=100 - found.percent,
        origins=tuple(each.origin for each in (supplies[0], supplies[-1]) if each.origin is not None),
        until=turns,
        conditions=(ConditionSaid(text=f"days covered < {group.percent:g} %", answer="yes", found=said),),
        rows=(f"adherence/covered.csv#{group.id}",),
        medicines=tuple(names),
        problem=f"adherence:{newest}",
    )  # fmt: skip
