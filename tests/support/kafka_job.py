"""One application of the counting handler on real Kafka, with topics of its own; as a context in this process or as a child.

As a program (`python -m tests.support.kafka_job NAME BROKERS FOLDER`) it runs one worker until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import murmur2
from prometheus_client import CollectorRegistry

from services.runtime.service import until_stopped
from services.streaming.epochs import epoch_of
from services.streaming.faust_engine import Engine
from services.streaming.handler import Handler
from services.streaming.metrics import StreamMetrics
from services.streaming.store import PartitionStore
from tests.support.counting import Counting

PARTITIONS = 4
KEYS = [f"k{i}".encode() for i in range(50)]
WAIT_SECONDS = 60


def partition_of(key: bytes) -> int:
    return int(murmur2(key) & 0x7FFFFFFF) % PARTITIONS


class Running(Engine):
    """An engine with its end: ``task`` raises what ended it."""

    task: asyncio.Task[None]
    measured: StreamMetrics


class Job:
    def __init__(self, brokers: str, folder: Path, name: str | None = None) -> None:
        self.name = name or uuid4().hex[:8]
        self.brokers, self.folder = brokers, folder
        self.app_id, self.input, self.output = f"app-{self.name}", f"in-{self.name}", f"out-{self.name}"
        self.changelog = f"{self.app_id}-counts-changelog"

    def on(self, folder: Path) -> Job:
        """The same application with another worker's folder."""
        return Job(self.brokers, folder, self.name)

    async def make_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        names = (self.input, self.output, self.changelog)
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        await admin.close()

    async def load(self, values: range, bad: int | None = None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.brokers)
        await producer.start()
        for value in values:
            body = b"bad" if value == bad else str(value).encode()
            await producer.send(self.input, key=KEYS[value % len(KEYS)], value=body)
        await producer.stop()

    def engine(self, handler: Handler | None = None, **options: Any) -> Running:
        measured = StreamMetrics(CollectorRegistry())
        engine = Running(
            app_id=self.app_id,
            brokers=self.brokers,
            topics=[self.input],
            handler=handler or Counting(self.output),
            state="counts",
            state_dir=self.folder,
            partitions=PARTITIONS,
            metrics=measured,
            **options,
        )
        engine.measured = measured
        return engine

    @asynccontextmanager
    async def running(self, handler: Handler | None = None, **options: Any) -> AsyncIterator[Running]:
        engine, stop = self.engine(handler, **options), asyncio.Event()
        engine.task = asyncio.create_task(engine.run(stop, 10))
        try:
            yield engine
        finally:
            stop.set()
            await asyncio.wait({engine.task})
        engine.task.result()

    @asynccontextmanager
    async def child(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """A worker in a process of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.kafka_job", self.name, self.brokers, str(self.folder)
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def records(self, topic: str, enough: Callable[[list[Any]], bool] | None = None) -> list[Any]:
        """The records of a topic, until there are ``enough`` or, without it, as many as it holds now."""
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.brokers, auto_offset_reset="earliest")
        await consumer.start()
        found: list[Any] = []
        try:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            async with asyncio.timeout(WAIT_SECONDS):
                while not (enough(found) if enough else sum(ends.values()) <= len(found)):
                    for batch in (await consumer.getmany(timeout_ms=200)).values():
                        found += batch
        finally:
            await consumer.stop()
        return found

    async def output_until(self, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        return read(await self.records(self.output, lambda found: enough(read(found))))

    async def output_of(self, values: range) -> list[dict[str, Any]]:
        """The output, once every one of ``values`` has been counted."""
        wanted = {str(value) for value in values}
        return await self.output_until(lambda found: wanted <= {record.get("value") for record in found})

    async def write(self, topic: str, key: bytes, value: bytes | None, epoch: int) -> None:
        """What another worker of that epoch would write."""
        producer = AIOKafkaProducer(bootstrap_servers=self.brokers)
        await producer.start()
        await producer.send_and_wait(
            topic, key=key, value=value, partition=partition_of(key), headers=[("epoch", str(epoch).encode())]
        )
        await producer.stop()

    async def last_of_changelog(self, key: bytes) -> tuple[Any, int]:
        """State and epoch of the last record of a key, as compaction would keep it."""
        last = [record for record in await self.records(self.changelog) if record.key == key][-1]
        return json.loads(last.value) if last.value else None, epoch_of(last.headers)

    def stored(self) -> dict[bytes, Any]:
        """The states of the local store; no worker may have it open."""
        states: dict[bytes, Any] = {}
        for partition in range(PARTITIONS):
            path = self.folder / f"counts-{partition}.rocksdb"
            if path.exists():
                store = PartitionStore(path)
                states |= {key: json.loads(value) for key, value in store.items()}
                store.close()
        return states


async def until_ready(*engines: Running) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while any(engine.ready() for engine in engines):
            await asyncio.sleep(0.02)


def read(records: list[Any]) -> list[dict[str, Any]]:
    return [json.loads(record.value) | {"key": record.key, "epoch": epoch_of(record.headers)} for record in records]


def counts(output: list[dict[str, Any]]) -> Mapping[bytes, int]:
    """The highest count of each key."""
    highest: Counter[bytes] = Counter()
    for record in output:
        highest[record["key"]] = max(highest[record["key"]], record.get("count", 0))
    return highest


async def _worker(name: str, brokers: str, folder: str) -> None:
    engine = Job(brokers, Path(folder), name).engine()
    await until_stopped(lambda stop: engine.run(stop, 10))


if __name__ == "__main__":
    asyncio.run(_worker(*sys.argv[1:]))
