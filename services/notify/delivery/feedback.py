"""People's answers on their way to the monitor: from Postgres to ``medication.feedback``."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from schemas import cloudevents, codec, topics
from schemas.feedback import Feedback
from services.notify.store import answers
from services.notify.store.changes import Changes
from services.notify.store.database import named
from services.runtime.clock import Clock
from services.streaming.handler import Send
from services.streaming.producer import BatchProducer

_BATCH = 100
POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class FeedbackPublisher:
    """Sends each answer at least once, under its fixed id."""

    def __init__(self, pool: Any, producer: BatchProducer, changes: Changes, clock: Clock) -> None:
        self._pool = pool
        self._producer = producer
        self._changes = changes
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until ``stop``. Errors of Kafka and the database are logged and tried again."""
        while not stop.is_set():
            seen = self._changes.number
            try:
                sent = await self.publish()
            except Exception as error:
                log.warning("answers cannot be sent to the monitor; trying again", error=named(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if not sent:
                    await self._changes.wait(seen, POLL_SECONDS)

    async def publish(self) -> int:
        """Send what waits; how many. An answer counts as sent when the broker has acknowledged it."""
        async with self._pool.acquire() as connection, connection.transaction():
            waiting = await answers.unsent(connection, _BATCH)
            if waiting:
                await self._producer.send([_record(feedback) for feedback in waiting])
                await answers.mark_sent(connection, waiting, self._clock())
        return len(waiting)


def _record(feedback: Feedback) -> Send:
    headers = cloudevents.feedback_headers(feedback)
    return Send(topics.FEEDBACK, feedback.patient_id.encode(), codec.encode(feedback), headers)
