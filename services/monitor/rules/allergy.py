"""Allergies: a medicine ordered, supplied or given although the allergy list speaks against it, or against what crosses with it.

What crosses and how grave it is after which reaction is data (``knowledge/allergies``). Code decides what moves that level: a
dose that was given, a degree that the list states, a medicine that stays where it is put, and what was borne since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple

from knowledge.allergy import SAME, UNKNOWN, Crossing
from knowledge.model import Knowledge
from schemas.alerts import Condition
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.bounds import LAST, ONCE_COUNTS
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.allergens import FOR_LIFE, Entry, entries
from services.monitor.rules.conditions import earliest
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import WHOLE, Finding, Reads
from services.monitor.rules.taken import implicate_dose
from services.monitor.rules.view import view_of

_BY_DEGREE = frozenset({UNKNOWN, "rash", "urticaria"})
"""Kinds of reaction that may be mild or grave: the degree that the list states moves the level by one."""
_HIT = "heparin-induced"


class AllergyConflict:
    """One finding for each medicine, whatever number of orders, doses and entries show it."""

    id = "allergy"
    version = "1"
    family = "allergy"
    title = "A medicine that the allergy list speaks against"
    data = ("allergies/groups.csv", "allergies/members.csv", "allergies/reactions.csv", "allergies/severities.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=None, person=True)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        known = knowledge.cross_reactivity
        of_groups = (citation for group in known.groups.values() for citation in group.citations)
        return dict.fromkeys(
            (*of_groups, *(citation for grade in known.grades.values() for citation in grade.citations))
        )

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return (WHOLE,)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        if not state.allergy_facts or not knowledge.cross_reactivity.groups:
            return
        view = view_of(state, knowledge)
        listed = view.made_of(state.allergy_facts, self.id, lambda: _Listed(entries(state, knowledge)))
        if not listed.entries:
            return
        conflicts = sorted(_conflicts(state, knowledge, listed), key=lambda each: each.gravest_first)
        told: set[tuple[str, ...]] = set()
        for conflict in conflicts:
            # two ingredients of one product are one problem
            if conflict.things not in told:
                told.add(conflict.things)
                yield _finding(conflict, state)
        yield from _not_understood(state, knowledge, listed.entries)


class _Listed:
    """The entries of the list, and every medicine that one of them reaches."""

    def __init__(self, of: Sequence[Entry]) -> None:
        self.entries = of
        self.reached = frozenset[str]().union(*(entry.reached for entry in of))


class _Met(NamedTuple):
    """One entry of the list that reaches a medicine, with the doses that were given although it was known."""

    entry: Entry
    crossing: Crossing
    severity: Severity
    given: tuple[Fact[Given], ...]


class _Conflict(NamedTuple):
    """A medicine with all entries that reach it, gravest first."""

    medicine: str
    orders: tuple[Order, ...]
    doses: tuple[Fact[Given], ...]
    met: tuple[_Met, ...]

    @property
    def gravest_first(self) -> tuple[int, bool, str]:
        return (SEVERITIES.index(self.met[0].severity), self.met[0].crossing.group.id != SAME, self.medicine)

    @property
    def systemic(self) -> bool:
        return any(order.systemic for order in self.orders) or any(dose.what.systemic for dose in self.doses)

    @property
    def things(self) -> tuple[str, ...]:
        orders = (f"{order.kind} {order.source} {order.record_id}" for order in self.orders)
        return tuple(sorted((*orders, *(f"dose {dose.key}" for dose in self.doses))))


def _conflicts(state: PatientState, knowledge: Knowledge, listed: _Listed) -> Iterator[_Conflict]:
    view = view_of(state, knowledge)
    ordered, reached = view.by_ingredient, listed.reached
    if reached.isdisjoint(ordered) and reached.isdisjoint(view.given):
        return
    given: dict[str, list[Fact[Given]]] = {}
    for dose in sorted(state.doses.values(), key=lambda each: (each.at, each.key)):
        if not dose.void and dose.what.status == "given" and dose.at <= state.clock < _counts_until(dose):
            for ingredient in dose.what.ingredients:
                given.setdefault(ingredient, []).append(dose)
    for medicine in sorted((ordered.keys() | given.keys()) & reached):
        orders, doses = ordered.get(medicine, ()), given.get(medicine, ())
        systemic = any(each.systemic for each in orders) or any(dose.what.systemic for dose in doses)
        # a dose that was given before the entry was known is how it came to be known
        met = [
            each
            for entry in listed.entries
            if (each := _met(entry, medicine, doses, state, knowledge, systemic=systemic)) is not None
            and (orders or each.given)
        ]
        if met:
            met.sort(key=lambda each: (SEVERITIES.index(each.severity), each.crossing.group.id != SAME))
            by_start = tuple(sorted(orders, key=lambda each: (each.starts, each.source, each.record_id, each.kind)))
            yield _Conflict(medicine, by_start, tuple(doses), tuple(met))


def _met(
    entry: Entry,
    medicine: str,
    doses: Sequence[Fact[Given]],
    state: PatientState,
    knowledge: Knowledge,
    *,
    systemic: bool,
) -> _Met | None:
    crossing = entry.reached.get(medicine)
    if crossing is None:
        return None
    given = tuple(dose for dose in doses if entry.known_at(dose.at))
    kind = crossing.reaction.id
    of_the_same = knowledge.cross_reactivity.grades.get((SAME, kind))
    grave = of_the_same is not None and of_the_same.severity == "critical"
    if not systemic and not grave and crossing.group.id != SAME:
        return None
    steps = 0 if systemic else 1
    if kind in _BY_DEGREE:
        steps += {"severe": -1, "mild": 1}.get(known_or(entry.allergy.severity, ""), 0)
    severity = _moved(crossing.grade.severity, steps)
    if given and severity == "high" and (grave or kind == "organ"):
        severity = "critical"
    if kind not in FOR_LIFE and entry.tolerated(state.clock.date()) is not None:
        severity = "info"
    return _Met(entry, crossing, severity, given)


def _moved(severity: Severity, steps: int) -> Severity:
    """Less grave by so many steps, or graver."""
    return SEVERITIES[min(max(SEVERITIES.index(severity) + steps, 0), len(SEVERITIES) - 1)]


def _finding(conflict: _Conflict, state: PatientState) -> Finding:
    gravest = conflict.met[0]
    group, grade, reaction = gravest.crossing.group, gravest.crossing.grade, gravest.crossing.reaction
    reached = gravest.severity == "critical" and bool(gravest.given)
    what = "was given" if gravest.given else "is ordered" if _ordered(conflict) else "was supplied"
    since = [order.starts for order in conflict.orders] + [dose.at for dose in gravest.given]
    until = (*(each.acts_until for each in conflict.orders), *map(_counts_until, gravest.given))
    return Finding(
        subject=conflict.medicine,
        severity=gravest.severity,
        summary=f"{conflict.medicine} {what}: {_kind(gravest)} to {gravest.entry.label} ({reaction.title})"[:139],
        detail=_detail(conflict, state.clock.date()),
        actions=(*_at_once(gravest), *group.actions),
        patient_explanation=group.patient_explanation,
        evidence_grade=grade.evidence_grade,
        implicated=(*map(implicate_order, conflict.orders), *map(implicate_dose, conflict.doses)),
        citations=tuple(dict.fromkeys((*group.citations, *grade.citations))),
        since=max(min(since), gravest.entry.known_from or min(since)),
        until=earliest(until),
        origins=tuple(filter(None, (*(o.origin for o in conflict.orders), *(dose.origin for dose in conflict.doses)))),
        conditions=tuple(dict.fromkeys(map(_said, conflict.met))),
        rows=(f"allergies/groups.csv#{group.id}", f"allergies/severities.csv#{group.id},{reaction.id}"),
        medicines=(conflict.medicine,),
        problem="heparin-thrombocytopenia" if reaction.id == _HIT else "",
        needs_closure=reached,
    )


def _ordered(conflict: _Conflict) -> bool:
    return any(order.kind == "prescription" for order in conflict.orders)


def _kind(met: _Met) -> str:
    return "intolerance" if met.crossing.reaction.id == "intolerance" else "allergy"


def _at_once(met: _Met) -> tuple[str, ...]:
    if met.severity not in ("critical", "high"):
        return ()
    if not met.given:
        return ("Have it withheld until this is decided",)
    at = said_at(met.given[-1].at)
    return (f"A dose was given at {at}: examine the patient now, and have the next one withheld until this is decided",)


def _detail(conflict: _Conflict, today: date) -> str:
    gravest = conflict.met[0]
    group, reaction = gravest.crossing.group, gravest.crossing.reaction
    parts = [
        group.meaning,
        f"{_sentence(reaction.title)}: {reaction.meaning}",
        _sentence(gravest.crossing.grade.reason),
    ]
    unknown = list(_unknown(gravest))
    if unknown:
        parts.append(f"Not known: {', '.join(unknown)}")
    tolerated = gravest.entry.tolerated(today)
    if tolerated is not None:
        counts = "this kind of reaction is not taken back by that" if reaction.id in FOR_LIFE else "so it is only noted"
        parts.append(f"Said to be tolerated since {tolerated}: {counts}")
    if not conflict.systemic:
        parts.append("It stays where it is put, so that less of it reaches the body")
    others = list(
        dict.fromkeys(_in_words(each) for each in conflict.met[1:] if each.entry.label != gravest.entry.label)
    )
    if others:
        parts.append(f"Also listed: {'; '.join(others)}")
    return " ".join(f"{part.rstrip('.')}." for part in parts)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unknown(met: _Met) -> Iterator[str]:
    allergy = met.entry.allergy
    if met.crossing.reaction.id == UNKNOWN:
        yield "what the reaction was"
    if known_or(allergy.verification, "") != "confirmed":
        yield "whether anybody has confirmed it"
    if met.given and met.entry.known_from is None:
        yield "whether it was on the list before the dose"


def _in_words(met: _Met) -> str:
    allergy = met.entry.allergy
    said = (
        known_or(allergy.reaction, "") or met.crossing.reaction.title,
        known_or(allergy.severity, ""),
        known_or(allergy.verification, ""),
        f"since {since}" if (since := known_or(allergy.onset, None)) is not None else "",
    )
    return f"{met.entry.label}: {', '.join(filter(None, said))}"


def _said(met: _Met) -> Condition:
    return Condition(text=f"{_kind(met)} to {met.entry.label} on the list", answer="yes", found=_in_words(met))


def _not_understood(state: PatientState, knowledge: Knowledge, listed: Sequence[Entry]) -> Iterator[Finding]:
    """What no medicine was compared with, where there is a medicine: kept in the picture, for the next person to read."""
    labels = list(dict.fromkeys(entry.label for entry in listed if not entry.allergens))
    orders = view_of(state, knowledge).acting
    if not labels or not orders:
        return
    names = ", ".join(labels)
    same = next(iter(knowledge.cross_reactivity.groups.values()))
    yield Finding(
        subject="not-understood",
        severity="info",
        summary=f"Not compared with the medicines: allergy to {names}"[:139],
        detail=f"No medicine is known by these names, so that nothing was compared with them: {names}.",
        actions=("Compare them by eye", "Have the names that are medicines made known (rxvigil unresolved)"),
        patient_explanation="Your list of allergies has a name that is not known here. Tell your care team what it is.",
        evidence_grade=same.evidence_grade,
        implicated=(),
        citations=same.citations,
        since=min(order.starts for order in orders),
        held="A name on the allergy list is not that of a known medicine: food, pollen and the like, or a gap.",
    )


def _counts_until(dose: Fact[Given]) -> datetime:
    last = max(dose.what.stopped_at or dose.at, dose.at)
    return last + min(ONCE_COUNTS, LAST - last)
