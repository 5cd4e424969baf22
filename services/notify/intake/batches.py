"""Stores what was read of a topic, and refuses what does not hold what it should.

What a batch changes and the offset behind it are one transaction, so a crash anywhere repeats a batch or nothing. A
repeated batch changes nothing: only what is newer than what is there is stored, and deliveries have fixed ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import asyncpg
import structlog
from aiokafka import ConsumerRecord

from schemas import topics
from schemas.dead_letters import DeadLetter
from schemas.values import broker_time
from services.notify.intake.reading import RefusedError
from services.notify.metrics import NotifyMetrics
from services.notify.store import offsets
from services.notify.store.database import named
from services.runtime.clock import Clock
from services.streaming.handler import Send
from services.streaming.producer import BatchProducer

T = TypeVar("T")
Count = Callable[[], None]
_UNSTORABLE = (asyncpg.DataError, asyncpg.ProgramLimitExceededError)
"""What Postgres says of a value that it can never hold."""

log = structlog.get_logger(__name__)


class Kind(ABC, Generic[T]):
    """What becomes of the records of one topic."""

    topic: str

    @abstractmethod
    def read(self, record: ConsumerRecord) -> T:
        """What a record holds. Raises ``RefusedError``."""

    @abstractmethod
    async def store(self, connection: Any, found: Sequence[T], now: datetime) -> Count:
        """Store in the caller's transaction what is newer than what is there. What is given back counts it, and is called
        once the transaction has been committed."""


class Intake:
    """Stores batches of the topics of its kinds."""

    def __init__(
        self, pool: Any, producer: BatchProducer, metrics: NotifyMetrics, clock: Clock, kinds: Sequence[Kind[Any]]
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._metrics = metrics
        self._clock = clock
        self._kinds = {kind.topic: kind for kind in kinds}

    @property
    def topics(self) -> list[str]:
        """What is to be read, what people wait for first."""
        return list(self._kinds)

    async def take(self, records: Sequence[ConsumerRecord]) -> None:
        """Store consecutive records of one partition. A record that cannot be stored is refused, alone.

        Raises what Kafka and Postgres raise when they are away; nothing is then stored, and the same records may come again.
        """
        kind = self._kinds[records[0].topic]
        found = [(record, await self._read(kind, record)) for record in records]
        try:
            await self._store(kind, [one for _, one in found if one is not None], records[-1])
        except _UNSTORABLE:
            for record, one in found:
                await self._store_alone(kind, record, one)

    async def _read(self, kind: Kind[T], record: ConsumerRecord) -> T | None:
        try:
            return kind.read(record)
        except RefusedError as error:
            await self._refuse(record, error)
            return None

    async def _store_alone(self, kind: Kind[T], record: ConsumerRecord, one: T | None) -> None:
        try:
            await self._store(kind, [] if one is None else [one], record)
        except _UNSTORABLE as error:
            await self._refuse(record, RefusedError("notify_error", named(error)))
            await self._store(kind, [], record)

    async def _store(self, kind: Kind[T], found: Sequence[T], last: ConsumerRecord) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            count = await kind.store(connection, found, self._clock())
            await offsets.put(connection, last.topic, last.partition, last.offset + 1)
        count()

    async def _refuse(self, record: ConsumerRecord, error: RefusedError) -> None:
        letter = DeadLetter(
            reason=error.reason,
            detail=error.detail,
            place=error.place,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            original=record.value or b"",
            received_at=broker_time(record.timestamp),
            refused_at=self._clock(),
            refused_by="notify",
        )
        await self._producer.send([Send(topics.DEAD_LETTERS, record.key, letter.original, letter.headers())])
        self._metrics.refused.labels(error.reason).inc()
        log.warning(
            "a record was refused",
            reason=error.reason,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
