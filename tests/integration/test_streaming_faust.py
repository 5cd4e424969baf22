"""The engine on real Kafka keeps the contract of ``services/streaming/handler.py`` across restarts."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import CollectorRegistry

from services.streaming.faust_engine import Engine
from services.streaming.metrics import StreamMetrics
from tests.support.counting import Counting

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

PARTITIONS = 4
KEYS = [f"k{i}".encode() for i in range(50)]


class Job:
    """One application with topics of its own."""

    def __init__(self, brokers: str, folder: Path) -> None:
        name = uuid4().hex[:8]
        self.brokers, self.folder = brokers, folder
        self.app_id, self.input, self.output = f"app-{name}", f"in-{name}", f"out-{name}"

    async def make_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        names = (self.input, self.output, f"{self.app_id}-counts-changelog")
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        await admin.close()

    async def load(self, values: range, bad: int | None = None) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.brokers)
        await producer.start()
        for value in values:
            body = b"bad" if value == bad else str(value).encode()
            await producer.send(self.input, key=KEYS[value % len(KEYS)], value=body)
        await producer.stop()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        engine = Engine(
            app_id=self.app_id,
            brokers=self.brokers,
            topics=[self.input],
            handler=Counting(self.output),
            state="counts",
            state_dir=self.folder,
            partitions=PARTITIONS,
            metrics=StreamMetrics(CollectorRegistry()),
        )
        stop = asyncio.Event()
        task = asyncio.create_task(engine.run(stop, 10))
        try:
            yield engine
        finally:
            stop.set()
            await task

    async def output_until(self, enough: Callable[[list[dict[str, object]]], bool]) -> list[dict[str, object]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.brokers, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([TopicPartition(self.output, i) for i in range(PARTITIONS)])
        found: list[dict[str, object]] = []
        try:
            async with asyncio.timeout(60):
                while not enough(found):
                    for batch in (await consumer.getmany(timeout_ms=200)).values():
                        found += [json.loads(record.value) | {"key": record.key} for record in batch]
        finally:
            await consumer.stop()
        return found


@pytest.fixture
async def job(brokers: str, tmp_path: Path) -> Job:
    job = Job(brokers, tmp_path / "state")
    await job.make_topics()
    return job


def last_counts(output: list[dict[str, object]]) -> dict[object, object]:
    last: dict[object, object] = defaultdict(int)
    for record in output:
        if "count" in record:
            last[record["key"]] = record["count"]
    return last


async def test_state_survives_a_restart_with_and_without_the_local_store(job: Job) -> None:
    await job.load(range(1000))
    async with job.running():
        await job.output_until(lambda found: len(found) >= 1000)
    await job.load(range(1000, 2000))
    async with job.running():
        await job.output_until(lambda found: len(found) >= 2000)
    # the disk is lost: everything must come back from the changelog
    job.folder = job.folder.with_name("empty")
    await job.load(range(2000, 3000))
    async with job.running():
        output = await job.output_until(lambda found: {r.get("value") for r in found} >= {str(v) for v in range(3000)})
    assert set(last_counts(output).values()) == {3000 // len(KEYS)}


async def test_a_bad_record_is_refused_and_the_stream_goes_on(job: Job) -> None:
    await job.load(range(500), bad=123)
    async with job.running():
        output = await job.output_until(lambda found: len(found) >= 500)
    assert next(record for record in output if "refused" in record)["key"] == KEYS[123 % len(KEYS)]
    assert sum(1 for record in output if "refused" in record) == 1
    assert {record["value"] for record in output if "value" in record} == {str(v) for v in range(500)} - {"123"}


async def test_two_workers_share_the_partitions_and_lose_nothing_when_one_goes(job: Job, tmp_path: Path) -> None:
    other = Job(job.brokers, tmp_path / "other")
    other.app_id, other.input, other.output = job.app_id, job.input, job.output
    async with job.running() as first:
        while first.ready():
            await asyncio.sleep(0.05)
        await job.load(range(2000))
        async with other.running():
            await job.load(range(2000, 4000))
            await job.output_until(lambda found: len({r.get("value") for r in found}) >= 3000)
        await job.load(range(4000, 5000))
        output = await job.output_until(lambda found: {r.get("value") for r in found} >= {str(v) for v in range(5000)})
    assert set(last_counts(output).values()) == {5000 // len(KEYS)}
