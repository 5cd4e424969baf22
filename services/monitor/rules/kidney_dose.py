"""Doses and contraindications by the kidney (``dosing/renal.csv``), at the order and again when the kidney changes.

The clearance is that of the formula the label goes by. Where a weight or a sex is missing it is told as "at most", and what is
not beyond a limit even so makes no alert: nobody is called for a guess.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from knowledge.dose import HepaticStep, RenalStep
from knowledge.model import Knowledge
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.bounds import LAST
from services.monitor.patient.change import Change
from services.monitor.patient.clock import said_at
from services.monitor.patient.estimates import STEADY
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, earliest, said
from services.monitor.rules.dose_step import Met, met
from services.monitor.rules.dosed import Parts, at_most, indicated_by
from services.monitor.rules.evidence import implicate_order, implicate_result, value_of
from services.monitor.rules.filtering import DIALYSIS, Clearing, clearing, creatinine, on_dialysis
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.view import View, view_of

_SUMMARY = 139
CKD_EPI_POWER = 1.2
"""That of creatinine in the formula, above what is normal: enough to say since when an eGFR is low."""
_ADJUSTED = ("limit", "reduce")
_PERSON = ("age", "said", "weight", "height")


class KidneyDose:
    """One finding for each medicine, whatever number of orders and steps; a part is a medicine."""

    id = "kidney-dose"
    version = "1"
    family = "kidney dose"
    title = "A dose, or a medicine, that the kidney does not allow"
    data = ("dosing/renal.csv", "dosing/dose_numbers.csv", "dosing/dose_findings.csv")

    def __init__(self) -> None:
        self._parts: Parts | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        return self._parts_of(knowledge).reads

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(c for steps in knowledge.doses.renal.values() for step in steps for c in step.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return self._parts_of(knowledge).touched(change, state, knowledge, self.id)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        view = view_of(state, knowledge)
        newest = creatinine(state)
        if part not in view.by_ingredient:
            return
        dialysis = on_dialysis(state, knowledge)
        if newest is None and not any(each.holds for each in dialysis):
            return
        cases = sorted(_cases(part, dialysis, view), key=_gravest_first)
        if cases:
            yield _finding(part, cases, newest, view)

    def _parts_of(self, knowledge: Knowledge) -> Parts:
        if self._parts is None or self._parts.knowledge is not knowledge:
            rows = {name: [step.when for step in steps] for name, steps in knowledge.doses.renal.items()}
            always = Reads(analytes={"creatinine": STEADY}, person=_PERSON, doses=False)
            groups = {
                name: DIALYSIS.union(*(indicated_by(step.indication) for step in steps))
                for name, steps in knowledge.doses.renal.items()
            }
            self._parts = Parts(rows, knowledge, always, groups=groups)
        return self._parts


class _Case(Struct, frozen=True, kw_only=True):
    """A step that is met, by which clearance or because of ``dialysis``. ``guess``: the age is not known."""

    met: Met
    severity: Severity
    clearing: Clearing | None
    dialysis: bool
    asked: tuple[Answer, ...]
    guess: bool = False


def _gravest_first(case: _Case) -> tuple[int, bool, float, datetime, str]:
    order = case.met.order
    return (SEVERITIES.index(case.severity), not case.met.surely, -case.met.ratio, order.starts, order.record_id)


def _cases(ingredient: str, dialysis: tuple[Answer, ...], view: View) -> Iterator[_Case]:
    steps = view.knowledge.doses.renal.get(ingredient, ())
    runs, listed = (each.holds is True for each in dialysis)
    known = {step.formula: clearing(step.formula, view.state, view.knowledge) for step in steps}
    own = any(_says_dialysis(step) for step in steps)
    for step in steps:
        found = known[step.formula]
        # a diagnosis from an earlier stay, and a kidney that clears since
        depends = runs or (listed and (found is None or step.range is None or found.estimate.value <= step.range.high))
        if depends:
            # what dialysis leaves is the lowest band, unless the label has a dose for it
            applies = _says_dialysis(step) if own else step.range is not None and step.range.low == 0
        else:
            applies = found is not None and not _says_dialysis(step) and _in_range(step, found)
        for order in view.by_ingredient[ingredient] if applies else ():
            case = met(step, order, view)
            if case is not None:
                yield from _case(case, found, dialysis, view.knowledge, depends=depends, own=own)


def _case(
    found: Met,
    clearing: Clearing | None,
    dialysis: tuple[Answer, ...],
    knowledge: Knowledge,
    *,
    depends: bool,
    own: bool,
) -> Iterator[_Case]:
    severity = found.severity
    if depends:
        if found.step.step != "contraindicated" and not own:
            severity = at_most(severity, "moderate")
        yield _Case(met=found, severity=severity, clearing=None, dialysis=True, asked=dialysis)
        return
    assert clearing is not None
    guess = "age" in clearing.missing
    if guess and found.step.severity not in ("critical", "high"):
        return
    if clearing.missing:
        severity = at_most(severity, "info" if guess else "high")
    if found.step.step == "reduce" and not _far_below(found.step, clearing, knowledge):
        severity = at_most(severity, "moderate")
    if clearing.course == "falling" and found.step.step in _ADJUSTED:
        severity = at_most(severity, "moderate")
    yield _Case(met=found, severity=severity, clearing=clearing, dialysis=False, asked=dialysis, guess=guess)


def _far_below(step: RenalStep | HepaticStep, clearing: Clearing, knowledge: Knowledge) -> bool:
    assert isinstance(step, RenalStep)
    limit = knowledge.dose_findings.numbers["far-below"]
    return step.range is not None and clearing.estimate.value < limit * step.range.high


def _says_dialysis(step: RenalStep) -> bool:
    return any(each.kind == "trait" and each.name == "dialysis" for each in step.when)


def _in_range(step: RenalStep, found: Clearing) -> bool:
    if step.range is None or (found.missing and step.range.high == float("inf")):
        return False
    return step.range.holds(found.estimate.value)


def _finding(ingredient: str, cases: Sequence[_Case], newest: Result | None, view: View) -> Finding:
    case = cases[0]
    step = case.met.step
    assert isinstance(step, RenalStep)
    texts = view.knowledge.dose_findings.texts
    text = texts["kidney-unknown" if case.guess else "kidney"]
    orders = _involved([each for each in cases if each.severity == case.severity])
    since = _since(case, step, view.state)
    results = [newest, None if case.clearing is None else case.clearing.before]
    asked = (*case.met.asked, *case.asked)
    return Finding(
        subject=ingredient,
        severity=case.severity,
        summary=_summary(ingredient, case),
        detail=" ".join(_detail(ingredient, case, newest)),
        actions=(*text.actions, *step.actions),
        patient_explanation=text.patient_explanation,
        evidence_grade=step.evidence_grade,
        implicated=(*map(implicate_order, orders), *(implicate_result(each) for each in results if each is not None)),
        citations=tuple(dict.fromkeys((*step.citations, *text.citations))),
        since=since,
        rank=case.met.ratio,
        origins=tuple(each.origin for each in (*orders, *results) if each is not None and each.origin is not None),
        until=earliest((*(each.met.order.acts_until for each in cases), *(each.until for each in asked))),
        conditions=(*_band_said(step, case), *said(asked)),
        rows=(step.row,),
        medicines=(ingredient,),
        problem=step.problem or f"{ingredient}:kidney",
        opens=_opens(case, since, view.knowledge),
    )


def _since(case: _Case, step: RenalStep, state: PatientState) -> datetime:
    """Since when the order acts and creatinine, in an unbroken run up to now, puts the kidney below the upper end of the step."""
    since, found = case.met.order.starts, case.clearing
    if found is None or step.range is None or found.creatinine.value is None:
        return since
    begins = found.creatinine.at
    power = CKD_EPI_POWER if step.formula == "egfr" else 1
    for result in reversed(state.results.get("creatinine", ())):
        if result.sure and result.value:
            if found.estimate.value * (found.creatinine.value / result.value) ** power > step.range.high:
                break
            begins = min(begins, result.at)
    return max(since, begins)


def _involved(cases: Iterable[_Case]) -> list[Order]:
    found = {(o.kind, o.source, o.record_id): o for o in (case.met.order for case in cases)}
    return sorted(found.values(), key=lambda o: (o.starts, o.source, o.record_id, o.kind))


def _opens(case: _Case, since: datetime, knowledge: Knowledge) -> datetime | None:
    """The next round adjusts most doses by itself."""
    if case.severity in ("critical", "high"):
        return None
    grace = timedelta(hours=knowledge.dose_findings.numbers["grace"])
    return since + min(grace, LAST - since)


def _summary(ingredient: str, case: _Case) -> str:
    kidney = "dialysis" if case.clearing is None else case.clearing.in_words
    if case.guess:
        return f"{ingredient}: the kidney cannot be judged without the age; {kidney}"[:_SUMMARY]
    words = case.met.words if case.met.surely else f"dose of a day not known, {case.met.words}"
    return f"{ingredient} at {kidney}: {words}"[:_SUMMARY]


def _detail(ingredient: str, case: _Case, newest: Result | None) -> Iterator[str]:
    order, step, found = case.met.order, case.met.step, case.clearing
    if found is not None and isinstance(step, RenalStep) and step.range is not None:
        estimate = found.estimate
        weight = f", by weight: {estimate.weight}" if estimate.weight and "weight" not in found.missing else ""
        why = f", because it is not known: {', '.join(found.missing)}" if found.missing else ""
        yield f"{_sentence(found.in_words)} ({estimate.formula}{weight}{why})."
        yield f"{_sentence(case.met.words)}, for the range {step.range.text}."
    else:
        yield f"On dialysis: {ingredient}: {case.met.words}."
    if newest is not None:
        yield f"Creatinine {value_of(newest)} at {said_at(newest.at)}, {_which_came_later(order, newest)}."
    if found is not None and found.course != "steady":
        better = "rising, so the kidney is worse than the estimate says"
        worse = "falling, so the kidney may be better than the estimate says"
        yield f"The estimate is not reliable: creatinine is {better if found.course == 'rising' else worse}."
    if case.dialysis:
        yield "How much of it dialysis takes out, and when, is not known."
    elif all(each.holds is None for each in case.asked):
        yield "Not known: whether the patient is on dialysis."
    if case.met.unknown:
        yield f"Not known: {'; '.join(case.met.unknown)}."


def _sentence(words: str) -> str:
    return words if words.startswith("eGFR") else f"{words[:1].upper()}{words[1:]}"


def _which_came_later(order: Order, newest: Result) -> str:
    begins = said_at(order.starts)
    if newest.at > order.starts:
        return f"after the order of {begins}: the kidney has changed under it"
    return f"known before the order of {begins}"


def _band_said(step: RenalStep, case: _Case) -> Iterator[ConditionSaid]:
    if case.clearing is not None and step.range is not None:
        name = "egfr" if step.formula == "egfr" else "crcl"
        yield ConditionSaid(text=f"{name} {step.range.text}", answer="yes", found=case.clearing.in_words)
