"""`rxvigil unresolved` without files: the events that real Kafka has, read once from the first to the last."""

from __future__ import annotations

from io import StringIO
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from rich.console import Console

from schemas import codec, topics
from schemas.events import Drug, Event, LabResult, Prescription
from schemas.values import Coding
from services.local.unresolved import of_kafka
from services.runtime.topics import BrokersUnreachableError, ensure_topics

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

QUIET = Console(file=StringIO())


def order(name: str, number: int, drug: Drug) -> Event:
    return Prescription(
        patient_id=f"{name}-{number}",
        source="s",
        record_id=str(number),
        occurred_at=codec.decode_event(_ORDER).occurred_at,
        status="ordered",
        drug=drug,
    )


_ORDER = (
    b'{"type":"prescription","patient_id":"p","source":"s","record_id":"1","occurred_at":"2026-11-02T08:00:00Z",'
    b'"status":"ordered","drug":{"text":"x"}}'
)


async def publish(brokers: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    try:
        for number, value in enumerate(values):
            await producer.send_and_wait(topics.EVENTS, value, key=str(number).encode())
    finally:
        await producer.stop()


async def test_every_event_of_every_partition_is_counted_once(brokers: str) -> None:
    await ensure_topics(brokers)
    name = f"mixture {uuid4().hex[:8]}"
    unknown, known = Drug(text=name, resolution="unresolved"), Drug(text="warfarin", resolution="name")
    since = Drug(text="Zocor", codings=(Coding("house", name),), resolution="unresolved")
    result = LabResult(
        patient_id="p",
        source="s",
        record_id=name,
        occurred_at=codec.decode_event(_ORDER).occurred_at,
        status="final",
        codings=(Coding("LOINC", "2823-3"),),
        value=4.0,
        unit=name,
        analyte="potassium",
        remark="unknown_unit",
    )
    events = [order(name, number, unknown) for number in range(30)] + [
        order(name, 30, known),
        order(name, 31, since),
        result,
    ]
    await publish(brokers, [*map(codec.encode, events), b"no event at all"])
    found = {gap.what: (gap.kind, count) for gap, count in await of_kafka(brokers, "", QUIET)}
    assert found[name] == ("drug", 30)
    assert found[f"potassium: {name}"] == ("unit", 1)
    # read again, there is nothing more: nothing was committed
    again = {gap.what: count for gap, count in await of_kafka(brokers, "", QUIET)}
    assert again[name] == 30
    assert "warfarin" not in found


async def test_a_broker_that_is_not_there_is_said() -> None:
    with pytest.raises(BrokersUnreachableError, match="no Kafka broker answers"):
        await of_kafka("127.0.0.1:1", "", QUIET)
