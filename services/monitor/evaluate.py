"""One event, one answer or the passing of time into a patient's state: the state after it and the alerts that changed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import reduce

from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.alerts import Alert
from schemas.events import AnyEvent, LabResult
from schemas.feedback import Feedback
from services.monitor.alerts import lifecycle, withdrawn
from services.monitor.alerts.cause import Cause, Merged, TimePassed
from services.monitor.alerts.settle import Part, settled
from services.monitor.patient.apply import apply, at_time
from services.monitor.patient.bounds import LAST, SHOWN, Need
from services.monitor.patient.change import Change, between, everything
from services.monitor.patient.clock import clinical_time, later
from services.monitor.patient.merge import joined
from services.monitor.patient.obligation import Obligation, with_obligation, without
from services.monitor.patient.standing import Standing
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES, Rule
from services.monitor.rules.failure import EVERY, TellFailed, loudly
from services.monitor.rules.index import Index
from services.monitor.rules.outside_interaction import outside_rules
from services.monitor.rules.written import written_rules

Result = tuple[PatientState, list[Alert]]

LOOK_AGAIN = timedelta(days=1)
"""When an alert that a person answered with "will monitor" asks again: with the next day's round. No pharmacology."""

ASK_AGAIN = timedelta(hours=1)
"""When a part of a rule that raised is asked again though no event comes: the rule may have been mended meanwhile. No
pharmacology."""

_last: list[tuple[Knowledge, Index]] = []


def index_of(knowledge: Knowledge) -> Index:
    """The rules by what they read; made once for a knowledge."""
    if not _last or _last[0][0] is not knowledge:
        _last[:] = [(knowledge, Index((*RULES, *written_rules(knowledge), *outside_rules(knowledge)), knowledge))]
    return _last[0][1]


@contextmanager
def ask_only(rules: Sequence[Rule], knowledge: Knowledge) -> Iterator[None]:
    """As if there were no other rules, for as long as ``knowledge`` is the one that is asked: to try rules on recorded data."""
    before = _last[:]
    _last[:] = [(knowledge, Index(rules, knowledge))]
    try:
        yield
    finally:
        _last[:] = before


def take_event(
    state: PatientState | None, event: AnyEvent, knowledge: Knowledge, at: datetime, tell: TellFailed = loudly
) -> Result:
    """Apply ``event`` and evaluate the rules that it touches. ``at`` is the monitor's time; ``tell`` is told of rules that raise.

    What was due before ``event`` happened is found first, so a feed of old dates gives what the same feed gave live.
    """
    changed: list[Alert] = []
    if state is not None:
        state, changed = _until(state, clinical_time(event), knowledge, at, tell)
    after = apply(state, event, knowledge, need(event, knowledge))
    if state is None:
        # what an event brings is all that there is to evaluate
        after = replace(after, rules=index_of(knowledge).tag)
    after, more = evaluated(after, between(state, after), event, knowledge, at, tell)
    return after, changed + more


def take_former(
    state: PatientState | None,
    former: PatientState,
    patient_id: str,
    merged: Merged,
    knowledge: Knowledge,
    at: datetime,
    tell: TellFailed = loudly,
) -> Result:
    """Take over what was kept of ``former``, whose record was merged into that of ``patient_id``.

    Each problem that stands is one alert: an open one goes on, and one that only the former record had is opened with the
    answer that a person gave to it there.
    """
    state = state or PatientState(patient_id, former.clock, live=former.live)
    state, ended = _until(state, former.clock, knowledge, at, tell)
    after = joined(state, former, knowledge, lambda analyte: need_of(analyte, knowledge))
    if after == state:
        return state, ended
    after, changed = evaluated(after, everything(state, after), merged, knowledge, at, tell)
    answered = dict(after.open_alerts)
    for key in after.open_alerts.keys() & former.open_alerts.keys() - state.open_alerts.keys():
        alert = lifecycle.answered_before(answered[key], former.open_alerts[key], after.clock, at)
        if alert is not answered[key]:
            answered[key] = alert
            changed.append(alert)
    asks_again = reduce(with_obligation, _carried(former, answered), after.obligations)
    return replace(after, open_alerts=answered, obligations=asks_again), ended + changed


def take_feedback(
    state: PatientState, feedback: Feedback, knowledge: Knowledge, at: datetime, tell: TellFailed = loudly
) -> Result:
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
                cause, change = TimePassed(state.clock), between(state, state)
                state, more = evaluated(state, change, cause, knowledge, at, tell, {(each.rule, each.part)})
                revisions += more
            return state, revisions
    return state, []


def due(state: PatientState) -> datetime | None:
    """When time alone next changes something: a due time, or when a finding that stands may change. It may have passed already,
    when the monitor was not running."""
    time = _next(state)
    if state.again and state.live:
        again = later(state.clock, ASK_AGAIN)
        return again if time is None else min(time, again)
    return time


def advance(
    state: PatientState, now: datetime, knowledge: Knowledge, at: datetime, tell: TellFailed = loudly
) -> Result:
    """The wall clock has come to ``now``: what was due by then is found, in its order, each at its own time.

    Only live patients have a wall clock; of others, and where nothing is due, ``state`` itself is given.
    """
    if not state.live:
        return state, []
    state, changed = _until(state, now, knowledge, at, tell, inclusive=True)
    if state.again and (moment := later(state.clock, ASK_AGAIN)) <= now:
        before, state = state, at_time(state, moment)
        state, more = evaluated(state, between(before, state), TimePassed(moment), knowledge, at, tell)
        changed += more
    return state, changed


def need(event: AnyEvent, knowledge: Knowledge) -> Need:
    """What rules read of the analyte of an event."""
    return need_of(event.analyte, knowledge) if isinstance(event, LabResult) else SHOWN


def need_of(analyte: str, knowledge: Knowledge) -> Need:
    """What all rules together read of an analyte, and what is shown of it."""
    return index_of(knowledge).needs.get(analyte, SHOWN)


def evaluated(
    after: PatientState,
    change: Change,
    cause: Cause,
    knowledge: Knowledge,
    at: datetime,
    tell: TellFailed = loudly,
    parts: Collection[Part] = (),
) -> Result:
    """The state with its alerts as they are after ``change``, which ``cause`` brought, and the alerts that changed. ``parts`` are
    evaluated too. All is evaluated where other rules or another knowledge have come since it last was."""
    index, wanted, ended = index_of(knowledge), set(parts), list[Alert]()
    if after.rules != index.tag:
        after, ended = withdrawn.without_others(after, index.rules, at)
        after, change = replace(after, rules=index.tag), everything(after, after)
        wanted |= {(each.rule, each.part) for each in after.standing.values()}
        wanted |= {(each.source, each.part) for each in after.obligations.values() if each.of_rule}
    wanted |= _come(after)
    after, touched = _touched(after, change, index, knowledge, tell)
    after, changed = settled(after, wanted | touched, index, cause, knowledge, at, tell)
    return after, ended + changed


def _touched(
    after: PatientState, change: Change, index: Index, knowledge: Knowledge, tell: TellFailed
) -> tuple[PatientState, set[Part]]:
    """The parts that ``change`` touches, and those that could not be asked before."""
    changes = {rule.id: change for rule in index.touched(change)}
    parts = {each for each in after.again if each[1] != EVERY}
    changes |= {rule: everything(after, after) for rule, part in after.again if part == EVERY}
    failed = set()
    for rule, of_rule in changes.items():
        try:
            parts |= {(rule, part) for part in index.rules[rule].parts(of_rule, after, knowledge)}
        except Exception as error:
            tell(rule, error)
            failed.add((rule, EVERY))
    if failed or after.again:
        after = replace(after, again=tuple(sorted({each for each in after.again if each[1] != EVERY} | failed)))
    return after, parts


def _come(state: PatientState) -> set[Part]:
    """The parts that wait for a time that has come."""
    waits = set[Part]()
    first = _first_until(state.standing)
    if first is not None and first <= state.clock:
        waits = {
            (each.rule, each.part)
            for each in state.standing.values()
            if each.until is not None and each.until <= state.clock
        }
    if state.obligations:
        waits |= {
            (each.source, each.part) for each in state.obligations.values() if each.of_rule and each.due <= state.clock
        }
    return waits


_last_until: list[tuple[Mapping[str, Standing], datetime | None]] = []


def _first_until(standing: Mapping[str, Standing]) -> datetime | None:
    """When the first of what stands may change. It is asked three times an event, mostly of the same."""
    if not _last_until or _last_until[0][0] is not standing:
        times = [each.until for each in standing.values() if each.until is not None]
        _last_until[:] = [(standing, min(times, default=None))]
    return _last_until[0][1]


def _next(state: PatientState) -> datetime | None:
    if not state.again:
        first, due = _first_until(state.standing), [each.due for each in state.obligations.values()]
        return min(due if first is None else [*due, first], default=None)
    # what has come to its time and could not be asked is asked with the next evaluation, and not again and again until then
    again = state.again
    waits = [
        each.due
        for each in state.obligations.values()
        if each.due > state.clock or (each.source, each.part) not in again
    ]
    waits += [
        each.until
        for each in state.standing.values()
        if each.until is not None and (each.until > state.clock or (each.rule, each.part) not in again)
    ]
    return min(waits, default=None)


def _until(
    state: PatientState,
    time: datetime,
    knowledge: Knowledge,
    at: datetime,
    tell: TellFailed,
    *,
    inclusive: bool = False,
) -> Result:
    changed: list[Alert] = []
    if time <= state.clock and not inclusive:
        return state, changed
    while (moment := _next(state)) is not None and (moment < time or (inclusive and moment == time)):
        before, state = state, at_time(state, moment)
        state, asked = _asked_again(state, at)
        state, more = evaluated(state, between(before, state), TimePassed(moment), knowledge, at, tell)
        changed += asked + more
        if moment <= before.clock and _next(state) == moment and not asked and not more:
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
