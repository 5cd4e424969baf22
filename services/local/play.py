"""Events played through ingest and monitor in this process, as the broker would have brought them: by patient, in the order of
clinical time, each received when it was so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

from knowledge.model import Knowledge
from schemas import codec, topics
from schemas.alerts import Alert
from schemas.cloudevents import event_headers
from schemas.dead_letters import DeadLetter
from schemas.events import Event
from services.ingest.pipeline import Pipeline
from services.local.feed import Place, Unit, place_of
from services.local.report import Tally
from services.monitor.handler import MonitorHandler
from services.monitor.held import TellHeld
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.state import PatientState
from services.monitor.rules.failure import TellFailed, loudly
from services.streaming import batches
from services.streaming.handler import Record, Send
from services.streaming.memory import MemoryEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Refuse = Callable[[DeadLetter], None]


class Step(NamedTuple):
    """One event with the patient's state on both sides of it, None where there was none, and the alerts that it changed, or
    time had changed until it came."""

    event: Event
    before: PatientState | None
    after: PatientState | None
    alerts: list[Alert]


def by_patient(
    found: Iterable[Unit], pipeline: Pipeline, tally: Tally, refuse: Refuse, only: str = ""
) -> dict[str, list[Event]]:
    """The events of the units, those of each patient in the order in which they are to be played. ``only``: of one patient;
    refusals and the tally are of all."""
    placed: dict[str, list[tuple[Place, Event]]] = {}
    for unit in found:
        taken = pipeline.take_unit(unit.end, unit.original, unit.origin)
        tally.add(taken)
        for event in taken.events:
            if not only or event.patient_id == only:
                assert isinstance(unit.end, Event)
                placed.setdefault(event.patient_id, []).append((place_of(unit.end, unit.origin), event))
        for letter in taken.refused:
            refuse(letter)
    return {patient: [event for _, event in sorted(placed[patient], key=itemgetter(0))] for patient in sorted(placed)}


def engine(
    knowledge: Knowledge, tell_held: TellHeld = lambda rule, reason: None, tell_failed: TellFailed = loudly
) -> MemoryEngine:
    """The monitor without a broker. Its time is the event's own."""
    return MemoryEngine(MonitorHandler(knowledge, _time_of, tell_held, tell_failed))


def play(events: Sequence[Event], into: MemoryEngine) -> list[Send]:
    """What the monitor sends for the events of one patient."""
    return into.feed([_record(number, event) for number, event in enumerate(events)])


def steps(events: Sequence[Event], knowledge: Knowledge) -> Iterator[Step]:
    """The same, one event at a time. An event that the monitor cannot take changes nothing."""
    # the states stay as they are: to encode and decode each would take most of the time of a patient with thousands of events
    handler = MonitorHandler(knowledge, _time_of)
    before: PatientState | None = None
    for number, event in enumerate(events):
        key = event.patient_id.encode()
        outcome, _ = batches.run(handler, [_record(number, event)], {key: before})
        after = outcome.states.get(key, before)
        assert after is None or isinstance(after, PatientState)
        yield Step(event, before, after, alerts_of(outcome.sends))
        before = after


def alerts_of(sends: Iterable[Send]) -> list[Alert]:
    """The alerts among what was sent, every revision."""
    return [codec.decode_alert(send.value) for send in sends if send.topic == topics.ALERTS and send.value]


def last_states(alerts: Iterable[Alert]) -> list[Alert]:
    """The highest revision of each alert, by when it became true."""
    last = {alert.alert_id: alert for alert in sorted(alerts, key=lambda alert: alert.revision)}
    return sorted(
        last.values(), key=lambda alert: (alert.patient_id, alert.true_since, alert.rule, alert.subject, alert.alert_id)
    )


def fixed(now: datetime) -> Callable[[], datetime]:
    """A clock that stands: a whole run has one time of receipt."""
    return lambda: now


def _record(number: int, event: Event) -> Record:
    """As the broker would have it, received when it was so."""
    stamp = (clinical_time(event) - _EPOCH) // _MILLISECOND
    key = event.patient_id.encode()
    return Record(topics.EVENTS, 0, number, stamp, key, codec.encode(event), event_headers(event))


def _time_of(record: Record) -> datetime:
    return _EPOCH + record.timestamp * _MILLISECOND
