"""Liver injury by Hy's law and the rules to stop (``drug_labs/liver_injury.csv``), with the medicines that can hurt the liver.

Values are multiples of the upper limit of normal, the usual one of ``drug_labs/upper_limits.csv``: the range of the laboratory
is not kept. Tests count together when they were drawn within days of one another. Without a medicine that is known to hurt
the liver it is for the list, because every medicine may.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import NamedTuple

from knowledge.model import Knowledge
from knowledge.threshold import LiverStep
from schemas.alerts import Condition as ConditionSaid
from schemas.values import SEVERITIES, Citation, Severity
from services.monitor.patient.bounds import LAST, Need
from services.monitor.patient.change import Change
from services.monitor.patient.clock import earlier, later, said_at
from services.monitor.patient.liver import pattern, r_value
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import earliest
from services.monitor.rules.dosed import milder
from services.monitor.rules.evidence import implicate_order, implicate_result, value_of
from services.monitor.rules.rule import WHOLE, Finding, Reads
from services.monitor.rules.view import view_of

HEPATOTOXIC = "hepatotoxic"
_ALT, _AST, _ALP, _BILIRUBIN, _INR = "ALT", "AST", "alkaline phosphatase", "bilirubin", "INR"
_TESTS = (_ALT, _AST, _ALP, _BILIRUBIN, _INR)
_TOLD_WITHIN = timedelta(days=1)
_LIVERS = ("cirrhosis", "severe-liver-disease")
_RAISE_INR = ("vitamin-k-antagonist", "doac", "direct-thrombin-inhibitor")
"""With these an INR says nothing of the liver."""


class LiverInjury:
    """One finding for each patient."""

    id = "liver-injury"
    version = "1"
    family = "liver"
    title = "Liver injury"
    data = ("drug_labs/liver_injury.csv", "drug_labs/upper_limits.csv", "drug_labs/numbers.csv", "properties/liver.csv")

    def reads(self, knowledge: Knowledge) -> Reads:
        """Enzymes for as long as a row asks; of the others the newest, and one to fall back on."""
        steps = knowledge.thresholds.liver
        if not steps or not knowledge.lab_findings.numbers:
            return Reads()
        longest = max((step.for_over_days or 0.0 for step in steps), default=0.0)
        course = Need(newest=2, within=timedelta(days=longest) + knowledge.lab_findings.span("liver-together"))
        needs = dict.fromkeys(_TESTS, Need(newest=2)) | dict.fromkeys((_ALT, _AST), course)
        named = (knowledge.properties.get(name, {}) for name in (HEPATOTOXIC, *_RAISE_INR))
        return Reads(ingredients=frozenset(chain(*named)), analytes=needs, person=True)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(chain.from_iterable(step.citations for step in knowledge.thresholds.liver))

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        analytes = state.results.keys() | change.analytes
        return (WHOLE,) if _ALT in analytes or _AST in analytes else ()

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        if not knowledge.lab_findings.numbers:
            return
        tests = _tests(state, knowledge)
        if tests is None:
            return
        found = [
            (step, _opens(step, tests, state, knowledge))
            for step in knowledge.thresholds.liver
            if _holds(step, tests, state, knowledge)
        ]
        if found:
            told = [each for each in found if each[1] is None] or found
            step, opens = min(told, key=lambda each: SEVERITIES.index(each[0].severity))
            yield _finding(step, tests, state, knowledge, opens, earliest(waits for _, waits in found))


class _Tests(NamedTuple):
    """``enzyme``: ALT or AST, whichever is higher against its limit; ``times``: each test of the same days as a multiple of its
    limit (an INR as it is)."""

    enzyme: str
    times: Mapping[str, float]
    results: Mapping[str, Result]

    @property
    def newest(self) -> datetime:
        return max(each.at for each in self.results.values())


class _Named(NamedTuple):
    """Medicines that can hurt the liver: in force, or ended not long ago."""

    now: tuple[str, ...]
    ended: tuple[str, ...]
    orders: tuple[Order, ...]
    until: datetime | None


def _tests(state: PatientState, knowledge: Knowledge) -> _Tests | None:
    limits = dict(knowledge.thresholds.upper_limits)
    if not _anticoagulated(state, knowledge):
        limits[_INR] = 1.0
    newest = {
        name: result
        for name in _TESTS
        if name in limits
        and (result := next((each for each in reversed(state.results.get(name, ())) if each.sure), None)) is not None
        and result.value is not None
    }
    times = {name: (result.value or 0.0) / limits[name] for name, result in newest.items()}
    enzymes = [name for name in (_ALT, _AST) if name in times]
    if not enzymes:
        return None
    latest = max(newest[name].at for name in enzymes)
    together = knowledge.lab_findings.span("liver-together")
    fresh = {name: result for name, result in newest.items() if abs(result.at - latest) <= together}
    enzyme = max((name for name in enzymes if name in fresh), key=lambda name: times[name])
    return _Tests(enzyme, {name: times[name] for name in fresh}, fresh)


def _anticoagulated(state: PatientState, knowledge: Knowledge) -> tuple[str, ...]:
    """What makes an INR that of a medicine: it acts, or ended within the days in which tests count together."""
    members = frozenset(chain(*(knowledge.properties.get(name, {}) for name in _RAISE_INR)))
    since = earlier(state.clock, knowledge.lab_findings.span("liver-together"))
    found = {
        name
        for order in (*state.orders.values(), *state.supplies.values())
        if not order.void and order.starts <= state.clock and (order.acts_until is None or order.acts_until > since)
        for name in order.ingredients
        if name in members
    }
    return tuple(sorted(found))


def _holds(step: LiverStep, tests: _Tests, state: PatientState, knowledge: Knowledge) -> bool:
    """A test that is not known is no yes, but for alkaline phosphatase: it only excuses, and the finding says so."""
    times = tests.times
    if not times[tests.enzyme] > step.enzyme_over:
        return False
    if step.bilirubin_over is not None and not times.get(_BILIRUBIN, 0.0) > step.bilirubin_over:
        return False
    if step.inr_over is not None and not times.get(_INR, 0.0) > step.inr_over:
        return False
    under = step.alkaline_phosphatase_under
    if under is not None and _ALP in times and not times[_ALP] < under:
        return False
    return step.for_over_days is None or _lasts(step, tests, state, knowledge)


def _opens(step: LiverStep, tests: _Tests, state: PatientState, knowledge: Knowledge) -> datetime | None:
    """Until when alkaline phosphatase, which excuses, is waited for; None when it is not. It counts from when the other tests
    were first told to be over their limits, so that what has been told is not taken back by the next panel."""
    if step.alkaline_phosphatase_under is None or _ALP in tests.times:
        return None
    over = {tests.enzyme: step.enzyme_over, _BILIRUBIN: step.bilirubin_over}
    began = max(_told(name, limit, state, knowledge) for name, limit in over.items() if limit is not None)
    opens = later(began, knowledge.lab_findings.span("liver-panel"))
    return opens if opens > state.clock else None


def _told(name: str, limit: float, state: PatientState, knowledge: Knowledge) -> datetime:
    """When a test, which is over its limit, was first told to be, with all results since. A time of telling long after the
    specimen is that of an old record."""
    began = LAST
    for each in reversed([result for result in state.results[name] if result.sure]):
        if not (each.value or 0.0) / knowledge.thresholds.upper_limits[name] > limit:
            break
        told = datetime.fromtimestamp(each.precedence[1], UTC)
        began = told if each.at < told <= later(each.at, _TOLD_WITHIN) else each.at
    return began


def _lasts(step: LiverStep, tests: _Tests, state: PatientState, knowledge: Knowledge) -> bool:
    """Whether one of the enzymes has been over the limit in every result for longer than the row says."""
    assert step.for_over_days is not None
    for name in (_ALT, _AST):
        limit = knowledge.thresholds.upper_limits.get(name)
        course = [each for each in state.results.get(name, ()) if each.sure and each.value is not None]
        if limit is None or name not in tests.times:
            continue
        began: datetime | None = None
        for each in reversed(course):
            if not (each.value or 0.0) / limit > step.enzyme_over:
                break
            began = each.at
        if began is not None and course[-1].at - began > timedelta(days=step.for_over_days):
            return True
    return False


def _named(state: PatientState, knowledge: Knowledge) -> _Named:
    members = knowledge.properties.get(HEPATOTOXIC, {})
    view, clock = view_of(state, knowledge), state.clock
    after = knowledge.lab_findings.span("liver-after")
    now = [order for order in view.having(HEPATOTOXIC) if order.in_force(clock)]
    here = {name for order in now for name in order.ingredients if name in members}
    ended: dict[str, Order] = {}
    waits = [order.acts_until for order in now]
    waits += [order.starts for order in view.having(HEPATOTOXIC) if order.starts > clock]
    for order in (*state.orders.values(), *state.supplies.values()):
        until = order.said_at if order.held else order.acts_until
        if until is None or not order.starts < until <= clock or order.void or clock - until > after:
            continue
        for name in order.ingredients:
            if name in members and name not in here and (order.systemic or members[name].applies == "any"):
                ended[name] = order
                waits.append(until + min(after, LAST - until) + timedelta(microseconds=1))
    orders = tuple({id(order): order for order in (*now, *ended.values())}.values())
    return _Named(tuple(sorted(here)), tuple(sorted(ended)), orders, earliest(waits))


def _severity(step: LiverStep, tests: _Tests, named: _Named, state: PatientState, knowledge: Knowledge) -> Severity:
    """One step milder for each reason to look elsewhere first."""
    severity = step.severity if named.now or named.ended else milder(step.severity)
    severity = milder(severity) if _listed(state, knowledge) else severity
    return milder(severity) if _spared(tests) else severity


def _listed(state: PatientState, knowledge: Knowledge) -> list[str]:
    """Liver disease that is known: the limits are made for a liver that was well."""
    groups = view_of(state, knowledge).groups
    return [name.replace("-", " ") for name in _LIVERS if name in groups]


def _spared(tests: _Tests) -> bool:
    """Whether AST is high and ALT is normal: that comes from muscle, heart or blood."""
    return tests.enzyme == _AST and _ALT in tests.times and tests.times[_ALT] <= 1


def _finding(
    step: LiverStep,
    tests: _Tests,
    state: PatientState,
    knowledge: Knowledge,
    opens: datetime | None,
    waits: datetime | None,
) -> Finding:
    named = _named(state, knowledge)
    results = tuple(tests.results.values())
    medicines = (*named.now, *named.ended)
    return Finding(
        subject="liver-injury",
        severity=_severity(step, tests, named, state, knowledge),
        summary=_summary(step, tests, medicines),
        detail=" ".join(_detail(step, tests, named, state, knowledge)),
        actions=step.actions,
        patient_explanation=step.patient_explanation,
        evidence_grade=step.evidence_grade,
        implicated=(*map(implicate_result, results), *map(implicate_order, named.orders)),
        citations=step.citations,
        since=tests.newest,
        rank=round(tests.times[tests.enzyme] + tests.times.get(_BILIRUBIN, 0.0), 3),
        origins=tuple(each.origin for each in results if each.origin is not None),
        until=earliest((named.until, waits)),
        conditions=tuple(_asked(step, tests)),
        rows=(f"drug_labs/liver_injury.csv#{step.rule},{step.enzyme_over:g}",),
        medicines=medicines,
        problem="liver-injury",
        opens=opens,
    )


def _summary(step: LiverStep, tests: _Tests, medicines: tuple[str, ...]) -> str:
    values = [f"{name} {_times(tests.times[name])}" for name in (tests.enzyme, _BILIRUBIN) if name in tests.times]
    if step.inr_over is not None:
        values.append(f"INR {tests.times[_INR]:.3g}")
    law = " (Hy's law)" if step.bilirubin_over is not None else ""
    said = f"Liver injury{law}: {', '.join(values)}"
    for shown in range(len(medicines), 0, -1):
        more = f" and {len(medicines) - shown} more" if shown < len(medicines) else ""
        whole = f"{said}; with {', '.join(medicines[:shown])}{more}"
        if len(whole) <= 139:
            return whole
    return f"{said}; no medicine known to hurt the liver"[:139]


def _times(value: float) -> str:
    return f"{value:.2g} x ULN" if value < 10 else f"{value:.0f} x ULN"


def _detail(step: LiverStep, tests: _Tests, named: _Named, state: PatientState, knowledge: Knowledge) -> Iterator[str]:
    yield f"{step.title[:1].upper()}{step.title[1:]}. {step.effect}"
    yield "; ".join(f"{name} {_at(result)}" for name, result in tests.results.items()) + "."
    if _spared(tests):
        yield "ALT is normal: AST alone may come from muscle, heart or broken red cells; ask for creatine kinase."
    else:
        yield from _pattern(tests, knowledge)
    anticoagulants = _anticoagulated(state, knowledge)
    if anticoagulants:
        yield f"INR does not count: {', '.join(anticoagulants)}."
    yield from _course(tests, state)
    if named.now:
        yield f"Able to hurt the liver, in force: {', '.join(named.now)}."
    if named.ended:
        yield f"Able to hurt the liver, ended in the last weeks: {', '.join(named.ended)}."
    if not named.now and not named.ended:
        yield "No medicine known to hurt the liver is in force or ended lately; any medicine may."
    listed = _listed(state, knowledge)
    if listed:
        yield f"Known: {', '.join(listed)}; with tests that were abnormal before, compare with those and not with the limit."
    usual = ", ".join(f"{name} {knowledge.thresholds.upper_limits[name]:g}" for name in tests.times if name != _INR)
    yield f"ULN is the usual upper limit of adults ({usual}), not that of this laboratory."
    unknown = [name for name in _TESTS if name not in tests.times and not (name == _INR and anticoagulants)]
    yield f"Not known: {', '.join((*unknown, 'viral hepatitis, obstruction, shock and alcohol'))}."


def _pattern(tests: _Tests, knowledge: Knowledge) -> Iterator[str]:
    if _ALT in tests.times and _ALP in tests.times:
        r = r_value(tests.times[_ALT], tests.times[_ALP])
        if r is not None:
            known = knowledge.lab_findings
            limits = known.value("liver-hepatocellular"), known.value("liver-cholestatic")
            yield f"R value {r:.3g}: {pattern(r, *limits)}."


def _course(tests: _Tests, state: PatientState) -> Iterator[str]:
    sure = [each for each in state.results[tests.enzyme] if each.sure and each.value is not None]
    if len(sure) > 1:
        course = "falling" if (sure[-1].value or 0) < (sure[-2].value or 0) else "not falling"
        yield f"{tests.enzyme} is {course}; before: {_at(sure[-2])}."


def _at(result: Result) -> str:
    return f"{value_of(result)} at {said_at(result.at)}"


def _asked(step: LiverStep, tests: _Tests) -> Iterator[ConditionSaid]:
    over = (
        (tests.enzyme, f"> {step.enzyme_over:g} x ULN", step.enzyme_over),
        (_BILIRUBIN, f"> {step.bilirubin_over or 0:g} x ULN", step.bilirubin_over),
        (_INR, f"> {step.inr_over or 0:g}", step.inr_over),
        (_ALP, f"< {step.alkaline_phosphatase_under or 0:g} x ULN", step.alkaline_phosphatase_under),
    )
    for name, text, limit in over:
        if limit is not None:
            found = tests.results.get(name)
            answer = ConditionSaid(text=f"{name} {text}", answer="yes" if found else "unknown", found="not known")
            yield answer if found is None else ConditionSaid(text=answer.text, answer="yes", found=_at(found))
