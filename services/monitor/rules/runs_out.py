"""Supplies of a medicine have run out (``adherence/supplied.csv``): while an order of it goes on (``late-refill``), or when none
does and nobody is known to have stopped it (``stopped-early``).

How long supplies last is counted as in ``patient/covered.py``: what was left over when the next was handed out counts, and on
days in hospital nothing of it is used. Nothing is said where the length of a supply is only assumed. What was handed out is kept
for 400 days after its end; older supplies are not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from knowledge.adherence import RunsOut, Supplied
from knowledge.joined import ByMedicine
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import Citation
from services.monitor.patient.change import Change
from services.monitor.patient.clock import later, said_at, said_span
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.order import Order, thing_key
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import SUMMARY, handed_out, same_class
from services.monitor.rules.in_hospital import for_home_since, in_hospital
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.stayed import days_away
from services.monitor.rules.supplied import Course, at_home, course_of, go_on, orders_of, touched

_NOTHING = ByMedicine[RunsOut]()


class _RunsOut:
    """One finding for each ingredient; of a product of several the first that the data name speaks."""

    id: Supplied
    version = "1"
    family = "adherence"
    title: str
    data = ("adherence/supplied.csv",)

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=None, doses=False, person=("stay",))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(citation for row in self._rows(knowledge).rows for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return touched(self.id, self._rows(knowledge).by_ingredient, change, state, knowledge)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        """``part`` is an ingredient."""
        rows = self._rows(knowledge)
        row = rows.of((part,))
        if row is None:
            return
        if in_hospital(state):
            yield from at_home(self.id, (part,), part, state)
            return
        course = course_of(part, state, days_away(state, state.clock))
        if course is None or course.days < row.fills or not _speaks(part, course, rows):
            return
        if _another_since(part, course, state, knowledge):
            return
        waits = self._waits(list(orders_of((part,), state)), course, row, state)
        if waits is None:
            return
        due, orders = waits
        last = course.supplies[-1]
        if state.clock < due:
            waited = orders[0] if orders else last
            key = thing_key(waited.source, waited.record_id)
            yield Obligation("supply", key, due, self.id, last.first_seen, part)
        else:
            yield _finding(part, course, orders, row, due)

    def _rows(self, knowledge: Knowledge) -> ByMedicine[RunsOut]:
        return knowledge.adherence.supplied.get(self.id, _NOTHING)

    def _waits(
        self, orders: Collection[Order], course: Course, row: RunsOut, state: PatientState
    ) -> tuple[datetime, list[Order]] | None:
        """Until when the next supply is waited for, and the orders that go on; None where none is."""
        raise NotImplementedError


class LateRefill(_RunsOut):
    id: Supplied = "late-refill"
    title = "Supplies have run out while the order goes on"

    def _waits(
        self, orders: Collection[Order], course: Course, row: RunsOut, state: PatientState
    ) -> tuple[datetime, list[Order]] | None:
        going = sorted(go_on(orders, state), key=lambda each: (each.starts, each.source, each.record_id))
        if not going:
            return None
        since = min(for_home_since(each, state) or each.starts for each in going)
        return later(max(course.ends, since), row.after), going


class StoppedEarly(_RunsOut):
    id: Supplied = "stopped-early"
    title = "Supplies have run out, and nobody stopped the medicine"

    def _waits(
        self, orders: Collection[Order], course: Course, row: RunsOut, state: PatientState
    ) -> tuple[datetime, list[Order]] | None:
        ends = [each.acts_until for each in orders if each.acts_until is not None]
        if len(ends) < len(orders) or any(each.withheld for each in orders):
            return None
        due, last = later(course.ends, row.after), max(ends, default=course.ends)
        # an order that ends as planned with its supplies is a course that is complete
        if ends and due >= last:
            return None
        return max(due, last), []


def _speaks(part: str, course: Course, rows: ByMedicine[RunsOut]) -> bool:
    return part == min(name for name in course.supplies[-1].ingredients if rows.of((name,)) is not None)


def _another_since(part: str, course: Course, state: PatientState, knowledge: Knowledge) -> bool:
    """Whether another medicine of its class has been handed out since, and lasts."""
    last = course.supplies[-1].starts
    return any(
        part not in supply.ingredients
        and supply.starts >= last
        and supply.in_force(state.clock)
        and same_class((part,), supply.ingredients, knowledge)
        for supply in handed_out(state)
    )


def _finding(part: str, course: Course, orders: list[Order], row: RunsOut, due: datetime) -> Finding:
    last = course.supplies[-1]
    shown = (last, *orders)
    return Finding(
        subject=part,
        severity=row.severity,
        summary=f"{part} {row.title} (enough until {said_at(course.ends)})"[:SUMMARY],
        detail=" ".join(_detail(course, row)),
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=tuple(dict.fromkeys(map(implicate_order, shown))),
        citations=row.citations,
        since=due,
        origins=tuple(each.origin for each in shown if each.origin is not None),
        until=earliest(each.acts_until for each in orders),
        conditions=(
            ConditionSaid(
                text=f"no supply {said_span(row.after)} after the last ran out",
                answer="yes",
                found=f"enough until {said_at(course.ends)}, waited for until {said_at(due)}",
            ),
        ),
        rows=(f"adherence/supplied.csv#{row.rule},{row.medicine}",),
        medicines=(part,),
        problem=f"adherence:{part}",
    )


def _detail(course: Course, row: RunsOut) -> Iterator[str]:
    last = course.supplies[-1]
    yield row.effect
    yield f"Handed out on {course.days} day{'s' * (course.days > 1)}, last {last.label} at {said_at(last.starts)}."
    yield f"With what was left over, and without days in hospital, it is enough until {said_at(course.ends)}."
    yield "Not known: what was collected where no record comes from, and whether it is taken."
