"""The monitor as the engine sees it: records of events and answers in; states, alerts and pictures out."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from knowledge.model import Knowledge
from schemas import cloudevents, codec, topics
from schemas.adoption import Adoption
from schemas.alerts import Alert
from schemas.canaries import is_canary, is_canary_key
from schemas.dead_letters import DeadLetter
from schemas.events import AnyEvent
from schemas.feedback import Feedback
from schemas.values import broker_time
from services.monitor import evaluate, merging, pictures
from services.monitor.alerts.cause import Merged
from services.monitor.held import TellHeld, newly_held
from services.monitor.patient.state import PatientState
from services.monitor.patient.stored import decode, encode
from services.monitor.rules.failure import TellFailed, loudly
from services.streaming.handler import Outcome, Record, Send

TOPICS = (topics.EVENTS, topics.FEEDBACK, topics.CANARY_EVENTS)

S = TypeVar("S")
T = TypeVar("T")

_EPOCH = datetime.fromtimestamp(0, UTC)

Taken = tuple[PatientState | None, list[Alert], list[Send]]
RecordClock = Callable[[Record], datetime]
"""The monitor's time when it handles a record: the system's, or in a replay without a broker one that follows from the
record, so that the same records give the same alerts to the byte."""


class UndecodableError(ValueError):
    """A record is no event, answer or adoption; its cause says why."""


class MonitorHandler:
    """Keyed by patient. What a record changes is sent once per record (alerts); a picture at most every few seconds. What is
    of a synthetic patient has topics of its own; its one picture comes when a record without a value makes it forgotten.

    ``tell_held`` hears of every finding that is newly held back, ``tell_failed`` of every rule that raises; without it such a
    record is refused.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        clock: RecordClock,
        tell_held: TellHeld = lambda rule, reason: None,
        tell_failed: TellFailed = loudly,
    ) -> None:
        self.use(knowledge)
        self._clock = clock
        self._tell_held = tell_held
        self._tell_failed = tell_failed

    def use(self, knowledge: Knowledge) -> None:
        """From the next call on this is the knowledge; each patient is evaluated anew with the next record. Raises what a rule
        raises that cannot read it, and then changes nothing."""
        evaluate.index_of(knowledge)
        self.knowledge = knowledge

    def state_key(self, record: Record) -> bytes | None:
        return record.key

    def handle(self, records: Sequence[Record], states: Mapping[bytes, object | None]) -> Outcome:
        changed: dict[bytes, object | None] = {}
        sends: list[Send] = []
        now = 0
        for record in records:
            if record.key is None:
                raise UndecodableError("a record without a key: it names no patient")
            state = changed.get(record.key, states.get(record.key))
            assert state is None or isinstance(state, PatientState)
            if state is not None and record.offset <= state.applied.get(record.topic, -1):
                continue
            if record.value is None and record.topic == topics.CANARY_EVENTS:
                changed[record.key] = None
                sends.append(pictures.last(record.key, state))
                continue
            after, alerts, passed_on = self._in_time(record, state)
            self._tell(state, after)
            if after is not None:
                applied = {**after.applied, record.topic: record.offset}
                changed[record.key] = replace(after, applied=applied)
            sends += map(_alert_record, alerts)
            sends += passed_on
            now = _milliseconds(self._clock(record))
        for key, state in changed.items():
            if isinstance(state, PatientState) and not is_canary_key(key):
                changed[key], picture = pictures.shown(state, now)
                sends += picture
        return Outcome(changed, sends)

    def due(self, state: object) -> int | None:
        """When time alone changes something of a live patient, or an owed picture may be sent."""
        assert isinstance(state, PatientState)
        time = evaluate.due(state) if state.live else None
        both = (None if time is None else _milliseconds(time), pictures.due(state))
        return min((each for each in both if each is not None), default=None)

    def handle_due(self, states: Mapping[bytes, object], now: int) -> Outcome:
        """The wall clock has come to ``now`` for these patients. Looking again after a crash gives the same alerts under the
        same ids, because what is due is found at its own time."""
        changed: dict[bytes, object | None] = {}
        sends: list[Send] = []
        time = _EPOCH + timedelta(milliseconds=now)
        for key, state in states.items():
            assert isinstance(state, PatientState)
            after, alerts = evaluate.advance(state, time, self.knowledge, time, self._tell_failed)
            self._tell(state, after)
            picture: list[Send] = []
            if after is not state or ((due := pictures.due(state)) is not None and due <= now):
                after, picture = pictures.shown(after, now)
            if after is not state:
                changed[key] = after
            sends += [*map(_alert_record, alerts), *picture]
        return Outcome(changed, sends)

    def _tell(self, before: PatientState | None, after: PatientState | None) -> None:
        if after is not None and is_canary(after.patient_id):
            return
        for rule, reason in newly_held(before, after):
            self._tell_held(rule, reason)

    def _in_time(self, record: Record, state: PatientState | None) -> Taken:
        """``_take``, and what was due when the broker received the record, before and after it. Whether the engine looked between
        two records, or takes them again after a crash, then makes no difference."""
        at = self._clock(record)
        # any sender may set any time stamp
        now = min(broker_time(record.timestamp) or at, at)
        before: list[Alert] = []
        after: list[Alert] = []
        if state is not None:
            state, before = evaluate.advance(state, now, self.knowledge, at, self._tell_failed)
        state, alerts, passed_on = self._take(record, state)
        if state is not None:
            state, after = evaluate.advance(state, now, self.knowledge, at, self._tell_failed)
        return state, [*before, *alerts, *after], passed_on

    def _take(self, record: Record, state: PatientState | None) -> Taken:
        at, asked = self._clock(record), (self.knowledge, self._clock(record), self._tell_failed)
        message, hops = _read(record)
        if isinstance(message, Feedback):
            return (None, [], []) if state is None else (*evaluate.take_feedback(state, message, *asked), [])
        if state is not None and merging.points_away(state):
            if not merging.goes_on_here(state, hops):
                state = merging.redirected(state, message)
                return state, [], merging.passed_on(state, message, hops)
            state = merging.revived(state)
        if isinstance(message, Adoption):
            former, cause = _decoded(decode, message.state), Merged(message.former_id, message.at)
            after, alerts = evaluate.take_former(state, former, message.patient_id, cause, *asked)
            return after, alerts, []
        after, alerts = evaluate.take_event(state, message, *asked)
        pointer = merging.merge_of(after, message)
        if pointer is None:
            return after, alerts, []
        left, withdrawn, sends = merging.ended(after, pointer, hops, message, at)
        return left, alerts + withdrawn, sends

    def refuse(self, record: Record, error: Exception) -> list[Send]:
        undecodable = isinstance(error, UndecodableError)
        cause = error.__cause__ if undecodable else None
        letter = DeadLetter(
            reason="undecodable_event" if undecodable else "rule_error",
            detail=type(cause or error).__name__,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            original=record.value or b"",
            received_at=broker_time(record.timestamp),
            refused_at=self._clock(record),
            refused_by="monitor",
        )
        return [Send(topics.DEAD_LETTERS, record.key, letter.original, letter.headers())]

    def encode_state(self, state: object) -> bytes:
        assert isinstance(state, PatientState)
        return encode(state)

    def decode_state(self, stored: bytes) -> object:
        return decode(stored)


def _read(record: Record) -> tuple[AnyEvent | Adoption | Feedback, merging.Hops]:
    """Raises ``UndecodableError``."""
    value = record.value or b""
    if record.topic == topics.FEEDBACK:
        return _decoded(codec.decode_feedback, value), ()
    return _decoded(codec.decode_event_or_adoption, value), _decoded(merging.hops_of, record)


def _decoded(decoder: Callable[[S], T], stored: S) -> T:
    try:
        return decoder(stored)
    except (ValueError, msgspec.MsgspecError, zlib.error) as error:
        raise UndecodableError from error


def _alert_record(alert: Alert) -> Send:
    topic = topics.CANARY_ALERTS if is_canary(alert.patient_id) else topics.ALERTS
    return Send(topic, alert.patient_id.encode(), codec.encode(alert), cloudevents.alert_headers(alert))


def _milliseconds(time: datetime) -> int:
    """Rounded up: whoever looks then must not look too early."""
    return -((_EPOCH - time) // timedelta(milliseconds=1))
