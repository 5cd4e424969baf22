"""`rxvigil send` on real Kafka: what lands where, under which key and in which order."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from rich.console import Console

from schemas import codec, topics
from schemas.dead_letters import DeadLetter
from schemas.events import LabResult
from services.local.feed import FeedError, load_mapping
from services.local.report import Tally
from services.local.send import send
from services.runtime.topics import BrokersUnreachableError, ensure_topics

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).parents[2]
LAB_MAP = """
source = "lab"
timing = "replayed"
[[tables]]
file = "*.csv"
event = "lab_result"
ignore = [{ column = "VALUE", kind = "no_value" }]
[tables.fields]
patient_id = "{ID}"
record_id = "{NUMBER}"
occurred_at = "{AT}"
status = "final"
value = "{VALUE}"
codings = [{ system = "LOINC", code = "2823-3" }]
"""


class Sender:
    """Sends files of a folder, for patients that no other test has."""

    def __init__(self, brokers: str, folder: Path) -> None:
        self.brokers, self.folder = brokers, folder
        self.patient = f"p-{uuid4().hex[:8]}"

    def event(self, number: int, hour: int, **more: Any) -> bytes:
        fields = {
            "type": "patient", "patient_id": self.patient, "source": "adt", "record_id": f"{number}",
            "occurred_at": f"2026-11-02T{hour:02}:00:00Z",
        }  # fmt: skip
        # spaced as no encoder of ours would do it: what lands must be these bytes
        return json.dumps(fields | more, separators=(" ,  ", " : ")).encode()

    def file(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    async def send(self, rate: float | None = None) -> Tally:
        (self.folder / "map.toml").write_text(LAB_MAP)
        mapping, console = load_mapping(self.folder / "map.toml"), Console(file=StringIO())
        return await send([self.folder], mapping, brokers=self.brokers, rate=rate, progress=console)


@pytest.fixture
async def sender(brokers: str, tmp_path: Path) -> Sender:
    await ensure_topics(brokers)
    return Sender(brokers, tmp_path)


async def ends(brokers: str) -> dict[TopicPartition, int]:
    """The ends of all topics that a sender could write to."""
    names = (*topics.SOURCES, topics.DEAD_LETTERS, topics.EVENTS)
    partitions = [TopicPartition(name, n) for name in names for n in range(topics.topics()[name].partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers)
    await consumer.start()
    try:
        found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return found


async def since(brokers: str, before: dict[TopicPartition, int]) -> list[ConsumerRecord]:
    """What was written since, of each partition in its order."""
    after = await ends(brokers)
    wanted = sum(after.values()) - sum(before.values())
    limit = topics.MAX_RECORD_BYTES + 1024 * 1024
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, max_partition_fetch_bytes=limit, fetch_max_bytes=limit)
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        consumer.assign(list(before))
        for partition, offset in before.items():
            consumer.seek(partition, offset)
        async with asyncio.timeout(30):
            while len(found) < wanted:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
    finally:
        await consumer.stop()
    return found


async def test_json_goes_out_as_it_stands_keyed_by_patient_in_order_of_clinical_time(sender: Sender) -> None:
    first, second, third, fourth = (sender.event(n, hour) for n, hour in ((1, 8), (2, 9), (3, 10), (4, 11)))
    sender.file("a.jsonl", fourth + b"\r\n\n" + second + b"\n")
    sender.file("b.json", b"[" + third + b", " + first + b"]")
    before = await ends(sender.brokers)
    tally = await sender.send()
    found = await since(sender.brokers, before)
    assert {record.topic for record in found} == {topics.MESSAGES}
    assert {record.key for record in found} == {sender.patient.encode()}
    assert len({record.partition for record in found}) == 1
    assert [record.value for record in found] == [first, second, third, fourth]
    assert (tally.read, tally.events) == (4, {"patient": 4})


async def test_a_row_goes_out_as_the_event_that_the_mapping_makes_of_it(sender: Sender) -> None:
    row = f"{sender.patient},k1,2026-11-02 08:00:00,>7.4\n".encode()
    sender.file("labs.csv", b"ID,NUMBER,AT,VALUE\n" + row + f"{sender.patient},k2,2026-11-02,\n".encode())
    before = await ends(sender.brokers)
    tally = await sender.send()
    (record,) = await since(sender.brokers, before)
    event = codec.decode_event(record.value)
    assert isinstance(event, LabResult)
    assert (record.topic, record.key) == (topics.MESSAGES, sender.patient.encode())
    assert (event.record_id, event.value, event.comparator, event.source, event.timing) == (
        "k1",
        7.4,
        ">",
        "lab",
        "replayed",
    )
    assert (event.event_id, event.origin, event.ingested_at) == ("", None, None), "ingest fills these"
    assert (tally.events, tally.ignored, tally.read) == ({"lab_result": 1}, {"no_value": 1}, 2)


async def test_a_refused_row_is_a_dead_letter_with_its_place(sender: Sender) -> None:
    bad = f"{sender.patient},k1,never,7.4\r\n".encode()
    sender.file("labs.csv", b"ID,NUMBER,AT,VALUE\r\n" + bad)
    before = await ends(sender.brokers)
    tally = await sender.send()
    (record,) = await since(sender.brokers, before)
    assert record.topic == topics.DEAD_LETTERS
    letter = DeadLetter.from_record(list(record.headers), record.value)
    assert (letter.reason, letter.place, letter.refused_by) == ("mapping", "AT", "send")
    assert (letter.topic, letter.offset, letter.original) == ("labs.csv", 2, bad)
    assert tally.refused == tally.refused_here == {"mapping": 1}


async def test_json_that_cannot_be_read_is_left_to_ingest_and_keeps_its_place(sender: Sender) -> None:
    """It has no clinical time and no patient: it goes behind what stood before it."""
    bad, worse = b"{bad " + sender.patient.encode(), b"\xff" + sender.patient.encode()
    sender.file("a.jsonl", sender.event(2, 12) + b"\n" + bad + b"\n" + sender.event(1, 8) + b"\n" + worse + b"\n")
    before = await ends(sender.brokers)
    tally = await sender.send(rate=20)  # one by one, so that the broker's time stamps tell the order over partitions
    found = sorted(await since(sender.brokers, before), key=lambda record: int(record.timestamp))
    assert {record.topic for record in found} == {topics.MESSAGES}
    assert [record.value for record in found] == [sender.event(1, 8), worse, sender.event(2, 12), bad]
    assert [record.key for record in found] == [sender.patient.encode(), None, sender.patient.encode(), None]
    assert (tally.refused, tally.refused_here) == ({"not_json": 1, "not_utf8": 1}, {})


async def test_sending_again_sends_the_same(sender: Sender) -> None:
    sender.file("a.jsonl", b"\n".join(sender.event(number, number % 24) for number in range(1200)))
    before = await ends(sender.brokers)
    await sender.send()
    middle = await ends(sender.brokers)
    await sender.send()
    found = await since(sender.brokers, before)
    first = [r.value for r in found if r.offset < middle[TopicPartition(r.topic, r.partition)]]
    again = [r.value for r in found if r.offset >= middle[TopicPartition(r.topic, r.partition)]]
    assert first == again
    assert len(first) == 1200
    hours = [json.loads(value)["occurred_at"] for value in first]
    assert hours == sorted(hours)


async def test_the_rate_is_not_exceeded(sender: Sender) -> None:
    sender.file("a.jsonl", b"\n".join(sender.event(number, 8) for number in range(60)))
    began = time.monotonic()
    await sender.send(rate=50)
    assert time.monotonic() - began >= 60 / 50


async def test_a_large_record_passes_and_one_above_the_limit_is_said_before_anything_is_sent(sender: Sender) -> None:
    large = json.loads(sender.event(2, 9)) | {
        "conditions": [{"codings": [{"system": "x", "code": "y" * 200}]}] * 25_000
    }
    sender.file("a.json", json.dumps(large).encode())
    before = await ends(sender.brokers)
    await sender.send()
    (record,) = await since(sender.brokers, before)
    assert len(record.value) > 5 * 1024 * 1024
    sender.file("b.jsonl", sender.event(1, 8) + b"\n" + b"x" * (topics.MAX_RECORD_BYTES + 1) + b"\n")
    with pytest.raises(FeedError, match=r"b\.jsonl, line 2: 16,777,217 bytes .*16,777,216.*split"):
        await sender.send()
    assert sum((await ends(sender.brokers)).values()) == sum(before.values()) + 1


async def test_a_feed_that_cannot_be_read_to_its_end_sends_nothing(sender: Sender) -> None:
    sender.file("a.jsonl", sender.event(1, 8))
    sender.file("b.json.gz", b"no gzip")
    before = await ends(sender.brokers)
    with pytest.raises(FeedError, match=r"b\.json\.gz"):
        await sender.send()
    assert await ends(sender.brokers) == before


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_a_broker_that_is_away(tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"
    sender = Sender(away, tmp_path)
    sender.file("a.jsonl", sender.event(1, 8))
    with pytest.raises(BrokersUnreachableError, match=away):
        await sender.send()
    command = [sys.executable, "-m", "services.cli", "send", str(tmp_path / "a.jsonl"), "--brokers", away]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ), timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no Kafka broker answers at {away}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_command_tells_what_was_sent(sender: Sender) -> None:
    sender.file("a.jsonl", sender.event(1, 8) + b"\n{bad\n")
    command = [sys.executable, "-m", "services.cli", "send", str(sender.folder), "--brokers", sender.brokers]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ), timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
    told = {line.split()[0]: line.split()[1] for line in done.stderr.splitlines() if line.strip()}
    assert {name: told[name] for name in ("read", "events", "refused", "ignored")} == {
        "read": "2", "events": "1:", "refused": "1:", "ignored": "0",
    }  # fmt: skip
