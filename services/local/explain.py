"""`rxvigil rules explain`: how an alert came to be, by playing its patient's events again, and what would make it go away.

Only what every alert and every state has is read: no rule is known here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from knowledge.model import Knowledge
from schemas import codec
from schemas.alerts import Alert, Implicated
from schemas.events import Event
from services.local.play import Step, last_states, steps
from services.local.rows import KnownRow, RowFinder
from services.local.what_if import Asking, Limit, WhatIf, newer_results, single_changes
from services.monitor.alerts.settle import alert_key
from services.monitor.patient.standing import Standing
from services.monitor.patient.state import PatientState

_NAMED = 5
"""Alerts that an error names for somebody to choose from."""


class ExplainError(ValueError):
    """The alert cannot be explained as it was asked; says why and what to do."""


class Moment(Struct, frozen=True, kw_only=True):
    """A change of the alert: the ``alert`` as it then was, and the event with which it came. ``by_time``: time had passed, and
    the event only came next. ``facts`` are those behind the alert just before and after."""

    alert: Alert
    event: Event
    before: PatientState | None
    after: PatientState
    by_time: bool
    facts: tuple[Implicated, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """``alert`` is the alert as it ends in the files; ``moments`` its opening and its last change, the same one once.

    ``same_id`` is false where the files make the same problem under another id. ``asked`` is the state in which ``what_if`` and
    ``limits`` were asked: the last one in which the alert was open, and ``held`` is what else was found in it and held back.
    """

    alert: Alert
    given: Alert
    same_id: bool
    events: tuple[Event, ...]
    moments: tuple[Moment, ...]
    rows: tuple[KnownRow, ...]
    held: tuple[Standing, ...]
    asked: PatientState | None
    what_if: tuple[WhatIf, ...]
    limits: dict[str, list[Limit]]


def read_alert(path: Path, alert_id: str) -> Alert:
    """The alert of a file, ``-`` for standard input: the only one there, or that of ``alert_id``. Raises ``ExplainError``."""
    try:
        text = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ExplainError(f"{path}: the alert cannot be read: {error.strerror}") from error
    alerts = _alerts(text, path)
    chosen = [alert for alert in alerts if alert.alert_id == alert_id] if alert_id else alerts
    last = last_states(chosen)
    if len(last) == 1:
        return last[0]
    if not alerts:
        raise ExplainError(f"{path}: there is no alert in it; one is a line of what `rxvigil check` prints")
    some = "; ".join(f"{a.alert_id} ({a.severity}: {a.summary})" for a in last_states(alerts)[:_NAMED])
    if alert_id:
        raise ExplainError(f"{path}: no alert of the id {alert_id}; it has {some}")
    raise ExplainError(f"{path}: {len(last)} alerts are in it; choose one with --alert-id: {some}")


def _alerts(text: bytes, path: Path) -> list[Alert]:
    try:
        return [codec.decode_alert(text)]
    except msgspec.DecodeError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [codec.decode_alert(line) for line in lines]
        except msgspec.DecodeError as error:
            raise ExplainError(
                f"{path}: no alert as `rxvigil check` prints it: {whole if len(lines) < 2 else error}"
            ) from error


def explained(given: Alert, events: Sequence[Event], knowledge: Knowledge, rows: RowFinder) -> Explanation:
    """Play the ``events`` of the patient and explain the alert. Raises ``ExplainError`` when they do not make it."""
    key = alert_key(given.rule, given.subject)
    found = [step for step in steps(events, knowledge) if step.alerts]
    alert = _chosen(given, [alert for step in found for alert in step.alerts])
    of_alert = [step for step in found if any(each.alert_id == alert.alert_id for each in step.alerts)]
    moments = _moments(of_alert, alert)
    open_states = [each for step in of_alert if (each := step.after) is not None and key in each.open_alerts]
    asked = open_states[-1] if open_states else None
    was = asked.open_alerts[key] if asked is not None else alert
    asking = Asking(asked, was, knowledge) if asked is not None else None
    return Explanation(
        alert=alert,
        given=given,
        same_id=alert.alert_id == given.alert_id,
        events=tuple(_behind(events, moments)),
        moments=moments,
        rows=tuple(row for reference in was.rows for row in rows.find(reference)),
        held=_held(asked, key),
        asked=asked,
        what_if=tuple(single_changes(asking)) if asking is not None else (),
        limits=newer_results(asking) if asking is not None else {},
    )


def _chosen(given: Alert, alerts: Iterable[Alert]) -> Alert:
    """By its id; else the episode of the same problem that began nearest to it."""
    made = last_states(alerts)
    same = [alert for alert in made if alert.alert_id == given.alert_id]
    problem = [alert for alert in made if (alert.rule, alert.subject) == (given.rule, given.subject)]
    if same or problem:
        return (same or sorted(problem, key=lambda alert: abs(alert.true_since - given.true_since)))[0]
    others = ", ".join(f"{alert.rule} {alert.subject}" for alert in made) or "none at all"
    raise ExplainError(
        f"the events of patient {given.patient_id} in these files make no alert of {given.rule} about {given.subject}; they "
        f"make {others}. Name all the files that had events of this patient, with --map for extracts"
    )


def _moments(found: Sequence[Step], alert: Alert) -> tuple[Moment, ...]:
    ends = (found[0], found[-1]) if len(found) > 1 else found[:1]
    return tuple(moment for step in ends if (moment := _moment(step, alert.alert_id)) is not None)


def _moment(step: Step, alert_id: str) -> Moment | None:
    revisions = [each for each in step.alerts if each.alert_id == alert_id]
    if step.after is None or not revisions:
        return None
    alert = revisions[-1]
    key = alert_key(alert.rule, alert.subject)
    former = step.before.open_alerts.get(key) if step.before is not None else None
    facts = (*(former.implicated if former is not None else ()), *alert.implicated)
    return Moment(
        alert=alert,
        event=step.event,
        before=step.before,
        after=step.after,
        by_time=alert.history[-1].at < step.after.clock,
        facts=tuple({(each.kind, each.source, each.record_id): each for each in facts}.values()),
    )


def _behind(events: Sequence[Event], moments: Sequence[Moment]) -> Iterable[Event]:
    """The events of the facts behind the alert, and those with which it changed, up to its last change."""
    named = {(fact.source, fact.record_id) for moment in moments for fact in moment.facts}
    changed = [moment.event for moment in moments]
    for event in events:
        if (event.source, event.record_id) in named or any(event is each for each in changed):
            yield event
        if event is changed[-1]:
            return


def _held(state: PatientState | None, key: str) -> tuple[Standing, ...]:
    """What this alert itself holds back first."""
    held = [each for each in state.standing.values() if each.held] if state is not None else []
    return tuple(
        sorted(held, key=lambda each: (each.by != key, each.by, each.held, each.since, each.rule, each.subject))
    )
