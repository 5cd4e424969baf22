"""The same twice: one ingredient in two orders, or two medicines of which one is enough.

Which classes, how grave, what is allowed and how long a change may take is data (``knowledge/duplicates``). Code decides what
"at the same time" means: surely, also where a source tells its times only by days.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import combinations
from typing import NamedTuple

from knowledge.duplicate import Allowed, DuplicateClass
from knowledge.model import Knowledge
from knowledge.statement import Step
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.bounds import LAST
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.medicines import OrderNames
from services.monitor.patient.order import Order, thing_key
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import (
    Answer,
    Situation,
    all_hold,
    answers,
    earliest,
    read_by,
    reads_of,
    said,
)
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.in_hospital import leaves_at
from services.monitor.rules.order_pair import holds, says_any
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.taken import implicate_dose
from services.monitor.rules.view import view_of

_DAY = timedelta(days=1)
_SEVERAL = 2
_NONE: frozenset[str] = frozenset()


class DuplicateTherapy:
    """One finding for each class, and for each ingredient that is there twice, whatever number of orders show it. A part is
    what one finding is about."""

    id = "duplicate-therapy"
    version = "1"
    family = "duplicate"
    title = "The same medicine or class twice"
    data = ("duplicates/classes.csv", "duplicates/allowed.csv", "duplicates/long_acting.csv")

    def __init__(self) -> None:
        self._asking: Mapping[str, Collection[str]] = {}
        self._beside: Mapping[str, frozenset[str]] = {}

    def reads(self, knowledge: Knowledge) -> Reads:
        rows = (row for of_class in knowledge.duplicates.allowed.values() for row in of_class)
        asked = dict.fromkeys(condition for row in rows for condition in row.when)
        reads = reads_of(Reads(ingredients=None, person=True), read_by(asked, knowledge))
        self._asking = {analyte: _classes_asking(analyte, knowledge) for analyte in reads.analytes}
        self._beside = {each: _beside(each, knowledge) for each in knowledge.duplicates.classes_of}
        return reads

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        known = knowledge.duplicates
        of_rows = (citation for rows in known.allowed.values() for row in rows for citation in row.citations)
        return dict.fromkeys((*(c for each in known.classes.values() for c in each.citations), *of_rows))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        parts = set(self._several(change.ingredients, state, knowledge))
        for analyte in change.analytes:
            parts.update(self._asking.get(analyte, ()))
        if "stay" in change.person:
            # whether the patient is in hospital decides what is meant by what was ordered or supplied for home
            acting = view_of(state, knowledge).systemic
            parts.update(self._several(acting, state, knowledge))
        return parts

    def _several(self, changed: Iterable[str], state: PatientState, knowledge: Knowledge) -> Iterator[str]:
        """The parts of these ingredients of which there are two orders, or were."""
        view = view_of(state, knowledge)
        standing = view.parts_of(self.id)
        for ingredient in changed:
            yield from view.made_of_acting(
                (self.id, ingredient),
                partial(_twice, ingredient, view.systemic, knowledge),
                self._beside.get(ingredient),
            )
            if standing:
                parts = (_part(of, ingredient) for of in knowledge.duplicates.of(ingredient))
                yield from (part for part in parts if part in standing)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        pairs = list(_pairs(state, knowledge, part))
        if pairs:
            yield _finding(part, pairs, state)


def _beside(ingredient: str, knowledge: Knowledge) -> frozenset[str]:
    """The ingredients whose orders decide whether there are two."""
    return _NONE.union((ingredient,), *(of.members for of in knowledge.duplicates.of(ingredient) if of.kind == "class"))


def _twice(ingredient: str, systemic: Mapping[str, Sequence[Order]], knowledge: Knowledge) -> tuple[str, ...]:
    parts = ((of, _part(of, ingredient)) for of in knowledge.duplicates.of(ingredient))
    return tuple(part for of, part in parts if len(_members(of, part, systemic)) >= _SEVERAL)


def _part(of: DuplicateClass, ingredient: str) -> str:
    """The subject of what is found, too."""
    return of.id if of.kind == "class" else f"{of.id}:{ingredient}"


def _classes_asking(analyte: str, knowledge: Knowledge) -> Collection[str]:
    """The classes that a result of an analyte may make more or less grave."""
    return {
        id_
        for id_, rows in knowledge.duplicates.allowed.items()
        if knowledge.duplicates.classes[id_].kind == "class"
        and any(condition.name == analyte for row in rows for condition in row.when)
    }


class _Judged(NamedTuple):
    """How grave two orders are by ``row``, or by their class where no row holds; ``none`` where that is allowed."""

    severity: Step
    row: Allowed | None
    asked: tuple[Answer, ...]

    @property
    def for_now(self) -> bool:
        """Whether it is allowed, but only for a time."""
        return self.severity == "none" and any(answer.until is not None for answer in self.asked)


class _Pair(NamedTuple):
    """Two orders that are one too many, or may be in time: of which class, by which ingredients, and from when and until when
    they surely act together."""

    of: DuplicateClass
    ingredients: tuple[str, str]
    orders: tuple[Order, Order]
    since: datetime
    until: datetime | None
    judged: _Judged

    @property
    def gravest_first(self) -> tuple[int, bool]:
        return (SEVERITIES.index(self.severity), self.judged.severity == "none")

    @property
    def severity(self) -> Severity:
        return "info" if self.judged.severity == "none" else self.judged.severity


def _pairs(state: PatientState, knowledge: Knowledge, part: str) -> Iterator[_Pair]:
    id_, _, ingredient = part.partition(":")
    of = knowledge.duplicates.classes.get(id_)
    if of is None:
        return
    members = _members(of, part, view_of(state, knowledge).systemic)
    if len(members) < _SEVERAL:
        return
    spans = [(order, _surely_from(order), _surely_until(order)) for order in sorted(members, key=_first)]
    for (one, begins, ends), (other, other_begins, other_ends) in combinations(spans, 2):
        since, until = max(begins, other_begins), earliest((ends, other_ends))
        if until is not None and (until <= state.clock or until - since <= of.grace):
            continue
        for ingredients in _doubled(of, one, other, ingredient, knowledge):
            judged = _judged(of, ingredients, (one, other), state, knowledge)
            if judged.severity != "none" or judged.for_now:
                yield _Pair(of, ingredients, (one, other), since, until, judged)


def _members(of: DuplicateClass, part: str, systemic: Mapping[str, Sequence[Order]]) -> Collection[Order]:
    """The orders that may be a duplicate of a class, or of the one ingredient that the part is about."""
    ingredient = part.partition(":")[2]
    names = (ingredient,) if ingredient else of.members.intersection(systemic)
    return {id(order): order for name in names for order in systemic.get(name, ())}.values()


def _first(order: Order) -> tuple[datetime, str, str, str]:
    return (order.starts, order.source, order.record_id, order.kind)


def _doubled(
    of: DuplicateClass, one: Order, other: Order, ingredient: str, knowledge: Knowledge
) -> Iterator[tuple[str, str]]:
    """The ingredients by which two orders are a duplicate of a class, or of ``ingredient``: of a product that has several only
    the first, so that it is one problem."""
    mine, theirs = set(one.ingredients) & of.members, set(other.ingredients) & of.members
    if of.kind == "class":
        yield from sorted((a, b) for a in mine - theirs for b in theirs - mine)[:1]
    else:
        shared = (each for each in mine & theirs if of.id in knowledge.duplicates.classes_of.get(each, ()))
        if ingredient == min(shared, default=""):
            yield ingredient, ingredient


def _by_days(order: Order) -> bool:
    """Whether a source seems to tell days and no times: an order of whole days that is known from its first moment. Its first
    and its last day may each be a part of a day."""
    end = order.end
    whole = end is not None and end > order.starts and (end - order.starts) % _DAY == timedelta(0)
    return whole and order.stopped is None and order.first_seen == order.starts and not order.starts.second


def _surely_from(order: Order) -> datetime:
    return order.starts + min(_DAY, LAST - order.starts) if _by_days(order) else order.starts


def _surely_until(order: Order) -> datetime | None:
    until = order.acts_until
    return until - _DAY if until is not None and until == order.end and _by_days(order) else until


def _judged(
    of: DuplicateClass,
    ingredients: tuple[str, str],
    orders: tuple[Order, Order],
    state: PatientState,
    knowledge: Knowledge,
) -> _Judged:
    """By the first row that holds."""
    asked: list[Answer] = []
    for row in knowledge.duplicates.allowed.get(of.id, ()):
        for (a, b), (one, other) in ((ingredients, orders), (ingredients[::-1], orders[::-1])):
            if (row.one is not None and a not in row.one) or (row.other is not None and b not in row.other):
                continue
            if not holds(row.how, one, other, state, knowledge) or (row.words and not says_any(one, row.words)):
                continue
            situation = Situation(state=state, knowledge=knowledge, orders=orders, objects=(one,), ingredient=a)
            found = answers(row.when, situation)
            asked += found
            if all_hold(found):
                return _Judged(row.severity, row, tuple(asked))
    return _Judged(of.severity, None, tuple(asked))


def _finding(subject: str, pairs: Sequence[_Pair], state: PatientState) -> Finding:
    gravest = min(pair.gravest_first for pair in pairs)
    shown = [pair for pair in pairs if pair.gravest_first == gravest]
    first = min(shown, key=lambda pair: (pair.since, [order.record_id for order in pair.orders]))
    of, row, severity = first.of, first.judged.row, first.severity
    allowed = row.reason if row is not None and first.judged.severity == "none" else ""
    orders = _orders(shown)
    names = sorted({name for pair in shown for name in pair.ingredients})
    given = _given_of_each(shown, state) if severity in ("critical", "high") else ()
    asked = list({answer.condition.text: answer for pair in shown for answer in pair.judged.asked}.values())
    what = " and ".join(names) if of.kind == "class" else f"{names[0]} in {len(orders)} orders"
    return Finding(
        subject=subject,
        severity=severity,
        summary=f"{what}: {of.title}{', doses of each given' if given else ''}"[:139],
        detail=_detail(first, orders, given, asked),
        actions=of.actions,
        patient_explanation=of.patient_explanation,
        evidence_grade=of.evidence_grade if row is None else row.evidence_grade,
        implicated=(*map(implicate_order, orders), *map(implicate_dose, given)),
        citations=tuple(dict.fromkeys((*of.citations, *(row.citations if row is not None else ())))),
        since=first.since,
        rank=len(orders),
        until=earliest(
            (
                *(pair.until for pair in pairs),
                *(answer.until for pair in pairs for answer in pair.judged.asked),
                leaves_at(state) if any(_for_home(pair) for pair in pairs) else None,
            )
        ),
        origins=tuple(filter(None, (*(order.origin for order in orders), *(dose.origin for dose in given)))),
        conditions=said(asked),
        rows=(f"duplicates/classes.csv#{of.id}", *((row.reference,) if row is not None else ())),
        medicines=tuple(names),
        problem=of.problem if severity != "info" else "",
        held=allowed,
        opens=None if given or allowed else first.since + min(of.grace, LAST - first.since),
        needs_closure=bool(given) and severity == "critical",
    )


def _for_home(pair: _Pair) -> bool:
    """Whether it is excused only as long as the patient is in hospital."""
    return pair.judged.row is not None and "at-home" in pair.judged.row.how


def _orders(pairs: Iterable[_Pair]) -> list[Order]:
    found = {(order.kind, order.source, order.record_id): order for pair in pairs for order in pair.orders}
    return sorted(found.values(), key=_first)


def _given_of_each(pairs: Iterable[_Pair], state: PatientState) -> tuple[Fact[Given], ...]:
    """The last dose of each of two orders, where both were given since the two were in force together."""
    names = OrderNames(state.orders)
    last: dict[str | None, Fact[Given]] = {}
    for dose in sorted(state.doses.values(), key=lambda each: (each.at, each.key)):
        if not dose.void and dose.what.status == "given" and dose.at <= state.clock:
            last[names.key(dose.source, dose.what.order_id)] = dose
    for pair in pairs:
        given = [last.get(thing_key(order.source, order.record_id)) for order in pair.orders]
        since = [dose for dose in given if dose is not None and dose.at >= pair.since]
        if len(since) == _SEVERAL:
            return tuple(since)
    return ()


def _detail(pair: _Pair, orders: Sequence[Order], given: Sequence[Fact[Given]], asked: Sequence[Answer]) -> str:
    unknown = sorted({each.condition.text for each in asked if each.holds is None})
    listed = "; ".join(
        f"{order.label} {order.dosage}".strip() + f" from {said_at(order.starts)}{_end(order)}" for order in orders
    )
    parts = [
        pair.of.effect,
        pair.judged.row.reason if pair.judged.row is not None else "",
        f"In force together since {said_at(pair.since)}: {listed}",
        f"Given: {'; '.join(f'{dose.what.label} at {said_at(dose.at)}' for dose in given)}" if given else "",
        "Times are told by days only, so that the first and the last day are not counted"
        if any(map(_by_days, orders))
        else "",
        f"Not known: {', '.join(unknown)}" if unknown else "",
        "Not known: whether both are taken" if not given else "",
    ]
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def _end(order: Order) -> str:
    return f" to {said_at(order.end)}" if order.end is not None else ""
