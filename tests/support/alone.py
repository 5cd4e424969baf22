"""Plays a story through one rule alone, with the knowledge as shipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import AnyEvent, Condition, ConditionRecord, LabResult, Observation
from schemas.values import Coding
from services.monitor import evaluate
from services.monitor.evaluate import take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules.rule import Rule
from tests.support.clinical import at, lab


@contextmanager
def alone(rule: Rule) -> Iterator[None]:
    """As if no other rule existed."""
    rules, evaluate.RULES = evaluate.RULES, (rule,)
    written, evaluate.written_rules = evaluate.written_rules, lambda knowledge: ()
    evaluate._last[:] = []
    try:
        yield
    finally:
        evaluate.RULES, evaluate.written_rules = rules, written
        evaluate._last[:] = []


def play(*events: AnyEvent) -> tuple[PatientState, list[Alert]]:
    """The state after a story, and every revision of an alert."""
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, load(), at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def now(*events: AnyEvent) -> Alert | None:
    """The one alert that is open after a story."""
    open_ = list(play(*events)[0].open_alerts.values())
    assert len(open_) < 2
    return open_[0] if open_ else None


def severity(*events: AnyEvent) -> str:
    """Empty where there is no alert."""
    alert = now(*events)
    return "" if alert is None else alert.severity


def result(analyte: str, value: float | None, hours: float, unit: str, **more: Any) -> LabResult:
    return lab(analyte, value, hours, **({"unit": unit, "canonical_unit": unit} | more))


def observed(kind: str, value: float, hours: float, unit: str = "ms", **more: Any) -> Observation:
    fields: dict[str, Any] = {
        "patient_id": "p",
        "source": "ecg",
        "record_id": f"{kind}-{hours}",
        "occurred_at": at(hours),
    }
    return Observation(**(fields | {"kind": kind, "value": value, "unit": unit} | more))


def diagnosis(code: str, hours: float = 0, system: str = "ICD-10", **more: Any) -> ConditionRecord:
    condition = Condition(codings=(Coding(system, code, code),), status="active", **more)
    return ConditionRecord(
        patient_id="p", source="ehr", record_id=code, occurred_at=at(hours), condition=condition
    )  # fmt: skip
