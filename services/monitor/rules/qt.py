"""A long QTc as measured, and the Tisdale score, with the medicines in force that prolong QT (``drug_labs/qtc.csv``).

Pairs of such medicines are for the rules of interactions; this one looks at the heart. The score counts what is known, and tells
how far it could go with what is not. A wide QRS lengthens QTc by itself: one step milder, and said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from knowledge.conditions import Conditions
from knowledge.lab_finding import QtcStep
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.alerts import Implicated
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.fact import Fact, Measure
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, all_hold, answers, earliest, read_by, reads_of, said
from services.monitor.rules.diagnosed import groups_of, tells
from services.monitor.rules.dosed import milder
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import WHOLE, Finding, Reads
from services.monitor.rules.score import Part, Score, band, cited, points, weighed
from services.monitor.rules.view import view_of

PROLONGING, SCORE = "qt-prolonging", "tisdale"
_MILLISECONDS = {"ms": 1.0, "msec": 1.0, "s": 1000.0, "sec": 1000.0}
_ELECTROLYTES = ("potassium", "magnesium", "calcium")
_PERSON = ("qtc", "qrs", "stay")
_HISTORY = frozenset({"history"})


class Qt:
    """One finding for each patient."""

    id = "qt"
    version = "1"
    family = "heart"
    title = "Long QTc, or at risk of it"
    data = (
        "drug_labs/qtc.csv", "drug_labs/scores.csv", "drug_labs/score_bands.csv", "drug_labs/numbers.csv", "properties/qt.csv",
    )  # fmt: skip

    def __init__(self) -> None:
        self._groups: tuple[Knowledge, frozenset[str]] | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        if not knowledge.lab_findings.qtc:
            return Reads()
        own = Reads(ingredients=knowledge.properties.get(PROLONGING, {}).keys(), person=_PERSON)
        return reads_of(own, read_by(chain.from_iterable(_all_asked(knowledge)), knowledge))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        steps = (step.citations for step in knowledge.lab_findings.qtc)
        return dict.fromkeys((*chain.from_iterable(steps), *cited(SCORE, knowledge)))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        if (
            change.person == _HISTORY
            and not (change.analytes or change.medicines)
            and not self._tells(change, knowledge)
        ):
            return ()
        standing = any(each.rule == self.id for each in state.standing.values())
        prolonging = view_of(state, knowledge).having(PROLONGING)
        if change.given and not (change.ordered or change.analytes or change.person):
            # a dose tells nothing but that time has passed: an order that was to begin later may have begun
            here = not standing and any(each.starts > each.said_at for each in prolonging)
        else:
            here = standing or bool(prolonging) or any(_qtcs(state))
        return (WHOLE,) if here else ()

    def _tells(self, change: Change, knowledge: Knowledge) -> bool:
        if self._groups is None or self._groups[0] is not knowledge:
            self._groups = (knowledge, groups_of(_all_asked(knowledge)))
        return tells(change, self._groups[1], knowledge)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        if not knowledge.lab_findings.qtc:
            return
        heart = _heart(state, knowledge)
        if not heart.medicines and heart.qtc is None:
            return
        score = _score(heart, state, knowledge)
        held = list(_held(heart, score, state, knowledge))
        if held:
            yield _finding(min(held, key=lambda each: SEVERITIES.index(each.severity)), heart, score, state, knowledge)


def _all_asked(knowledge: Knowledge) -> Iterator[Conditions]:
    yield from (each.when for each in knowledge.thresholds.scores if each.score == SCORE)
    yield from (step.when for step in knowledge.lab_findings.qtc)


class _Qtc(NamedTuple):
    """``method``: by which formula, as far as it is said."""

    at: datetime
    milliseconds: float
    method: str
    fact: Fact[Measure]


class _Heart(NamedTuple):
    """``qtc``: the newest that says how the heart is now; ``baseline``: the lowest before it that compares; ``qrs`` in ms."""

    medicines: tuple[str, ...]
    orders: tuple[Order, ...]
    qtc: _Qtc | None
    baseline: _Qtc | None
    qrs: float | None
    wide: bool


class _Held(NamedTuple):
    step: QtcStep
    severity: Severity
    answers: tuple[Answer, ...]


def _heart(state: PatientState, knowledge: Knowledge) -> _Heart:
    known = knowledge.lab_findings
    orders = tuple(each for each in view_of(state, knowledge).having(PROLONGING) if each.in_force(state.clock))
    members = knowledge.properties.get(PROLONGING, {})
    names = {name for order in orders for name in order.ingredients if name in members}
    measured = list(_qtcs(state))
    newest = measured[-1] if measured else None
    starts = min((order.starts for order in orders), default=None)
    if newest is None or (starts is not None and starts - newest.at > known.span("qtc-fresh")):
        return _Heart(tuple(sorted(names)), orders, None, None, None, wide=False)
    comparable = [
        each
        for each in measured[:-1]
        if each.method == newest.method and newest.at - each.at <= known.span("qtc-baseline") and each.at < newest.at
    ]
    baseline = min(comparable, key=lambda each: (each.milliseconds, each.at), default=None)
    qrs = _qrs(newest.at, state, known.span("ecg-together"))
    wide = qrs is not None and qrs >= known.value("qrs-wide")
    return _Heart(tuple(sorted(names)), orders, newest, baseline, qrs, wide)


def _qtcs(state: PatientState) -> Iterator[_Qtc]:
    """Measured up to now, oldest first."""
    ours = [each for each in state.measures.values() if each.what.kind == "qtc"]
    for fact in sorted(ours, key=lambda each: (each.at, each.key)):
        milliseconds = _milliseconds(fact, "qtc")
        if milliseconds is not None and fact.at <= state.clock:
            yield _Qtc(fact.at, milliseconds, fact.what.method, fact)


def _qrs(at: datetime, state: PatientState, within: timedelta) -> float | None:
    found = [
        fact
        for fact in state.measures.values()
        if fact.what.kind == "qrs" and _milliseconds(fact, "qrs") is not None and abs(fact.at - at) <= within
    ]
    nearest = min(found, key=lambda fact: (abs(fact.at - at), fact.key), default=None)
    return None if nearest is None else _milliseconds(nearest, "qrs")


def _milliseconds(fact: Fact[Measure], kind: str) -> float | None:
    factor = _MILLISECONDS.get(fact.what.unit.strip().lower())
    if fact.void or fact.what.kind != kind or fact.what.value is None or factor is None:
        return None
    return fact.what.value * factor


def _score(heart: _Heart, state: PatientState, knowledge: Knowledge) -> Score:
    each = (0, *points(SCORE, "QT medicines", knowledge))
    taken = each[min(len(heart.medicines), len(each) - 1)]
    medicines = Part("QT medicines", taken, taken, ", ".join(heart.medicines) or "none")
    computed = {"QT medicines": medicines, "admission QTc": _at_admission(state, knowledge)}
    return weighed(SCORE, state, knowledge, computed)


def _at_admission(state: PatientState, knowledge: Knowledge) -> Part:
    """By the first QTc of the stay; without a known admission by the first that is known."""
    known = knowledge.lab_findings
    admitted = known_or(state.stay.admitted_at, None) if state.stay is not None else None
    since = None if admitted is None else admitted - known.span("ecg-together")
    first = next((each for each in _qtcs(state) if since is None or each.at >= since), None)
    most = points(SCORE, "admission QTc", knowledge)[-1]
    if first is None:
        return Part("admission QTc", 0, most, "none known")
    got = most if first.milliseconds >= known.value("qtc-admission") else 0
    return Part("admission QTc", got, got, _said(first))


def _held(heart: _Heart, score: Score, state: PatientState, knowledge: Knowledge) -> Iterator[_Held]:
    """The first row of each kind that holds."""
    of = Situation(state=state, knowledge=knowledge)
    told: set[str] = set()
    for step in knowledge.lab_findings.qtc:
        if step.met in told or len(heart.medicines) < step.medicines_from or not _met(step, heart, score, knowledge):
            continue
        found = answers(step.when, of)
        if all_hold(found):
            told.add(step.met)
            severity = step.severity or band(SCORE, score.low, knowledge).severity
            yield _Held(step, milder(severity) if heart.wide and step.met != "score" else severity, found)


def _met(step: QtcStep, heart: _Heart, score: Score, knowledge: Knowledge) -> bool:
    known, qtc = knowledge.lab_findings, heart.qtc
    match step.met:
        case "long":
            return qtc is not None and qtc.milliseconds > known.value("qtc-long")
        case "rise":
            return (
                qtc is not None
                and heart.baseline is not None
                and qtc.milliseconds - heart.baseline.milliseconds > known.value("qtc-rise")
            )
    # a low risk is nothing to tell
    return band(SCORE, score.low, knowledge).points_from > 0


def _finding(held: _Held, heart: _Heart, score: Score, state: PatientState, knowledge: Knowledge) -> Finding:
    step, qtc = held.step, heart.qtc
    measured = step.met != "score" and qtc is not None
    of_score = tuple(each for part in score.parts for each in part.answers)
    asked = (*held.answers, *of_score)
    facts = (*map(implicate_order, heart.orders), *(fact for each in asked for fact in each.facts))
    later = (each.starts for each in view_of(state, knowledge).having(PROLONGING) if each.starts > state.clock)
    ends = (order.acts_until for order in heart.orders)
    starts = [order.starts for order in heart.orders]
    score_cited = cited(SCORE, knowledge) if not measured else ()
    return Finding(
        subject="qt",
        severity=held.severity,
        summary=_summary(step, heart, score),
        detail=" ".join(_detail(step, heart, score, state, knowledge)),
        actions=step.actions,
        patient_explanation=step.patient_explanation,
        evidence_grade=step.evidence_grade,
        implicated=tuple(dict.fromkeys((*_implicated(heart), *facts))),
        citations=tuple(dict.fromkeys((*step.citations, *score_cited))),
        since=max([qtc.at, min(starts, default=qtc.at)] if measured and qtc is not None else starts),
        rank=round((qtc.milliseconds if measured and qtc is not None else 0.0) + score.low, 3),
        until=earliest((*ends, *later, *(each.until for each in asked))),
        conditions=(*_asked(heart, score), *said(held.answers), *said(of_score)),
        rows=(step.row,),
        medicines=heart.medicines,
        # a risk does not speak for what the labels of two medicines forbid
        problem="qt" if measured else "",
        origins=tuple(order.origin for order in heart.orders if order.origin is not None),
    )


def _implicated(heart: _Heart) -> Iterator[Implicated]:
    for each in (heart.qtc, heart.baseline):
        if each is not None:
            yield Implicated(
                kind="observation",
                source=each.fact.source,
                record_id=each.fact.record_id,
                version=each.fact.precedence[0],
                label=f"QTc {each.method}".strip(),
                at=each.at,
                value=each.milliseconds,
                unit="ms",
            )


def _summary(step: QtcStep, heart: _Heart, score: Score) -> str:
    names = _named(heart.medicines)
    if step.met == "score" or heart.qtc is None:
        return f"Risk of long QT with {names}: Tisdale score {score.said}"[:139]
    rose = f", {heart.baseline.milliseconds:.0f} before" if heart.baseline is not None else ""
    wide = " with a wide QRS" if heart.wide else ""
    return f"QTc {heart.qtc.milliseconds:.0f} ms{rose}{wide}, with {names}"[:139]


def _named(medicines: Sequence[str]) -> str:
    more = f" and {len(medicines) - 3} more" if len(medicines) > 3 else ""
    return f"{', '.join(medicines[:3])}{more}" or "no QT-prolonging medicine known"


def _detail(step: QtcStep, heart: _Heart, score: Score, state: PatientState, knowledge: Knowledge) -> Iterator[str]:
    yield f"{step.title[:1].upper()}{step.title[1:]}. {step.effect}"
    if heart.qtc is not None:
        yield f"QTc {_said(heart.qtc)}."
        if not heart.qtc.method:
            yield "The formula is not said; Bazett's gives too much with a fast heart."
    if heart.baseline is not None:
        yield f"Before: {_said(heart.baseline)}."
    if heart.wide:
        yield f"QRS {heart.qrs:.0f} ms is wide, which lengthens QTc without longer repolarization; measure JT or correct for it."
    if heart.medicines:
        yield f"QT-prolonging by its label, in force: {', '.join(heart.medicines)}."
    title = band(SCORE, score.low, knowledge).title
    yield f"Tisdale score {score.said} ({title} by what is known): {score.told}."
    for name in _ELECTROLYTES:
        newest = state.newest(name)
        if newest is not None and newest.sure:
            yield f"{name.capitalize()} {newest.value:g} {newest.unit} at {said_at(newest.at)}."
    unknown = [name for name in _ELECTROLYTES if (each := state.newest(name)) is None or not each.sure]
    unknown += [] if heart.qtc is not None else ["a QTc of now"]
    unknown += [] if heart.qrs is not None or heart.qtc is None else ["the width of QRS"]
    unknown += [name for name in score.unknown if name not in unknown]
    if unknown:
        yield f"Not known: {', '.join(unknown)}."


def _said(qtc: _Qtc) -> str:
    return " ".join(filter(None, (f"{qtc.milliseconds:.0f} ms", qtc.method, f"at {said_at(qtc.at)}")))


def _asked(heart: _Heart, score: Score) -> Iterator[ConditionSaid]:
    if heart.qtc is None:
        yield ConditionSaid(text="QTc measured", answer="unknown", found="none of now")
    else:
        yield ConditionSaid(text="QTc measured", answer="yes", found=_said(heart.qtc))
    found = ", ".join(heart.medicines) or "none in force"
    yield ConditionSaid(text=f"with {PROLONGING}", answer="yes" if heart.medicines else "no", found=found)
    yield ConditionSaid(text="Tisdale score", answer="yes" if not score.unknown else "unknown", found=score.said)
