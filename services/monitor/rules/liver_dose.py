"""Doses and contraindications by the liver (``dosing/hepatic.csv``), by Child-Pugh class.

The class is that of the newest score or class observed, else what the diagnoses leave open (``dosing/liver_classes.csv``). A step
for some of the classes that are left is less grave, and says so. Without either nothing is found: laboratory values alone are
no class.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

from msgspec import Struct

from knowledge.dose import ChildPugh, HepaticStep
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.bounds import LAST
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.fact import Fact, Measure
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest, said
from services.monitor.rules.dose_step import Met, met
from services.monitor.rules.dosed import Parts, at_most
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.view import View, view_of

_SUMMARY = 139
_CLASS = re.compile(r"(?:^|class|pugh|grade)\W*([abc])\b", re.IGNORECASE)


class LiverDose:
    """One finding for each medicine; a part is a medicine."""

    id = "liver-dose"
    version = "1"
    family = "liver dose"
    title = "A dose, or a medicine, that the liver does not allow"
    data = ("dosing/hepatic.csv", "dosing/liver_classes.csv", "dosing/dose_numbers.csv", "dosing/dose_findings.csv")

    def __init__(self) -> None:
        self._parts: Parts | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        return self._parts_of(knowledge).reads

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        steps = (step.citations for steps in knowledge.doses.hepatic.values() for step in steps)
        livers = (each.citations for each in knowledge.dose_findings.livers)
        return dict.fromkeys(chain.from_iterable((*steps, *livers)))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return self._parts_of(knowledge).touched(change, state, knowledge, self.id)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        view = view_of(state, knowledge)
        orders = view.by_ingredient.get(part, ())
        liver = _liver(view) if orders else None
        if liver is None:
            return
        cases = []
        for step in knowledge.doses.hepatic.get(part, ()):
            if not liver.classes.isdisjoint(step.child_pugh):
                found = (case for order in orders if (case := met(step, order, view)) is not None)
                cases += [(_severity(each, liver, step), each) for each in found]
        if cases:
            cases.sort(key=lambda each: _gravest_first(*each))
            yield _finding(part, cases, liver, view)

    def _parts_of(self, knowledge: Knowledge) -> Parts:
        if self._parts is None or self._parts.knowledge is not knowledge:
            rows = {name: [step.when for step in steps] for name, steps in knowledge.doses.hepatic.items()}
            listed = frozenset(each.history for each in knowledge.dose_findings.livers if each.history)
            always = Reads(person=("child_pugh", "weight"), doses=False)
            self._parts = Parts(rows, knowledge, always, groups=dict.fromkeys(rows, listed))
        return self._parts


class _Liver(Struct, frozen=True, kw_only=True):
    """The classes that it may be of; ``found`` is how that is known."""

    classes: frozenset[ChildPugh]
    found: str
    since: datetime | None
    rows: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()

    @property
    def in_words(self) -> str:
        return f"Child-Pugh {' or '.join(sorted(self.classes))}"


def _liver(view: View) -> _Liver | None:
    observed = view.state.measure("child_pugh", view.state.clock) or _in_words(view.state)
    if observed is not None and (known := _observed(observed, view.knowledge)) is not None:
        return known
    listed = [each for each in view.knowledge.dose_findings.livers if each.history and each.history in view.groups]
    if not listed:
        return None
    least = min(listed, key=lambda each: len(each.classes))
    titles = view.knowledge.diagnoses.titles
    return _Liver(
        classes=least.classes,
        found=f"{titles[least.history]}, on the list of problems; the score itself is not known",
        since=None,
        rows=(least.row,),
        citations=least.citations,
    )


def _in_words(state: PatientState) -> Fact[Measure] | None:
    """A class without a score."""
    found = (fact for fact in state.measures.values() if fact.what.kind == "child_pugh" and not fact.void)
    return max((fact for fact in found if fact.at <= state.clock), key=lambda fact: (fact.at, fact.key), default=None)


def _observed(observed: Fact[Measure], knowledge: Knowledge) -> _Liver | None:
    score = observed.what.value
    at = f"at {said_at(observed.at)}"
    if score is None:
        named = _CLASS.search(observed.what.text)
        if named is None:
            return None
        classes: frozenset[ChildPugh] = frozenset({named[1].upper()})  # type: ignore[arg-type]
        return _Liver(classes=classes, found=f"class {named[1].upper()} {at}", since=observed.at)
    for each in knowledge.dose_findings.livers:
        if each.score_from is not None and each.score_to is not None and each.score_from <= score <= each.score_to:
            return _Liver(
                classes=each.classes,
                found=f"{score:g} points {at}",
                since=observed.at,
                rows=(each.row,),
                citations=each.citations,
            )
    return None


def _severity(case: Met, liver: _Liver, step: HepaticStep) -> Severity:
    return case.severity if liver.classes <= step.child_pugh else at_most(case.severity, "moderate")


def _gravest_first(severity: Severity, case: Met) -> tuple[int, bool, float, datetime, str]:
    return (SEVERITIES.index(severity), not case.surely, -case.ratio, case.order.starts, case.order.record_id)


def _finding(ingredient: str, cases: Sequence[tuple[Severity, Met]], liver: _Liver, view: View) -> Finding:
    severity, case = cases[0]
    step, text = case.step, view.knowledge.dose_findings.texts["liver"]
    orders = {(o.kind, o.source, o.record_id): o for o in (each.order for grade, each in cases if grade == severity)}
    involved = sorted(orders.values(), key=lambda o: (o.starts, o.source, o.record_id, o.kind))
    since = max(case.order.starts, liver.since or case.order.starts)
    grace = timedelta(hours=view.knowledge.dose_findings.numbers["grace"])
    words = case.words if case.surely else f"dose of a day not known, {case.words}"
    return Finding(
        subject=ingredient,
        severity=severity,
        summary=f"{ingredient} at {liver.in_words}: {words}"[:_SUMMARY],
        detail=" ".join(_detail(case, liver)),
        actions=(*text.actions, *step.actions),
        patient_explanation=text.patient_explanation,
        evidence_grade=step.evidence_grade,
        implicated=tuple(map(implicate_order, involved)),
        citations=tuple(dict.fromkeys((*step.citations, *liver.citations, *text.citations))),
        since=since,
        rank=case.ratio,
        origins=tuple(order.origin for order in involved if order.origin is not None),
        until=earliest(
            (*(each.order.acts_until for _, each in cases), *(each.until for _, c in cases for each in c.asked))
        ),
        conditions=(_class_said(step, liver), *said(case.asked)),
        rows=(step.row, *liver.rows),
        medicines=(ingredient,),
        problem=f"{ingredient}:liver",
        opens=None if severity in ("critical", "high") else since + min(grace, LAST - since),
    )


def _detail(case: Met, liver: _Liver) -> Iterator[str]:
    assert isinstance(case.step, HepaticStep)
    classes = " and ".join(sorted(case.step.child_pugh))
    yield f"{liver.in_words}: {liver.found}. The step of the label is for {classes}."
    yield f"{case.words[:1].upper()}{case.words[1:]}."
    if not liver.classes <= case.step.child_pugh:
        yield "Whether the liver is of that class is not known."
    if case.unknown:
        yield f"Not known: {'; '.join(case.unknown)}."


def _class_said(step: HepaticStep | object, liver: _Liver) -> ConditionSaid:
    assert isinstance(step, HepaticStep)
    sure = liver.classes <= step.child_pugh
    return ConditionSaid(
        text=f"Child-Pugh {' or '.join(sorted(step.child_pugh))}",
        answer="yes" if sure else "unknown",
        found=liver.found,
    )
