"""What would have to change for an alert to go away: each fact behind it is taken away in turn, and the monitor is asked again.

It is asked as it always is, by an event: an order ends now, a result is cancelled, a newer result comes. So everything counts
that counts then: other rules, grace, and which of several findings speaks. Nothing here knows any rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from knowledge.model import Knowledge
from schemas.alerts import Alert, Implicated
from schemas.events import (
    Administration,
    AnyEvent,
    Dispensing,
    Drug,
    Ingredient,
    LabResult,
    Observation,
    Prescription,
)
from schemas.values import SEVERITIES, Coding, Severity
from services.monitor.alerts.settle import alert_key
from services.monitor.evaluate import take_event
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState

_SOURCE = "what-if"
_SOON = timedelta(seconds=1)
_POINTS = 120
"""Values of a newer result that are tried on the way to each end of what is plausible."""
_HALVINGS = 60
_DIGITS = 8
_SAME = 1e-9

Effect = Literal["ends", "held", "milder", "graver", "stays"]


class Outcome(Struct, frozen=True, kw_only=True):
    """What becomes of the alert. ``severity`` is None where it is open no more; ``why`` is the monitor's word on its end, or why
    it stays all the same. ``opens`` are summaries of the alerts that come in its place."""

    effect: Effect
    severity: Severity | None
    why: str = ""
    opens: tuple[str, ...] = ()

    @property
    def helps(self) -> bool:
        """One that is held back because another speaks in its place is no better for the patient."""
        return self.effect in ("ends", "milder") or (self.effect == "held" and not self.opens)


class WhatIf(Struct, frozen=True, kw_only=True):
    """One change, in words, and its outcome. ``fact`` is the fact that it takes away; empty for all of them together."""

    what: str
    fact: str
    outcome: Outcome


class Limit(NamedTuple):
    """From ``value`` on (or only beyond it, where it is not ``included``), on that side, the outcome is another."""

    side: Literal["below", "above"]
    value: float
    included: bool
    outcome: Outcome


class Asking:
    """Asks the monitor what becomes of one open alert of ``state``."""

    def __init__(self, state: PatientState, alert: Alert, knowledge: Knowledge) -> None:
        self.state, self.alert, self.knowledge = state, alert, knowledge
        self._key = alert_key(alert.rule, alert.subject)

    def after(self, *events: AnyEvent) -> Outcome:
        """When these events come, one after the other."""
        state, changed = self.state, list[Alert]()
        for event in events:
            state, more = take_event(state, event, self.knowledge, state.clock)
            changed += more
        opened = {
            a.alert_id: a.summary for a in changed if a.status == "open" and a.alert_id not in self._open_before()
        }
        opens = tuple(
            text for id_, text in opened.items() if any(a.alert_id == id_ for a in state.open_alerts.values())
        )
        return self._outcome(state, changed, opens)

    def _open_before(self) -> set[str]:
        return {alert.alert_id for alert in self.state.open_alerts.values()}

    def _outcome(self, state: PatientState, changed: Sequence[Alert], opens: tuple[str, ...]) -> Outcome:
        now, stands = state.open_alerts.get(self._key), state.standing.get(self._key)
        if now is None:
            last = next((a for a in reversed(changed) if alert_key(a.rule, a.subject) == self._key), None)
            why = last.history[-1].why if last is not None else ""
            held = stands is not None and stands.held
            return Outcome(effect="held" if held else "ends", severity=None, why=why, opens=opens)
        if stands is None:
            why = "Nothing makes it true any more; it has reached the patient, so a person closes it."
            return Outcome(effect="stays", severity=now.severity, why=why, opens=opens)
        step = SEVERITIES.index(now.severity) - SEVERITIES.index(self.alert.severity)
        effect: Effect = "milder" if step > 0 else "graver" if step < 0 else "stays"
        return Outcome(effect=effect, severity=now.severity, opens=opens)


def single_changes(asking: Asking) -> list[WhatIf]:
    """For each fact behind the alert the change that helps most, or the strongest there is when none helps; then, where none
    ends it alone, all of them together."""
    found: list[WhatIf] = []
    strongest: list[AnyEvent] = []
    for fact in asking.alert.implicated:
        named = f"{fact.label} {_shown(fact)}".strip()
        tried = [
            (WhatIf(what=what, fact=named, outcome=asking.after(event)), event)
            for what, event in _changes(fact, asking.state)
        ]
        if tried:
            best, event = next((each for each in tried if each[0].outcome.helps), tried[-1])
            found.append(best)
            strongest.append(event)
    if len(found) > 1 and not any(each.outcome.severity is None for each in found):
        found.append(WhatIf(what="All of these together", fact="", outcome=asking.after(*strongest)))
    return found


def newer_results(asking: Asking) -> dict[str, list[Limit]]:
    """By analyte of the results behind the alert: the limits that a newer result must pass for the alert to end or get milder."""
    names = dict.fromkeys(
        found[0] for fact in asking.alert.implicated if (found := _result_of(fact, asking.state)) is not None
    )
    return {name: list(_limits(name, asking)) for name in names}


def _changes(fact: Implicated, state: PatientState) -> Iterator[tuple[str, AnyEvent]]:
    """What can be done about a fact, the least first."""
    named: dict[str, Any] = {
        "patient_id": state.patient_id,
        "source": fact.source,
        "record_id": fact.record_id,
        "occurred_at": state.clock,
        "timing": "replayed",
    }
    match fact.kind:
        case "prescription" | "dispensing":
            order = state.order_of(fact)
            if order is None:
                return
            drug = Drug(text=order.label, ingredients=tuple(map(Ingredient, order.ingredients)), resolution="given")
            version, said = order.version + 1, fact.label
            if fact.kind == "prescription":
                event = Prescription(**named, version=version, status="discontinued", drug=drug)
                yield f"The order {said} ends now", event
                wrong = Prescription(**named, version=version, status="entered_in_error", drug=drug)
                yield f"The order {said} turns out to be an error", wrong
            else:
                back = Dispensing(**named, version=version, status="returned", drug=drug)
                yield f"The supply {said} is returned", back
                never = Dispensing(**named, version=version, status="entered_in_error", drug=drug)
                yield f"The supply {said} turns out to be an error", never
        case "administration":
            dose = Administration(
                **named, version=fact.version + 1, status="entered_in_error", drug=Drug(text=fact.label)
            )
            yield f"The dose {fact.label} turns out not to have been given", dose
        case "lab_result":
            found = _result_of(fact, state)
            if found is not None:
                name, result = found
                cancelled = _lab(name, result, state, version=result.version + 1, status="cancelled")
                yield f"The laboratory cancels {fact.label} {_shown(fact)}", cancelled
        case "observation":
            measure = next((m.what for m in state.measures.values() if _is(fact, m.source, m.record_id)), None)
            if measure is not None:
                kind: Any = measure.kind
                taken_back = Observation(**named, version=fact.version + 1, status="entered_in_error", kind=kind)
                yield f"The measurement {fact.label} {_shown(fact)} turns out to be an error", taken_back


def _is(fact: Implicated, source: str, record_id: str) -> bool:
    return (fact.source, fact.record_id) == (source, record_id)


def _shown(fact: Implicated) -> str:
    return fact.received or (f"{fact.value:g} {fact.unit}".strip() if fact.value is not None else "")


def _result_of(fact: Implicated, state: PatientState) -> tuple[str, Result] | None:
    if fact.kind != "lab_result":
        return None
    found = (
        (name, each)
        for name, results in state.results.items()
        for each in results
        if _is(fact, each.source, each.record_id)
    )
    return next(found, None)


def _lab(
    analyte: str, like: Result, state: PatientState, *, version: int, status: Literal["final", "cancelled"]
) -> LabResult:
    return LabResult(
        patient_id=state.patient_id,
        source=like.source,
        record_id=like.record_id,
        version=version,
        occurred_at=like.at,
        recorded_at=state.clock,
        timing="replayed",
        status=status,
        codings=(Coding(_SOURCE, analyte, like.label),),
        analyte=analyte,
    )


def _newer(analyte: str, value: float, unit: str, state: PatientState) -> LabResult:
    return LabResult(
        patient_id=state.patient_id,
        source=_SOURCE,
        record_id=analyte,
        occurred_at=state.clock + _SOON,
        timing="replayed",
        status="final",
        codings=(Coding(_SOURCE, analyte, analyte),),
        value=value,
        unit=unit,
        analyte=analyte,
        canonical_value=value,
        canonical_unit=unit,
    )


def _limits(analyte: str, asking: Asking) -> Iterator[Limit]:
    results = [each for each in asking.state.results.get(analyte, ()) if each.measured]
    if not results or (now := results[-1].value) is None:
        return
    unit = results[-1].unit

    def ask(value: float) -> Outcome:
        return asking.after(_newer(analyte, value, unit, asking.state))

    low, high = _plausible(analyte, now, asking.knowledge)
    yield from _milder("below", now, low, ask)
    yield from _milder("above", now, high, ask)


def _milder(
    side: Literal["below", "above"], start: float, end: float, ask: Callable[[float], Outcome]
) -> Iterator[Limit]:
    """From ``start`` to ``end`` each place at which the outcome is milder than anywhere before it."""
    mildest = _grade(ask(start))
    for one, other in pairwise(_between(start, end)):
        # two limits may lie between two of the points
        while _grade(ask(other)) > mildest:
            value, beyond = _border(one, other, ask, mildest)
            outcome = ask(beyond)
            mildest, one = _grade(outcome), beyond
            yield Limit(side, value, _grade(ask(value)) >= mildest, outcome)


def _grade(outcome: Outcome) -> int:
    """How mild it is."""
    if outcome.severity is None:
        return len(SEVERITIES) if outcome.helps else 0
    return SEVERITIES.index(outcome.severity)


def _between(start: float, end: float) -> list[float]:
    """Even steps in value and, between amounts above nothing, in proportion: limits lie close together where values are small."""
    steps = [part / _POINTS for part in range(_POINTS + 1)]
    points = {start + (end - start) * step for step in steps}
    if start > 0 and end > 0:
        points |= {start * (end / start) ** step for step in steps}
    return sorted(points, reverse=end < start)


def _border(stands: float, milder: float, ask: Callable[[float], Outcome], than: int) -> tuple[float, float]:
    """Where the two meet, as the plainest number (knowledge states its limits with few digits), and a value just beyond."""
    for _ in range(_HALVINGS):
        middle = (stands + milder) / 2
        stands, milder = (stands, middle) if _grade(ask(middle)) > than else (middle, milder)
    for digits in range(1, _DIGITS):
        plain = float(f"{milder:.{digits}g}")
        if abs(plain - milder) <= _SAME * max(1.0, abs(milder)):
            return plain, milder
    return milder, milder


def _plausible(analyte: str, now: float, knowledge: Knowledge) -> tuple[float, float]:
    ranges: Iterable[tuple[float, float]] = (a.plausible for a in knowledge.analytes.values() if a.name == analyte)
    low, high = next(iter(ranges), (now / 10, now * 10))
    return min(low, now), max(high, now)
