"""Reading whole topics, for the checker and the stale writer; nothing of the engine is used."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition


async def read_topic(brokers: str, topic: str) -> list[ConsumerRecord]:
    """Every record of a topic up to its present end, each partition in its order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        partitions = [TopicPartition(topic, number) for number in await _partitions(consumer, topic)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(at) < end for at, end in ends.items()]):
            for at, records in (await consumer.getmany(timeout_ms=500)).items():
                found += [record for record in records if record.offset < ends[at]]
    finally:
        await consumer.stop()
    return found


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    await consumer._client._wait_on_metadata(topic)  # partitions_for_topic knows subscribed topics only
    return sorted(consumer._client.cluster.partitions_for_topic(topic) or ())


async def positions(brokers: str, group: str, topics: list[str], partitions: int) -> tuple[int, int]:
    """Records that the group has not committed yet, and records in all."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        every = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        ends = await consumer.end_offsets(every)
        return sum([end - (await consumer.committed(at) or 0) for at, end in ends.items()]), sum(ends.values())
    finally:
        await consumer.stop()


def epoch_of(record: ConsumerRecord) -> int:
    """The epoch that a record was written in; 0 where it says none."""
    return next((int(value) for name, value in record.headers if name == "epoch"), 0)
