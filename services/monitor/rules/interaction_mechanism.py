"""Interactions by what medicines are and do: those with one property change those with another (``interactions/mechanisms.csv``),
and pairs that only matter when something else is true (``interactions/passive.csv``).

The context comes before the severity: a laboratory value, a dose, an age, another medicine. A pair for which nothing makes it
matter reaches nobody and is kept with its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, product
from typing import NamedTuple

from knowledge.conditions import Condition
from knowledge.mechanism import Combination, Context, Mechanism
from knowledge.model import Knowledge
from knowledge.statement import Step
from schemas.values import SEVERITIES, Citation
from services.monitor.patient.change import Change
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import (
    Answer,
    Situation,
    all_hold,
    answers,
    earliest,
    of_the_patient,
    read_by,
    reads_of,
    said,
)
from services.monitor.rules.dosed import kept_of
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.taken import flushes
from services.monitor.rules.view import view_of

_NONE: frozenset[str] = frozenset()
_LOW_PRIORITY = "Low priority: nothing that is known of this patient makes it matter."


class InteractionMechanism:
    """One finding for each mechanism and medicine that it changes, whatever number of others change it."""

    id = "interaction-mechanism"
    version = "1"
    family = "interaction"
    title = "Medicines that change one another by what they do"
    data = (
        "interactions/mechanisms.csv", "interactions/mechanism_context.csv", "interactions/passive.csv",
        "interactions/passive_context.csv",
    )  # fmt: skip

    def __init__(self) -> None:
        self._index: _Index | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        asked = (each for of in knowledge.mechanisms.by_id.values() for context in of.contexts for each in context.when)
        return reads_of(Reads(ingredients=knowledge.mechanisms.ingredients, doses=False), read_by(asked, knowledge))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        all_ = knowledge.mechanisms.by_id.values()
        of_contexts = (citation for each in all_ for context in each.contexts for citation in context.citations)
        return dict.fromkeys((*(citation for each in all_ for citation in each.citations), *of_contexts))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The mechanisms that read what changed and have somebody on each side, or had until now."""
        index = self._index_of(knowledge)
        touched = index.touched(change)
        if not touched:
            return touched
        view = view_of(state, knowledge)
        sides = view.made_of_acting(self.id, lambda: index.sides(view.systemic))
        found = {part for part in touched if sides & (needs := index.needs[part]) == needs}
        found.update([each for each in view.parts_of(self.id) if each in touched])
        return found

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """``part`` is a mechanism."""
        mechanism = knowledge.mechanisms.by_id.get(part)
        if mechanism is None:
            return ()  # of an older release
        view, index = view_of(state, knowledge), self._index_of(knowledge)
        key = (self.id, part)
        last = view.made_of_acting(
            key, lambda: _Last(mechanism, view.systemic, knowledge, view.kept.get(key)), index.names[part]
        )
        view.kept[key] = last
        if last.acting:
            asked = answers(index.asked[part], Situation(state=state, knowledge=knowledge))
            under = (asked, state.clock if part in index.timed else None)
            if under != last.under:
                last.under, last.found = under, tuple(_findings(last, mechanism, state, knowledge))
        return last.found

    def _index_of(self, knowledge: Knowledge) -> _Index:
        if self._index is None or self._index.knowledge is not knowledge:
            self._index = _Index(knowledge)
        return self._index


class _Index:
    """The mechanisms by what they read."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        by_ingredient, by_analyte = dict[str, set[str]](), dict[str, set[str]]()
        by_person = dict[str, set[str]]()
        self.names: dict[str, frozenset[str]] = {}
        """Of each mechanism the ingredients that it reads."""
        for each in knowledge.mechanisms.by_id.values():
            read = read_by(_asked(each), knowledge)
            self.names[each.id] = frozenset(read.ingredients or ()).union(*each.members.values())
            for kept, names in (
                (by_ingredient, self.names[each.id]),
                (by_analyte, read.analytes),
                (by_person, () if isinstance(read.person, bool) else read.person),
            ):
                for name in names:
                    kept.setdefault(name, set()).add(each.id)
        self._by_ingredient, self._by_analyte, self._by_person = (
            {name: frozenset(ids) for name, ids in kept.items()} for kept in (by_ingredient, by_analyte, by_person)
        )
        self.asked = {each.id: of_the_patient(_asked(each)) for each in knowledge.mechanisms.by_id.values()}
        self.timed = frozenset(
            each.id for each in knowledge.mechanisms.by_id.values() if any(a.kind == "together" for a in _asked(each))
        )
        self.needs: dict[str, int] = {}
        """The sides of each mechanism. Sets of sides are whole numbers, a bit for each: they are asked for at most events."""
        self._sides: dict[str, int] = {}
        sides = 0
        for each in knowledge.mechanisms.by_id.values():
            for members in each.members.values():
                self.needs[each.id] = self.needs.get(each.id, 0) | 1 << sides
                for ingredient in members:
                    self._sides[ingredient] = self._sides.get(ingredient, 0) | 1 << sides
                sides += 1

    def touched(self, change: Change) -> frozenset[str]:
        """The mechanisms that read what changed."""
        found = _NONE
        for of, changed in (
            (self._by_ingredient, change.ordered),
            (self._by_analyte, change.analytes),
            (self._by_person, change.person),
        ):
            for each in changed:
                if each in of:
                    found = found | of[each] if found else of[each]
        return found

    def sides(self, ingredients: Iterable[str]) -> int:
        """Where these ingredients stand."""
        found = 0
        for each in ingredients:
            found |= self._sides.get(each, 0)
        return found


def _asked(mechanism: Mechanism) -> Iterator[Condition]:
    return (asked for context in mechanism.contexts for asked in context.when)


class _Acting(NamedTuple):
    """A combination whose orders act together: ``orders`` are the first that do, ``objects`` all of the object that do then."""

    combination: Combination
    orders: tuple[Order, ...]
    objects: Sequence[Order]


class _Last:
    """What of a mechanism acts together, and what was ``found`` when it was last asked. That follows from the orders and from
    what it was ``under``: the answers about the patient, and the clock where it counts how long they have acted together.
    What is as it was ``before`` is not made again: ``told`` has each finding with what it was made of."""

    def __init__(
        self, mechanism: Mechanism, orders: Mapping[str, Sequence[Order]], knowledge: Knowledge, before: _Last | None
    ) -> None:
        known = {} if before is None else before._of
        self._of: dict[tuple[str, ...], tuple[list[Sequence[Order]], _Acting | None]] = {}
        for combination in knowledge.mechanisms.of_one(mechanism, orders.keys()):
            names = combination.ingredients
            of = [_treating(orders[each], knowledge) for each in names]
            former = known.get(names)
            same = former is not None and former[0] == of
            self._of[names] = former if former is not None and same else (of, _together(combination, of))
        self.acting = [acting for _, acting in self._of.values() if acting is not None]
        self.under: tuple[tuple[Answer, ...], datetime | None] | None = None
        self.found: tuple[Finding, ...] = ()
        self.told: dict[str, tuple[list[_Found], Finding]] = {} if before is None else before.told


def _treating(orders: Sequence[Order], knowledge: Knowledge) -> Sequence[Order]:
    """Without those that only keep a line open; the same list where there are none."""
    flushing = [each for each in orders if _flushes(each, knowledge)]
    return [each for each in orders if each not in flushing] if flushing else orders


def _flushes(order: Order, knowledge: Knowledge) -> bool:
    kept = kept_of(order, knowledge)
    found: bool | None = kept.get(flushes)
    if found is None:
        found = kept[flushes] = flushes(order, knowledge)
    return found


def _together(combination: Combination, of: list[Sequence[Order]]) -> _Acting | None:
    acting = _first_overlap(of)
    if acting is None:
        return None
    return _Acting(combination, acting, [each for each in of[0] if each.overlaps(acting[0])])


class _Found(NamedTuple):
    """A combination that acts together, with how grave it is: ``context`` decided, ``asked`` are all answers."""

    combination: Combination
    orders: tuple[Order, ...]
    severity: Step
    context: Context | None
    asked: tuple[Answer, ...]

    @property
    def since(self) -> datetime:
        return max(order.starts for order in self.orders)


def _findings(last: _Last, mechanism: Mechanism, state: PatientState, knowledge: Knowledge) -> Iterator[Finding]:
    found = sorted((_found(each, mechanism, state, knowledge) for each in last.acting), key=_subject)
    told: dict[str, tuple[list[_Found], Finding]] = {}
    for subject, of_subject in groupby(found, key=_subject):
        same = list(of_subject)
        former = last.told.get(subject)
        told[subject] = former if former is not None and former[0] == same else (same, _finding(subject, same))
        yield told[subject][1]
    last.told = told


def _found(acting: _Acting, mechanism: Mechanism, state: PatientState, knowledge: Knowledge) -> _Found:
    combination, orders, objects = acting
    of = Situation(state=state, knowledge=knowledge, orders=orders, objects=objects, ingredient=combination.object)
    holding, asked = [], list[Answer]()
    for context in mechanism.contexts:
        found = answers(context.when, of)
        asked += found
        if all_hold(found):
            holding.append(context)
    severity, decided = mechanism.graded(holding)
    return _Found(combination, orders, severity, decided, tuple(asked))


def _first_overlap(of: Sequence[Sequence[Order]]) -> tuple[Order, ...] | None:
    """The orders of different products, one for each ingredient, that first act at one time."""
    found = (
        each
        for each in product(*of)
        if all(one is not other and one.overlaps(other) for i, one in enumerate(each) for other in each[:i])
    )
    return min(found, key=lambda each: (max(o.starts for o in each), [o.record_id for o in each]), default=None)


def _subject(found: _Found) -> str:
    return f"{found.combination.mechanism.id}:{found.combination.object}"


def _finding(subject: str, same: list[_Found]) -> Finding:
    gravest = min(same, key=_gravest_first)
    mechanism, context = gravest.combination.mechanism, gravest.context
    shown = [each for each in same if each.severity == gravest.severity]
    orders = {(o.kind, o.source, o.record_id): o for each in shown for o in each.orders}
    involved = sorted(orders.values(), key=lambda o: (o.starts, o.source, o.record_id, o.kind))
    asked = list({answer.condition.text: answer for each in reversed(shown) for answer in each.asked}.values())
    decided = () if context is None else context.when
    evidence = [fact for each in asked if each.condition in decided for fact in each.facts]
    others = sorted({name for each in shown for name in each.combination.ingredients[1:]})
    severity = "info" if gravest.severity == "none" else gravest.severity
    facts = map(implicate_order, involved)
    return Finding(
        subject=subject,
        severity=severity,
        summary=f"{gravest.combination.object} with {' and '.join(others)}: {mechanism.title}"[:139],
        detail=_detail(mechanism, context, asked),
        actions=(*mechanism.actions, *(f"Monitor: {each}" for each in mechanism.monitor)),
        patient_explanation=mechanism.patient_explanation,
        evidence_grade=mechanism.evidence_grade if context is None else context.evidence_grade,
        implicated=tuple(dict.fromkeys((*facts, *evidence)) if evidence else facts),
        citations=tuple(dict.fromkeys((*mechanism.citations, *(context.citations if context is not None else ())))),
        since=min(each.since for each in shown),
        until=earliest((*(order.acts_until for order in involved), *(each.until for each in asked))),
        origins=tuple(order.origin for order in involved if order.origin is not None),
        conditions=said(asked),
        rows=_rows(mechanism),
        medicines=tuple(sorted({gravest.combination.object, *others})),
        problem=mechanism.problem_under(context) if severity != "info" else "",
        held=_held(gravest),
    )


def _gravest_first(found: _Found) -> tuple[int, datetime, tuple[str, ...]]:
    rank = len(SEVERITIES) if found.severity == "none" else SEVERITIES.index(found.severity)
    return rank, found.since, found.combination.ingredients


def _held(found: _Found) -> str:
    if found.severity == "none":
        return found.context.reason if found.context is not None else ""
    return _LOW_PRIORITY if found.severity == "info" and found.context is None else ""


def _detail(mechanism: Mechanism, context: Context | None, asked: Sequence[Answer]) -> str:
    unknown = sorted({each.condition.text for each in asked if each.holds is None})
    parts = [
        f"{mechanism.effect} {mechanism.mechanism}",
        f"Onset: {mechanism.onset}" if mechanism.onset else "",
        context.reason if context is not None else "",
        f"Not known: {', '.join(unknown)}." if unknown else "",
    ]
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def _rows(mechanism: Mechanism) -> tuple[str, ...]:
    file = "mechanisms" if mechanism.onc_number is None else "passive"
    context = f"interactions/{file.removesuffix('s')}_context.csv#{mechanism.id}"
    return (f"interactions/{file}.csv#{mechanism.id}", *((context,) if mechanism.contexts else ()))
