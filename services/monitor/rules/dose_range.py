"""Doses beyond what a label allows: at once, in a day, in any 24 hours over all products, in a week, too fast, too often, and
medicines with no right dose for this patient (``dosing/limits.csv``, ``dosing/intervals.csv``).

Only what is certain counts as it is: dose, unit and way of giving. What is taken as needed is no dose taken, so that its maximum
goes to the work list and is not added up. A dose that was given is another finding (``dose_given``): that harm is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

from knowledge.dose import Interval, Limit
from knowledge.model import Knowledge
from schemas.values import Citation
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.estimates import in_unit
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest, said
from services.monitor.rules.dose_given import given_findings
from services.monitor.rules.dose_ordered import CANCER, Case, gravest_first, ordered_cases
from services.monitor.rules.dosed import Parts, indicated_by
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.view import View, view_of

_SUMMARY = 139


class DoseRange:
    """For each medicine at most one finding of what is ordered, one of whom it is not for, and those of what was given."""

    id = "dose-range"
    version = "1"
    family = "dose range"
    title = "A dose beyond what the label allows"
    data = ("dosing/limits.csv", "dosing/intervals.csv", "dosing/dose_numbers.csv", "dosing/dose_findings.csv")

    def __init__(self) -> None:
        self._parts: Parts | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        # a dose given is compared with its own order, whatever the medicine
        if not knowledge.dose_findings.numbers:
            return Reads()
        reads = self._parts_of(knowledge).reads
        return Reads(ingredients=None, analytes=reads.analytes, person=reads.person)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        of = knowledge.doses
        limits = (row.citations for rows in of.limits.values() for row in rows)
        intervals = (row.citations for rows in of.intervals.values() for row in rows)
        texts = (each.citations for each in knowledge.dose_findings.texts.values())
        return dict.fromkeys(chain.from_iterable((*limits, *intervals, *texts)))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return self._parts_of(knowledge).touched(change, state, knowledge, self.id) | change.ingredients

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        if not knowledge.dose_findings.numbers:
            return
        view = view_of(state, knowledge)
        cases = list(ordered_cases(part, view))
        cases.sort(key=gravest_first)
        for kind in ("contraindicated", "dose") if cases else ():
            same = [each for each in cases if each.kind == kind]
            if same:
                yield _finding(part, same, view)
        if state.doses:
            yield from given_findings(part, view)

    def _parts_of(self, knowledge: Knowledge) -> Parts:
        if self._parts is None or self._parts.knowledge is not knowledge:
            of = knowledge.doses
            names = of.limits.keys() | of.intervals.keys()
            rows = {name: [row.when for row in of.limits.get(name, ())] for name in sorted(names)}
            also = {name: frozenset(_of_person(of.limits.get(name, ()))) for name in names}
            groups = {name: _groups(of.limits.get(name, ()), of.intervals.get(name, ())) for name in names}
            self._parts = Parts(rows, knowledge, Reads(), also, groups)
        return self._parts


def _of_person(limits: Iterable[Limit]) -> Iterator[str]:
    """What rows ask of the person beside their conditions."""
    if any(row.max is not None and (row.max.per_kg or row.kind == "rate") for row in limits):
        yield "weight"


def _groups(limits: Iterable[Limit], intervals: Iterable[Interval]) -> frozenset[str]:
    """The groups of diagnoses by which rows are answered beside their conditions."""
    protocols = {CANCER} if any(row.unless_protocol for row in intervals) else set[str]()
    return frozenset(protocols).union(*(indicated_by(row.indication) for row in limits))


def _finding(ingredient: str, cases: Sequence[Case], view: View) -> Finding:
    case = cases[0]
    row, text = case.row, view.knowledge.dose_findings.texts[case.text]
    orders = sorted(case.orders, key=lambda o: (o.starts, o.source, o.record_id, o.kind))
    others = [each for each in cases[1:] if each.severity == case.severity and each.row is not row]
    waits = [order.acts_until for each in cases for order in each.orders]
    waits += [*(each.until for each in cases), *(each.until for each in case.asked)]
    return Finding(
        subject=f"{ingredient}:contraindicated" if case.kind == "contraindicated" else ingredient,
        severity=case.severity,
        summary=f"{ingredient}: {case.words}"[:_SUMMARY],
        detail=" ".join(_detail(ingredient, case, others, view)),
        actions=(*text.actions, *row.actions),
        patient_explanation=text.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=tuple(map(implicate_order, orders)),
        citations=tuple(dict.fromkeys((*row.citations, *text.citations))),
        since=max(order.starts for order in orders),
        rank=case.ratio,
        origins=tuple(order.origin for order in orders if order.origin is not None),
        until=earliest(waits),
        conditions=said(case.asked),
        rows=tuple(dict.fromkeys((row.row, *(each.row.row for each in others)))),
        medicines=(ingredient,),
        problem=f"{ingredient}:dose" if case.kind == "dose" else f"{ingredient}:contraindicated",
        held=case.held,
    )


def _detail(ingredient: str, case: Case, others: Sequence[Case], view: View) -> Iterator[str]:
    yield f"{ingredient}: {case.words}."
    listed = (f"{order.label} {order.dosage}".strip() + f" from {said_at(order.starts)}" for order in case.orders)
    yield f"Ordered: {'; '.join(listed)}."
    for each in dict.fromkeys(other.words for other in others):
        yield f"Also: {each}."
    weight = in_unit(view.state, "weight", "kg")
    if isinstance(case.row, Limit) and case.row.max is not None and case.row.max.per_kg and weight is not None:
        yield f"Weight {weight:g} kg."
    tenfold = view.knowledge.dose_findings.numbers["tenfold"]
    if case.text == "too-much" and case.ratio >= tenfold:
        yield "So much more is most often a slip of the decimal point or of the unit."
    if case.why:
        yield f"Not known: {'; '.join(case.why)}."
