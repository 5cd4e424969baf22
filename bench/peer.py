"""The peer: the same handler with no framework at all, the limit of Python on one core with the same durability.

aiokafka fetches, states in a dictionary, changelog and output by ``create_batch``/``send_batch`` and awaited, then the
commit. It has no assignment, no restore and no store on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from services.streaming import batches
from services.streaming.handler import Handler, Record, Send
from services.streaming.producer import BatchProducer

Observe = Callable[[Sequence[Record], Sequence[Send]], None]


async def run(
    brokers: str, group: str, topics: Sequence[str], changelog: str, handler: Handler, observe: Observe
) -> None:
    """Run until cancelled; ``observe`` is told of each batch that was delivered whole."""
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=brokers, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    producer = BatchProducer(brokers, group)
    await consumer.start()
    await producer.start()
    states: dict[bytes, bytes] = {}
    try:
        while True:
            for partition, fetched in (await consumer.getmany(timeout_ms=200)).items():
                observe(*await _batch(partition, fetched, states, handler, producer, changelog))
                await consumer.commit({partition: OffsetAndMetadata(fetched[-1].offset + 1, "")})
    except asyncio.CancelledError:
        await producer.stop()
        await consumer.stop()


async def _batch(
    partition: TopicPartition,
    fetched: list[Record],
    states: dict[bytes, bytes],
    handler: Handler,
    producer: BatchProducer,
    changelog: str,
) -> tuple[list[Record], list[Send]]:
    records = [Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in fetched]
    keys = {key for record in records if (key := handler.state_key(record)) is not None}
    known = {key: handler.decode_state(states[key]) if key in states else None for key in keys}
    outcome, _ = batches.run(handler, records, known)
    changes = {key: handler.encode_state(state) for key, state in outcome.states.items()}
    await producer.send(outcome.sends)
    await producer.write_to(
        changelog, partition.partition, [Send(changelog, key, value) for key, value in changes.items()]
    )
    states.update(changes)
    return records, outcome.sends
