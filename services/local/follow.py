"""Following what comes out of a running stack: alerts as they are published, and whether everything has been handled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas import codec, topics
from schemas.alerts import Alert
from services.ingest.wiring import APP_ID as INGEST
from services.local.play import last_states
from services.local.stack import Stack
from services.monitor.wiring import APP_ID as MONITOR
from services.notify.delivery.webhook import Webhook
from services.notify.store import deliveries, offsets
from services.notify.store.database import open_pool

LOOK_AGAIN_SECONDS = 0.3
_ASKS = frozenset({"opened", "updated", "attention"})


class Follower:
    """Reads ``medication.alerts`` from its beginning.

    ``delays`` are seconds from the newest source record behind an alert that opened or changed to its publication, by the
    broker's time stamps. ``next_offsets`` says by partition how far it has read.
    """

    def __init__(self, told: Callable[[Alert], None]) -> None:
        self._told = told
        self._revisions: dict[tuple[str, int], Alert] = {}
        self.delays: list[float] = []
        self.next_offsets: dict[int, int] = {}

    @classmethod
    @asynccontextmanager
    async def started(cls, brokers: str, told: Callable[[Alert], None]) -> AsyncIterator[Follower]:
        """``told`` is called with each new revision once."""
        follower = cls(told)
        async with _reading(brokers) as consumer:
            consumer.assign(_partitions((topics.ALERTS,)))
            reading = asyncio.create_task(follower._read(consumer))
            try:
                yield follower
            finally:
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading

    def alerts(self) -> list[Alert]:
        """The last state of each alert."""
        return last_states(self._revisions.values())

    async def reached_the_end(self, brokers: str) -> None:
        """Wait until every alert that is published now has been seen."""
        async with _reading(brokers) as consumer:
            ends = await consumer.end_offsets(_partitions((topics.ALERTS,)))
        while not all(_reaches(self.next_offsets, tp, end) for tp, end in ends.items()):  # noqa: ASYNC110 - a few times
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            self._take(record)

    def _take(self, record: ConsumerRecord) -> None:
        self.next_offsets[record.partition] = record.offset + 1
        alert = codec.decode_alert(record.value)
        if (alert.alert_id, alert.revision) in self._revisions:
            return
        self._revisions[(alert.alert_id, alert.revision)] = alert
        received = [origin.received_at.timestamp() for origin in alert.origins if origin.received_at is not None]
        if received and alert.history[-1].change in _ASKS:
            self.delays.append(max(0.0, record.timestamp / 1000 - max(received)))
        self._told(alert)


async def settled(stack: Stack, follower: Follower) -> None:
    """Wait until everything sent is read, every alert stored and seen by ``follower``, and every delivery accepted."""
    await handled(stack.brokers)
    await follower.reached_the_end(stack.brokers)
    pool = await open_pool(stack.database_url)
    try:
        while True:
            stored = await _stored(stack.brokers, pool)
            if stored and await deliveries.waiting(pool, Webhook.name) == 0:
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
    finally:
        pool.terminate()


async def _stored(brokers: str, pool: Any) -> bool:
    async with _reading(brokers) as consumer:
        ends = await consumer.end_offsets(_partitions((topics.ALERTS,)))
    stored = await offsets.of_topic(pool, topics.ALERTS)
    return all(_reaches(stored, tp, end) for tp, end in ends.items())


def _reaches(next_offsets: Mapping[int, int], partition: TopicPartition, end: int) -> bool:
    return next_offsets.get(partition.partition, 0) >= end


async def handled(brokers: str) -> None:
    """Wait until ingest has read every source record and the monitor every event."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        async with _reading(brokers) as consumer:
            await _read_to_the_end(consumer, admin, INGEST, topics.SOURCES)
            await _read_to_the_end(consumer, admin, MONITOR, (topics.EVENTS, topics.FEEDBACK))
    finally:
        await admin.close()


async def _read_to_the_end(
    consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, group: str, names: Sequence[str]
) -> None:
    while True:
        ends = await consumer.end_offsets(_partitions(names))
        committed = await admin.list_consumer_group_offsets(group)
        if all(end == 0 or (tp in committed and committed[tp].offset >= end) for tp, end in ends.items()):
            return
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


@contextlib.asynccontextmanager
async def _reading(brokers: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest", fetch_max_wait_ms=100)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def _partitions(names: Sequence[str]) -> list[TopicPartition]:
    return [TopicPartition(name, number) for name in names for number in range(topics.topics()[name].partitions)]
