"""The engine on real Kafka keeps the contract of ``services/streaming/handler.py``; it is restarted between batches, so what
it knows comes from its store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from services.streaming.refusals import RefusalLimits
from tests.support.engine_contract import EngineContract, Fed, as_dict
from tests.support.kafka_job import PARTITIONS, Job, partition_of

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]


class TestFaustEngine(EngineContract):
    """Each partition gets a last record of its own key, and the feed is handled when it is counted."""

    @pytest.fixture(autouse=True)
    async def job(self, brokers: str, tmp_path: Path) -> None:
        self._job = Job(brokers, tmp_path / "state")
        self._limits = RefusalLimits(0, 0)
        self._seen: set[tuple[int, int]] = set()
        candidates = [f"end{number}".encode() for number in range(99)]
        self._ends = [next(key for key in candidates if partition_of(key) == place) for place in range(PARTITIONS)]
        await self._job.make_topics()

    def limit(self, limits: RefusalLimits) -> None:
        self._limits = limits

    async def feed(self, records: Sequence[Fed]) -> list[dict[str, Any]]:
        producer = AIOKafkaProducer(bootstrap_servers=self._job.brokers)
        await producer.start()
        for key, value in records:
            await producer.send(self._job.input, key=key, value=value)
        await producer.stop()
        return await self._handle()

    async def repeat(self) -> list[dict[str, Any]]:
        places = [TopicPartition(self._job.input, number) for number in range(PARTITIONS)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._job.brokers, group_id=self._job.app_id, enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign(places)
        await consumer.commit({place: OffsetAndMetadata(0, "") for place in places})
        await consumer.stop()
        return await self._handle()

    async def _handle(self) -> list[dict[str, Any]]:
        """Run the engine until all that was fed is handled; what it has sent meanwhile."""
        producer = AIOKafkaProducer(bootstrap_servers=self._job.brokers)
        await producer.start()
        mark = f"mark {len(self._seen)}"
        for key in self._ends:
            await producer.send(self._job.input, key=key, value=mark.encode())
        await producer.stop()
        async with self._job.running(limits=self._limits) as engine:
            reading = asyncio.create_task(
                self._job.output_until(lambda found: sum(record.get("value") == mark for record in found) == PARTITIONS)
            )
            await asyncio.wait({reading, engine.task}, return_when=asyncio.FIRST_COMPLETED)
            if engine.task.done():
                reading.cancel()
                engine.task.result()
            await reading
        return await self._new()

    async def _new(self) -> list[dict[str, Any]]:
        """What was sent since the last look."""
        records = await self._job.records(self._job.output)
        new = [record for record in records if (record.partition, record.offset) not in self._seen]
        self._seen |= {(record.partition, record.offset) for record in records}
        sent = [as_dict(record.key, record.value) for record in new if record.key not in self._ends]
        return sorted(sent, key=lambda record: record["key"])  # partitions come in any order

    async def pass_time(self) -> list[dict[str, Any]]:
        """With another worker, which restores what it knows from the changelog."""
        self._job = self._job.on(self._job.folder.with_name(f"{self._job.folder.name}-again"))
        async with self._job.running(limits=self._limits) as engine:
            async with asyncio.timeout(30):
                while engine.ready():
                    await asyncio.sleep(0.05)
            await asyncio.sleep(2.5)
        return await self._new()

    async def state(self, key: bytes) -> object | None:
        return self._job.stored().get(key)
