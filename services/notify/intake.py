"""Stores what was read of ``medication.alerts``, and refuses what holds no alert.

What a batch changes and the offset behind it are one transaction, so a crash anywhere repeats a batch or nothing. A
repeated batch changes nothing: only a higher revision is stored, and deliveries have fixed ids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import structlog
from aiokafka import ConsumerRecord

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from schemas.values import Severity, broker_time
from services.notify.delivery.channel import Channel
from services.notify.metrics import NotifyMetrics
from services.notify.routing.asking import asks_since
from services.notify.routing.severity import is_told
from services.notify.store import alerts, changes, deliveries, offsets
from services.notify.store.database import named
from services.runtime.clock import Clock
from services.streaming.handler import Send
from services.streaming.producer import BatchProducer

_PLACE = re.compile(r" - at `([^`]*)`$")

log = structlog.get_logger(__name__)


class RefusedError(ValueError):
    """A record that holds no alert; ``reason`` is one of ``schemas.dead_letters.REASONS``."""

    def __init__(self, reason: str, detail: str, place: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail, self.place = reason, detail, place


def read(value: bytes | None) -> Alert:
    """The alert of a record. Raises ``RefusedError``."""
    if not value:
        raise RefusedError("empty", "the record has no value")
    try:
        alert = codec.decode_alert(value)
    except msgspec.ValidationError as error:
        # the text before the path may quote the value
        place = _PLACE.search(str(error))
        raise RefusedError("schema", "not an alert of this schema", place[1] if place else "") from error
    except UnicodeDecodeError as error:
        raise RefusedError("not_utf8", "the value is not UTF-8") from error
    except msgspec.DecodeError as error:
        raise RefusedError("not_json", "the value is not JSON") from error
    if not alert.history:
        raise RefusedError("schema", "an alert without history", "$.history")
    return alert


def epoch_of(record: ConsumerRecord) -> int:
    """The epoch of the monitor's owner that published a record (docs/streaming.md); 0 where it names none."""
    named = dict(record.headers).get("epoch", b"")
    return int(named) if named.isdigit() else 0


class AlertStore:
    """Stores batches of records. ``channel`` is who is told, of alerts from ``lowest`` upward; None for nobody."""

    def __init__(
        self,
        pool: Any,
        producer: BatchProducer,
        metrics: NotifyMetrics,
        clock: Clock,
        channel: Channel | None,
        lowest: Severity,
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._metrics = metrics
        self._clock = clock
        self._channel = channel
        self._lowest = lowest

    async def take(self, records: Sequence[ConsumerRecord]) -> None:
        """Store consecutive records of one partition. A record that cannot be stored is refused, alone.

        Raises what Kafka and Postgres raise when they are away; nothing is then stored, and the same records may come again.
        """
        found = [(record, await self._read(record)) for record in records]
        try:
            await self._store([(alert, epoch_of(record)) for record, alert in found if alert is not None], records[-1])
        except asyncpg.DataError:
            for record, alert in found:
                await self._store_alone(record, alert)

    async def _read(self, record: ConsumerRecord) -> Alert | None:
        try:
            return read(record.value)
        except RefusedError as error:
            await self._refuse(record, error)
            return None

    async def _store_alone(self, record: ConsumerRecord, alert: Alert | None) -> None:
        try:
            await self._store([] if alert is None else [(alert, epoch_of(record))], record)
        except asyncpg.DataError as error:
            await self._refuse(record, RefusedError("notify_error", named(error)))
            await self._store([], record)

    async def _store(self, found: list[tuple[Alert, int]], last: ConsumerRecord) -> None:
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            stored = [alert for alert, epoch in found if await self._put(connection, alert, epoch, now)]
            await offsets.put(connection, last.topic, last.partition, last.offset + 1)
            if stored:
                await changes.announce(connection)
        for alert in stored:
            self._metrics.stored(alert, now)
        self._metrics.stale.inc(len(found) - len(stored))

    async def _put(self, connection: Any, alert: Alert, epoch: int, now: datetime) -> bool:
        if not await alerts.put(connection, alert, asks_since(alert), now, epoch):
            return False
        if self._channel is not None:
            told = await deliveries.told(connection, self._channel.name, alert.alert_id)
            if is_told(alert, self._lowest, told):
                await deliveries.add(connection, self._channel.name, alert, self._channel.body(alert), now)
        return True

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
        log.warning("a record was refused", reason=error.reason, partition=record.partition, offset=record.offset)
