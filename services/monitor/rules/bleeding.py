"""Signs of bleeding with a medicine that thins the blood, beyond falling hemoglobin with an anticoagulant, which the rule of
medicines and values has: bleeding and transfusions on record, thrombolytics, antiplatelets (``drug_labs/bleeding.csv``).

A transfusion hides the fall and is itself a criterion of major bleeding, so it excuses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import NamedTuple

from knowledge.lab_finding import BleedingStep
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.events import Procedure
from schemas.values import SEVERITIES, Citation
from services.monitor.patient.change import Change
from services.monitor.patient.clock import later, said_at
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, all_hold, answers, earliest, read_by, reads_of, said
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import WHOLE, Finding, Reads
from services.monitor.rules.taken import flushes
from services.monitor.rules.view import view_of


class Bleeding:
    """One finding for each patient, whatever shows it."""

    id = "bleeding"
    version = "1"
    family = "falling counts"
    title = "Bleeding with a medicine that thins the blood"
    data = ("drug_labs/bleeding.csv", "drug_labs/numbers.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        steps = knowledge.lab_findings.bleeding
        asked = read_by(chain.from_iterable(step.when for step in steps), knowledge)
        own = Reads(ingredients=frozenset[str]().union(*(step.ingredients for step in steps)), person=bool(steps))
        return reads_of(own, asked)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(chain.from_iterable(step.citations for step in knowledge.lab_findings.bleeding))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return (WHOLE,)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        steps = knowledge.lab_findings.bleeding
        acting = _acting(state, knowledge) if steps else {}
        if acting:
            recent = _recent(state, knowledge)
            held = [each for step in steps if (each := _held(step, acting, recent, state, knowledge)) is not None]
            if held:
                gravest = min(held, key=lambda each: SEVERITIES.index(each.step.severity))
                yield _finding(gravest, recent, state, knowledge)


class _Held(NamedTuple):
    step: BleedingStep
    orders: tuple[Order, ...]
    ingredients: tuple[str, ...]
    answers: tuple[Answer, ...]


class _Recent(NamedTuple):
    """What is on record of the last days."""

    bleeding: tuple[Procedure, ...]
    transfusions: tuple[Procedure, ...]


def _acting(state: PatientState, knowledge: Knowledge) -> dict[str, list[Order]]:
    """What is in force in the whole body, by ingredient; a flush thins no blood."""
    wanted = frozenset[str]().union(*(step.ingredients for step in knowledge.lab_findings.bleeding))
    systemic = view_of(state, knowledge).systemic
    found = {
        name: [each for each in systemic[name] if each.in_force(state.clock) and not flushes(each, knowledge)]
        for name in sorted(systemic.keys() & wanted)
    }
    return {name: orders for name, orders in found.items() if orders}


def _recent(state: PatientState, knowledge: Knowledge) -> _Recent:
    """Without a time nobody knows whether it is recent, and it is not taken to be."""
    span = knowledge.lab_findings.span("bleeding-recent")
    found: dict[str, list[Procedure]] = {"bleeding": [], "transfusion": []}
    for each in state.procedures or ():
        start = known_or(each.start, None)
        if each.kind in found and start is not None and timedelta(0) <= state.clock - start <= span:
            found[each.kind].append(each)
    return _Recent(tuple(found["bleeding"]), tuple(found["transfusion"]))


def _held(
    step: BleedingStep, acting: dict[str, list[Order]], recent: _Recent, state: PatientState, knowledge: Knowledge
) -> _Held | None:
    ingredients = tuple(name for name in acting if name in step.ingredients)
    if len(ingredients) < max(step.medicines_from, 1):
        return None
    if (step.bleeding and not recent.bleeding) or len(recent.transfusions) < step.transfusions_from:
        return None
    found = answers(step.when, Situation(state=state, knowledge=knowledge))
    if not all_hold(found):
        return None
    orders = tuple(dict.fromkeys(id(order) for name in ingredients for order in acting[name]))
    by_id = {id(order): order for of in acting.values() for order in of}
    return _Held(step, tuple(by_id[each] for each in orders), ingredients, found)


def _finding(held: _Held, recent: _Recent, state: PatientState, knowledge: Knowledge) -> Finding:
    step = held.step
    span = knowledge.lab_findings.span("bleeding-recent")
    asked = (*(recent.bleeding if step.bleeding else ()), *(recent.transfusions if step.transfusions_from else ()))
    times = [start for each in asked if (start := known_or(each.start, None)) is not None]
    results = [fact.at for each in held.answers for fact in each.facts]
    ends = (order.acts_until for order in held.orders)
    # a step of hemoglobin alone does not age; what was recorded counts for a time only
    ages = (later(start, span + timedelta(microseconds=1)) for start in times)
    return Finding(
        subject="bleeding",
        severity=step.severity,
        summary=_summary(held)[:139],
        detail=" ".join(_detail(held, recent)),
        actions=step.actions,
        patient_explanation=step.patient_explanation,
        evidence_grade=step.evidence_grade,
        implicated=tuple(
            dict.fromkeys((*map(implicate_order, held.orders), *(f for each in held.answers for f in each.facts)))
        ),
        citations=step.citations,
        since=max((*times, *results, min(order.starts for order in held.orders))),
        until=earliest((*ends, *ages)),
        conditions=(*_recorded(recent), *said(held.answers)),
        rows=(step.row,),
        medicines=held.ingredients,
        # what was seen is told by this rule, also where another one sees hemoglobin fall
        problem="bleeding-recorded" if times else "bleeding",
        origins=tuple(order.origin for order in held.orders if order.origin is not None),
    )


def _summary(held: _Held) -> str:
    """The values where hemoglobin fell, the medicines, and what it is."""
    more = f" and {len(held.ingredients) - 2} more" if len(held.ingredients) > 2 else ""
    said = f"{', '.join(held.ingredients[:2])}{more}: {held.step.title}"
    fell = next((each.facts for each in held.answers if each.condition.kind == "course" and each.facts), None)
    return said if fell is None else f"Hemoglobin {fell[0].received}, now {fell[-1].received} with {said}"


def _detail(held: _Held, recent: _Recent) -> Iterator[str]:
    yield held.step.effect
    for answer in held.answers:
        yield f"{answer.condition.text}: {answer.found}."
    yield from (
        f"{sentence}."
        for sentence in (_listed("Bleeding", recent.bleeding), _listed("Transfusion", recent.transfusions))
        if sentence
    )
    since = min(order.starts for order in held.orders)
    yield f"In force: {', '.join(held.ingredients)}, since {since:%Y-%m-%d}."
    if recent.transfusions:
        yield "Hemoglobin after a transfusion hides how much was lost."
    unknown = [] if recent.bleeding else ["whether bleeding was seen"]
    unknown += ["how many units each transfusion was"] if recent.transfusions else ["transfusions that nobody recorded"]
    yield f"Not known: {', '.join((*unknown, 'operations and fluids that explain a fall'))}."


def _listed(what: str, found: Iterable[Procedure]) -> str:
    told = ", ".join(_when(each) + (f" ({each.text})" if each.text else "") for each in found)
    return f"{what} recorded at {told}" if told else ""


def _when(procedure: Procedure) -> str:
    start = known_or(procedure.start, None)
    return "" if start is None else said_at(start)


def _recorded(recent: _Recent) -> Iterator[ConditionSaid]:
    for text, found in (("bleeding recorded", recent.bleeding), ("transfusions recorded", recent.transfusions)):
        times = ", ".join(map(_when, found))
        yield ConditionSaid(text=text, answer="yes" if found else "unknown", found=times or "none recorded lately")
