"""The loop without a framework: the same handler, the limit of Python on one core with the same durability.

aiokafka fetches as much at a time as the engine, states stay decoded in a dictionary, output and then changelog are packed by
hand and awaited, then the commit. The garbage collector runs as seldom as in the engine. It has no assignment, no restore, no
store on disk and no bound on its memory.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from services.streaming.faust_app import FETCH_BYTES
from services.streaming.faust_engine import GC_THRESHOLD
from services.streaming.handler import Handler, Record
from services.streaming.producer import BatchProducer


async def run(brokers: str, group: str, topics: Sequence[str], changelog: str, handler: Handler) -> None:
    """Run until the process is ended."""
    gc.set_threshold(*GC_THRESHOLD)
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=brokers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    producer = BatchProducer(brokers, group)
    await consumer.start()
    await producer.start()
    states: dict[bytes, object | None] = {}
    while True:
        for partition, fetched in (await consumer.getmany(timeout_ms=200)).items():
            await _batch(partition, fetched, states, handler, producer, changelog)
            await consumer.commit({partition: OffsetAndMetadata(fetched[-1].offset + 1, "")})


async def _batch(
    partition: TopicPartition,
    fetched: list[Record],
    states: dict[bytes, object | None],
    handler: Handler,
    producer: BatchProducer,
    changelog: str,
) -> None:
    records = [Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in fetched]
    keys = {key for record in records if (key := handler.state_key(record)) is not None}
    outcome = handler.handle(records, {key: states.get(key) for key in keys})
    changes = [
        (key, None if state is None else handler.encode_state(state), []) for key, state in outcome.states.items()
    ]
    await producer.send(outcome.sends)
    await producer.append(changelog, partition.partition, changes)
    states.update(outcome.states)
