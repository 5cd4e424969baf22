"""The batch producer on real Kafka: order, size and partition of what it sends."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from services.streaming.handler import Send
from services.streaming.producer import MAX_BATCH_BYTES, BatchProducer

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

PARTITIONS = 4
LARGEST = 17 * 1024 * 1024


@pytest.fixture
async def topic(brokers: str) -> str:
    """A topic of the test's own that takes large records."""
    name = f"produced-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs={"max.message.bytes": str(LARGEST)})])
    await admin.close()
    return name


@pytest.fixture
async def producer(brokers: str) -> AsyncIterator[BatchProducer]:
    producer = BatchProducer(brokers, "test")
    await producer.start()
    yield producer
    await producer.stop()


async def written(brokers: str, topic: str) -> dict[int, list[ConsumerRecord]]:
    """Everything in the topic now, by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=LARGEST,
        fetch_max_bytes=LARGEST,
    )
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    found: dict[int, list[ConsumerRecord]] = {number: [] for number in range(PARTITIONS)}
    ends = await consumer.end_offsets(partitions)
    try:
        while any(len(found[tp.partition]) < end for tp, end in ends.items()):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                found[tp.partition] += records
    finally:
        await consumer.stop()
    return found


def numbered(topic: str, count: int) -> list[Send]:
    return [Send(topic, f"patient-{n % 37}".encode(), str(n).encode(), [("n", str(n).encode())]) for n in range(count)]


async def test_records_of_one_partition_keep_their_order(brokers: str, topic: str, producer: BatchProducer) -> None:
    sends = numbered(topic, 5000)
    for start in range(0, len(sends), 700):
        await producer.send(sends[start : start + 700])
    found = await written(brokers, topic)
    for records in found.values():
        numbers = [int(record.value) for record in records]
        assert numbers == sorted(numbers)
        assert all(record.headers == (("n", record.value),) for record in records)
    assert sorted(int(record.value) for records in found.values() for record in records) == list(range(5000))


async def test_a_key_has_the_partition_that_every_client_gives_it(
    brokers: str, topic: str, producer: BatchProducer
) -> None:
    keys = [random.Random(n).randbytes(n % 40 + 1) for n in range(300)] + ["müller".encode(), b"\x00", b""]
    await producer.send([Send(topic, key, b"x") for key in keys])
    found = {record.key: number for number, records in (await written(brokers, topic)).items() for record in records}
    everywhere = list(range(PARTITIONS))
    assert found == {key: DefaultPartitioner()(key, everywhere, everywhere) for key in keys}
    assert set(found.values()) == set(everywhere)


async def test_records_without_a_key_are_spread(brokers: str, topic: str, producer: BatchProducer) -> None:
    await producer.send([Send(topic, None, str(n).encode()) for n in range(40)])
    found = await written(brokers, topic)
    assert [len(records) for records in found.values()] == [10] * PARTITIONS
    assert {record.key for records in found.values() for record in records} == {None}


async def test_large_records_among_small_ones_pass_whole_and_in_order(
    brokers: str, topic: str, producer: BatchProducer
) -> None:
    sizes = [
        10,
        MAX_BATCH_BYTES + 1,
        10,
        5 * 1024 * 1024,
        16 * 1024 * 1024,
        10,
        MAX_BATCH_BYTES - 50,
        MAX_BATCH_BYTES,
        10,
    ]
    # of random bytes no compression makes a small record
    values = [random.Random(number).randbytes(size) for number, size in enumerate(sizes)]
    await producer.send([Send(topic, b"one", value) for value in values])
    (records,) = [records for records in (await written(brokers, topic)).values() if records]
    assert [record.value for record in records] == values


async def test_a_tombstone_is_no_empty_value(brokers: str, topic: str, producer: BatchProducer) -> None:
    await producer.send([Send(topic, b"k", b"x"), Send(topic, b"k", None), Send(topic, b"k", b"")])
    (records,) = [records for records in (await written(brokers, topic)).values() if records]
    assert [record.value for record in records] == [b"x", None, b""]


async def test_a_record_that_the_broker_does_not_take_is_an_error(topic: str, producer: BatchProducer) -> None:
    with pytest.raises(MessageSizeTooLargeError):
        await producer.send([Send(topic, b"k", random.Random(1).randbytes(LARGEST + 1000))])


async def test_nothing_to_send(producer: BatchProducer, topic: str) -> None:
    await producer.send([])
    assert await producer.append(topic, 0, []) == []


async def test_where_records_written_to_a_partition_stand(brokers: str, topic: str, producer: BatchProducer) -> None:
    assert await producer.append(topic, 2, [(b"k", b"x" * 1000, [])]) == [(0, 1)]
    spans = await producer.append(topic, 2, [(b"k", b"x" * 1000, [])] * 3000)
    assert len(spans) > 1
    assert [first for first, _ in spans] == [1 + sum(count for _, count in spans[:n]) for n in range(len(spans))]
    assert sum(count for _, count in spans) == 3000
    found = await written(brokers, topic)
    assert {number: len(records) for number, records in found.items()} == {0: 0, 1: 0, 2: 3001, 3: 0}
