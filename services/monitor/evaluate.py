"""One event or answer into a patient's state: the state after it and the alerts that changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.feedback import Feedback
from services.monitor.alerts import lifecycle
from services.monitor.patient.apply import apply
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES, Rule

Result = tuple[PatientState, list[Alert]]


def alert_key(rule: str, subject: str) -> str:
    """The key of an open alert in a state: one episode of a rule and subject is open at a time."""
    return f"{rule}\x1f{subject}"


def take_event(state: PatientState | None, event: AnyEvent, knowledge: Knowledge, at: datetime) -> Result:
    """Apply ``event`` and evaluate the rules that it touches. ``at`` is the monitor's time."""
    after = apply(state, event, knowledge)
    changed: list[Alert] = []
    for rule in _to_evaluate(state, after, event, knowledge):
        after, of_rule = _evaluate(rule, after, event, knowledge, at)
        changed += of_rule
    return after, changed


def take_feedback(state: PatientState, feedback: Feedback, at: datetime) -> Result:
    """Note a person's answer; an answer to an alert that has ended meanwhile changes nothing here."""
    for key, alert in state.open_alerts.items():
        if alert.alert_id == feedback.alert_id:
            revisions = lifecycle.acknowledged(alert, feedback, state.clock, at)
            if revisions:
                state = replace(state, open_alerts={**state.open_alerts, key: revisions[-1]})
            return state, revisions
    return state, []


def _to_evaluate(
    before: PatientState | None, after: PatientState, event: AnyEvent, knowledge: Knowledge
) -> Sequence[Rule]:
    """The rules that the event touches, and when the clock moved those with an open alert: time may have ended it."""
    moved = before is None or after.clock != before.clock
    waiting = {alert.rule for alert in after.open_alerts.values()} if moved else set()
    return [rule for rule in RULES if rule.id in waiting or rule.touched_by(event, knowledge)]


def _evaluate(rule: Rule, state: PatientState, event: AnyEvent, knowledge: Knowledge, at: datetime) -> Result:
    open_alerts = dict(state.open_alerts)
    changed: list[Alert] = []
    findings = {finding.subject: finding for finding in rule.findings(state, knowledge)}
    for key, known in state.open_alerts.items():
        if known.rule == rule.id and known.subject not in findings:
            changed.append(lifecycle.ended(known, rule, event, state, at))
            del open_alerts[key]
    for subject, finding in findings.items():
        key = alert_key(rule.id, subject)
        if key not in open_alerts:
            alert: Alert | None = lifecycle.opened(rule, finding, event, state, knowledge.version, at)
        else:
            alert = lifecycle.updated(open_alerts[key], rule, finding, state, knowledge.version, at)
        if alert is not None:
            open_alerts[key] = alert
            changed.append(alert)
    return replace(state, open_alerts=open_alerts), changed
