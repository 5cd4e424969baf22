"""Plays a rule's canary through ingest and the whole monitor, all rules on, and says whether it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import Raw

from knowledge.model import Knowledge
from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from schemas.events import Administration, Dispensing, Event, LabResult, Prescription
from schemas.values import Origin, Severity
from services.ingest.formats import native
from services.ingest.pipeline import Pipeline
from services.local.feed import Unit
from services.local.play import alerts_of, by_patient, engine, fixed, last_states, play, steps
from services.local.report import Tally
from services.monitor.canaries.cases import of
from services.monitor.held import reason_of
from services.monitor.patient.standing import Standing
from services.monitor.rules import Rule
from services.monitor.rules.canary import Canary, CanaryError
from services.monitor.rules.written import Written

__all__ = ["Seen", "faults", "faults_of", "of", "open_alerts", "seen", "standing", "taken"]

AtEnd = Callable[[Sequence[Raw], Knowledge], Sequence[Alert | Standing]]
_RECEIVED = datetime(2026, 11, 3, tzinfo=UTC)


class Seen(NamedTuple):
    """What the events of a case speak of, as ingest understood them."""

    ingredients: frozenset[str]
    analytes: frozenset[str]


def open_alerts(events: Sequence[Raw], knowledge: Knowledge) -> list[Alert]:
    """What is open at the end of a case. Raises ``CanaryError`` when ingest or the monitor refuses any of it."""
    monitor = engine(knowledge)
    sends = [send for of_patient in taken(events, knowledge) for send in play(of_patient, monitor)]
    if monitor.errors:
        raise CanaryError(f"the monitor could not take an event of the canary: {monitor.errors[0]!r}")
    return [alert for alert in last_states(alerts_of(sends)) if alert.status == "open"]


def seen(events: Sequence[Raw], knowledge: Knowledge) -> Seen:
    """Raises ``CanaryError`` when ingest refuses any of it."""
    found = [event for of_patient in taken(events, knowledge) for event in of_patient]
    drugs = (e.drug for e in found if isinstance(e, Prescription | Dispensing | Administration))
    return Seen(
        frozenset(ingredient.name for drug in drugs for ingredient in drug.ingredients),
        frozenset(e.analyte for e in found if isinstance(e, LabResult)),
    )


def taken(events: Sequence[Raw], knowledge: Knowledge) -> Iterable[list[Event]]:
    """The events of each patient through ingest."""
    units = [
        Unit(Origin("canary", 0, number), bytes(each), native.decode_unit(bytes(each)))
        for number, each in enumerate(events)
    ]
    return by_patient(units, Pipeline(knowledge, fixed(_RECEIVED)), Tally(), _refused).values()


def standing(events: Sequence[Raw], knowledge: Knowledge) -> list[Standing]:
    """What is true at the end of a case, also where another alert speaks for it or its rule tells it to nobody; what only waits
    for grace to pass is not. Raises ``CanaryError`` as ``open_alerts`` does."""
    found: list[Standing] = []
    for of_patient in taken(events, knowledge):
        after = [step.after for step in steps(of_patient, knowledge) if step.after is not None]
        found += [each for each in (after[-1].standing.values() if after else ()) if reason_of(each) != "grace"]
    return found


def faults_of(rule: Rule, knowledge: Knowledge) -> list[str]:
    """What does not hold of the canary of a rule. A written one need not be the one that speaks: its author cannot know who else
    does."""
    try:
        canary = of(rule, knowledge)
    except CanaryError as error:
        return [str(error)]
    return faults(rule.id, canary, knowledge, standing if isinstance(rule, Written) else open_alerts)


def faults(rule: str, canary: Canary, knowledge: Knowledge, at_end: AtEnd = open_alerts) -> list[str]:
    """What does not hold, a sentence each; nothing when both cases do. Other rules may find what they like in them."""
    fires = Counter((each.subject, each.severity) for each in canary.fires.alerts)
    cases = (("fires", canary.fires.events, fires), ("silent", canary.silent.events, Counter[tuple[str, Severity]]()))
    said = []
    for name, events, wanted in cases:
        try:
            found = Counter((a.subject, a.severity) for a in at_end(events, knowledge) if a.rule == rule)
        except CanaryError as error:
            said.append(f"{name}: {error}")
            continue
        if missing := wanted - found:
            said.append(f"{name}: not found: {_named(missing)}")
        if more := found - wanted:
            said.append(f"{name}: found and not expected: {_named(more)}")
    return said


def _named(alerts: Counter[tuple[str, Severity]]) -> str:
    return ", ".join(f"{subject} ({severity})" for subject, severity in sorted(alerts))


def _refused(letter: DeadLetter) -> None:
    raise CanaryError(f"event {letter.offset + 1} {letter.place}: {letter.reason}: {letter.detail}")
