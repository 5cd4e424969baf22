"""A message of HTTP: judged by the pipeline, published as it was received, acknowledged by the broker, and only then taken.

The pipeline runs twice on it: here for the answer, and in the stream for the events, where everything else comes from too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec
import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from msgspec import Raw, Struct

from schemas.topics import MAX_RECORD_BYTES, MESSAGES
from schemas.values import Origin
from services.ingest.formats.fhir.kinds import RESOURCE_TYPES
from services.ingest.http.outcome import Issue, OperationOutcome, refusals
from services.ingest.pipeline import Pipeline, Taken
from services.runtime.clock import Clock
from services.streaming.handler import Send

ANSWER_SECONDS = 10.0
"""How long the broker may take to acknowledge."""
IN_HAND = 4
"""Messages that are looked at at one time; each may have ``MAX_RECORD_BYTES``."""
STOP_SECONDS = 1.0

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_well_formed = msgspec.json.Decoder(Raw).decode

log = structlog.get_logger(__name__)


class Producer(Protocol):
    """What is needed of ``services.streaming.producer.BatchProducer``."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, sends: Sequence[Send]) -> None: ...


class Answer(NamedTuple):
    """The status of HTTP and what is said with it."""

    status: int
    outcome: OperationOutcome


class _Resource(Struct, rename={"type": "resourceType"}):
    type: str


_resource = msgspec.json.Decoder(_Resource).decode


class Intake:
    """Takes messages from ``start`` to ``stop``; outside these it answers 503.

    An answer 202 says that the broker has the message. 503 says that this is not known: the broker may get it yet, and
    sending it again is right in either case, because the same message gives the same business identities. ``seconds``
    bounds the wait for the broker.
    """

    def __init__(self, pipeline: Pipeline, producer: Producer, clock: Clock, seconds: float = ANSWER_SECONDS) -> None:
        self._pipeline = pipeline
        self._producer = producer
        self._clock = clock
        self._seconds = seconds
        self._turns = asyncio.Semaphore(IN_HAND)
        self._unsent: set[asyncio.Task[None]] = set()
        self._open = False

    async def start(self) -> None:
        await self._producer.start()
        self._open = True

    async def stop(self) -> None:
        """Ends within ``STOP_SECONDS``; what the broker has not acknowledged by then was answered with 503."""
        self._open = False
        stopping = asyncio.create_task(self._producer.stop())
        await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        for task in (stopping, *self._unsent):
            task.cancel()
        await asyncio.gather(stopping, *self._unsent, return_exceptions=True)

    async def take(self, receive: Callable[[], Awaitable[bytes]]) -> Answer:
        """Judge and publish one message. The body is asked for when it is this message's turn, so that those that wait
        fill no memory; what ``receive`` raises is passed on."""
        async with self._turns:
            if not self._open or len(self._unsent) >= IN_HAND:
                return _away()
            body = await receive()
            # a large bundle takes seconds, and probes and the stream must not wait for it
            judged = await asyncio.to_thread(self._judge, body)
            return judged if isinstance(judged, Answer) else await self._publish(*judged)

    async def _publish(self, send: Send, accepted: Answer) -> Answer:
        if not self._open:
            return _away()
        # never cancelled: what the producer has begun it ends, and the bytes stay in memory until then
        sending = asyncio.create_task(self._producer.send([send]))
        self._unsent.add(sending)
        sending.add_done_callback(self._sent)
        await asyncio.wait({sending}, timeout=self._seconds)
        if not sending.done() or sending.cancelled():
            return _away()
        error = sending.exception()
        if isinstance(error, MessageSizeTooLargeError):
            return too_large()
        if isinstance(error, KafkaError):
            log.warning("a message was not taken: the broker did not acknowledge it", error=type(error).__name__)
            return _away()
        sending.result()
        return accepted

    def _sent(self, sending: asyncio.Task[None]) -> None:
        self._unsent.discard(sending)
        if not sending.cancelled():
            sending.exception()  # retrieved here for an answer that was given before

    def _judge(self, body: bytes) -> Answer | tuple[Send, Answer]:
        """What to answer; with what to publish before that, if anything."""
        text = body.removeprefix(_BOM).strip(_SPACE)
        if fault := _no_json(text):
            return fault
        try:
            named = _resource(text).type
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return _said(422, "structure", "no FHIR resource: an object with a text `resourceType` is wanted")
        # what FHIR does not name may be anything, and is not repeated
        root = named if named in RESOURCE_TYPES else "Resource"
        taken = self._pipeline.take(body, Origin("POST /fhir", 0, 0, received_at=self._clock()))
        if not taken.events:
            return _unused(taken, root)
        send = Send(MESSAGES, taken.events[0].patient_id.encode(), body)
        return send, _accepted(taken, root)


def _said(status: int, code: str, text: str) -> Answer:
    return Answer(status, OperationOutcome((Issue("error", code, text),)))


def _no_json(text: bytes) -> Answer | None:
    if not text:
        return _said(400, "required", "the body is empty: a FHIR resource as JSON is wanted")
    try:
        text.decode()
        _well_formed(text)
    except UnicodeDecodeError as error:
        return _said(400, "structure", f"no UTF-8 at byte {error.start}")
    except RecursionError:
        return _said(400, "structure", "nested too deeply")
    except msgspec.DecodeError as error:
        return _said(400, "structure", f"no JSON: {error}")
    return None


def _unused(taken: Taken, root: str) -> Answer:
    """Nothing to publish: all was refused, or is of a kind that nobody here reads."""
    if taken.refused:
        return Answer(422, OperationOutcome(tuple(refusals(taken.refused, root, ". Nothing was published"))))
    ignored = taken.ignored.total()
    text = f"read, and nothing in it is used: {ignored} ignored ({_kinds(taken)}). Nothing was published"
    return Answer(200, OperationOutcome((Issue("information", "informational", text),)))


def _accepted(taken: Taken, root: str) -> Answer:
    counts = f"{len(taken.events)} events, {len(taken.refused)} refused, {taken.ignored.total()} ignored"
    kinds = f" ({_kinds(taken)})" if taken.ignored else ""
    accepted = Issue("information", "informational", f"accepted and published: {counts}{kinds}")
    then = ". The rest of the message is taken; this part becomes a dead letter"
    return Answer(202, OperationOutcome((accepted, *refusals(taken.refused, root, then))))


def _kinds(taken: Taken) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(taken.ignored.items()))


def too_large() -> Answer:
    return _said(413, "too-long", f"more than {MAX_RECORD_BYTES} bytes: send the message in several parts")


def _away() -> Answer:
    text = "the broker has not acknowledged the message: send it again, which changes nothing if it has arrived"
    return Answer(503, OperationOutcome((Issue("error", "transient", text),)))
