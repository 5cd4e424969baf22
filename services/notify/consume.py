"""Reads the monitor's topics from the offsets that are kept in Postgres."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from services.notify.intake.batches import Intake
from services.notify.metrics import NotifyMetrics
from services.notify.store import offsets
from services.notify.store.database import named

GROUP = "rxvigil-notify"
_BATCH = 500
_POLL_MS = 300
_RETRY_SECONDS = 1.0
_SILENCE_MS = 10_000
_MAX_FETCH_BYTES = 8 << 20
_FETCH_WAIT_MS = 50
"""A partition that has just been read is asked for again when the fetch under way returns, and an alert may wait for that."""
_SESSION_MS = 6_000
"""How long a killed process keeps its partitions from the others: the least that brokers allow, for alerts wait for it."""

log = structlog.get_logger(__name__)


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads its share of the partitions from the offsets in Postgres.

    A partition is paused from its assignment, or from an error, until it has been put to the offset stored: the one way to
    begin and to begin again.
    """

    def __init__(self, brokers: str, pool: Any, intake: Intake, metrics: NotifyMetrics) -> None:
        self._brokers = brokers
        self._pool = pool
        self._intake = intake
        self._metrics = metrics
        self._joined = False
        self._unplaced: set[TopicPartition] = set()
        self._waits_for = "partitions to be assigned"
        self._next: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None

    def ready(self) -> str:
        return self._waits_for

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop``. Errors of Kafka and the database are logged and tried again; nothing is passed by."""
        while not stop.is_set():
            consumer = self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._brokers,
                client_id=GROUP,
                group_id=GROUP,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=_MAX_FETCH_BYTES,
                fetch_max_wait_ms=_FETCH_WAIT_MS,
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=_SESSION_MS // 3,
            )
            try:
                await consumer.start()
                consumer.subscribe(self._intake.topics, listener=self)
                await self._consume(consumer, stop)
            except Exception as error:
                self._waits_for = "Kafka"
                log.warning("alerts and pictures cannot be read; connecting again", error=named(error))
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                await consumer.stop()

    async def _consume(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._place(consumer)
                for partition, records in (await self._fetched(consumer)).items():
                    await self._intake.take(records)
                    self._next[partition] = records[-1].offset + 1
                self._look_at(consumer)
            except Exception as error:
                self._waits_for = "alerts to be stored"
                log.warning("what was read cannot be stored; trying again", error=named(error))
                self._hold(consumer.assignment())
                await asyncio.sleep(_RETRY_SECONDS)

    async def _fetched(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[Any]]:
        """What has arrived, alerts before pictures: a person waits for them, and after a start pictures come in thousands."""
        first = [partition for partition in consumer.assignment() if partition.topic == self._intake.topics[0]]
        urgent = await consumer.getmany(*first, max_records=_BATCH) if first else {}
        return urgent or await consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH)

    async def _place(self, consumer: AIOKafkaConsumer) -> None:
        if not self._unplaced:
            return
        stored = {
            TopicPartition(topic, partition): offset
            for topic in self._intake.topics
            for partition, offset in (await offsets.of_topic(self._pool, topic)).items()
        }
        begins = await consumer.beginning_offsets(list(self._unplaced))
        for partition in self._unplaced & consumer.assignment():
            self._next[partition] = max(stored.get(partition, 0), begins[partition])
            consumer.seek(partition, self._next[partition])
            consumer.resume(partition)
            self._unplaced.discard(partition)

    def _hold(self, partitions: set[TopicPartition]) -> None:
        assert self._consumer is not None
        self._consumer.pause(*partitions)
        self._unplaced = set(partitions)

    def _look_at(self, consumer: AIOKafkaConsumer) -> None:
        """Measure the lag; say when the broker has been silent, which the client does not raise for."""
        oldest = time.time() * 1000 - _SILENCE_MS
        silent = False
        for partition in consumer.assignment() - self._unplaced:
            end, heard = consumer.highwater(partition), consumer.last_poll_timestamp(partition)
            silent = silent or (bool(heard) and heard < oldest)
            if end is not None and partition in self._next:
                lag = max(0, end - self._next[partition])
                self._metrics.lag.labels(partition.topic, str(partition.partition)).set(lag)
        if self._joined and not self._unplaced:
            self._waits_for = "Kafka, which does not answer" if silent else ""

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._unplaced.clear()
        self._next.clear()
        for partition in revoked:
            self._metrics.lag.remove(partition.topic, str(partition.partition))

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._joined = True
        self._hold(assigned)
