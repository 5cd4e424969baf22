"""Ingest behind the batch interface: source records become canonical events and dead letters. Keeps no state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from schemas.canaries import is_canary, is_canary_key
from schemas.cloudevents import event_headers
from schemas.codec import encode
from schemas.dead_letters import DeadLetter
from schemas.events import Event
from schemas.topics import CANARIES, CANARY_EVENTS, DEAD_LETTERS, EVENTS, MAX_RECORD_BYTES
from schemas.values import Origin, broker_time
from services.ingest.formats import Refusal
from services.ingest.pipeline import Pipeline, Taken, dead_letter
from services.runtime.clock import Clock
from services.streaming.handler import Outcome, Record, Send

Watch = Callable[[Record, Taken], None]
"""Is told what each record came to; again when a batch is repeated after a crash."""


class IngestHandler:
    """A ``services.streaming.handler.Handler``. Events go out keyed by patient id in the order of their records, so one
    patient has one order; a dead letter keeps its record's key. Repeating a record sends the same event ids again. A synthetic
    patient is forgotten by a record without a value, which is passed on from its topic and from no other."""

    def __init__(self, pipeline: Pipeline, clock: Clock, watch: Watch = lambda record, taken: None) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._watch = watch

    def state_key(self, record: Record) -> bytes | None:
        return None

    def handle(self, records: Sequence[Record], states: Mapping[bytes, object | None]) -> Outcome:
        sends: list[Send] = []
        for record in records:
            if record.topic == CANARIES and record.value is None and is_canary_key(record.key):
                sends.append(Send(CANARY_EVENTS, record.key, None))
                continue
            taken = self._pipeline.take(record.value, origin_of(record))
            sends += [self._event_send(event, record) for event in taken.events]
            sends += [letter_send(letter, record.key) for letter in taken.refused]
            self._watch(record, taken)
        return Outcome({}, sends)

    def refuse(self, record: Record, error: Exception) -> list[Send]:
        # the error's text may repeat what it failed on
        refusal = Refusal("ingest_error", type(error).__name__)
        letter = dead_letter(refusal, record.value or b"", origin_of(record), self._clock())
        return [letter_send(letter, record.key)]

    def _event_send(self, event: Event, record: Record) -> Send:
        """An event that grew over the limit when its drugs were resolved would stop the stream at the broker."""
        send = event_send(event)
        if len(send.value or b"") <= MAX_RECORD_BYTES:
            return send
        refusal = Refusal("too_large", f"the canonical event has more than {MAX_RECORD_BYTES} bytes")
        origin = event.origin or origin_of(record)
        return letter_send(dead_letter(refusal, record.value or b"", origin, self._clock()), record.key)

    def encode_state(self, state: object) -> bytes:
        raise NotImplementedError("ingest keeps no state")

    def decode_state(self, stored: bytes) -> object:
        raise NotImplementedError("ingest keeps no state")


def origin_of(record: Record) -> Origin:
    """Where a record stood."""
    return Origin(record.topic, record.partition, record.offset, received_at=broker_time(record.timestamp))


def event_send(event: Event) -> Send:
    topic = CANARY_EVENTS if is_canary(event.patient_id) else EVENTS
    return Send(topic, event.patient_id.encode(), encode(event), event_headers(event))


def letter_send(letter: DeadLetter, key: bytes | None) -> Send:
    """A dead letter as it goes to Kafka, under the key that its record had."""
    return Send(DEAD_LETTERS, key, letter.original, letter.headers())
