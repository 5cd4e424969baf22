"""Opioids: how much in morphine equivalents, with what else that slows breathing, for whom without naloxone, and what the
guideline of 2022 asks at the start, in the course and of a toxicology test.

What is said, how gravely and for whom it is not said is data (``knowledge/dosing/opioid_*.csv``). The exceptions of the guideline
(cancer, sickle cell, palliative care) quieten what is said of the dose, never of sedation. Nothing asks to lower a dose at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from knowledge.model import Knowledge
from knowledge.opioids import CONTEXT, FINDINGS, ROLES, SCREENS, SIGNS, Fact, OpioidContext
from schemas.alerts import Condition as ConditionSaid
from schemas.values import Citation, Severity
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, all_hold, answers, earliest, read_by, reads_of, said
from services.monitor.rules.diagnosed import groups_of, tells
from services.monitor.rules.opioid_kinds import BENZODIAZEPINE, KINDS, SEDATIVE, Case, situation
from services.monitor.rules.opioid_therapy import Therapy, ends
from services.monitor.rules.rule import WHOLE, Finding, Reads
from services.monitor.rules.view import view_of

_SUMMARY = 139


class Opioid:
    """At most one finding of each kind for a patient, whatever number of opioids."""

    id = "opioid"
    version = "1"
    family = "opioid"
    title = "Opioids: dose, sedation, tolerance and naloxone"
    data = (
        FINDINGS,
        CONTEXT,
        ROLES,
        SIGNS,
        SCREENS,
        "dosing/opioids.csv",
        "dosing/opioid_levels.csv",
        "duplicates/long_acting.csv",
    )

    def __init__(self) -> None:
        self._person: tuple[Knowledge, frozenset[str], frozenset[str]] | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        of = knowledge.opioids
        if not of.advice:
            return Reads()
        known = (knowledge.properties.get(name, {}) for name in ("opioid", BENZODIAZEPINE, SEDATIVE))
        named = frozenset(of.roles).union(*known)
        need = Need(newest=3, within=of.advice["toxicology"].span)
        screens = {each.analyte: need for each in of.screens}
        return reads_of(Reads(ingredients=named, analytes=screens, person=True), _asked(knowledge))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        of, levels = knowledge.opioids, knowledge.doses.opioid_levels
        cited = [advice.citations for advice in of.advice.values()]
        cited += [context.citations for advice in of.advice.values() for context in advice.contexts]
        cited += [screen.citations for screen in of.screens]
        cited += [level.citations for level in levels]
        cited += [each.citations for rows in knowledge.doses.opioids.values() for each in rows]
        cited += [each.citations for rows in of.roles.values() for each in rows]
        return dict.fromkeys(citation for of_row in cited for citation in of_row)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        person, groups = self._person_of(knowledge)
        told = change.person if tells(change, groups, knowledge) else change.person - {"history"}
        if not (change.analytes or change.medicines) and told.isdisjoint(person):
            # whether anything was known of the patient before, whatever it is, counts for tolerance alone
            kept = state.standing.values()
            return {each.part for each in kept if each.rule == self.id and each.subject == "tolerance"}
        opioids = knowledge.properties.get("opioid", {}).keys()
        here = (
            not view_of(state, knowledge).by_ingredient.keys().isdisjoint(opioids)
            or any(each.rule == self.id for each in state.standing.values())
            or not view_of(state, knowledge).given.isdisjoint(opioids)
        )
        return (WHOLE,) if here else ()

    def _person_of(self, knowledge: Knowledge) -> tuple[frozenset[str], frozenset[str]]:
        """What of the person is asked, and the groups of diagnoses."""
        if self._person is None or self._person[0] is not knowledge:
            asked = _asked(knowledge).person
            person = frozenset({"said", "respiratory_rate"}.union(() if asked is True else asked or ()))
            self._person = (
                knowledge,
                person,
                groups_of(each.asked for each in knowledge.opioids.advice.values()),
            )
        return self._person[1:]

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        if not knowledge.opioids.advice:
            return
        therapy = Therapy(state, knowledge)
        if not therapy.uses:
            return
        for kind in KINDS:
            case = kind(therapy)
            if case is not None:
                yield _finding(case, therapy)


def _asked(knowledge: Knowledge) -> Reads:
    return read_by((each for advice in knowledge.opioids.advice.values() for each in advice.asked), knowledge)


class _Graded(NamedTuple):
    """How grave a case is: ``decided`` is the context that says so, ``holding`` all that hold with their answers, ``asked`` every
    question once."""

    severity: Severity
    held: str
    decided: OpioidContext | None
    holding: list[tuple[OpioidContext, tuple[Answer, ...]]]
    asked: list[Answer]


def _graded(case: Case, therapy: Therapy) -> _Graded:
    of, holding, asked = situation(case.uses, therapy), [], list(case.asked)
    true = {fact for fact, (holds, _) in case.facts.items() if holds}
    for context in case.advice.contexts:
        if context.facts <= true:
            when, unless = answers(context.when, of), answers(context.unless, of)
            asked += (*when, *unless)
            if all_hold(when) and not any(each.holds is True for each in unless):
                holding.append((context, when))
    once = list({each.condition.text: each for each in asked}.values())
    step, decided = case.advice.graded(context for context, _ in holding)
    if decided is None:
        return _Graded(case.severity, "", None, holding, once)
    if step == "none":
        return _Graded("info", _because(decided, ()), decided, holding, once)
    return _Graded(step, "", decided, holding, once)


def _finding(case: Case, therapy: Therapy) -> Finding:
    advice, graded = case.advice, _graded(case, therapy)
    once = {each.fact: each for each in case.uses}
    involved = sorted(once.values(), key=lambda each: (each.starts, each.fact.record_id))
    decided = graded.decided
    others = [fact for _, when in graded.holding for each in when for fact in each.facts]
    origins = (*(each.origin for each in involved), *case.origins)
    waits = (*ends(involved, therapy.clock), *case.waits, *(each.until for each in graded.asked))
    # a test for another drug is no part of what a graver alert says of the opioids
    medicines = () if advice.kind == "toxicology" else {name for each in involved for name in each.ingredients}
    return Finding(
        subject=advice.kind,
        severity=graded.severity,
        summary=case.summary[:_SUMMARY],
        detail=" ".join(_detail(case, graded)),
        actions=advice.actions,
        patient_explanation=advice.patient_explanation,
        evidence_grade=(advice if decided is None else decided).evidence_grade,
        implicated=tuple(dict.fromkeys((*(each.fact for each in involved), *case.more, *others))),
        citations=tuple(dict.fromkeys((*advice.citations, *case.citations, *(decided.citations if decided else ())))),
        since=case.since,
        rank=case.rank,
        origins=tuple(dict.fromkeys(each for each in origins if each is not None)),
        until=earliest(each for each in waits if each is not None and each > therapy.clock),
        conditions=(*_said(case.facts), *said(graded.asked)),
        rows=(f"{FINDINGS}#{advice.kind}", f"{CONTEXT}#{advice.kind}", *case.rows),
        medicines=tuple(sorted(medicines)),
        problem=advice.problem,
        opens=case.opens,
        held=graded.held,
    )


def _detail(case: Case, graded: _Graded) -> Iterator[str]:
    unknown = [each.condition.text for each in graded.asked if each.holds is None]
    parts = [case.advice.effect, *case.detail, *dict.fromkeys(_because(*each) for each in graded.holding)]
    parts += [f"Not known: {', '.join(unknown)}."] if unknown else []
    return (each if each.endswith(".") else f"{each}." for each in parts if each)


def _said(facts: Mapping[Fact, tuple[bool, str]]) -> Iterator[ConditionSaid]:
    for fact, (holds, found) in facts.items():
        yield ConditionSaid(text=fact.replace("-", " "), answer="yes" if holds else "no", found=found)


def _because(context: OpioidContext, when: Iterable[Answer]) -> str:
    """The reason of a context, with what else acts where that is the reason."""
    others = ", ".join(each.found for each in when if each.condition.kind == "with")
    reason = context.reason[:1].upper() + context.reason[1:]
    return f"{reason} ({others})." if others else f"{reason}."
