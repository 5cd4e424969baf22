"""Topics of a benchmark: made anew, filled, and read until everything expected has come."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.streaming.handler import Send
from services.streaming.producer import BatchProducer

PARTITIONS = 4
AT_ONCE = 10_000
STAMPED = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
"""The broker stamps what it appends: one clock for every contender, whatever its language."""
COMPACTED = {"cleanup.policy": "compact"}


class Stamped(NamedTuple):
    """``appended`` is the broker's time in milliseconds since the epoch, ``read`` the reader's monotonic time."""

    appended: int
    read: float
    partition: int
    value: bytes


class Broker:
    """The embedded broker. Names of topics and groups are used once, so nothing has to be deleted between rounds."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._numbers = itertools.count(1)

    def name(self, about: str) -> str:
        return f"{about}-{next(self._numbers)}"

    async def make(self, topics: Mapping[str, Mapping[str, str]], partitions: int = PARTITIONS) -> None:
        """Topics by name with their settings; returns when the broker tells of them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        try:
            new = [NewTopic(name, partitions, 1, topic_configs=dict(config)) for name, config in topics.items()]
            await admin.create_topics(new)
            async with asyncio.timeout(30):
                while not topics.keys() <= set(await admin.list_topics()):
                    await asyncio.sleep(0.05)
        finally:
            await admin.close()

    @asynccontextmanager
    async def producing(self) -> AsyncIterator[BatchProducer]:
        producer = BatchProducer(self.address, "bench-load")
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    async def fill(self, records: Iterable[Send]) -> int:
        """Send all; the number sent."""
        count, remaining = 0, iter(records)
        async with self.producing() as producer:
            while some := list(itertools.islice(remaining, AT_ONCE)):
                await producer.send(some)
                count += len(some)
        return count

    async def skip(self, group: str, topic: str) -> None:
        """Let ``group`` begin behind what ``topic`` holds now."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.address, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.commit(await consumer.end_offsets(partitions))
        finally:
            await consumer.stop()

    @asynccontextmanager
    async def reading(self, topic: str) -> AsyncIterator[Reader]:
        """Reads what is appended to ``topic`` from now on."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.address, fetch_max_wait_ms=20, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            for partition, end in (await consumer.end_offsets(partitions)).items():
                consumer.seek(partition, end)
            yield Reader(consumer)
        finally:
            await consumer.stop()


class SilentError(RuntimeError):
    """A contender sent nothing for too long."""


class Reader:
    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.records: list[Stamped] = []

    async def until(self, enough: Callable[[list[Stamped]], bool], silence: float = 90.0) -> list[Stamped]:
        """Read until ``enough``, and then a moment longer, because a record too many must be seen too.

        Raises ``SilentError`` after ``silence`` seconds without a record.
        """
        loop = asyncio.get_running_loop()
        last = loop.time()
        while not enough(self.records):
            if await self._take():
                last = loop.time()
            elif loop.time() - last > silence:
                raise SilentError(f"nothing came for {silence:.0f} s after {len(self.records):,} alerts")
        ends = loop.time() + 0.5
        while loop.time() < ends:
            await self._take()
        return self.records

    async def forever(self) -> None:
        while True:
            await self._take()

    async def _take(self) -> bool:
        before = len(self.records)
        for partition, fetched in (await self._consumer.getmany(timeout_ms=100)).items():
            now = asyncio.get_running_loop().time()  # monotonic, as the load generator's
            number = partition.partition
            self.records += [Stamped(each.timestamp, now, number, each.value or b"") for each in fetched]
        return len(self.records) > before
