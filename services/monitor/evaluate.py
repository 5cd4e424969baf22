"""One event, one answer or the passing of time into a patient's state: the state after it and the alerts that changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce

from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.alerts import Alert
from schemas.events import AnyEvent, Dispensing, LabResult
from schemas.feedback import Feedback
from services.monitor.alerts import lifecycle
from services.monitor.alerts.cause import Cause, Merged, TimePassed
from services.monitor.alerts.settle import settled
from services.monitor.patient.apply import apply, at_time
from services.monitor.patient.bounds import LAST, SHOWN, Need
from services.monitor.patient.change import Change, between, everything
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.medicines import OrderNames
from services.monitor.patient.merge import joined
from services.monitor.patient.obligation import Obligation, with_obligation, without
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES
from services.monitor.rules.index import Index

Result = tuple[PatientState, list[Alert]]

LOOK_AGAIN = timedelta(days=1)
"""When an alert that a person answered with "will monitor" asks again: with the next day's round. No pharmacology."""

_last: list[tuple[Knowledge, Index]] = []


def index_of(knowledge: Knowledge) -> Index:
    """The rules by what they read; made once for a knowledge."""
    if not _last or _last[0][0] is not knowledge:
        _last[:] = [(knowledge, Index(RULES, knowledge))]
    return _last[0][1]


def take_event(state: PatientState | None, event: AnyEvent, knowledge: Knowledge, at: datetime) -> Result:
    """Apply ``event`` and evaluate the rules that it touches. ``at`` is the monitor's time.

    What was due before ``event`` happened is found first, so a feed of old dates gives what the same feed gave live.
    """
    changed: list[Alert] = []
    if state is not None:
        state, changed = _until(state, clinical_time(event), knowledge, at)
    after = _fulfilled(apply(state, event, knowledge, need(event, knowledge)), event)
    after, more = evaluated(after, between(state, after), event, knowledge, at)
    return after, changed + more


def take_former(
    state: PatientState | None,
    former: PatientState,
    patient_id: str,
    merged: Merged,
    knowledge: Knowledge,
    at: datetime,
) -> Result:
    """Take over what was kept of ``former``, whose record was merged into that of ``patient_id``.

    Each problem that stands is one alert: an open one goes on, and one that only the former record had is opened with the
    answer that a person gave to it there.
    """
    state = state or PatientState(patient_id, former.clock, live=former.live)
    state, ended = _until(state, former.clock, knowledge, at)
    after = joined(state, former, knowledge, lambda analyte: need_of(analyte, knowledge))
    if after == state:
        return state, ended
    after, changed = evaluated(after, everything(state, after), merged, knowledge, at)
    answered = dict(after.open_alerts)
    for key in after.open_alerts.keys() & former.open_alerts.keys() - state.open_alerts.keys():
        alert = lifecycle.answered_before(answered[key], former.open_alerts[key], after.clock, at)
        if alert is not answered[key]:
            answered[key] = alert
            changed.append(alert)
    asks_again = reduce(with_obligation, _carried(former, answered), after.obligations)
    return replace(after, open_alerts=answered, obligations=asks_again), ended + changed


def take_feedback(state: PatientState, feedback: Feedback, knowledge: Knowledge, at: datetime) -> Result:
    """Note a person's answer; an answer to an alert that has ended meanwhile changes nothing here. One that only waited for a
    person ends with the answer."""
    for key, alert in state.open_alerts.items():
        if alert.alert_id == feedback.alert_id:
            revisions = lifecycle.acknowledged(alert, feedback, state.clock, at)
            if revisions:
                state = replace(state, open_alerts={**state.open_alerts, key: revisions[-1]})
                if lifecycle.answered_by(revisions[-1], feedback):
                    state = _to_look_again(state, feedback)
            if alert.needs_closure and (each := state.standing.get(key)) is not None:
                cause = TimePassed(state.clock)
                state, more = settled(state, {(each.rule, each.part)}, index_of(knowledge), cause, knowledge, at)
                revisions += more
            return state, revisions
    return state, []


def due(state: PatientState) -> datetime | None:
    """When time alone next changes something: a due time, or when a finding that stands may change. It may have passed already,
    when the monitor was not running."""
    waits = [each.due for each in state.obligations.values() if each.kind == "look_again" or each.due > state.clock]
    waits += [each.until for each in state.standing.values() if each.until is not None]
    return min(waits, default=None)


def advance(state: PatientState, now: datetime, knowledge: Knowledge, at: datetime) -> Result:
    """The wall clock has come to ``now``: what was due by then is found, in its order, each at its own time.

    Only live patients have a wall clock; of others, and where nothing is due, ``state`` itself is given.
    """
    return _until(state, now, knowledge, at, inclusive=True) if state.live else (state, [])


def need(event: AnyEvent, knowledge: Knowledge) -> Need:
    """What rules read of the analyte of an event."""
    return need_of(event.analyte, knowledge) if isinstance(event, LabResult) else SHOWN


def need_of(analyte: str, knowledge: Knowledge) -> Need:
    """What all rules together read of an analyte, and what is shown of it."""
    return index_of(knowledge).needs.get(analyte, SHOWN)


def evaluated(after: PatientState, change: Change, cause: Cause, knowledge: Knowledge, at: datetime) -> Result:
    """The state with its alerts as they are after ``change``, which ``cause`` brought, and the alerts that changed."""
    index = index_of(knowledge)
    if after.open_alerts.keys() - after.standing.keys():
        # a state of an older release, which did not keep what stands
        change = everything(after, after)
    parts = {(rule.id, part) for rule in index.touched(change) for part in rule.parts(change, after, knowledge)}
    for each in after.standing.values():
        if each.until is not None and each.until <= after.clock and each.rule in index.rules:
            parts.add((each.rule, each.part))
    return settled(after, parts, index, cause, knowledge, at)


def _until(
    state: PatientState, time: datetime, knowledge: Knowledge, at: datetime, *, inclusive: bool = False
) -> Result:
    changed: list[Alert] = []
    if time <= state.clock and not inclusive:
        return state, changed
    while (moment := due(state)) is not None and (moment < time or (inclusive and moment == time)):
        before, state = state, at_time(state, moment)
        state, asked = _asked_again(state, at)
        state, more = evaluated(state, between(before, state), TimePassed(moment), knowledge, at)
        changed += asked + more
        if moment <= before.clock and not asked and not more:
            break  # something that is over and changes nothing must not be waited for again and again
    return state, changed


def _to_look_again(state: PatientState, feedback: Feedback) -> PatientState:
    """What was answered before is no longer waited for."""
    former = [key for key, o in state.obligations.items() if (o.kind, o.subject) == ("look_again", feedback.alert_id)]
    state = replace(state, obligations=without(state.obligations, former))
    if feedback.answer != "will_monitor":
        return state
    since = max(state.clock, feedback.at) if state.live else state.clock
    due = since + min(LOOK_AGAIN, LAST - since)
    obligation = Obligation("look_again", feedback.alert_id, due, feedback.by, since)
    return replace(state, obligations=with_obligation(state.obligations, obligation))


def _asked_again(state: PatientState, at: datetime) -> Result:
    """The alerts that a person wanted to see again by now; one that has ended is not waited for any more."""
    came = {key: o for key, o in state.obligations.items() if o.kind == "look_again" and o.due <= state.clock}
    if not came:
        return state, []
    ids = {each.subject for each in came.values()}
    again = {
        key: lifecycle.looked_at_again(alert, state.clock, at)
        for key, alert in state.open_alerts.items()
        if alert.alert_id in ids and alert.acknowledgement is not None
    }
    left = without(state.obligations, came)
    return replace(state, obligations=left, open_alerts={**state.open_alerts, **again}), list(again.values())


def _carried(former: PatientState, alerts: Mapping[str, Alert]) -> Iterator[Obligation]:
    """What a person wanted to see again under a former id, of the alert that the same problem is now."""
    now = {alert.alert_id: alerts[key].alert_id for key, alert in former.open_alerts.items() if key in alerts}
    for each in former.obligations.values():
        if each.kind == "look_again" and each.subject in now:
            yield replace(each, subject=now[each.subject])


def _fulfilled(state: PatientState, event: AnyEvent) -> PatientState:
    """Without the obligations that ``event`` fulfils."""
    if not state.obligations:
        return state
    match event:
        case LabResult(status="preliminary" | "final" | "corrected"):
            kind, subject = "result", event.analyte
        case Dispensing(status="dispensed"):
            order_id = event.order_id if isinstance(event.order_id, str) else ""
            kind, subject = "supply", OrderNames(state.orders).key(event.source, order_id) or ""
        case _:
            return state
    time = clinical_time(event)
    done = [
        key
        for key, each in state.obligations.items()
        if (each.kind, each.subject) == (kind, subject) and time >= each.since
    ]
    return replace(state, obligations=without(state.obligations, done)) if done else state
