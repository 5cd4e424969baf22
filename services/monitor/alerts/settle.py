"""From what rules find to what is open and what is held back, after a change.

Only the parts that the change touched are evaluated anew. Which findings speak is decided over all that stands, so that one
that waited behind a graver one comes out when that ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas.alerts import Alert
from services.monitor.alerts import lifecycle
from services.monitor.alerts.answers import Answers, Found, Part, alert_key
from services.monitor.alerts.cause import Cause
from services.monitor.alerts.holding import Candidate, Hold, Holding, Raised, held_back
from services.monitor.patient.bounds import MAX_EPISODES
from services.monitor.patient.standing import Standing
from services.monitor.patient.state import PatientState
from services.monitor.rules.failure import TellFailed, loudly
from services.monitor.rules.index import Index
from services.monitor.rules.rule import Finding, Rule

__all__ = ["Part", "alert_key", "settled"]


class _Decision(NamedTuple):
    """``asked`` are the parts that were evaluated, ``fresh`` what was found in them; ``held`` is over all that stands.
    ``waiting`` are not found any more and stand while a renewal is waited for."""

    asked: set[Part]
    fresh: Found
    held: Mapping[str, Hold]
    raised: Mapping[str, Raised]
    waiting: Mapping[str, Standing]


def settled(
    state: PatientState,
    parts: Collection[Part],
    index: Index,
    cause: Cause,
    knowledge: Knowledge,
    at: datetime,
    tell: TellFailed = loudly,
) -> tuple[PatientState, list[Alert]]:
    """The state after ``parts`` are evaluated, and the alerts that changed. ``at`` is the monitor's time. Where a rule raises,
    ``tell`` is told, and its part stays as it was."""
    if not parts:
        return state, []
    answers = Answers(state, index, knowledge, tell)
    answers.ask(parts)
    decision = _decided(state, answers, index, cause)
    state = answers.noted(state)
    if decision is None:
        return state, []
    before, standing = state, _standing(state, decision, cause)
    if standing != state.standing:
        state = replace(state, standing=standing)
    ended = _ended(state, decision, cause, at)
    opened = _handed_over(_opened(state, decision, index, cause, knowledge, at), ended, before, state, at)
    if not ended and not opened:
        return state, []
    kept = {key: alert for key, alert in state.open_alerts.items() if key not in ended}
    # the newest last
    episodes = {key: id_ for key, id_ in state.episodes if key not in ended}
    episodes |= {key: alert.alert_id for key, alert in ended.items()}
    state = replace(state, open_alerts=kept | opened, episodes=tuple(episodes.items())[-MAX_EPISODES:])
    return state, [*ended.values(), *opened.values()]


def _decided(state: PatientState, answers: Answers, index: Index, cause: Cause) -> _Decision | None:
    """None where nothing of the parts stands and nothing stood: the end of nearly every event."""
    asked, fresh = answers.asked, answers.fresh
    stood = {key: each for key, each in state.standing.items() if (each.rule, each.part) in asked}
    if not fresh and not stood:
        return None
    # what could not be asked when who speaks was last decided has to be decided now
    if asked.isdisjoint(state.again) and _as_before(fresh, stood, state):
        held = {key: Hold(each.held, each.by) for key, each in state.standing.items() if each.held}
        return _Decision(asked, fresh, held, {}, {})
    while True:
        others = {key: each for key, each in state.standing.items() if (each.rule, each.part) not in asked}
        waiting = dict(_waiting(state, asked, fresh, cause))
        holding = held_back(_candidates(others | waiting, fresh, index), state.clock)
        if spoken_for := {key: hold for key, hold in holding.held.items() if key in waiting}:
            # what another speaks for need not be waited for: it is over, and makes no other graver
            waiting = {key: each for key, each in waiting.items() if key not in spoken_for}
            holding = held_back(_candidates(others | waiting, fresh, index), state.clock)
            holding = holding._replace(held={**spoken_for, **holding.held})
        # what speaks only now, or more or less gravely than before, is found again, to be told in full
        wanted = {
            (each.rule, each.part)
            for key, each in others.items()
            if key not in holding.held and each.rule in index.rules and _tells_otherwise(key, each, state, holding)
        } - answers.failed
        if not wanted:
            return _Decision(asked, fresh, holding.held, holding.raised, waiting)
        answers.ask(wanted)


def _as_before(fresh: Found, stood: Mapping[str, Standing], state: PatientState) -> bool:
    """Whether what was found is what stood already in all that decides who speaks and how gravely: then that is as it was, and
    need not be decided again. Nothing that was not evaluated has come to its time meanwhile, or it would have been."""
    if fresh.keys() != stood.keys() or any(each.by and each.by not in state.standing for each in stood.values()):
        return False
    shared = Counter(each.problem for each in state.standing.values() if each.problem)
    return all(
        shared[finding.problem] <= 1 and _decides_as(stood[key], finding, state.clock)
        for key, (_, _, finding) in fresh.items()
    )


def _decides_as(each: Standing, finding: Finding, clock: datetime) -> bool:
    before = (each.severity, each.rank, each.medicines, each.problem)
    if before != (finding.severity, finding.rank, finding.medicines, finding.problem):
        return False
    alone = each.held if not each.by else ""
    if finding.held:
        return alone == finding.held and each.opens is None
    waits = finding.opens is not None and finding.opens > clock
    return each.opens == finding.opens and bool(alone) == waits


def _waiting(state: PatientState, asked: set[Part], fresh: Found, cause: Cause) -> Iterator[tuple[str, Standing]]:
    """What is not true any more only because an order ran out, while its renewal is waited for."""
    for key, alert in state.open_alerts.items():
        each = state.standing.get(key)
        if each is None or key in fresh or (each.rule, each.part) not in asked:
            continue
        until = lifecycle.waits_for_renewal(alert, cause, state)
        if until is not None:
            yield key, replace(each, until=until)


def _tells_otherwise(key: str, each: Standing, state: PatientState, holding: Holding) -> bool:
    alert = state.open_alerts.get(key)
    severity = holding.raised[key].severity if key in holding.raised else each.severity
    return bool(each.held) or (alert is not None and alert.severity != severity)


def _candidates(standing: Mapping[str, Standing], fresh: Found, index: Index) -> Iterable[Candidate]:
    for key, each in standing.items():
        if each.rule in index.rules:
            own = "" if each.by or each.opens is not None else each.held
            place, medicines = index.place(index.rules[each.rule]), frozenset(each.medicines)
            yield Candidate(key, each.severity, each.rank, place, medicines, each.problem, own, each.opens)
    for key, (rule, _, finding) in fresh.items():
        yield Candidate(
            key,
            finding.severity,
            finding.rank,
            index.place(rule),
            frozenset(finding.medicines),
            finding.problem,
            finding.held,
            finding.opens,
        )


def _standing(state: PatientState, decision: _Decision, cause: Cause) -> dict[str, Standing]:
    """All that is true now, and what has reached the patient and waits for a person."""
    standing: dict[str, Standing] = {}
    for key, each in state.standing.items():
        hold, alert = decision.held.get(key), state.open_alerts.get(key)
        if (each.rule, each.part) not in decision.asked:
            standing[key] = each if hold is None else _kept(each, hold, alert)
        elif key not in decision.fresh and alert is not None and lifecycle.waits_for_closure(alert, cause):
            standing[key] = replace(each, until=None)
        elif key in decision.waiting and hold is None:
            standing[key] = decision.waiting[key]
    for key, (rule, part, finding) in decision.fresh.items():
        standing[key] = _new(rule, part, finding, decision.held.get(key), state.clock)
    return standing


def _ended(state: PatientState, decision: _Decision, cause: Cause, at: datetime) -> dict[str, Alert]:
    """The open alerts that are not true any more, or that a graver one speaks for."""
    ended: dict[str, Alert] = {}
    for key, alert in state.open_alerts.items():
        if key in decision.held:
            ended[key] = lifecycle.superseded(alert, decision.held[key].reason, state, at)
        elif key not in state.standing:
            ended[key] = lifecycle.ended(alert, cause, state, at)
    return ended


def _opened(
    state: PatientState, decision: _Decision, index: Index, cause: Cause, knowledge: Knowledge, at: datetime
) -> dict[str, Alert]:
    """The alerts that are new or changed, in the order of the rules."""
    opened: dict[str, Alert] = {}
    former = dict(state.episodes)
    for key, (rule, _, finding) in sorted(decision.fresh.items(), key=lambda each: (index.place(each[1][0]), each[0])):
        if key in decision.held:
            continue
        if key in decision.raised:
            finding = _as_grave(finding, decision.raised[key], decision.fresh, state)
        known = state.open_alerts.get(key)
        if known is None:
            before = former.get(key, "")
            opened[key] = lifecycle.opened(rule, finding, cause, state, knowledge.version, at, before)
        elif (alert := lifecycle.updated(known, rule, finding, state, knowledge.version, at)) is not None:
            opened[key] = alert
    return opened


def _as_grave(finding: Finding, raised: Raised, fresh: Found, state: PatientState) -> Finding:
    """The finding as grave as the one that it speaks for, and in whose words that is so."""
    if raised.by in fresh:
        other = fresh[raised.by][2]
        summary, citations = other.summary, other.citations
    else:
        summary, citations = state.standing[raised.by].summary, ()
    words = f" It is {raised.severity} because: {summary}." if summary else ""
    return replace(
        finding,
        severity=raised.severity,
        detail=finding.detail + words,
        citations=tuple(dict.fromkeys((*finding.citations, *citations))),
    )


def _handed_over(
    opened: dict[str, Alert], ended: Mapping[str, Alert], before: PatientState, state: PatientState, at: datetime
) -> dict[str, Alert]:
    """Where another rule now speaks for a problem that stands, its alert goes on from the one that ended: with what a person
    answered, unless it is graver."""
    former = {before.standing[key].problem: alert for key, alert in ended.items() if key in before.standing}
    if not former:
        return opened
    found: dict[str, Alert] = {}
    for key, alert in opened.items():
        last = former.get(state.standing[key].problem) if state.standing[key].problem else None
        new = key not in before.open_alerts and last is not None
        found[key] = lifecycle.goes_on_from(alert, last, state.clock, at) if new and last is not None else alert
    return found


def _new(rule: Rule, part: str, finding: Finding, hold: Hold | None, clock: datetime) -> Standing:
    # what has passed was taken into account just now, and is not waited for again
    waits = [time for time in (finding.until, finding.opens) if time is not None and time > clock]
    return Standing(
        rule=rule.id,
        subject=finding.subject,
        part=part,
        severity=finding.severity,
        rank=finding.rank,
        since=finding.since,
        until=min(waits, default=None),
        medicines=finding.medicines,
        problem=finding.problem,
        held=hold.reason if hold is not None else "",
        by=hold.by if hold is not None else "",
        # what its rule tells to nobody waits for no time
        opens=None if finding.held else finding.opens,
        summary=finding.summary if hold is not None else "",
    )


def _kept(each: Standing, hold: Hold, alert: Alert | None) -> Standing:
    """One that was not evaluated anew and is held back now."""
    if (each.held, each.by) == (hold.reason, hold.by):
        return each
    return replace(each, held=hold.reason, by=hold.by, summary=each.summary or (alert.summary if alert else ""))
