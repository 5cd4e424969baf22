"""Looking at an application's states from outside, and making them anew: what `rxvigil state` does.

All of it works on the broker alone: the changelog holds every state, and a worker's local store is a copy of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.partitioner import murmur2
from aiokafka.structs import OffsetAndMetadata

from services.streaming.epochs import epoch_of, headers_of
from services.streaming.producer import BatchProducer

MARK_KEY = b"\x00epoch"
"""The key of a record that holds an epoch and no state. No state has it: keys of states are texts without NUL."""
_POLL_MS = 500
_GONE_SECONDS = 30.0

Tell = Callable[[int, int], None]
"""Is told of progress: records read so far and records in all."""


class StillRunningError(RuntimeError):
    """Workers of the application are running; the message says what to stop."""


class Stored(NamedTuple):
    """A state in the changelog: where it stands, the epoch of who wrote it, and its bytes."""

    partition: int
    offset: int
    epoch: int
    value: bytes


async def newest(brokers: str, changelog: str, partitions: int, key: bytes, tell: Tell) -> Stored | None:
    """The state of ``key``: the last record of the highest epoch; None when there is none or it was erased.

    Reads the key's partition from its beginning. Raises ``aiokafka.errors.KafkaError``.
    """
    found: Stored | None = None
    highest = 0
    place = TopicPartition(changelog, int(murmur2(key) & 0x7FFFFFFF) % partitions)
    async with _consumer(brokers) as consumer:
        async for record in _all(consumer, [place], tell):
            if record.key == key and (epoch := epoch_of(record.headers)) >= highest:
                highest = epoch
                found = None if record.value is None else Stored(place.partition, record.offset, epoch, record.value)
    return found


async def highest_epochs(brokers: str, changelog: str, partitions: int, tell: Tell) -> dict[int, int]:
    """The highest epoch in each partition of a changelog."""
    epochs = dict.fromkeys(range(partitions), 0)
    async with _consumer(brokers) as consumer:
        async for record in _all(consumer, [TopicPartition(changelog, n) for n in epochs], tell):
            epochs[record.partition] = max(epochs[record.partition], epoch_of(record.headers))
    return epochs


async def begin_again(brokers: str, group: str, inputs: Sequence[TopicPartition]) -> None:
    """Let a group that is not running read its input partitions from their beginnings."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(inputs)
        begins = await consumer.beginning_offsets(inputs)
        await consumer.commit({tp: OffsetAndMetadata(offset, "") for tp, offset in begins.items()})
    finally:
        await consumer.stop()


async def ensure_stopped(brokers: str, group: str) -> None:
    """Raises ``StillRunningError`` when the group has members."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        (response,) = await admin.describe_consumer_groups([group])
    finally:
        await admin.close()
    members = [member for found in response.to_object()["groups"] for member in found["members"]]
    if members:
        raise StillRunningError(
            f"{len(members)} worker(s) of {group} are running: stop them first (a killed one counts for ten seconds more)"
        )


async def remove(brokers: str, changelog: str) -> None:
    """Delete a changelog topic and wait until the broker has forgotten it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        await admin.delete_topics([changelog])
        async with asyncio.timeout(_GONE_SECONDS):
            while changelog in await admin.list_topics():  # noqa: ASYNC110 - only the broker knows
                await asyncio.sleep(0.1)
    finally:
        await admin.close()


async def mark(brokers: str, changelog: str, epochs: Mapping[int, int]) -> None:
    """Write one record into each partition that carries its epoch and no state, so that later owners count on from it."""
    producer = BatchProducer(brokers, "rxvigil-state")
    await producer.start()
    try:
        for partition, epoch in epochs.items():
            await producer.append(changelog, partition, [(MARK_KEY, b"", list(headers_of(epoch)))])
    finally:
        await producer.stop()


@contextlib.asynccontextmanager
async def _consumer(brokers: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _all(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], tell: Tell
) -> AsyncIterator[ConsumerRecord]:
    """Every record that the partitions hold now."""
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    begins = await consumer.beginning_offsets(partitions)
    total = sum(ends[each] - begins[each] for each in partitions)
    left = {each for each in partitions if ends[each] > begins[each]}
    while left:
        for records in (await consumer.getmany(*left, timeout_ms=_POLL_MS)).values():
            for record in records:
                yield record
        # by position: the end of a compacted partition may hold no record
        positions = {each: await consumer.position(each) for each in partitions}
        left = {each for each in left if positions[each] < ends[each]}
        tell(sum(positions[each] - begins[each] for each in partitions), total)
