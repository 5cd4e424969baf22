"""Sends records in batches: packed by partition in their order, all acknowledged before ``send`` returns."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from services.streaming.handler import Headers, Send

ANSWER_SECONDS = 2.0
MAX_BATCH_BYTES = 1 << 20
MAX_REQUEST_BYTES = 18 << 20

Packed = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Key, value and headers."""
_Pending = tuple["asyncio.Future[RecordMetadata]", int]
"""The acknowledgement of a batch, which names its first offset, and the number of its records."""


class Span(NamedTuple):
    """Where records of one batch stand: the first offset and their number, without a gap."""

    first: int
    records: int


class BatchProducer:
    """An idempotent producer (acks=all).

    ``send`` raises ``aiokafka.errors.KafkaError`` when a record could not be delivered in time; some records of the call
    may then have been written. Records of one partition keep their order.
    """

    def __init__(self, brokers: str, client_id: str) -> None:
        self._brokers = brokers
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._spread = itertools.count()

    async def start(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
        )
        await producer.start()
        self._producer = producer

    async def answers(self) -> bool:
        """Whether a broker answers now."""
        assert self._producer is not None
        try:
            cluster = await asyncio.wait_for(self._producer.client.fetch_all_metadata(), ANSWER_SECONDS)
        except (KafkaError, TimeoutError, OSError):
            return False
        return bool(cluster.brokers())

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def send(self, sends: Sequence[Send], headers: Headers = ()) -> None:
        """Send and wait until the broker has acknowledged every record; ``headers`` are added to those of each."""
        by_partition: dict[tuple[str, int], list[Send]] = {}
        for send in sends:
            by_partition.setdefault((send.topic, await self._partition(send)), []).append(send)
        same = list(headers)
        pending = [
            batch
            for (topic, partition), records in by_partition.items()
            for batch in await self._pack(
                topic, partition, ((r.key, r.value, [*r.headers, *same] if r.headers else same) for r in records)
            )
        ]
        await asyncio.gather(*(acknowledged for acknowledged, _ in pending))

    async def append(self, topic: str, partition: int, records: Iterable[Packed]) -> list[Span]:
        """Send ``records`` to one given partition; where they stand, in their order."""
        pending = await self._pack(topic, partition, records)
        where = await asyncio.gather(*(acknowledged for acknowledged, _ in pending))
        return [Span(at.offset, count) for at, (_, count) in zip(where, pending, strict=True)]

    async def _partition(self, send: Send) -> int:
        assert self._producer is not None
        partitions = len(await self._producer.partitions_for(send.topic))
        if send.key is None:
            return next(self._spread) % partitions
        return int(murmur2(send.key) & 0x7FFFFFFF) % partitions

    async def _pack(self, topic: str, partition: int, records: Iterable[Packed]) -> list[_Pending]:
        producer = self._producer
        assert producer is not None
        pending: list[_Pending] = []

        async def hand_over(batch: BatchBuilder) -> None:
            count = batch.record_count()
            pending.append((await producer.send_batch(batch, topic, partition=partition), count))

        batch = producer.create_batch()
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                await hand_over(batch)
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
        if batch.record_count():
            await hand_over(batch)
        return pending
