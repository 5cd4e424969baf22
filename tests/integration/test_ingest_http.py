"""`POST /fhir` of the real ingest process on real Kafka: what 202 and 503 promise is so."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from rich.console import Console

from schemas import codec, topics
from schemas.dead_letters import DeadLetter
from schemas.events import LabResult
from services.ingest.http.intake import ANSWER_SECONDS
from services.local.stack import Stack
from tests.conftest import ANY_PORTS

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

JSON = {"Content-Type": "application/fhir+json"}
LIMIT = topics.MAX_RECORD_BYTES + 1024 * 1024


def potassium(patient: str, number: int = 1, **more: Any) -> dict[str, Any]:
    fields = {
        "resourceType": "Observation", "id": f"{patient}-{number}", "status": "final",
        "subject": {"reference": f"Patient/{patient}"}, "effectiveDateTime": "2026-11-24T08:10:00+01:00",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
        "valueQuantity": {"value": 6.4, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    }  # fmt: skip
    return fields | more


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [{"resource": each} for each in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder, console = tmp_path_factory.mktemp("ingest-http"), Console(stderr=True)
    async with Stack(folder, services=("ingest",), settings=ANY_PORTS, console=console) as stack:
        yield stack


async def post(stack: Stack, body: bytes) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.post(f"{stack.urls['ingest']}/fhir", content=body, headers=JSON)


async def read(stack: Stack, topic: str) -> list[ConsumerRecord]:
    """Everything that stands on a topic now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stack.brokers, auto_offset_reset="earliest", max_partition_fetch_bytes=LIMIT, fetch_max_bytes=LIMIT
    )  # fmt: skip
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        partitions = [TopicPartition(topic, number) for number in range(topics.topics()[topic].partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        async with asyncio.timeout(30):
            while any([await consumer.position(each) < end for each, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
    finally:
        await consumer.stop()
    return found


async def until(stack: Stack, topic: str, key: str, count: int) -> list[ConsumerRecord]:
    """The records of a key, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            found = [record for record in await read(stack, topic) if record.key == key.encode()]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.2)


async def test_202_means_that_it_is_in_kafka_and_its_events_come_out(running: Stack) -> None:
    body = bundle(potassium("p-http"), potassium("p-http", 2, status="nonsense"), potassium("p-other", 3))
    answer = await post(running, body)
    assert answer.status_code == 202
    (record,) = [each for each in await read(running, topics.MESSAGES) if each.key == b"p-http"]
    assert record.value == body
    for patient in ("p-http", "p-other"):
        (out,) = await until(running, topics.EVENTS, patient, 1)
        event = codec.decode_event(out.value)
        assert isinstance(event, LabResult)
        assert (event.patient_id, event.analyte, event.canonical_value) == (patient, "potassium", 6.4)
        assert event.origin
        assert (event.origin.topic, event.origin.partition, event.origin.offset) == (
            topics.MESSAGES,
            record.partition,
            record.offset,
        )
    (out,) = await until(running, topics.DEAD_LETTERS, "p-http", 1)
    letter = DeadLetter.from_record(list(out.headers), out.value)
    assert (letter.topic, letter.offset) == (topics.MESSAGES, record.offset)
    refused = answer.json()["issue"][1]
    assert refused["diagnostics"].startswith(f"{letter.reason}: {letter.detail}")


async def test_what_is_refused_leaves_nothing_in_kafka(running: Stack) -> None:
    before = len(await read(running, topics.MESSAGES))
    assert (await post(running, bundle(potassium("p-bad", status="nonsense")))).status_code == 422
    assert (await post(running, b"{")).status_code == 400
    assert len(await read(running, topics.MESSAGES)) == before


async def test_a_message_of_the_largest_size_passes_the_broker(running: Stack) -> None:
    body = bundle(potassium("p-large")).ljust(topics.MAX_RECORD_BYTES)
    assert (await post(running, body)).status_code == 202
    (record,) = await until(running, topics.MESSAGES, "p-large", 1)
    assert record.value == body
    await until(running, topics.EVENTS, "p-large", 1)
    assert (await post(running, body + b" ")).status_code == 413


async def test_a_broker_that_does_not_answer_is_503_and_the_same_message_later_is_taken_once(running: Stack) -> None:
    kafka = running.children["Kafka"]
    body = bundle(potassium("p-away"))
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(ANSWER_SECONDS + 20):
            away = await post(running, body)
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    assert away.status_code == 503
    assert int(away.headers["retry-after"]) > 0
    async with asyncio.timeout(60):
        while (again := await post(running, body)).status_code != 202:
            assert again.status_code == 503
            await asyncio.sleep(1)
    events = [codec.decode_event(each.value) for each in await until(running, topics.EVENTS, "p-away", 1)]
    # it may stand there twice; as a fact it is one
    assert len({(event.source, event.record_id, event.version, event.occurred_at) for event in events}) == 1
