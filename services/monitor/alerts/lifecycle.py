"""How findings become alerts.

An alert is an episode: it opens with the event that made a finding true, keeps its id whatever arrives later, and ends
when the state no longer makes it true (resolved) or its facts turned out wrong (withdrawn). Every change is one revision
and one entry of its history.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from schemas.alerts import Acknowledgement, Alert, Change, HistoryEntry, Implicated
from schemas.events import Dispensing, Prescription
from schemas.feedback import Feedback
from schemas.values import SEVERITIES, Severity
from services.monitor.alerts.cause import Cause, Merged, TimePassed, opened_id
from services.monitor.patient.bounds import LAST
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import why_ended
from services.monitor.rules.rule import Finding, Rule

MAX_HISTORY = 200
"""Entries kept of one alert: the first and the newest ones. Each revision is sent with all of them, and a record has a limit:
a week of hourly results is told whole."""
MAX_FACTS = 20
"""Facts that one entry names as new."""

_AT_ONCE = timedelta(microseconds=1)
_WRONG = frozenset({"corrected", "cancelled", "entered_in_error"})


def opened(
    rule: Rule, finding: Finding, cause: Cause, state: PatientState, knowledge: str, at: datetime, previous: str = ""
) -> Alert:
    """A new episode, opened by ``cause``. ``at`` is the monitor's time, ``previous`` the alert of the episode before."""
    alert = Alert(
        alert_id=opened_id(rule.id, state, finding.subject, cause),
        revision=0,
        patient_id=state.patient_id,
        rule=rule.id,
        rule_version=rule.version,
        knowledge_version=knowledge,
        family=rule.family,
        subject=finding.subject,
        severity=finding.severity,
        evidence_grade=finding.evidence_grade,
        status="open",
        summary=finding.summary,
        detail=finding.detail,
        actions=finding.actions,
        patient_explanation=finding.patient_explanation,
        implicated=finding.implicated,
        citations=finding.citations,
        origins=finding.origins,
        history=(),
        true_since=finding.since,
        detected_at=at,
        rank=finding.rank,
        facility=state.facility,
        unit=state.unit,
        previous=previous,
        conditions=finding.conditions,
        rows=finding.rows,
        medicines=finding.medicines,
        needs_closure=finding.needs_closure,
    )
    return _changed(alert, "opened", state.clock, finding.summary, at, facts=finding.implicated)


def updated(
    alert: Alert, rule: Rule, finding: Finding, state: PatientState, knowledge: str, at: datetime
) -> Alert | None:
    """The alert with what is true now; None when nothing that a reader sees has changed.

    When it got worse after somebody had acknowledged it, it asks for attention again.
    """
    same = (alert.severity, alert.rank) == (finding.severity, finding.rank)
    # a state that was stored and read again may give the same facts in another order
    same = same and (alert.implicated == finding.implicated or set(alert.implicated) == set(finding.implicated))
    if same and alert.summary == finding.summary:
        return None
    worse = _worse(finding.severity, finding.rank, alert.severity, alert.rank)
    asks_again = worse and alert.acknowledgement is not None
    facts = tuple(fact for fact in finding.implicated if fact not in alert.implicated)
    alert = replace(
        alert,
        rule_version=rule.version,
        knowledge_version=knowledge,
        severity=finding.severity,
        evidence_grade=finding.evidence_grade,
        summary=finding.summary,
        detail=finding.detail,
        actions=finding.actions,
        patient_explanation=finding.patient_explanation,
        implicated=finding.implicated,
        citations=finding.citations,
        origins=finding.origins,
        conditions=finding.conditions,
        rows=finding.rows,
        medicines=finding.medicines,
        needs_closure=alert.needs_closure or finding.needs_closure,
        rank=finding.rank,
        acknowledgement=None if asks_again else alert.acknowledgement,
        facility=state.facility,
        unit=state.unit,
    )
    return _changed(alert, "attention" if asks_again else "updated", state.clock, finding.summary, at, facts=facts)


def waits_for_closure(alert: Alert, cause: Cause) -> bool:
    """Whether it stays open although nothing makes it true any more: it has reached the patient, and nobody has answered."""
    return alert.needs_closure and alert.acknowledgement is None and not _takes_back(cause, alert.implicated)


def waits_for_renewal(alert: Alert, cause: Cause, state: PatientState) -> datetime | None:
    """Until when it stays open because an order ran out at this very moment, at which the next may begin: orders by the day
    end as those of the next day begin, and these come one by one. None when something else ended it."""
    if not isinstance(cause, Prescription | Dispensing):
        return None
    orders = [order for fact in alert.implicated if (order := state.order_of(fact)) is not None]
    over = [order for order in orders if order.over(state.clock)]
    ends = [until for order in over if not order.withheld and (until := order.acts_until) is not None]
    if not ends or len(ends) < len(over):
        return None
    return state.clock + _AT_ONCE if max(ends) == state.clock < LAST else None


def superseded(alert: Alert, reason: str, state: PatientState, at: datetime) -> Alert:
    """The alert resolved because it is held back now."""
    return _changed(replace(alert, status="resolved"), "resolved", state.clock, reason, at)


def ended(alert: Alert, cause: Cause, state: PatientState, at: datetime) -> Alert:
    """The alert resolved, or withdrawn when ``cause`` says that one of its facts was wrong."""
    why = why_ended(alert, state)
    status = _takes_back(cause, alert.implicated)
    if status:
        wrong = f"A fact behind this alert was {status.replace('_', ' ')}. {why}"
        return _changed(replace(alert, status="withdrawn"), "withdrawn", state.clock, wrong, at)
    return _changed(replace(alert, status="resolved"), "resolved", state.clock, why, at)


def acknowledged(alert: Alert, feedback: Feedback, clock: datetime, at: datetime) -> list[Alert]:
    """The alert with a person's answer; nothing when it has that answer already.

    One that was given before the answer that stands is noted and changes nothing else. An answer to a milder state of the alert
    than the present one is noted and asks for attention at once.
    """
    answer = Acknowledgement(by=feedback.by, at=feedback.at, reason=feedback.reason, comment=feedback.comment)
    answered = {(entry.by, entry.recorded_at) for entry in alert.history if entry.change == "acknowledged"}
    if (feedback.by, feedback.at) in answered:
        return []
    stands = alert.acknowledgement
    late = stands is not None and (stands.at, stands.by) > (answer.at, answer.by)
    noted = _changed(
        alert if late else replace(alert, acknowledgement=answer),
        "acknowledged",
        clock,
        feedback.comment or feedback.reason,
        feedback.at,
        by=feedback.by,
        reason=feedback.reason,
    )
    seen = next((entry for entry in alert.history if entry.revision == feedback.revision), None)
    if late or seen is None or not _worse(alert.severity, alert.rank, seen.severity, seen.rank):
        return [noted]
    why = "It had got worse before the answer came."
    return [noted, _changed(replace(noted, acknowledgement=None), "attention", clock, why, at)]


def answered_by(alert: Alert, feedback: Feedback) -> bool:
    """Whether this is the answer that stands."""
    answer = alert.acknowledgement
    return answer is not None and (answer.by, answer.at) == (feedback.by, feedback.at)


def merged_away(alert: Alert, into: str, clock: datetime, at: datetime) -> Alert:
    """The alert withdrawn because its patient's record is continued under the id ``into``: what still stands is opened there."""
    why = f"This record is continued as patient {into}; what still stands is an alert of that record."
    return _changed(replace(alert, status="withdrawn"), "withdrawn", clock, why, at)


def rule_gone(alert: Alert, clock: datetime, at: datetime) -> Alert:
    """The alert withdrawn because the rule that found it is no longer one of the rules."""
    why = f"The rule {alert.rule}, which found this, is not in use any more; nothing new is known of the patient."
    return _changed(replace(alert, status="withdrawn"), "withdrawn", clock, why, at)


def answered_before(alert: Alert, former: Alert, clock: datetime, at: datetime) -> Alert:
    """A new alert with the answer that a person gave to the same problem under a former id, unless it is graver now."""
    answer = former.acknowledgement
    if answer is None or _worse(alert.severity, alert.rank, former.severity, former.rank):
        return alert
    said = answer.comment or answer.reason
    why = f"Answered as an alert of patient {former.patient_id}, whose record is part of this one: {said}"
    return _changed(
        replace(alert, acknowledgement=answer), "acknowledged", clock, why, at, by=answer.by, reason=answer.reason
    )


def goes_on_from(alert: Alert, former: Alert, clock: datetime, at: datetime) -> Alert:
    """A new alert of a problem that another rule's alert showed until now, with the answer that a person gave to that, unless it
    is graver than that was."""
    alert = replace(alert, previous=former.alert_id)
    answer = former.acknowledgement
    if answer is None or SEVERITIES.index(alert.severity) < SEVERITIES.index(former.severity):
        return alert
    why = f"Answered as the alert before of the same problem: {answer.comment or answer.reason}"
    return _changed(
        replace(alert, acknowledgement=answer), "acknowledged", clock, why, at, by=answer.by, reason=answer.reason
    )


def looked_at_again(alert: Alert, clock: datetime, at: datetime) -> Alert:
    """The alert asks for attention because the time has come at which a person wanted to see it again."""
    why = "The time to look again has come."
    return _changed(replace(alert, acknowledgement=None), "attention", clock, why, at)


def _takes_back(cause: Cause, facts: tuple[Implicated, ...]) -> str:
    """The status by which an event takes back one of the facts; empty when it does not."""
    if isinstance(cause, TimePassed | Merged):
        return ""
    status = str(getattr(cause, "status", ""))
    named = any((fact.source, fact.record_id) == (cause.source, cause.record_id) for fact in facts)
    return status if named and status in _WRONG else ""


def _worse(severity: Severity, rank: float, than_severity: Severity, than_rank: float) -> bool:
    before, now = SEVERITIES.index(than_severity), SEVERITIES.index(severity)
    return now < before or (now == before and rank > than_rank)


def _changed(
    alert: Alert,
    change: Change,
    clock: datetime,
    why: str,
    at: datetime,
    *,
    by: str = "",
    reason: str = "",
    facts: tuple[Implicated, ...] = (),
) -> Alert:
    entry = HistoryEntry(
        revision=alert.revision + 1,
        change=change,
        at=clock,
        why=why,
        severity=alert.severity,
        rank=alert.rank,
        by=by,
        reason=reason,
        recorded_at=at,
        facts=facts[:MAX_FACTS],
    )
    history = (*alert.history, entry)
    if len(history) > MAX_HISTORY:
        history = (history[0], *history[-MAX_HISTORY + 1 :])
    return replace(alert, revision=entry.revision, history=history, detected_at=at)
