"""What hospitals really send now and then: each is accepted or refused as it should be, and the stream goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from rich.console import Console

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from schemas.events import AnyEvent, LabResult, Prescription
from services.local.stack import Stack
from tests.conftest import ANY_PORTS

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

NINES = "9999-12-31T23:59:59"
FIVE_MEGABYTES = 5 * 1024 * 1024


@pytest.fixture(scope="module")
async def brokers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    folder = tmp_path_factory.mktemp("bad-input")
    console = Console(stderr=True)
    async with Stack(folder, services=("ingest", "monitor"), settings=ANY_PORTS, console=console) as stack:
        yield stack.brokers


class Place(NamedTuple):
    topic: str
    partition: int
    offset: int


async def publish(
    brokers: str, topic: str, value: bytes | None, key: bytes | None = b"p-bad", partition: int | None = None
) -> Place:
    limit = 17 * 1024 * 1024
    producer = AIOKafkaProducer(bootstrap_servers=brokers, max_request_size=2 * limit, max_batch_size=2 * limit)
    await producer.start()
    try:
        sent = await producer.send_and_wait(topic, value, key=key, partition=partition)
    finally:
        await producer.stop()
    return Place(sent.topic, sent.partition, sent.offset)


class Output(NamedTuple):
    letters: list[DeadLetter]
    events: list[AnyEvent]
    alerts: list[Alert]


async def output_until(brokers: str, *patients: str) -> Output:
    """All output so far, once alerts of ``patients`` have come: what stood before them in the stream is then handled."""
    names = (topics.DEAD_LETTERS, topics.EVENTS, topics.ALERTS)
    limit = 17 * 1024 * 1024
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, auto_offset_reset="earliest", max_partition_fetch_bytes=limit, fetch_max_bytes=limit
    )
    await consumer.start()
    consumer.assign([TopicPartition(name, n) for name in names for n in range(topics.topics()[name].partitions)])
    found = Output([], [], [])

    async def read() -> None:
        for fetched in (await consumer.getmany(timeout_ms=200)).values():
            for record in fetched:
                _sort(record, found)

    try:
        async with asyncio.timeout(60):
            while not set(patients) <= {alert.patient_id for alert in found.alerts}:
                await read()
            ends = await consumer.end_offsets(consumer.assignment())
            while any([await consumer.position(each) < end for each, end in ends.items()]):
                await read()
    finally:
        await consumer.stop()
    return found


async def after_all(brokers: str, name: str) -> Output:
    """All output, once everything sent before has been handled: twenty more patients reach every partition."""
    last = [f"p-last-{name}-{number}" for number in range(20)]
    for topic in topics.SOURCES:
        for partition in range(topics.topics()[topic].partitions):
            body = json.dumps([potassium(patient, record_id=f"{topic}-{partition}") for patient in last]).encode()
            await publish(brokers, topic, body, partition=partition)
    return await output_until(brokers, *last)


def _sort(record: Any, found: Output) -> None:
    if record.topic == topics.DEAD_LETTERS:
        found.letters.append(DeadLetter.from_record(list(record.headers), record.value))
    elif record.topic == topics.EVENTS and record.headers:
        # what a test itself put there has no headers
        found.events.append(codec.decode_event(record.value))
    elif record.topic == topics.ALERTS:
        found.alerts.append(codec.decode_alert(record.value))


def potassium(patient: str, **more: Any) -> dict[str, Any]:
    """Critically high for an adult (Kost 1990: above 6.2 mmol/L)."""
    fields = {
        "type": "lab_result", "patient_id": patient, "source": "lab", "record_id": f"k-{patient}", "timing": "replayed",
        "occurred_at": "2026-11-02T08:00:00Z", "status": "final", "value": 7.4, "unit": "mmol/L",
        "codings": [{"system": "LOINC", "code": "2823-3", "display": "Potassium"}],
    }  # fmt: skip
    return fields | more


def order(patient: str, **more: Any) -> dict[str, Any]:
    fields = {
        "type": "prescription", "patient_id": patient, "source": "cpoe", "record_id": f"o-{patient}",
        "occurred_at": "2026-11-02T08:00:00Z", "status": "ordered", "drug": {"text": "warfarin 5 mg tablet"},
    }  # fmt: skip
    return fields | more


async def test_each_bad_record_is_a_dead_letter_with_its_place_and_bytes_and_the_stream_goes_on(brokers: str) -> None:
    bad: dict[str, tuple[bytes | None, str]] = {
        "malformed JSON": (b'{"type": "prescription", ', "not_json"),
        "a wrong type": (json.dumps(order("p-bad", version="three")).encode(), "schema"),
        "a misspelt field": (json.dumps(order("p-bad", dosagee={})).encode(), "schema"),
        "an unknown event type": (json.dumps(order("p-bad", type="horoscope")).encode(), "unknown_type"),
        "no UTF-8": (b'{"type": "\xff\xfe"}', "not_utf8"),
        "an empty record": (b"", "empty"),
        "a tombstone": (None, "empty"),
        "a time that is none in UTC": (json.dumps(order("p-bad", occurred_at=f"{NINES}-05:00")).encode(), "schema"),
        "five megabytes of nonsense": (b"\x00" * FIVE_MEGABYTES, "not_json"),
    }
    places = {
        name: await publish(brokers, topics.SOURCES[number % len(topics.SOURCES)], value)
        for number, (name, (value, _)) in enumerate(bad.items())
    }
    for topic in topics.SOURCES:
        await publish(brokers, topic, json.dumps(potassium(f"p-after-{topic}")).encode())
    found = await output_until(brokers, *(f"p-after-{topic}" for topic in topics.SOURCES))
    letters = {(letter.topic, letter.partition, letter.offset): letter for letter in found.letters}
    for name, (value, reason) in bad.items():
        letter = letters[places[name]]
        assert (letter.reason, letter.original, letter.refused_by) == (reason, value or b"", "ingest"), name
    assert len(letters) == len(bad)


async def test_odd_but_readable_records_are_accepted(brokers: str) -> None:
    many = [potassium("p-many", record_id=f"k{n}", value=4.1, flag="x" * 64) for n in range(FIVE_MEGABYTES // 250)]
    odd = {
        "an unknown drug code": order("p-code", drug={"codings": [{"system": "RxNorm", "code": "99999999"}]}),
        "an unknown laboratory code": potassium("p-lab", codings=[{"system": "LOINC", "code": "99999-9"}]),
        "born after the event": {
            "type": "patient", "patient_id": "p-unborn", "source": "adt", "record_id": "p-unborn", "timing": "replayed",
            "occurred_at": "2026-11-02T07:00:00Z", "birth_date": "2031-01-01",
        },
        "the year 9999": order("p-9999", occurred_at=f"{NINES}Z"),
        "five megabytes of results": many,
    }  # fmt: skip
    for value in odd.values():
        body = json.dumps(value).encode()
        await publish(brokers, topics.MESSAGES, body, key=None)
    assert len(json.dumps(many).encode()) > FIVE_MEGABYTES
    await publish(brokers, topics.MESSAGES, json.dumps(potassium("p-unborn")).encode(), key=None)
    before = len((await output_until(brokers, "p-unborn")).letters)
    found = await after_all(brokers, "odd")
    by_patient = {event.patient_id: event for event in found.events}
    unknown, no_analyte, nines = by_patient["p-code"], by_patient["p-lab"], by_patient["p-9999"]
    assert isinstance(unknown, Prescription)
    assert (unknown.drug.resolution, unknown.drug.codings[0].code) == ("unresolved", "99999999")
    assert isinstance(no_analyte, LabResult)
    assert (no_analyte.analyte, no_analyte.value) == ("", 7.4)
    assert nines.occurred_at.year == 9999
    (unborn,) = [alert for alert in found.alerts if alert.patient_id == "p-unborn"]
    assert "age is not known" in unborn.detail
    assert sum(event.patient_id == "p-many" for event in found.events) == len(many)
    assert len(found.letters) == before


async def test_a_record_dated_in_the_year_9999_does_not_end_what_is_true_now(brokers: str) -> None:
    await publish(brokers, topics.MESSAGES, json.dumps(potassium("p-late", timing="live")).encode())
    slip = potassium("p-late", record_id="slip", occurred_at=f"{NINES}Z", timing="live", value=4.0)
    await publish(brokers, topics.MESSAGES, json.dumps(slip).encode())
    later = potassium("p-late", record_id="later", occurred_at="2026-11-02T09:00:00Z", timing="live", value=4.1)
    await publish(brokers, topics.MESSAGES, json.dumps(later).encode())
    found = await after_all(brokers, "late")
    first = next(alert for alert in found.alerts if alert.patient_id == "p-late")
    assert first.status == "open"
    assert first.true_since.year == 2026


async def test_a_record_without_a_key_among_canonical_events_is_refused_by_the_monitor(brokers: str) -> None:
    place = await publish(brokers, topics.EVENTS, b"{}", key=None)
    nonsense = await publish(brokers, topics.EVENTS, b"\xff", key=b"p-x")
    found = await after_all(brokers, "key")
    letters = {(letter.topic, letter.partition, letter.offset): letter for letter in found.letters}
    assert (letters[place].refused_by, letters[place].reason) == ("monitor", "undecodable_event")
    assert letters[nonsense].original == b"\xff"


async def test_a_record_above_the_limit_is_an_error_for_its_sender(brokers: str) -> None:
    with pytest.raises(MessageSizeTooLargeError):
        await publish(brokers, topics.MESSAGES, b"x" * (topics.MAX_RECORD_BYTES + 128 * 1024))
